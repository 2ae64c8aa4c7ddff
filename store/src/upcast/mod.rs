//! Old versions of events, and how each becomes the current one. Stored text is never changed.

mod cart;
mod checkout;
mod inventory_item;
mod order;
mod payment;
mod product;

use std::borrow::Cow;

use domain::AggregateType;
use serde_json::{Map, Value};

/// One step from a version of an event to the next.
pub struct Upcaster {
    /// Whose event.
    pub aggregate_type: AggregateType,
    /// The name that it was stored under.
    pub event_type: &'static str,
    /// The version that it was stored under.
    pub from: &'static str,
    /// The version that it becomes.
    pub to: &'static str,
    /// The change to the payload, its outer tag included.
    pub change: fn(Value) -> Value,
}

/// Every step there is, by aggregate.
const UPCASTERS: &[&[Upcaster]] =
    &[cart::STEPS, checkout::STEPS, inventory_item::STEPS, order::STEPS, payment::STEPS, product::STEPS];

/// The payload in the version that this program reads; `None` when the type or version is unknown to it.
///
/// # Errors
/// When a payload that must be changed is not JSON.
pub fn to_current<'a>(
    aggregate_type: AggregateType,
    event_type: &str,
    event_version: &str,
    payload: &'a str,
) -> Result<Option<Cow<'a, str>>, serde_json::Error> {
    through(UPCASTERS, aggregate_type, event_type, event_version, payload)
}

/// The payload with what is under its outer tag changed.
fn under(mut payload: Value, change: fn(Value) -> Value) -> Value {
    for event in payload.as_object_mut().into_iter().flat_map(serde_json::Map::values_mut) {
        *event = change(event.take());
    }
    payload
}

/// The payload with the fields under its outer tag changed.
fn edited(mut payload: Value, change: impl Fn(&mut Map<String, Value>)) -> Value {
    let events = payload.as_object_mut().into_iter().flat_map(Map::values_mut);
    events.filter_map(Value::as_object_mut).for_each(change);
    payload
}

fn through<'a>(
    upcasters: &[&[Upcaster]],
    aggregate_type: AggregateType,
    event_type: &str,
    event_version: &str,
    payload: &'a str,
) -> Result<Option<Cow<'a, str>>, serde_json::Error> {
    let Some(current) = aggregate_type.event_version(event_type) else {
        return Ok(None);
    };
    let mut version = event_version;
    let mut payload = Cow::Borrowed(payload);
    while version != current {
        let step = upcasters.iter().copied().flatten().find(|step| {
            step.aggregate_type == aggregate_type && step.event_type == event_type && step.from == version
        });
        let Some(step) = step else {
            return Ok(None);
        };
        payload = Cow::Owned((step.change)(serde_json::from_str(&payload)?).to_string());
        version = step.to;
    }
    Ok(Some(payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENAMED: Upcaster = Upcaster {
        aggregate_type: AggregateType::Order,
        event_type: "HeldForReview",
        from: "0",
        to: "1",
        change: |_| serde_json::json!({"HeldForReview": {}}),
    };

    #[test]
    fn an_old_version_becomes_the_current_one() {
        let payload = through(&[&[RENAMED]], AggregateType::Order, "HeldForReview", "0", r#"{"Agreed":{}}"#);
        assert_eq!(payload.unwrap().as_deref(), Some(r#"{"HeldForReview":{}}"#));
    }

    #[test]
    fn the_current_version_is_left_as_it_stands() {
        let text = r#"{"HeldForReview": { }}"#;
        let payload = through(&[&[RENAMED]], AggregateType::Order, "HeldForReview", "1", text);
        assert_eq!(payload.unwrap().as_deref(), Some(text));
    }

    #[test]
    fn a_newer_version_or_type_is_unknown() {
        let newer = through(&[&[RENAMED]], AggregateType::Order, "HeldForReview", "2", "{}").unwrap();
        let other = through(&[&[RENAMED]], AggregateType::Order, "Teleported", "1", "{}").unwrap();
        assert_eq!((newer, other), (None, None));
    }
}
