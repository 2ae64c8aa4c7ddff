//! Who is asking: the one seam that authentication fills.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};
use domain::value::CustomerId;

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// Somebody without a name.
    Guest,
    /// A customer.
    Customer(CustomerId),
    /// A member of the staff, by name.
    Staff(Box<str>),
}

impl Principal {
    /// As the events' metadata name it; also the scope of idempotency keys.
    #[must_use]
    pub fn actor(&self) -> Box<str> {
        match self {
            Self::Guest => "guest".into(),
            Self::Customer(id) => format!("customer:{id}").into(),
            Self::Staff(name) => format!("staff:{name}").into(),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Infallible;

    /// Without authentication everybody is one nameless member of the staff, who may use every route.
    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::Staff("anonymous".into()))
    }
}
