//! Checkouts from before they were quoted for, and could be paid in several tries.

use domain::AggregateType;
use serde_json::Value;

use super::{Change, Upcaster, edited};

pub(super) const STEPS: &[Upcaster] = &[
    second("Started", |payload| {
        edited(payload, |plan| {
            plan.insert("capture".to_owned(), "at_once".into());
            plan.insert("attempts_max".to_owned(), 1.into());
        })
    }),
    // It was due for whatever had been captured.
    second("RefundDue", |payload| payload),
];

/// The step from the first version of an event to the second.
const fn second(event_type: &'static str, change: fn(Value) -> Value) -> Upcaster {
    Upcaster {
        aggregate_type: AggregateType::Checkout,
        event_type,
        from: "1",
        change: Change::Next { to: "2", change },
    }
}
