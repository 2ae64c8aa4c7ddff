//! The declared steps as they stand, and each kind of step on its way.

use std::collections::BTreeSet;

use domain::AnyEvent;
use serde_json::json;

use super::{walk::through, *};

const ORDER: AggregateType = AggregateType::Order;

fn stored<'a>(event_type: &'a str, event_version: &'a str, payload: &'a str) -> Stored<'a> {
    Stored { event_type, event_version, payload }
}

/// The forms that a step leads to.
fn next(step: &Upcaster) -> Vec<Name> {
    match step.change {
        Change::Next { to, .. } => vec![(step.event_type, to)],
        Change::Into { to, .. } | Change::With { to, .. } => to.to_vec(),
    }
}

fn steps() -> impl Iterator<Item = &'static Upcaster> {
    STEPS.iter().copied().flatten()
}

fn step_from(aggregate_type: AggregateType, name: Name) -> Option<&'static Upcaster> {
    steps().find(|step| step.aggregate_type == aggregate_type && (step.event_type, step.from) == name)
}

/// Follows every way on from a form; `passed` are the forms on the way to it.
fn walk(aggregate_type: AggregateType, name: Name, passed: &mut Vec<Name>) {
    assert!(!passed.contains(&name), "{aggregate_type}: {passed:?} leads back to {name:?}");
    if aggregate_type.event_version(name.0) == Some(name.1) {
        return;
    }
    let step = step_from(aggregate_type, name)
        .unwrap_or_else(|| panic!("{aggregate_type}: {passed:?} leads to {name:?}, and nothing from there"));
    passed.push(name);
    for name in next(step) {
        walk(aggregate_type, name, passed);
    }
    passed.pop();
}

#[test]
fn every_chain_of_steps_ends_in_forms_of_today() {
    for step in steps() {
        walk(step.aggregate_type, (step.event_type, step.from), &mut vec![]);
    }
}

#[test]
fn no_form_has_two_ways_and_none_of_today_has_one() {
    let mut seen = BTreeSet::new();
    for Upcaster { aggregate_type, event_type, from, .. } in steps() {
        assert!(
            seen.insert((aggregate_type, event_type, from)),
            "{aggregate_type} {event_type} {from} twice"
        );
        let current = aggregate_type.event_version(event_type);
        assert_ne!(current, Some(*from), "{aggregate_type} {event_type} {from} is written today");
    }
}

#[test]
fn whatever_is_read_with_the_event_before_it_finds_that_dropped() {
    for step in steps() {
        let Change::With { before, .. } = step.change else { continue };
        for name in before {
            let first = step_from(step.aggregate_type, *name).map(|first| &first.change);
            let dropped = matches!(first, Some(Change::Into { to: [], .. }));
            assert!(dropped, "{:?} is a part of {}, and must mean nothing by itself", name, step.event_type);
        }
    }
}

#[test]
fn the_current_form_is_left_as_it_stands_and_needs_nothing_else() {
    let text = r#"{"HeldForReview": { }}"#;
    let read = to_current(ORDER, stored("HeldForReview", "1", text), Before::Unread);
    assert!(matches!(read, Ok(Current::AsStored)), "{read:?}");
}

#[test]
fn a_newer_version_or_type_is_unknown() {
    for (event_type, version) in [("HeldForReview", "2"), ("Teleported", "1")] {
        let read = to_current(ORDER, stored(event_type, version, "{}"), Before::Nothing);
        assert!(matches!(read, Err(Unread::Unknown)), "{read:?}");
    }
}

#[test]
fn a_step_leads_only_where_it_is_declared_to_lead() {
    const ASTRAY: Upcaster = Upcaster {
        aggregate_type: ORDER,
        event_type: "Agreed",
        from: "1",
        change: Change::Into {
            to: &[("HeldForReview", "1")],
            change: |_| vec![Form::new(("Delivered", "1"), json!({}))],
        },
    };
    let read = through(&[&[ASTRAY]], ORDER, stored("Agreed", "1", "{}"), Before::Nothing);
    assert!(
        matches!(&read, Err(Unread::Malformed(reason)) if reason.contains("Delivered version 1")),
        "{read:?}"
    );
}

/// The names of what a stored cart event became.
fn became(stored: Stored<'_>, before: Before<'_>) -> Result<Vec<&'static str>, Unread> {
    match to_current(AggregateType::Cart, stored, before)? {
        Current::AsStored => panic!("these are old"),
        Current::Became(events) => Ok(events
            .into_iter()
            .map(|(event_type, payload)| {
                let event = AnyEvent::deserialize(AggregateType::Cart, payload).unwrap();
                assert_eq!(event.event_type(), event_type);
                event_type
            })
            .collect()),
    }
}

const LINE: &str =
    r#"{"sku":"A","product":"P","title":"T","quantity":2,"unit_price":{"amount":5,"currency":"GBP"}}"#;

#[test]
fn one_becomes_one_several_or_none() {
    let set = r#"{"QuantitySet":{"sku":"A","units":3}}"#;
    let removed = r#"{"ItemRemoved":{"sku":"A"}}"#;
    let added = format!(r#"{{"LineAdded":{}}}"#, LINE.replace("}}", r#"},"set_to":7}"#));
    let cases: [(&str, &str, &[&str]); 4] = [
        ("QuantitySet", set, &["QuantitySet"]),
        ("ItemRemoved", removed, &["LineRemoved"]),
        ("LineAdded", &added, &["LineAdded", "QuantitySet"]),
        ("Viewed", r#"{"Viewed":{}}"#, &[]),
    ];
    for (event_type, payload, expected) in cases {
        assert_eq!(became(stored(event_type, "t1", payload), Before::Unread).unwrap(), expected, "{payload}");
    }
}

#[test]
fn two_become_one_where_they_belong_together() {
    let line = format!(r#"{{"PickConfirmed":{LINE}}}"#);
    let second = stored("PickConfirmed", "t1", &line);
    let first = |event_type, payload| Before::Is(stored(event_type, "t1", payload));
    let picked = first("SkuPicked", r#"{"SkuPicked":{"sku":"A"}}"#);
    assert_eq!(became(second, picked).unwrap(), ["LineAdded"]);
    assert!(matches!(became(second, Before::Unread), Err(Unread::NeedsBefore)));
    let wrong = [
        (Before::Nothing, "that is nothing"),
        (first("Viewed", r#"{"Viewed":{}}"#), "that is Viewed version t1"),
        (
            first("SkuPicked", r#"{"SkuPicked":{"sku":"B"}}"#),
            "that is a SkuPicked version t1 of something else",
        ),
    ];
    for (before, said) in wrong {
        let read = became(second, before);
        assert!(matches!(&read, Err(Unread::Malformed(reason)) if reason.ends_with(said)), "{read:?}");
    }
}
