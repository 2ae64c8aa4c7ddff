//! A history as it is told: what happened at once, in order, with nobody's personal data.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    AnyEvent, inventory_item,
    payment::{self, Event as Payment, Token},
    shape::Shape,
    value::{LocationId, Time},
};
use serde_json::{Value as Json, json};
use store::{
    json,
    log::{Meant, Recorded},
};
use uuid::Uuid;

use crate::{
    run::parts,
    steps::Stream,
    vocabulary::{Side, find, tagged},
};

/// The events of one command.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) stream: Stream,
    pub(super) at: Time,
    pub(super) events: Vec<AnyEvent>,
    command_id: Uuid,
}

/// The payment and attempt, and the token that does the same.
type Tokens = BTreeMap<(Arc<str>, Arc<str>), &'static str>;

/// What happened, command by command.
pub(super) fn groups(recorded: &[Recorded]) -> Vec<Group> {
    let tokens = tokens(recorded);
    let mut words = Words::default();
    let mut groups: Vec<Group> = vec![];
    for recorded in recorded {
        let stream =
            Stream { aggregate_type: recorded.stream.aggregate_type, id: recorded.stream.id.to_string() };
        let events = recorded.meant().map(|meant| words.over(&stream, &simulated(meant, &tokens)));
        let events: Vec<_> = events.collect();
        if events.is_empty() {
            continue;
        }
        let (command_id, at) = (recorded.metadata.command_id, recorded.metadata.occurred_at);
        match groups.last_mut() {
            Some(last) if last.command_id == command_id && last.stream == stream => {
                last.events.extend(events)
            }
            _ => groups.push(Group { stream, at, events, command_id }),
        }
    }
    groups
}

/// Words in the place of sealed values, the same word for the same value.
#[derive(Default)]
struct Words {
    known: BTreeMap<String, String>,
}

impl Words {
    fn over(&mut self, stream: &Stream, event: &AnyEvent) -> AnyEvent {
        let (name, mut body) = parts(event);
        let Some(variant) = find(stream.aggregate_type, Side::Event, &name) else { return event.clone() };
        self.put(&mut body, &variant.body, "sealed");
        json::written_event(stream.aggregate_type, &tagged(variant, body)).unwrap_or_else(|_| event.clone())
    }

    fn put(&mut self, value: &mut Json, shape: &Shape, name: &str) {
        match (shape, value) {
            (Shape::Struct("Sealed", _), value) if value.is_object() => {
                let prefix = format!("{name}-");
                let number = self.known.values().filter(|word| word.starts_with(&prefix)).count() + 1;
                let word = self.known.entry(value.to_string()).or_insert_with(|| format!("{prefix}{number}"));
                *value = json!({"subject": "scenario", "sealed": word});
            }
            (Shape::Option(inner) | Shape::Named(_, inner), value) => self.put(value, inner, name),
            (Shape::Struct(_, fields), Json::Object(values)) => {
                for field in fields {
                    if let Some(value) = values.get_mut(field.name) {
                        self.put(value, &field.shape, field.name);
                    }
                }
            }
            (Shape::Enum(_, variants), Json::Object(values)) => {
                for variant in variants {
                    if let Some(value) = values.get_mut(variant.name) {
                        self.put(value, &variant.body, name);
                    }
                }
            }
            (Shape::List(inner), Json::Array(values)) => {
                values.iter_mut().for_each(|value| self.put(value, inner, name));
            }
            (Shape::Map(_, inner), Json::Object(values)) => {
                values.values_mut().for_each(|value| self.put(value, inner, name));
            }
            (Shape::Tuple(shapes), Json::Array(values)) => {
                shapes.iter().zip(values).for_each(|(shape, value)| self.put(value, shape, name));
            }
            _ => {}
        }
    }
}

/// For every attempt at another gateway than the simulated one, the token with which that does the same.
fn tokens(recorded: &[Recorded]) -> Tokens {
    let answers =
        recorded.iter().flat_map(Recorded::meant).filter_map(|Meant { recorded, event, .. }| {
            let AnyEvent::Payment(event) = event else { return None };
            let (attempt, token) = match event {
                Payment::Authorized { attempt, .. } => (attempt, "tok_approve"),
                Payment::Declined { attempt, .. } => (attempt, "tok_decline"),
                Payment::AuthorizationTimedOut { attempt, .. } => (attempt, "tok_timeout"),
                _ => return None,
            };
            Some(((recorded.stream.id.clone(), attempt.as_str().into()), token))
        });
    // The first answer counts.
    answers.rev().collect()
}

fn simulated(Meant { recorded, event, .. }: Meant<'_>, tokens: &Tokens) -> AnyEvent {
    let AnyEvent::Payment(Payment::AuthorizationRequested { order, attempt, token, amount, .. }) = event
    else {
        return event.clone();
    };
    if matches!(token, Token::Plain(token) if token.as_str().starts_with("tok_")) {
        return event.clone();
    }
    let answer = tokens.get(&(recorded.stream.id.clone(), attempt.as_str().into()));
    let token = answer.and_then(|token| token.parse().ok()).unwrap_or_else(|| token.clone());
    let (order, attempt, amount) = (order.clone(), attempt.clone(), *amount);
    payment::Event::AuthorizationRequested { order, attempt, token, amount, keep_for: None }.into()
}

/// What must have been on hand for a history that holds only a part of a SKU's events.
pub(super) fn on_hand(events: &[&inventory_item::Event]) -> BTreeMap<LocationId, i64> {
    let mut lowest = BTreeMap::new();
    let mut now: BTreeMap<LocationId, i64> = BTreeMap::new();
    let mut held = 0;
    let mut most = 0;
    for event in events {
        for (location, units) in event.moves() {
            let level = now.entry(location.clone()).or_default();
            *level += units;
            let low: &mut i64 = lowest.entry(location.clone()).or_default();
            *low = (*low).min(*level);
        }
        let change = event.change();
        held += change.reserved - change.on_hand;
        most = most.max(held);
    }
    let mut needed: BTreeMap<_, _> =
        lowest.into_iter().filter(|(_, low)| *low < 0).map(|(location, low)| (location, -low)).collect();
    let told: i64 = needed.values().sum();
    if most > told {
        *needed.entry(LocationId::main()).or_default() += most - told;
    }
    needed
}
