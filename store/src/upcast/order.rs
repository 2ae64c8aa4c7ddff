//! Old versions of an order's events.

use domain::AggregateType;
use serde_json::{Value, json};

use super::{Upcaster, with};

/// Prices included all taxes. A payment was only named: without its own stream, a card's is as good a guess as any, and most
/// were.
pub(super) const PLACED_1: Upcaster = of("Placed", |payload| {
    with(payload, "Placed", |placed| {
        if let Some(payment) = placed.remove("payment") {
            let terms = json!({ "payment": payment, "method": "card", "capture": "at_once" });
            placed.insert("payment".into(), terms);
        }
        placed.insert("prices_include_tax".into(), Value::Bool(true));
    })
});

/// How it is paid and what is to be shipped was left to whoever had placed it.
pub(super) const CONFIRMED_1: Upcaster = of("Confirmed", |payload| {
    with(payload, "Confirmed", |confirmed| {
        confirmed.insert("lines".into(), json!([]));
    })
});

/// Putting back what was allocated was left to whoever had placed it: nothing more is to be put back.
pub(super) const CANCELLED_1: Upcaster = of("Cancelled", |payload| {
    with(payload, "Cancelled", |cancelled| {
        cancelled.insert("confirmed".into(), Value::Bool(false));
        cancelled.insert("units".into(), json!([]));
    })
});

/// Prices included all taxes.
pub(super) const CREDIT_NOTE_ISSUED_1: Upcaster = of("CreditNoteIssued", |payload| {
    with(payload, "CreditNoteIssued", |issued| {
        issued.insert("prices_include_tax".into(), Value::Bool(true));
    })
});

const fn of(event_type: &'static str, change: fn(Value) -> Value) -> Upcaster {
    Upcaster { aggregate_type: AggregateType::Order, event_type, from: "1", to: "2", change }
}
