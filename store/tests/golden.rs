//! A stored sample of every event type and version ever released: it must stay readable, and is never edited.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{collections::BTreeSet, path::Path};

use domain::AggregateType;
use store::log::{Meaning, Metadata, StoredEvent, decode_stream};

fn samples() -> Vec<(String, String, String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        // The shapes of all events lie beside the samples.
        .filter(|path| path.extension().is_none_or(|extension| extension != "txt"))
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap();
            let [aggregate_type, event_type, version, "json"] = name.split('.').collect::<Vec<_>>()[..]
            else {
                panic!("{name} is not <aggregate_type>.<EventType>.v<version>.json");
            };
            let version = version.strip_prefix('v').unwrap().to_owned();
            (aggregate_type.into(), event_type.into(), version, std::fs::read_to_string(&path).unwrap())
        })
        .collect()
}

#[test]
fn every_stored_sample_is_read_and_none_of_it_is_lost() {
    let metadata = Metadata {
        occurred_at: domain::value::Time::from_millis(0),
        actor: "guest".into(),
        correlation_id: uuid::Uuid::nil(),
        causation_id: uuid::Uuid::nil(),
        command_id: uuid::Uuid::nil(),
        traceparent: None,
    };
    for (aggregate_type, event_type, event_version, payload) in samples() {
        let stored = StoredEvent {
            position: 1,
            aggregate_type: aggregate_type.as_str().into(),
            aggregate_id: "x".into(),
            sequence: 1,
            event_type: event_type.as_str().into(),
            event_version: event_version.as_str().into(),
            payload: payload.as_str().into(),
            metadata: serde_json::to_string(&metadata).unwrap().into(),
            event_id: uuid::Uuid::nil(),
            recorded_at_us: 0,
        };
        let events = decode_stream([&stored]).next().unwrap();
        let events = events.unwrap_or_else(|error| panic!("{aggregate_type} {event_type}: {error}")).events;
        let Meaning::One(event) = events else { panic!("{aggregate_type} {event_type} means {events:?}") };
        assert_eq!(event.event_type(), event_type);
        if Some(event_version.as_str()) == event.aggregate_type().event_version(&event_type) {
            let stored: serde_json::Value = serde_json::from_str(&payload).unwrap();
            assert_eq!(serde_json::to_value(&event).unwrap(), stored, "{aggregate_type} {event_type}");
        }
    }
}

#[test]
fn every_event_type_of_today_has_a_sample() {
    let sampled: BTreeSet<_> =
        samples().into_iter().map(|(aggregate, event, version, _)| (aggregate, event, version)).collect();
    for aggregate_type in AggregateType::ALL {
        for (event_type, version) in aggregate_type.event_types() {
            let key = (aggregate_type.to_string(), (*event_type).to_owned(), (*version).to_owned());
            assert!(sampled.contains(&key), "store/tests/golden lacks a sample of {key:?}");
        }
    }
}
