//! Old payments: they had one capture without a name, and a void of the whole amount.

use domain::AggregateType;
use serde_json::Value;

use super::{Upcaster, fields};

pub(super) const UPCASTERS: &[Upcaster] = &[
    to_2("CaptureRequested", named),
    to_2("Captured", named),
    to_2("CaptureFailed", named),
    // Nothing had been captured of what was voided, so the whole amount is what was not captured.
    to_2("VoidRequested", |payload| payload),
];

const fn to_2(event_type: &'static str, change: fn(Value) -> Value) -> Upcaster {
    Upcaster { aggregate_type: AggregateType::Payment, event_type, from: "1", to: "2", change }
}

fn named(mut payload: Value) -> Value {
    for fields in fields(&mut payload) {
        fields.insert("capture".to_owned(), "v1".into());
    }
    payload
}
