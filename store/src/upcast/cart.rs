//! Carts from before they expired, weighed anything, and were quoted for.

use domain::AggregateType;
use serde_json::{Value, json};

use super::{Upcaster, under};

pub(super) const STEPS: &[Upcaster] = &[
    // Nothing ended these carts, and nothing does until they are touched again.
    second("Opened", |payload| payload),
    second("QuantitySet", |payload| payload),
    second("LineAdded", |payload| under(payload, |line| json!({ "line": line }))),
    second("CheckedOut", |payload| under(payload, checked_out)),
];

/// The step from the first version of an event to the second.
const fn second(event_type: &'static str, change: fn(Value) -> Value) -> Upcaster {
    Upcaster { aggregate_type: AggregateType::Cart, event_type, from: "1", to: "2", change }
}

/// What every checkout had before it could be chosen.
fn checked_out(mut event: Value) -> Value {
    if let Some(fields) = event.as_object_mut() {
        fields.insert("quote".to_owned(), Value::Null);
        fields.insert("capture".to_owned(), "at_once".into());
        fields.insert("attempts_max".to_owned(), 1.into());
    }
    event
}
