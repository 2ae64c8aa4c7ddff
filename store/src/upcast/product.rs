//! Listings from before their variants weighed anything.

use domain::AggregateType;
use serde_json::Value;

use super::{Change, Upcaster, under};

pub(super) const STEPS: &[Upcaster] = &[Upcaster {
    aggregate_type: AggregateType::Product,
    event_type: "Listed",
    from: "1",
    change: Change::Next { to: "2", change: |payload| under(payload, listed) },
}];

fn listed(mut listing: Value) -> Value {
    let variants = listing.get_mut("variants").and_then(Value::as_array_mut);
    for variant in variants.into_iter().flatten().filter_map(Value::as_object_mut) {
        variant.insert("weight_grams".to_owned(), 0.into());
    }
    listing
}
