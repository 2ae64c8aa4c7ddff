//! Names of things: UUIDs and validated codes, kept as text so that both travel alike.

use std::{fmt, str::FromStr, sync::Arc};

use serde::Deserialize;
use uuid::Uuid;

use super::Invalid;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $wanted:literal, $pattern:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        written_as_text!($name);

        impl $name {
            /// Checks and takes a name.
            ///
            /// # Errors
            /// When the text is not such a name.
            pub fn new(text: impl Into<String>) -> Result<Self, Invalid> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text.into())) } else { Err(Invalid::new($kind, &text, $wanted)) }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;
            fn from_str(text: &str) -> Result<Self, Invalid> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Invalid;
            fn try_from(text: String) -> Result<Self, Invalid> {
                Self::new(text)
            }
        }

        impl From<$name> for Arc<str> {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                (*name.0).into()
            }
        }

        #[cfg(feature = "openapi")]
        super::schema::text!($name, $kind, $wanted, $pattern);
    };
}

macro_rules! code_id {
    ($($(#[$doc:meta])* $name:ident, $kind:literal;)+) => {$(
        text_id!($(#[$doc])* $name, $kind, "1 to 64 of A-Z a-z 0-9 _ -", "^[A-Za-z0-9_-]{1,64}$", |text| {
            (1..=64).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        });

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id.to_string().into())
            }
        }
    )+};
}

code_id! {
    /// One cart.
    CartId, "cart id";
    /// One customer; a guest is a customer without an account.
    CustomerId, "customer id";
    /// One order, and the checkout that leads to it.
    OrderId, "order id";
    /// One payment intent.
    PaymentId, "payment id";
    /// One try at authorizing a payment.
    AttemptId, "attempt id";
    /// One refund of a payment.
    RefundId, "refund id";
    /// One dispute about a payment, as the gateway calls it.
    DisputeId, "dispute id";
    /// One way to pay that a customer keeps.
    MethodId, "payment method id";
    /// One capture of a payment.
    CaptureId, "capture id";
    /// One shipment of an order.
    ShipmentId, "shipment id";
    /// One return of shipped goods.
    ReturnId, "return id";
    /// One change to a placed order.
    EditId, "edit id";
    /// One cancellation of some lines of an order.
    CancellationId, "cancellation id";
    /// One place where stock lies.
    LocationId, "location id";
    /// One entry of the catalogue.
    ProductId, "product id";
    /// One hold on the stock of a SKU; a checkout uses its order's id.
    ReservationId, "reservation id";
}

text_id!(
    /// A stock keeping unit. Real ones hold spaces, dots and both cases; case tells them apart.
    Sku, "SKU", "1 to 64 characters without control characters, not starting or ending with a space",
    r"^[^\s\u0000-\u001f\u007f-\u009f](?:[^\u0000-\u001f\u007f-\u009f\u2028\u2029]{0,62}[^\s\u0000-\u001f\u007f-\u009f])?$",
    |text| (1..=64).contains(&text.chars().count())
        && !text.chars().any(char::is_control)
        && text.trim() == text
);

text_id!(
    /// Whose personal data is sealed under one key: `customer:<id>`, or `cart:<id>` of a cart that is nobody's.
    SubjectId, "subject", "customer:<id> or cart:<id>", "^(?:customer|cart):[A-Za-z0-9_-]{1,64}$",
    |text| match text.split_once(':') {
        Some(("customer", id)) => CustomerId::new(id).is_ok(),
        Some(("cart", id)) => CartId::new(id).is_ok(),
        _ => false,
    }
);

impl From<&CustomerId> for SubjectId {
    fn from(customer: &CustomerId) -> Self {
        Self(format!("customer:{customer}").into())
    }
}

impl From<&CartId> for SubjectId {
    fn from(cart: &CartId) -> Self {
        Self(format!("cart:{cart}").into())
    }
}

impl From<OrderId> for ReservationId {
    fn from(order: OrderId) -> Self {
        Self(order.0)
    }
}

/// What an edit adds is held under its own name until it is applied.
impl From<EditId> for ReservationId {
    fn from(edit: EditId) -> Self {
        Self(edit.0)
    }
}

/// The credit note for a return is named after it.
impl From<ReturnId> for OrderId {
    fn from(returned: ReturnId) -> Self {
        Self(returned.0)
    }
}

/// The credit note for cancelled lines is named after their cancellation.
impl From<CancellationId> for OrderId {
    fn from(cancellation: CancellationId) -> Self {
        Self(cancellation.0)
    }
}

/// What a checkout takes is one capture, named after its order.
impl From<OrderId> for CaptureId {
    fn from(order: OrderId) -> Self {
        Self(order.0)
    }
}

impl CustomerId {
    /// What the ids of guests begin with; nobody with an account has such an id.
    const GUEST: &'static str = "guest-";

    /// A guest of that name.
    #[must_use]
    pub fn guest(id: Uuid) -> Self {
        Self(format!("{}{id}", Self::GUEST).into())
    }

    /// Whether this is somebody without an account.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.0.starts_with(Self::GUEST)
    }
}

impl LocationId {
    /// Where stock lies unless somebody says otherwise.
    pub const MAIN: &'static str = "main";

    /// The place of that name.
    #[must_use]
    pub fn main() -> Self {
        Self(Self::MAIN.into())
    }
}

/// What a checkout owes back is one refund, named after its order.
impl From<OrderId> for RefundId {
    fn from(order: OrderId) -> Self {
        Self(order.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

    use uuid::Uuid;

    use super::CustomerId;

    #[test]
    fn a_guest_is_known_by_the_id() {
        assert!(CustomerId::guest(Uuid::nil()).is_guest());
        assert_eq!(CustomerId::guest(Uuid::nil()).as_str(), "guest-00000000-0000-0000-0000-000000000000");
        for other in ["guest", "Guest-1", "c-guest-1", "0192f1a0-0000-7000-8000-000000000000"] {
            assert!(!CustomerId::new(other).unwrap().is_guest(), "{other}");
        }
    }
}
