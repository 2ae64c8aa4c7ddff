//! Steps of every kind, from forms that no release ever wrote: so that tests have something to read.

use domain::AggregateType;
use serde_json::{Value, json};

use super::{Change, Form, Name, Upcaster, edited};

const CART: AggregateType = AggregateType::Cart;

pub(super) const STEPS: &[Upcaster] = &[
    // One to one, and further through the step that a release made.
    step(
        CART,
        "QuantitySet",
        Change::Next { to: "1", change: |payload| renamed(payload, "units", "quantity") },
    ),
    // Another name.
    step(
        CART,
        "ItemRemoved",
        into(&[("LineRemoved", "1")], |payload| vec![Form::new(("LineRemoved", "1"), fields(payload))]),
    ),
    // Split: it was added, and then set to a quantity, all in one.
    step(CART, "LineAdded", into(&[("LineAdded", "1"), ("QuantitySet", "t1")], added_and_set)),
    // Dropped.
    step(CART, "Viewed", into(&[], |_| vec![])),
    // Merged, where the stream begins.
    step(CART, "EndGiven", into(&[], |_| vec![])),
    step(
        CART,
        "CurrencyGiven",
        Change::With { before: &[("EndGiven", "t1")], to: &[("Opened", "2")], change: opened },
    ),
    // Merged, and the two must be about the same thing.
    step(CART, "SkuPicked", into(&[], |_| vec![])),
    step(
        CART,
        "PickConfirmed",
        Change::With { before: &[("SkuPicked", "t1")], to: &[("LineAdded", "1")], change: picked },
    ),
    // Split into events of which each has something done.
    step(AggregateType::Order, "CancelledByLine", into(&[("LinesCancelled", "1")], by_line)),
];

const fn step(aggregate_type: AggregateType, event_type: &'static str, change: Change) -> Upcaster {
    Upcaster { aggregate_type, event_type, from: "t1", change }
}

const fn into(to: &'static [Name], change: fn(Value) -> Vec<Form>) -> Change {
    Change::Into { to, change }
}

/// What is under the outer tag.
fn fields(payload: Value) -> Value {
    match payload {
        Value::Object(tagged) => tagged.into_iter().next().map_or(Value::Null, |(_, fields)| fields),
        other => other,
    }
}

fn renamed(payload: Value, from: &str, to: &str) -> Value {
    edited(payload, |fields| {
        if let Some(value) = fields.remove(from) {
            fields.insert(to.to_owned(), value);
        }
    })
}

fn added_and_set(payload: Value) -> Vec<Form> {
    let mut line = fields(payload);
    let units = line.as_object_mut().and_then(|line| line.remove("set_to")).unwrap_or_default();
    let set = json!({ "sku": line.get("sku"), "units": units });
    vec![Form::new(("LineAdded", "1"), line), Form::new(("QuantitySet", "t1"), set)]
}

fn opened(before: &Value, payload: Value) -> Option<Vec<Form>> {
    let end = before.get("EndGiven")?.get("at")?;
    let currency = fields(payload).get("currency").cloned();
    Some(vec![Form::new(("Opened", "2"), json!({ "expires_at": end, "currency": currency }))])
}

fn picked(before: &Value, payload: Value) -> Option<Vec<Form>> {
    let line = fields(payload);
    let same = before.get("SkuPicked")?.get("sku") == line.get("sku");
    same.then(|| vec![Form::new(("LineAdded", "1"), line)])
}

fn by_line(payload: Value) -> Vec<Form> {
    let parts = match fields(payload) {
        Value::Array(parts) => parts,
        other => vec![other],
    };
    parts.into_iter().map(|part| Form::new(("LinesCancelled", "1"), part)).collect()
}
