//! Payments from before their captures had names, their tokens were sealed, and when a void was of the whole amount.

use domain::AggregateType;
use serde_json::Value;

use super::{Change, Upcaster, edited};

pub(super) const STEPS: &[Upcaster] = &[
    second("CaptureRequested", named),
    second("Captured", named),
    second("CaptureFailed", named),
    // Nothing had been captured of what was voided, so the whole amount is what was not captured.
    second("VoidRequested", |payload| payload),
    // A token stood there as it came, and still may.
    second("AuthorizationRequested", |payload| payload),
];

/// The step from the first version of an event to the second.
const fn second(event_type: &'static str, change: fn(Value) -> Value) -> Upcaster {
    Upcaster {
        aggregate_type: AggregateType::Payment,
        event_type,
        from: "1",
        change: Change::Next { to: "2", change },
    }
}

fn named(payload: Value) -> Value {
    edited(payload, |fields| drop(fields.insert("capture".to_owned(), "v1".into())))
}
