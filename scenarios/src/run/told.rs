//! Events, commands and refusals as a failure tells them.

use domain::{AnyCommand, AnyEvent, AnyRefusal, shape::Shape};
use serde_json::Value as Json;
use store::json::ToJson as _;

use crate::{
    bind::values_of,
    expect::written,
    steps::Stream,
    text::print_body,
    vocabulary::{Side, untagged},
    world::Entry,
};

pub(super) fn wishes(issued: &[(Stream, AnyCommand)]) -> Vec<String> {
    if issued.is_empty() {
        return vec!["nothing is wanted".to_owned()];
    }
    issued.iter().map(|(to, command)| told_command(to, command)).collect()
}

pub(crate) fn parts(event: &AnyEvent) -> (String, Json) {
    untagged(event.to_json_value().unwrap_or_default())
}

pub(super) fn command_parts(command: &AnyCommand) -> (String, Json) {
    untagged(untagged(command.to_json_value().unwrap_or_default()).1)
}

pub(super) fn told_event(stream: &Stream, event: &AnyEvent) -> String {
    let (name, body) = parts(event);
    written(stream, Side::Event, &name, &body)
}

pub(super) fn told_command(stream: &Stream, command: &AnyCommand) -> String {
    let (name, body) = command_parts(command);
    written(stream, Side::Command, &name, &body)
}

pub(super) fn told_refusal(refusal: &AnyRefusal) -> String {
    format!("refused: {}{}", refusal.code(), print_body(&values_of(refusal), &Shape::Open))
}

pub(super) fn told_entry(entry: &Entry) -> String {
    match entry {
        Entry::Event { stream, event, .. } => told_event(stream, event),
        Entry::Refusal { by, stream, command, refusal } => {
            format!("{} asked by {by}, {}", told_command(stream, command), told_refusal(refusal))
        }
    }
}
