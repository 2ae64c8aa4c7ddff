//! Old stock: it lay in one place, and nothing was promised that was not there.

use domain::{AggregateType, value::LocationId};
use serde_json::{Value, json};

use super::{Upcaster, fields};

pub(super) const UPCASTERS: &[Upcaster] = &[
    to_2("Received", placed),
    to_2("Adjusted", placed),
    to_2("Released", whole),
    to_2("Expired", whole),
    to_2("Allocated", taken),
];

const fn to_2(event_type: &'static str, change: fn(Value) -> Value) -> Upcaster {
    Upcaster { aggregate_type: AggregateType::InventoryItem, event_type, from: "1", to: "2", change }
}

fn placed(mut payload: Value) -> Value {
    for fields in fields(&mut payload) {
        fields.insert("location".to_owned(), LocationId::MAIN.into());
    }
    payload
}

fn whole(mut payload: Value) -> Value {
    for fields in fields(&mut payload) {
        fields.insert("short".to_owned(), 0.into());
    }
    payload
}

fn taken(mut payload: Value) -> Value {
    for fields in fields(&mut payload) {
        let quantity = fields.get("quantity").cloned().unwrap_or_default();
        fields.insert("from".to_owned(), json!([{ "location": LocationId::MAIN, "quantity": quantity }]));
    }
    payload
}
