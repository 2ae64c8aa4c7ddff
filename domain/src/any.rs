//! The closed sum of all aggregates, for the parts that handle every kind alike.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    Aggregate, Event, Refusal, allowance, cart, checkout, fulfilment, inventory_item, invoice_book, order,
    payment, product, subject,
    value::{CartId, CustomerId, Invalid, OrderId, PaymentId, ProductId, Sku, SubjectId},
};

macro_rules! aggregates {
    ($($name:ident = $literal:literal => $module:ident),+ $(,)?) => {
        /// Which aggregate a stream belongs to.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is the aggregate of that name")]
        pub enum AggregateType { $($name),+ }

        impl AggregateType {
            /// Every aggregate there is.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The literal stored in the log.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $literal),+ }
            }

            /// Every stored event name of this aggregate with the version that is written now.
            #[must_use]
            pub const fn event_types(self) -> &'static [(&'static str, &'static str)] {
                match self { $(Self::$name => <$module::Event as Event>::TYPES),+ }
            }

            /// Every code under which this aggregate may refuse a command.
            #[must_use]
            pub const fn refusal_codes(self) -> &'static [&'static str] {
                match self { $(Self::$name => <$module::Refusal as Refusal>::CODES),+ }
            }

            /// What its commands look like, serialised.
            ///
            /// # Errors
            /// When serde cannot be led through them.
            pub fn command_shape(self) -> Result<crate::shape::Shape, crate::shape::Untraceable> {
                match self { $(Self::$name => crate::shape::Shape::of::<$module::Command>()),+ }
            }

            /// What its events look like, serialised.
            ///
            /// # Errors
            /// When serde cannot be led through them.
            pub fn event_shape(self) -> Result<crate::shape::Shape, crate::shape::Untraceable> {
                match self { $(Self::$name => crate::shape::Shape::of::<$module::Event>()),+ }
            }

            /// What its state looks like, serialised.
            ///
            /// # Errors
            /// When serde cannot be led through it.
            pub fn state_shape(self) -> Result<crate::shape::Shape, crate::shape::Untraceable> {
                match self { $(Self::$name => crate::shape::Shape::of::<$module::$name>()),+ }
            }

            /// The version in which this program reads and writes an event; `None` when it does not know its name.
            #[must_use]
            pub fn event_version(self, event_type: &str) -> Option<&'static str> {
                self.event_types().iter().find(|(name, _)| *name == event_type).map(|(_, version)| *version)
            }
        }

        impl FromStr for AggregateType {
            type Err = UnknownAggregate;

            fn from_str(text: &str) -> Result<Self, UnknownAggregate> {
                match text {
                    $($literal => Ok(Self::$name),)+
                    other => Err(UnknownAggregate(other.to_owned())),
                }
            }
        }

        /// A command on any aggregate, tagged with the aggregate's type.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[expect(missing_docs, reason = "each variant is the aggregate of that name")]
        pub enum AnyCommand { $(#[serde(rename = $literal)] $name($module::Command)),+ }

        impl AnyCommand {
            /// The aggregate that the command is for.
            #[must_use]
            pub const fn aggregate_type(&self) -> AggregateType {
                match self { $(Self::$name(_) => AggregateType::$name),+ }
            }

            /// Reads a command for an aggregate of `aggregate_type` that is not tagged with it.
            ///
            /// # Errors
            /// The deserialiser's, when the command is not of a known shape.
            pub fn of<'de, D: Deserializer<'de>>(
                aggregate_type: AggregateType,
                command: D,
            ) -> Result<Self, D::Error> {
                match aggregate_type {
                    $(AggregateType::$name => Deserialize::deserialize(command).map(Self::$name)),+
                }
            }
        }

        /// An event of any aggregate; serialises as its own payload, without the aggregate's type.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        #[expect(missing_docs, reason = "each variant is the aggregate of that name")]
        pub enum AnyEvent { $($name($module::Event)),+ }

        impl AnyEvent {
            /// The aggregate that the event happened to.
            #[must_use]
            pub const fn aggregate_type(&self) -> AggregateType {
                match self { $(Self::$name(_) => AggregateType::$name),+ }
            }

            /// The stored name of the event.
            #[must_use]
            pub fn event_type(&self) -> &'static str {
                match self { $(Self::$name(event) => event.event_type()),+ }
            }

            /// The stored version of the event.
            #[must_use]
            pub fn event_version(&self) -> &'static str {
                match self { $(Self::$name(event) => event.event_version()),+ }
            }

            /// Reads the payload of an event of `aggregate_type`.
            ///
            /// # Errors
            /// The deserialiser's, when the payload is not of a known shape.
            pub fn deserialize<'de, D: Deserializer<'de>>(
                aggregate_type: AggregateType,
                payload: D,
            ) -> Result<Self, D::Error> {
                match aggregate_type {
                    $(AggregateType::$name => Deserialize::deserialize(payload).map(Self::$name)),+
                }
            }
        }

        /// A refusal by any aggregate; serialises as `{"code", "values"}`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(untagged)]
        #[expect(missing_docs, reason = "each variant is the aggregate of that name")]
        pub enum AnyRefusal { $($name($module::Refusal)),+ }

        impl AnyRefusal {
            /// The stable dotted code.
            #[must_use]
            pub fn code(&self) -> &'static str {
                match self { $(Self::$name(refusal) => refusal.code()),+ }
            }
        }

        impl fmt::Display for AnyRefusal {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Self::$name(refusal) => refusal.fmt(f)),+ }
            }
        }

        impl std::error::Error for AnyRefusal {}

        /// The state of any aggregate; serialises as its own, without the aggregate's type.
        #[derive(Clone, Debug, PartialEq, Serialize)]
        #[serde(untagged)]
        #[expect(missing_docs, reason = "each variant is the aggregate of that name")]
        pub enum AnyState { $($name($module::$name)),+ }

        impl AnyState {
            /// The state before the first event.
            #[must_use]
            pub fn initial(aggregate_type: AggregateType) -> Self {
                match aggregate_type { $(AggregateType::$name => Self::$name(Default::default())),+ }
            }

            /// Reads the state of an aggregate of `aggregate_type`.
            ///
            /// # Errors
            /// The deserialiser's, when it is not one that this program writes.
            pub fn deserialize<'de, D: Deserializer<'de>>(
                aggregate_type: AggregateType,
                state: D,
            ) -> Result<Self, D::Error> {
                match aggregate_type {
                    $(AggregateType::$name => Deserialize::deserialize(state).map(Self::$name)),+
                }
            }

            /// Decides a command of the same aggregate; `None` when it is for another one.
            #[must_use]
            pub fn decide(&self, command: AnyCommand) -> Option<Result<Vec<AnyEvent>, AnyRefusal>> {
                match (self, command) {
                    $((Self::$name(state), AnyCommand::$name(command)) => Some(
                        state
                            .decide(command)
                            .map(|events| events.into_iter().map(AnyEvent::$name).collect())
                            .map_err(AnyRefusal::$name),
                    ),)+
                    (_, _) => None,
                }
            }

            /// The state after `event`; an event of another aggregate leaves it as it was.
            #[must_use]
            pub fn evolve(self, event: AnyEvent) -> Self {
                match (self, event) {
                    $((Self::$name(state), AnyEvent::$name(event)) => Self::$name(state.evolve(event)),)+
                    (state, _) => state,
                }
            }

            /// Whether nothing more is expected of it.
            #[must_use]
            pub fn is_closed(&self) -> bool {
                match self { $(Self::$name(state) => state.is_closed()),+ }
            }
        }

        $(
            impl From<$module::Command> for AnyCommand {
                fn from(command: $module::Command) -> Self { Self::$name(command) }
            }
            impl From<$module::Event> for AnyEvent {
                fn from(event: $module::Event) -> Self { Self::$name(event) }
            }
            impl From<$module::Refusal> for AnyRefusal {
                fn from(refusal: $module::Refusal) -> Self { Self::$name(refusal) }
            }
            const _: () = assert!(same(<$module::$name as Aggregate>::TYPE.as_bytes(), $literal.as_bytes()));
        )+
    };
}

const fn same(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let mut index = 0;
    while index < left.len() {
        if left[index] != right[index] {
            return false;
        }
        index += 1;
    }
    true
}

aggregates! {
    Allowance = "allowance" => allowance,
    Cart = "cart" => cart,
    Checkout = "checkout" => checkout,
    Fulfilment = "fulfilment" => fulfilment,
    InventoryItem = "inventory_item" => inventory_item,
    InvoiceBook = "invoice_book" => invoice_book,
    Order = "order" => order,
    Payment = "payment" => payment,
    Product = "product" => product,
    Subject = "subject" => subject,
}

impl AnyCommand {
    /// Whether there is nearly never a stream yet when it comes: it begins one under a name that was made for it, or it says
    /// what nobody wants to know yet.
    #[must_use]
    pub const fn expects_no_stream(&self) -> bool {
        use fulfilment::Command::{PaymentAuthorized, Start};
        matches!(
            self,
            Self::Cart(cart::Command::Open { .. })
                | Self::Checkout(checkout::Command::Start(_))
                | Self::Fulfilment(Start { .. } | PaymentAuthorized { .. })
                | Self::Order(order::Command::Place(_))
                | Self::Payment(payment::Command::OpenIntent { .. })
        )
    }
}

impl AggregateType {
    /// Whether an aggregate of this type is ever closed.
    #[must_use]
    pub const fn ends(self) -> bool {
        match self {
            Self::Cart | Self::Checkout | Self::Fulfilment | Self::Order | Self::Payment => true,
            Self::Allowance | Self::InventoryItem | Self::InvoiceBook | Self::Product | Self::Subject => {
                false
            }
        }
    }

    /// Checks the id of an aggregate of this type.
    ///
    /// # Errors
    /// When no such aggregate can be called that.
    pub fn check_id(self, id: &str) -> Result<(), Invalid> {
        match self {
            Self::Allowance => {
                let wrong = || Invalid::new("allowance", id, "<customer id>:<SKU>");
                let (customer, sku) = id.split_once(':').ok_or_else(wrong)?;
                CustomerId::new(customer)?;
                Sku::new(sku).map(drop)
            }
            Self::Cart => CartId::new(id).map(drop),
            Self::Checkout | Self::Fulfilment | Self::Order => OrderId::new(id).map(drop),
            Self::InventoryItem => Sku::new(id).map(drop),
            Self::InvoiceBook => {
                let year = id.parse::<u16>().ok().filter(|year| id == year.to_string());
                year.map(drop).ok_or_else(|| Invalid::new("invoice book", id, "a year, such as 2026"))
            }
            Self::Payment => PaymentId::new(id).map(drop),
            Self::Product => ProductId::new(id).map(drop),
            Self::Subject => SubjectId::new(id).map(drop),
        }
    }
}

impl fmt::Display for AggregateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stored aggregate type that this program does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no aggregate type {0:?}")]
pub struct UnknownAggregate(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    /// Serde lists every name that it knows when it is given one that it does not.
    macro_rules! codes_that_serialise {
        ($($module:ident)+) => {[$((
            serde_json::from_str::<$module::Refusal>(r#"{"code":"?"}"#).unwrap_err().to_string(),
            <$module::Refusal as Refusal>::CODES,
        )),+]};
    }

    #[test]
    fn the_codes_of_a_refusal_are_those_that_it_serialises() {
        for (error, codes) in
            codes_that_serialise!(allowance cart inventory_item invoice_book order payment product)
        {
            let names: Vec<_> = error.split('`').skip(3).step_by(2).collect();
            assert_eq!(names, codes, "{error}");
        }
    }
}
