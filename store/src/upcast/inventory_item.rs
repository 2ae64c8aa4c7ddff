//! Stock from before it lay in several places, and before anything was promised that was not there.

use domain::{AggregateType, value::LocationId};
use serde_json::{Value, json};

use super::{Change, Upcaster, edited};

pub(super) const STEPS: &[Upcaster] = &[
    second("Received", placed),
    second("Adjusted", placed),
    second("Released", whole),
    second("Expired", whole),
    second("Allocated", taken),
];

/// The step from the first version of an event to the second.
const fn second(event_type: &'static str, change: fn(Value) -> Value) -> Upcaster {
    Upcaster {
        aggregate_type: AggregateType::InventoryItem,
        event_type,
        from: "1",
        change: Change::Next { to: "2", change },
    }
}

fn placed(payload: Value) -> Value {
    edited(payload, |fields| drop(fields.insert("location".to_owned(), LocationId::MAIN.into())))
}

fn whole(payload: Value) -> Value {
    edited(payload, |fields| drop(fields.insert("short".to_owned(), 0.into())))
}

fn taken(payload: Value) -> Value {
    edited(payload, |fields| {
        let quantity = fields.get("quantity").cloned().unwrap_or_default();
        let from = json!([{ "location": LocationId::MAIN, "quantity": quantity }]);
        fields.insert("from".to_owned(), from);
    })
}
