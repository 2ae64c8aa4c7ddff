//! Old forms of events, and what each means today. Stored text is never changed.
//!
//! A step leads from one form, a name and a version, to the next: to one form, to several, or to none. All there are stand
//! in [`STEPS`]; whoever reads an event goes through them, by way of [`crate::log::Decoder`].

mod cart;
mod checkout;
mod inventory_item;
mod order;
mod payment;
mod product;
#[cfg(any(test, feature = "testing"))]
mod testing;
#[cfg(test)]
mod tests;
mod walk;

use domain::AggregateType;
use serde_json::{Map, Value};

pub(crate) use walk::{Before, Current, Stored, Unread, to_current};

/// The name of an event and its version.
pub type Name = (&'static str, &'static str);

/// One step from a form of an event to what it became.
pub struct Upcaster {
    /// Whose event.
    pub aggregate_type: AggregateType,
    /// The name that it was stored under.
    pub event_type: &'static str,
    /// The version that it was stored under.
    pub from: &'static str,
    /// What it became.
    pub change: Change,
}

/// What a form became. Payloads are with their outer tags; forms go through further steps until all are current.
pub enum Change {
    /// The next version of the same event.
    Next {
        /// Which.
        to: &'static str,
        /// The change to the payload.
        change: fn(Value) -> Value,
    },
    /// Other events, in their order: several for one that was split, one for one that was renamed, none for one that means
    /// nothing any more.
    Into {
        /// Every form that it may become: where no chain of these comes back to itself, no reading goes on for ever.
        to: &'static [Name],
        /// The forms and their payloads.
        change: fn(Value) -> Vec<Form>,
    },
    /// What two events became that were stored one behind the other: this is the second, and the first means nothing by
    /// itself any more.
    With {
        /// Every form that the event before it in its stream may be stored in.
        before: &'static [Name],
        /// Every form that it may become.
        to: &'static [Name],
        /// The forms and their payloads, from the payload stored before it and its own; `None` when the two do not belong
        /// together.
        change: fn(&Value, Value) -> Option<Vec<Form>>,
    },
}

/// An event in one of the forms that it has had.
pub struct Form {
    /// Its name and version.
    pub name: Name,
    /// Its payload, with the outer tag.
    pub payload: Value,
}

impl Form {
    /// An event of that name and version with these fields.
    #[must_use]
    pub fn new(name: Name, fields: Value) -> Self {
        Self { name, payload: Value::Object(Map::from_iter([(name.0.to_owned(), fields)])) }
    }
}

/// Every step there is, by aggregate.
const STEPS: &[&[Upcaster]] = &[
    cart::STEPS,
    checkout::STEPS,
    inventory_item::STEPS,
    order::STEPS,
    payment::STEPS,
    product::STEPS,
    #[cfg(any(test, feature = "testing"))]
    testing::STEPS,
];

/// Whether a stored event of such an aggregate may mean nothing: then a stream's first event that means something need not
/// be its first.
#[must_use]
pub fn may_drop(aggregate_type: AggregateType) -> bool {
    let mut steps = STEPS.iter().copied().flatten().filter(|step| step.aggregate_type == aggregate_type);
    steps.any(|step| !matches!(step.change, Change::Next { .. }))
}

/// The stored names of such an aggregate whose events may come out under another name.
pub(crate) fn leaves_its_name(aggregate_type: AggregateType) -> impl Iterator<Item = &'static str> {
    let steps = STEPS.iter().copied().flatten().filter(move |step| step.aggregate_type == aggregate_type);
    steps.filter(|step| !matches!(step.change, Change::Next { .. })).map(|step| step.event_type)
}

/// The payload with what is under its outer tag changed.
fn under(mut payload: Value, change: fn(Value) -> Value) -> Value {
    for event in payload.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        *event = change(event.take());
    }
    payload
}

/// The payload with the fields under its outer tag changed.
fn edited(mut payload: Value, change: impl Fn(&mut Map<String, Value>)) -> Value {
    let events = payload.as_object_mut().into_iter().flat_map(Map::values_mut);
    events.filter_map(Value::as_object_mut).for_each(change);
    payload
}
