//! Old versions of events, and how each becomes the current one. Stored text is never changed.

mod checkout;
mod inventory_item;
mod payment;

use std::borrow::Cow;

use domain::AggregateType;

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
    /// The change to the payload, under its outer tag.
    pub change: fn(serde_json::Value) -> serde_json::Value,
}

/// Every step there is.
const UPCASTERS: &[&[Upcaster]] = &[checkout::UPCASTERS, inventory_item::UPCASTERS, payment::UPCASTERS];

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

/// The fields of an event's payload, under its outer tag.
fn fields(
    payload: &mut serde_json::Value,
) -> impl Iterator<Item = &mut serde_json::Map<String, serde_json::Value>> {
    let tagged = payload.as_object_mut().into_iter().flat_map(|payload| payload.values_mut());
    tagged.filter_map(serde_json::Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENAMED: Upcaster = Upcaster {
        aggregate_type: AggregateType::Order,
        event_type: "Confirmed",
        from: "0",
        to: "1",
        change: |_| serde_json::json!({"Confirmed": {}}),
    };

    #[test]
    fn an_old_version_becomes_the_current_one() {
        let payload = through(&[&[RENAMED]], AggregateType::Order, "Confirmed", "0", r#"{"Agreed":{}}"#);
        assert_eq!(payload.unwrap().as_deref(), Some(r#"{"Confirmed":{}}"#));
    }

    #[test]
    fn the_current_version_is_left_as_it_stands() {
        let text = r#"{"Confirmed": { }}"#;
        let payload = through(&[&[RENAMED]], AggregateType::Order, "Confirmed", "1", text);
        assert_eq!(payload.unwrap().as_deref(), Some(text));
    }

    #[test]
    fn a_newer_version_or_type_is_unknown() {
        let newer = through(&[&[RENAMED]], AggregateType::Order, "Confirmed", "2", "{}").unwrap();
        let other = through(&[&[RENAMED]], AggregateType::Order, "Teleported", "1", "{}").unwrap();
        assert_eq!((newer, other), (None, None));
    }
}
