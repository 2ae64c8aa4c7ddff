//! Plays a scenario in a world, and tells where it goes another way.

use domain::{
    AnyCommand, AnyEvent,
    process::{Fact, Issue, POLICIES, process_of},
};
use serde_json::Value as Json;
use uuid::Uuid;

use crate::{
    bind::{Act, Play, See, Step, values_of},
    expect::{Expected, compare, written},
    pattern::Pattern,
    steps::Stream,
    text::print_body,
    vocabulary::{Side, untagged},
    world::{Answer, Entry, Stuck, World},
};

/// How a scenario went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Where it went another way; nothing when it went as told.
    pub failure: Option<Failure>,
    /// Steps that this level cannot check.
    pub skipped: Vec<String>,
}

/// A step that went another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where the step stands.
    pub line: u32,
    /// The step.
    pub step: String,
    /// What should have been.
    pub expected: Vec<String>,
    /// What was.
    pub got: Vec<String>,
    /// Field by field, where both are alike enough.
    pub differences: Vec<String>,
    /// Everything that had happened, in order.
    pub history: Vec<String>,
}

/// Plays a scenario.
pub async fn play(play: &Play, world: &mut dyn World) -> Outcome {
    let mut player = Player::new(world);
    let mut failure = None;
    for step in &play.steps {
        if let Err(wrong) = player.step(step).await {
            failure = Some(wrong.at(step));
            break;
        }
    }
    if let (None, Err(wrong), Some(last)) = (&failure, player.close(), play.steps.last()) {
        failure = Some(wrong.at(last));
    }
    if let Some(failure) = &mut failure {
        failure.history = player.history().await;
    }
    Outcome { failure, skipped: player.skipped }
}

/// What is wrong, before it is known with which step.
#[derive(Debug, Default)]
struct Wrong {
    expected: Vec<String>,
    got: Vec<String>,
    differences: Vec<String>,
    /// Which step is wrong, where it is not the one that was played.
    step: Option<Step>,
}

impl Wrong {
    fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: vec![expected.into()], got: vec![got.into()], ..Self::default() }
    }

    fn at(self, step: &Step) -> Failure {
        let step = self.step.as_ref().unwrap_or(step);
        Failure {
            line: step.line,
            step: step.text.clone(),
            expected: self.expected,
            got: self.got,
            differences: self.differences,
            history: vec![],
        }
    }
}

impl From<Stuck> for Wrong {
    fn from(stuck: Stuck) -> Self {
        Self::new("the shop to go on", stuck.0)
    }
}

/// What the last When brought.
enum Heard {
    /// A command, its stream and answer; how many of its events were told, and whether anything was said about it.
    Answer { stream: Stream, answer: Answer, told: usize, noticed: bool, step: Step },
    /// Time passed; where the log stood before.
    Time { before: usize },
}

struct Player<'a> {
    world: &'a mut dyn World,
    /// Where the log stood when everything was given.
    given: Option<usize>,
    heard: Option<Heard>,
    last: Option<(Uuid, Stream, AnyCommand)>,
    asked: i64,
    /// Up to where each stream was told with `eventually`.
    told: Vec<(Stream, usize)>,
    /// Which commands were told of each stream that wants some.
    wanted: Vec<(Stream, Vec<usize>)>,
    skipped: Vec<String>,
}

impl<'a> Player<'a> {
    fn new(world: &'a mut dyn World) -> Self {
        Self {
            world,
            given: None,
            heard: None,
            last: None,
            asked: 0,
            told: vec![],
            wanted: vec![],
            skipped: vec![],
        }
    }

    async fn step(&mut self, step: &Step) -> Result<(), Wrong> {
        match &step.act {
            Act::Clock(now) => Ok(self.world.set_clock(*now).await?),
            Act::Happened(stream, events) => Ok(self.world.happened(stream, events.clone()).await?),
            Act::Done(stream, commands) => {
                for command in commands {
                    self.done(stream, command).await?;
                }
                Ok(())
            }
            Act::Ask(stream, command) => {
                self.begin().await?;
                let id = self.next_id();
                self.last = Some((id, stream.clone(), command.clone()));
                self.ask(step).await
            }
            Act::AskAgain => {
                self.begin().await?;
                self.ask(step).await
            }
            Act::Pass(ms) => {
                self.begin().await?;
                let before = self.world.entries().await?.len();
                self.heard = Some(Heard::Time { before });
                Ok(self.world.pass(*ms).await?)
            }
            Act::See(see) => self.see(see, step).await,
        }
    }

    fn next_id(&mut self) -> Uuid {
        self.asked += 1;
        Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("scenario:{}", self.asked).as_bytes())
    }

    async fn done(&mut self, stream: &Stream, command: &AnyCommand) -> Result<(), Wrong> {
        self.world.rest().await?;
        let id = self.next_id();
        let answer = self.world.ask(id, stream, command.clone()).await?;
        self.world.rest().await?;
        match answer {
            Answer::Accepted(_) => Ok(()),
            Answer::Refused(refusal) => Err(Wrong::new("it to be accepted", refused(&refusal))),
        }
    }

    /// Before a When: everything given has come to rest, and the last When was told completely.
    async fn begin(&mut self) -> Result<(), Wrong> {
        self.close()?;
        if self.given.is_none() {
            self.world.rest().await?;
            self.given = Some(self.world.entries().await?.len());
        }
        Ok(())
    }

    async fn ask(&mut self, step: &Step) -> Result<(), Wrong> {
        let Some((id, stream, command)) = self.last.clone() else { return Ok(()) };
        let answer = self.world.ask(id, &stream, command).await?;
        self.world.rest().await?;
        self.heard = Some(Heard::Answer { stream, answer, told: 0, noticed: false, step: step.clone() });
        Ok(())
    }

    /// After a When and its Thens: nothing of its answer may have been passed over.
    fn close(&mut self) -> Result<(), Wrong> {
        match self.heard.take() {
            Some(Heard::Answer { answer: Answer::Refused(refusal), noticed: false, step, .. }) => {
                let wrong = Wrong::new("it to be accepted, as no Then says otherwise", refused(&refusal));
                Err(Wrong { step: Some(step), ..wrong })
            }
            Some(Heard::Answer { answer: Answer::Accepted(events), told, noticed: true, stream, step })
                if told < events.len() =>
            {
                let got = events.iter().skip(told).map(|event| told_event(&stream, event)).collect();
                let expected = vec!["nothing more to come of it".into()];
                Err(Wrong { expected, got, differences: vec![], step: Some(step) })
            }
            _ => Ok(()),
        }
    }

    async fn see(&mut self, see: &See, step: &Step) -> Result<(), Wrong> {
        match see {
            See::Events(all) => all.iter().try_for_each(|expected| self.event(expected)),
            See::Nothing => self.nothing().await,
            See::Refused(code, values) => self.refused(code, values.as_ref()),
            See::Eventually(all) => {
                for expected in all {
                    self.eventually(expected).await?;
                }
                Ok(())
            }
            See::Exactly(stream, all) => self.exactly(stream, all).await,
            See::Never(all) => self.never(all).await,
            See::Wants(by, all) => self.wants(by, all).await,
            See::NothingMore(by) => self.nothing_more(by).await,
            See::Reads(noun, id, pattern) => match self.world.read(*noun, id).await? {
                None => {
                    self.skipped.push(step.text.clone());
                    Ok(())
                }
                Some(actual) => reads(pattern, &actual),
            },
        }
    }

    /// The next event of the last command's answer.
    fn event(&mut self, expected: &Expected) -> Result<(), Wrong> {
        let Some(Heard::Answer { stream, answer, told, noticed, .. }) = &mut self.heard else {
            return Err(Wrong::new(expected.to_string(), "no command was asked for"));
        };
        *noticed = true;
        let events = match answer {
            Answer::Accepted(events) => events,
            Answer::Refused(refusal) => return Err(Wrong::new(expected.to_string(), refused(refusal))),
        };
        let Some(event) = events.get(*told) else {
            let got = if events.is_empty() { "nothing happened" } else { "nothing more happened" };
            return Err(Wrong::new(expected.to_string(), got));
        };
        *told += 1;
        let (name, body) = parts(event);
        match expected.differences(&name, &body).filter(|_| expected.stream == *stream) {
            Some(differences) if differences.is_empty() => Ok(()),
            differences => Err(Wrong {
                expected: vec![expected.to_string()],
                got: vec![told_event(stream, event)],
                differences: differences.unwrap_or_default(),
                step: None,
            }),
        }
    }

    async fn nothing(&mut self) -> Result<(), Wrong> {
        let entries = self.world.entries().await?;
        let got = match &mut self.heard {
            Some(Heard::Answer { stream, answer, noticed, .. }) => {
                *noticed = true;
                match answer {
                    Answer::Accepted(events) => {
                        events.iter().map(|event| told_event(stream, event)).collect()
                    }
                    Answer::Refused(refusal) => vec![refused(refusal)],
                }
            }
            Some(Heard::Time { before }) => entries.iter().skip(*before).map(told_entry).collect(),
            None => vec![],
        };
        if got.is_empty() {
            return Ok(());
        }
        Err(Wrong { expected: vec!["nothing to happen".into()], got, ..Wrong::default() })
    }

    fn refused(&mut self, code: &str, values: Option<&Pattern>) -> Result<(), Wrong> {
        let expected = || match values {
            Some(values) => {
                format!("refused: {code}{}", print_body(&values.json(), &domain::shape::Shape::Open))
            }
            None => format!("refused: {code}"),
        };
        let Some(Heard::Answer { stream, answer, noticed, .. }) = &mut self.heard else {
            return Err(Wrong::new(expected(), "no command was asked for"));
        };
        *noticed = true;
        let refusal = match answer {
            Answer::Refused(refusal) => refusal,
            Answer::Accepted(events) => {
                let got = events.iter().map(|event| told_event(stream, event)).collect::<Vec<_>>();
                let got = if got.is_empty() { vec!["nothing happened".to_owned()] } else { got };
                return Err(Wrong { expected: vec![expected()], got, ..Wrong::default() });
            }
        };
        let mut differences = vec![];
        if refusal.code() == code {
            let Some(values) = values else { return Ok(()) };
            let actual = values_of(refusal);
            compare("", &values.over(&actual), &actual, &domain::shape::Shape::Open, &mut differences);
            if differences.is_empty() {
                return Ok(());
            }
        }
        Err(Wrong { expected: vec![expected()], got: vec![refused(refusal)], differences, step: None })
    }

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

    async fn eventually(&mut self, expected: &Expected) -> Result<(), Wrong> {
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

    async fn exactly(&mut self, stream: &Stream, all: &[Expected]) -> Result<(), Wrong> {
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

    async fn never(&mut self, all: &[Expected]) -> Result<(), Wrong> {
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
                Some((Stream { aggregate_type: command.aggregate_type(), id: to.into() }, command))
            }
            Issue::Timer { .. } => None,
        });
        Ok(commands.collect())
    }

    async fn wants(&mut self, by: &Stream, all: &[Expected]) -> Result<(), Wrong> {
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

    async fn nothing_more(&mut self, by: &Stream) -> Result<(), Wrong> {
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

    async fn history(&mut self) -> Vec<String> {
        match self.world.entries().await {
            Ok(entries) => entries.iter().map(told_entry).collect(),
            Err(stuck) => vec![stuck.0],
        }
    }
}

fn told_of<'a>(wanted: &'a mut Vec<(Stream, Vec<usize>)>, by: &Stream) -> &'a mut Vec<usize> {
    let index = wanted.iter().position(|(known, _)| known == by).unwrap_or_else(|| {
        wanted.push((by.clone(), vec![]));
        wanted.len() - 1
    });
    &mut wanted[index].1
}

fn reads(pattern: &Pattern, actual: &Json) -> Result<(), Wrong> {
    let open = domain::shape::Shape::Open;
    let wanted = pattern.over(actual);
    let mut differences = vec![];
    compare("", &wanted, actual, &open, &mut differences);
    if differences.is_empty() {
        return Ok(());
    }
    let text = |value: &Json| print_body(value, &open).trim().to_owned();
    Err(Wrong { expected: vec![text(&pattern.json())], got: vec![text(actual)], differences, step: None })
}

fn wishes(issued: &[(Stream, AnyCommand)]) -> Vec<String> {
    if issued.is_empty() {
        return vec!["nothing is wanted".to_owned()];
    }
    issued.iter().map(|(to, command)| told_command(to, command)).collect()
}

fn parts(event: &AnyEvent) -> (String, Json) {
    untagged(serde_json::to_value(event).unwrap_or_default())
}

fn command_parts(command: &AnyCommand) -> (String, Json) {
    untagged(untagged(serde_json::to_value(command).unwrap_or_default()).1)
}

fn told_event(stream: &Stream, event: &AnyEvent) -> String {
    let (name, body) = parts(event);
    written(stream, Side::Event, &name, &body)
}

fn told_command(stream: &Stream, command: &AnyCommand) -> String {
    let (name, body) = command_parts(command);
    written(stream, Side::Command, &name, &body)
}

fn refused(refusal: &domain::AnyRefusal) -> String {
    format!("refused: {}{}", refusal.code(), print_body(&values_of(refusal), &domain::shape::Shape::Open))
}

fn told_entry(entry: &Entry) -> String {
    match entry {
        Entry::Event { stream, event, .. } => told_event(stream, event),
        Entry::Refusal { by, stream, command, refusal } => {
            format!("{} asked by {by}, {}", told_command(stream, command), refused(refusal))
        }
    }
}
