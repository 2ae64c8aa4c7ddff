//! `events show`: one event or one stream, with everything that is known of it.

use projections::analytics::{Table, object};
use serde_json::Value;
use store::log::{Log as _, Pages, PostgresLog, Seen, Selection, StreamId};
use uuid::Uuid;

use super::EventsError;
use crate::{
    out,
    run::{FINE, Failure},
};

/// Shows it; fails when there is none.
pub async fn run(log: &PostgresLog, what: &str, json: bool) -> Result<u8, Failure> {
    let none = || EventsError::NoEvent(what.to_owned());
    let head = log.head().await?.position;
    let mut pages = if let Ok(position) = what.parse::<i64>() {
        if !(1..=head).contains(&position) {
            return Err(none().into());
        }
        Pages::new(log.clone(), Selection::default(), position - 1, position)
    } else if let Ok(id) = what.parse::<Uuid>() {
        let position = log.position_of(id).await?.ok_or_else(none)?;
        Pages::new(log.clone(), Selection::default(), position - 1, position)
    } else {
        let stream: StreamId = what.parse().map_err(|_| EventsError::NoPlace(what.to_owned()))?;
        let selection = Selection {
            aggregate_types: vec![stream.aggregate_type],
            aggregate_id: Some(stream.id),
            ..Selection::default()
        };
        Pages::new(log.clone(), selection, 0, head)
    };
    let mut events = vec![];
    while let Some(page) = pages.next().await? {
        events.extend(page.events);
    }
    if events.is_empty() {
        return Err(none().into());
    }
    let table = Table::of_all();
    let mut objects = vec![];
    for seen in &events {
        let mut text = vec![];
        object(&table, seen, &mut text)?;
        let object: Value = serde_json::from_slice(&text)?;
        objects.push(object);
    }
    if json {
        out::line(serde_json::json!({ "events": objects }))?;
        return Ok(FINE);
    }
    for (seen, object) in events.iter().zip(&objects) {
        out::line(pretty(seen, object)?)?;
    }
    Ok(FINE)
}

fn pretty(seen: &Seen, object: &Value) -> Result<String, Failure> {
    let stored = &seen.stored;
    let said = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let was = (stored.event_type(), stored.event_version()) != (seen.event_type(), seen.event_version());
    let stored_as = if was {
        format!(" (stored as {} {})", stored.event_type(), stored.event_version())
    } else {
        String::new()
    };
    let payload = object.get("payload").map(serde_json::to_string_pretty).transpose()?.unwrap_or_default();
    Ok(format!(
        "{} {}-{} #{}  {} {}{stored_as}\n  happened     {} by {}\n  recorded     {}\n  event        {}\n  \
         correlation  {}\n  causation    {}\n  command      {}\n{payload}\n",
        stored.position,
        stored.aggregate_type(),
        stored.aggregate_id(),
        stored.sequence,
        seen.event_type(),
        seen.event_version(),
        said("occurred_at"),
        said("actor"),
        said("recorded_at"),
        said("event_id"),
        said("correlation_id"),
        said("causation_id"),
        said("command_id"),
    ))
}
