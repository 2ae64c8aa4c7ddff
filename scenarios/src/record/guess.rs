//! Which command it was: the one that decides to exactly what happened.
//!
//! The log keeps what happened and not what was asked. A command's fields mostly stand in its events under the same
//! names, so every command of the aggregate is filled from them and decided on the state of before; one that leads to
//! the same events is as good as the one that was sent.

use domain::{
    AnyCommand, AnyEvent, AnyState,
    shape::{Field, Shape},
    value::Time,
};
use serde_json::{Map, Value as Json, json};
use store::json;

use crate::{
    expect::compare,
    run::parts,
    steps::Stream,
    vocabulary::{Side, find, names, tagged},
};

/// So many ways to fill one command are tried.
const WAYS_MAX: usize = 64;

/// A command that leads to what happened.
pub(super) struct Guess {
    pub(super) name: &'static str,
    pub(super) body: Json,
    pub(super) command: AnyCommand,
}

/// The command that leads from a state to these events, or as close to them as any: their names must agree.
pub(super) fn guess(stream: &Stream, state: &AnyState, events: &[AnyEvent], at: Time) -> Option<Guess> {
    let told: Vec<_> = events.iter().map(parts).collect();
    let sources: Vec<_> = told.iter().map(|(_, body)| body).collect();
    let mut best: Option<(usize, Guess)> = None;
    for variant in names(stream.aggregate_type, Side::Command) {
        for body in ways(&variant.body, &sources, at) {
            let Ok(command) = json::written_command(stream.aggregate_type, &tagged(variant, body.clone()))
            else {
                continue;
            };
            let Some(Ok(decided)) = state.decide(command.clone()) else { continue };
            let Some(off) = differences(stream, &told, &decided) else { continue };
            if best.as_ref().is_none_or(|(least, _)| off < *least) {
                best = Some((off, Guess { name: variant.name, body, command }));
            }
        }
    }
    best.map(|(_, guess)| guess)
}

/// In how many places events differ from those that were told; nothing when they are not even called the same.
fn differences(stream: &Stream, told: &[(String, Json)], decided: &[AnyEvent]) -> Option<usize> {
    if told.len() != decided.len() {
        return None;
    }
    let mut differences = vec![];
    for ((name, body), event) in told.iter().zip(decided) {
        let (other, decided) = parts(event);
        if *name != other {
            return None;
        }
        let variant = find(stream.aggregate_type, Side::Event, name)?;
        compare("", body, &decided, &variant.body, &mut differences);
    }
    Some(differences.len())
}

/// Every way to make a value of a shape out of what is known.
fn ways(shape: &Shape, sources: &[&Json], at: Time) -> Vec<Json> {
    match shape {
        Shape::Nothing => vec![Json::Null],
        Shape::Named("Time", _) => vec![json!(at.millis())],
        Shape::Named(_, inner) | Shape::Option(inner) => ways(inner, sources, at),
        Shape::Bool => vec![json!(false), json!(true)],
        Shape::Struct(_, fields) => structs(fields, sources, at),
        Shape::Enum(_, variants) => variants
            .iter()
            .flat_map(|variant| {
                ways(&variant.body, sources, at).into_iter().map(|body| tagged(variant, body))
            })
            .take(WAYS_MAX)
            .collect(),
        Shape::Open
        | Shape::Integer { .. }
        | Shape::Text
        | Shape::List(_)
        | Shape::Map(..)
        | Shape::Tuple(_) => vec![],
    }
}

fn structs(fields: &[Field], sources: &[&Json], at: Time) -> Vec<Json> {
    let mut partial = vec![Map::new()];
    for field in fields {
        let mut values: Vec<_> = match named(field.name, sources) {
            Some(found) => vec![Some(found.clone())],
            None if field.optional && field.name != "now" => vec![],
            None => ways(&field.shape, sources, at).into_iter().map(Some).collect(),
        };
        if field.optional {
            values.push(None);
            // Whoever asks for more than usual says so.
            values.extend((field.shape == Shape::Bool).then_some(Some(json!(true))));
        }
        partial = values
            .iter()
            .flat_map(|value| {
                partial.iter().map(move |fields| {
                    let mut fields = fields.clone();
                    fields.extend(value.clone().map(|value| (field.name.to_owned(), value)));
                    fields
                })
            })
            .take(WAYS_MAX)
            .collect();
    }
    partial.into_iter().map(Json::Object).collect()
}

/// The first value of that name, outer ones first.
fn named<'a>(name: &str, sources: &[&'a Json]) -> Option<&'a Json> {
    if let Some(found) = sources.iter().find_map(|source| source.get(name)) {
        return Some(found);
    }
    let inner: Vec<&Json> = sources
        .iter()
        .flat_map(|source| match source {
            Json::Object(fields) => fields.values().collect::<Vec<_>>(),
            _ => vec![],
        })
        .filter(|value| value.is_object())
        .collect();
    if inner.is_empty() { None } else { named(name, &inner) }
}
