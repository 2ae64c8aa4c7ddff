//! Carts from before they expired, weighed anything, and were quoted for.

use domain::AggregateType;
use serde_json::{Value, json};

use super::{Change, Upcaster, under};

pub(super) const STEPS: &[Upcaster] = &[
    // Nothing ended these carts, and nothing does until they are touched again.
    second("Opened", |payload| payload),
    second("QuantitySet", |payload| payload),
    second("LineAdded", |payload| under(payload, |line| json!({ "line": line }))),
    second("CheckedOut", |payload| under(payload, checked_out)),
];

/// The step from the first version of an event to the second.
const fn second(event_type: &'static str, change: fn(Value) -> Value) -> Upcaster {
    Upcaster {
        aggregate_type: AggregateType::Cart,
        event_type,
        from: "1",
        change: Change::Next { to: "2", change },
    }
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

#[cfg(test)]
mod tests {
    use domain::{cart::Event, payment::CaptureWhen};

    use super::*;
    use crate::upcast::{Before, Current, Stored, to_current};

    fn read(event_type: &str, payload: &str) -> Event {
        let stored = Stored { event_type, event_version: "1", payload };
        match to_current(AggregateType::Cart, stored, Before::Unread) {
            Ok(Current::Became(mut events)) if events.len() == 1 => {
                serde_json::from_value(events.remove(0).1).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_old_checkout_is_captured_at_once_and_paid_in_one_attempt() {
        let event = read("CheckedOut", include_str!("../../tests/golden/cart.CheckedOut.v1.json"));
        let Event::CheckedOut { lines, total, quote, capture, attempts_max, .. } = event else {
            panic!("{event:?}")
        };
        assert_eq!((lines.len(), total.amount, quote), (1, 1_530, None));
        assert_eq!((capture, attempts_max), (CaptureWhen::AtOnce, 1));
    }

    #[test]
    fn an_old_line_weighs_nothing_and_keeps_no_cart_open() {
        let event = read("LineAdded", include_str!("../../tests/golden/cart.LineAdded.v1.json"));
        let Event::LineAdded { line, expires_at } = event else { panic!("{event:?}") };
        assert_eq!((line.weight_grams, line.tax_category, line.purchase_limit), (0, None, None));
        assert_eq!(expires_at, None);
    }
}
