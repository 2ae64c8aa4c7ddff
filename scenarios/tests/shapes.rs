//! The shape of every event that was ever released stands in a file, and cannot change unnoticed.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{collections::BTreeMap, fs, path::Path};

use domain::AggregateType;

const UPDATE: &str = "DAYBOOK_UPDATE_SHAPES";

/// `cart.Opened v1 {…}`, one line an event.
fn shapes() -> BTreeMap<String, String> {
    let mut shapes = BTreeMap::new();
    for aggregate_type in AggregateType::ALL {
        let shape = aggregate_type.event_shape().unwrap();
        for (name, version) in aggregate_type.event_types() {
            let body = &shape.variant(name).unwrap().body;
            shapes.insert(format!("{aggregate_type}.{name} v{version}"), body.to_string());
        }
    }
    shapes
}

#[test]
fn a_released_event_keeps_its_shape() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/tests/golden/shapes.txt");
    let stored = fs::read_to_string(&path).unwrap_or_default();
    let mut stored: BTreeMap<String, String> = stored
        .lines()
        .map(|line| {
            let (name, rest) = line.split_once(' ').unwrap();
            let (version, shape) = rest.split_once(' ').unwrap();
            (format!("{name} {version}"), shape.to_owned())
        })
        .collect();
    let now = shapes();
    if std::env::var_os(UPDATE).is_some() {
        // Versions that are no longer written stay: they are still read.
        stored.extend(now);
        let lines: Vec<_> = stored.iter().map(|(name, shape)| format!("{name} {shape}\n")).collect();
        fs::write(&path, lines.concat()).unwrap();
        return;
    }
    let complaints: Vec<_> = now
        .iter()
        .filter_map(|(name, shape)| match stored.get(name) {
            Some(known) if known == shape => None,
            Some(known) => {
                let version: u32 = name.rsplit('v').next().unwrap().parse().unwrap();
                Some(format!(
                    "{name} has changed: give it version {}, an upcaster and a sample; or, if it was never released, \
                     run with {UPDATE}=1\n  was {known}\n  is  {shape}",
                    version + 1
                ))
            }
            None => Some(format!("{name} is new: run with {UPDATE}=1 to keep its shape")),
        })
        .collect();
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
