//! Values that commands and events are made of; each holds only truths that can never change.

/// A value that is a text in JSON, written as it stands: derived from `into`, a copy would be made of it each time.
macro_rules! written_as_text {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

mod id;
mod money;
mod quantity;
#[cfg(feature = "openapi")]
mod schema;
mod sealed;
mod share;
mod text;
mod time;

pub use id::{
    AttemptId, CancellationId, CaptureId, CartId, CustomerId, DisputeId, EditId, LocationId, MethodId,
    OrderId, PaymentId, ProductId, RefundId, ReservationId, ReturnId, ShipmentId, Sku, SubjectId,
};
pub use money::{Currency, Money};
pub use quantity::Quantity;
pub use sealed::Sealed;
pub use share::{part, shares};
pub use text::Text;
pub use time::Time;

/// A value that is not one of its type, with what would be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} is not a {kind}: {wanted}")]
pub struct Invalid {
    /// The type that was asked for.
    pub kind: &'static str,
    /// What was given, cut to 80 characters.
    pub value: String,
    /// The rule that it breaks.
    pub wanted: &'static str,
}

impl Invalid {
    pub(crate) fn new(kind: &'static str, value: &str, wanted: &'static str) -> Self {
        Self { kind, value: value.chars().take(80).collect(), wanted }
    }
}
