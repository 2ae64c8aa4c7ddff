//! What is in the streams by now, and what is wanted because of it.

use domain::{
    AnyCommand, AnyEvent,
    process::{Fact, Issue, POLICIES, process_of},
};

use super::{
    Player, Wrong,
    told::{command_parts, parts, told_event, wishes},
};
use crate::{expect::Expected, steps::Stream, world::Entry};

impl Player<'_> {
    /// The events of a stream since everything was given, with their places in the log.
    async fn since(&mut self, stream: &Stream) -> Result<Vec<(usize, AnyEvent)>, Wrong> {
        let given = self.given.unwrap_or_default();
        let entries = self.world.entries().await?;
        let events = entries.into_iter().enumerate().skip(given).filter_map(|(index, entry)| match entry {
            Entry::Event { stream: of, event, .. } if of == *stream => Some((index, event)),
            Entry::Event { .. } | Entry::Refusal { .. } => None,
        });
        Ok(events.collect())
    }

    pub(super) async fn eventually(&mut self, expected: &Expected) -> Result<(), Wrong> {
        let stream = &expected.stream;
        let from = self.told.iter().rev().find(|(told, _)| told == stream).map_or(0, |(_, index)| index + 1);
        let events = self.since(stream).await?;
        let mut nearest: Option<Vec<String>> = None;
        for (index, event) in events.iter().filter(|(index, _)| *index >= from) {
            let (name, body) = parts(event);
            match expected.differences(&name, &body) {
                Some(differences) if differences.is_empty() => {
                    self.told.push((stream.clone(), *index));
                    return Ok(());
                }
                Some(differences) if nearest.as_ref().is_none_or(|best| differences.len() < best.len()) => {
                    nearest = Some(differences);
                }
                _ => {}
            }
        }
        let mut got: Vec<_> = events.iter().map(|(_, event)| told_event(stream, event)).collect();
        if got.is_empty() {
            got.push(format!("nothing happened to {stream}"));
        }
        Err(Wrong {
            expected: vec![expected.to_string()],
            got,
            differences: nearest.unwrap_or_default(),
            step: None,
        })
    }

    pub(super) async fn exactly(&mut self, stream: &Stream, all: &[Expected]) -> Result<(), Wrong> {
        let events = self.since(stream).await?;
        let mut differences = vec![];
        for index in 0..all.len().max(events.len()) {
            match (all.get(index), events.get(index)) {
                (Some(expected), Some((_, event))) => {
                    let (name, body) = parts(event);
                    match expected.differences(&name, &body) {
                        Some(found) => {
                            differences.extend(
                                found.into_iter().map(|line| format!("{}. {name}: {line}", index + 1)),
                            );
                        }
                        None => differences.push(format!(
                            "{}. expected {}, got {name}",
                            index + 1,
                            expected.variant.name
                        )),
                    }
                }
                (Some(expected), None) => {
                    differences.push(format!("{}. {} is missing", index + 1, expected.variant.name))
                }
                (None, Some((_, event))) => {
                    differences.push(format!("{}. {} is too much", index + 1, parts(event).0))
                }
                (None, None) => {}
            }
        }
        if differences.is_empty() {
            self.told.extend(events.last().map(|(index, _)| (stream.clone(), *index)));
            return Ok(());
        }
        Err(Wrong {
            expected: all.iter().map(ToString::to_string).collect(),
            got: events.iter().map(|(_, event)| told_event(stream, event)).collect(),
            differences,
            step: None,
        })
    }

    pub(super) async fn never(&mut self, all: &[Expected]) -> Result<(), Wrong> {
        for expected in all {
            for (_, event) in self.since(&expected.stream).await? {
                let (name, body) = parts(&event);
                if expected.differences(&name, &body).is_some_and(|differences| differences.is_empty()) {
                    return Err(Wrong::new(
                        format!("never {expected}"),
                        told_event(&expected.stream, &event),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Everything that is wanted because of a stream's events since the givens.
    async fn issued(&mut self, by: &Stream) -> Result<Vec<(Stream, AnyCommand)>, Wrong> {
        let given = self.given.unwrap_or_default();
        let entries = self.world.entries().await?;
        let mut issued = vec![];
        let mut first = None;
        for (index, entry) in entries.iter().enumerate() {
            let Entry::Event { stream, event, at } = entry else { continue };
            if stream != by {
                continue;
            }
            let first = &*first.get_or_insert_with(|| event.clone());
            if index < given {
                continue;
            }
            if let Some(process) = process_of(by.aggregate_type) {
                issued.extend((process.issues)(first, event));
            }
            let fact = Fact { id: &by.id, event, at: *at };
            issued.extend(POLICIES.iter().flat_map(|policy| (policy.issues)(fact)));
        }
        let commands = issued.into_iter().filter_map(|issue| match issue {
            Issue::Command { to, command } => {
                Some((Stream { aggregate_type: command.aggregate_type(), id: String::from(&*to) }, command))
            }
            Issue::Timer { .. } => None,
        });
        Ok(commands.collect())
    }

    pub(super) async fn wants(&mut self, by: &Stream, all: &[Expected]) -> Result<(), Wrong> {
        let issued = self.issued(by).await?;
        for expected in all {
            let told = told_of(&mut self.wanted, by);
            let mut nearest: Option<Vec<String>> = None;
            let mut hit = None;
            for (index, (to, command)) in issued.iter().enumerate() {
                if *to != expected.stream || told.contains(&index) {
                    continue;
                }
                let (name, body) = command_parts(command);
                match expected.differences(&name, &body) {
                    Some(differences) if differences.is_empty() => {
                        hit = Some(index);
                        break;
                    }
                    Some(differences) => nearest = nearest.or(Some(differences)),
                    None => {}
                }
            }
            match hit {
                Some(index) => told.push(index),
                None => {
                    return Err(Wrong {
                        expected: vec![format!("{by} to want {expected}")],
                        got: wishes(&issued),
                        differences: nearest.unwrap_or_default(),
                        step: None,
                    });
                }
            }
        }
        Ok(())
    }

    pub(super) async fn nothing_more(&mut self, by: &Stream) -> Result<(), Wrong> {
        let issued = self.issued(by).await?;
        let told = told_of(&mut self.wanted, by);
        let more = issued.iter().enumerate().filter(|(index, _)| !told.contains(index));
        let more: Vec<_> = more.map(|(_, wish)| wish.clone()).collect();
        if more.is_empty() {
            return Ok(());
        }
        let expected = vec![format!("{by} to want nothing more")];
        Err(Wrong { expected, got: wishes(&more), ..Wrong::default() })
    }
}

fn told_of<'a>(wanted: &'a mut Vec<(Stream, Vec<usize>)>, by: &Stream) -> &'a mut Vec<usize> {
    let index = wanted.iter().position(|(known, _)| known == by).unwrap_or_else(|| {
        wanted.push((by.clone(), vec![]));
        wanted.len() - 1
    });
    &mut wanted[index].1
}
