//! Orders from before their taxes, their terms and their units were told.

use domain::AggregateType;
use serde_json::{Value, json};

use super::{Change, Upcaster, edited};

pub(super) const STEPS: &[Upcaster] = &[
    second("Placed", placed),
    // How it is paid and what is to be shipped was left to whoever had placed it.
    second("Confirmed", |payload| {
        edited(payload, |confirmed| drop(confirmed.insert("lines".into(), json!([]))))
    }),
    // Putting back what was allocated was left to whoever had placed it: nothing more is to be put back.
    second("Cancelled", |payload| {
        edited(payload, |cancelled| {
            cancelled.insert("confirmed".into(), Value::Bool(false));
            cancelled.insert("units".into(), json!([]));
        })
    }),
    second("CreditNoteIssued", |payload| {
        edited(payload, |issued| drop(issued.insert("prices_include_tax".into(), Value::Bool(true))))
    }),
];

/// The step from the first version of an event to the second.
const fn second(event_type: &'static str, change: fn(Value) -> Value) -> Upcaster {
    Upcaster {
        aggregate_type: AggregateType::Order,
        event_type,
        from: "1",
        change: Change::Next { to: "2", change },
    }
}

/// Prices included all taxes. A payment was only named: without its own stream, a card's is as good a guess as any, and
/// most were.
fn placed(payload: Value) -> Value {
    edited(payload, |placed| {
        if let Some(payment) = placed.remove("payment") {
            let terms = json!({ "payment": payment, "method": "card", "capture": "at_once" });
            placed.insert("payment".into(), terms);
        }
        placed.insert("prices_include_tax".into(), Value::Bool(true));
    })
}
