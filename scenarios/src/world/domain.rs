//! A shop in memory: the real aggregates, process managers and policies, a log, a clock that stands until told.
//!
//! It does what the store does, one thing after another: derived ids, first answers given again, process managers that
//! learn and hear, timers known by what they will do.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use async_trait::async_trait;
use domain::{
    AnyCommand, AnyEvent, AnyState,
    process::{Fact, Issue, Kind, POLICIES, PROCESSES, Policy, Process, Refused},
    value::Time,
};
use serde_json::Value as Json;
use store::{executor::derived_id, json::ToJson as _};
use uuid::Uuid;

use super::{
    Answer, Entry, Stuck, World,
    agenda::{Agenda, Due},
    gateway,
};
use crate::{
    bind::{Noun, START},
    steps::Stream,
    vocabulary::untagged,
};

/// So many commands may follow from one step; more go round in circles.
const COMMANDS_MAX: usize = 20_000;
/// The last of them are told.
const CIRCLE: usize = 100;

/// A shop in memory.
pub struct DomainWorld {
    processes: &'static [Process],
    policies: &'static [Policy],
    now: Time,
    states: BTreeMap<Stream, AnyState>,
    log: Vec<Recorded>,
    /// Everything to tell, in order.
    entries: Vec<Entry>,
    /// How many events of the log everybody has seen.
    seen: usize,
    answers: BTreeMap<Uuid, (AnyCommand, Answered)>,
    agenda: Agenda,
    /// How many commands there were since the last rest.
    commands: usize,
    /// Who asked for what, once there are too many.
    circle: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Recorded {
    id: Uuid,
    stream: Stream,
    event: AnyEvent,
    at: Time,
}

/// A first answer: the events as a range of the log, or a refusal.
type Answered = Result<std::ops::Range<usize>, domain::AnyRefusal>;

/// Who wants something, and because of what.
#[derive(Clone, Copy)]
struct Want {
    name: &'static str,
    cause_id: Uuid,
    kinds: &'static [Kind],
}

impl Default for DomainWorld {
    fn default() -> Self {
        Self::new(PROCESSES, POLICIES)
    }
}

impl DomainWorld {
    /// A shop in which these and no others react.
    #[must_use]
    pub fn new(processes: &'static [Process], policies: &'static [Policy]) -> Self {
        Self {
            processes,
            policies,
            now: START,
            states: BTreeMap::new(),
            log: vec![],
            entries: vec![],
            seen: 0,
            answers: BTreeMap::new(),
            agenda: Agenda::default(),
            commands: 0,
            circle: BTreeSet::new(),
        }
    }
}

#[async_trait]
impl World for DomainWorld {
    async fn set_clock(&mut self, now: Time) -> Result<(), Stuck> {
        if self.log.is_empty() {
            self.now = now;
            return Ok(());
        }
        self.until(now)
    }

    async fn happened(&mut self, stream: &Stream, events: Vec<AnyEvent>) -> Result<(), Stuck> {
        for event in events {
            let id = derived_id(Uuid::NAMESPACE_OID, "given", i64::try_from(self.log.len()).unwrap_or(0));
            self.append(id, stream, event);
        }
        Ok(())
    }

    async fn ask(&mut self, command_id: Uuid, stream: &Stream, command: AnyCommand) -> Result<Answer, Stuck> {
        let repeated = self.answers.contains_key(&command_id);
        Ok(match self.execute("client", command_id, stream, command)? {
            Ok(range) if !repeated => {
                let events = self.log.get(range).unwrap_or_default();
                Answer::Accepted(events.iter().map(|recorded| recorded.event.clone()).collect())
            }
            // It happened already; nothing comes of it again.
            Ok(_) => Answer::Accepted(vec![]),
            Err(refusal) => Answer::Refused(refusal),
        })
    }

    async fn rest(&mut self) -> Result<(), Stuck> {
        self.until(self.now)
    }

    async fn pass(&mut self, ms: i64) -> Result<(), Stuck> {
        self.until(self.now.plus_millis(ms))
    }

    async fn entries(&mut self) -> Result<Vec<Entry>, Stuck> {
        Ok(self.entries.clone())
    }

    async fn read(&mut self, _: Noun, _: &str) -> Result<Option<Json>, Stuck> {
        Ok(None)
    }
}

impl DomainWorld {
    /// What a stream's events add up to.
    pub(crate) fn state(&self, stream: &Stream) -> AnyState {
        self.states.get(stream).cloned().unwrap_or_else(|| AnyState::initial(stream.aggregate_type))
    }

    /// Lets everything happen that is due until then.
    fn until(&mut self, end: Time) -> Result<(), Stuck> {
        self.commands = 0;
        self.follow()?;
        while let Some((due, what)) = self.agenda.next(end) {
            self.now = self.now.max(due);
            self.fire(what)?;
            self.follow()?;
        }
        self.now = self.now.max(end);
        Ok(())
    }

    /// Shows every event to everybody, until there is nothing new.
    fn follow(&mut self) -> Result<(), Stuck> {
        while let Some(recorded) = self.log.get(self.seen).cloned() {
            self.seen += 1;
            let fact = Fact { id: &recorded.stream.id, event: &recorded.event, at: recorded.at };
            for process in self.processes {
                if let Some((instance, command)) = (process.input)(fact) {
                    self.learn(process, &instance, derived_id(recorded.id, process.name, 0), command)?;
                }
            }
            for policy in self.policies {
                let want = Want { name: policy.name, cause_id: recorded.id, kinds: policy.wants };
                self.carry_out(want, policy.name, (policy.issues)(fact))?;
            }
            if let AnyEvent::Payment(event) = &recorded.event {
                self.ask_gateway(&recorded, event)?;
            }
        }
        Ok(())
    }

    /// Lets an instance learn something, and does everything that it concludes from it, answers included.
    fn learn(
        &mut self,
        process: &'static Process,
        id: &str,
        command_id: Uuid,
        command: AnyCommand,
    ) -> Result<(), Stuck> {
        let stream = Stream { aggregate_type: process.aggregate_type, id: id.to_owned() };
        let mut inputs = VecDeque::from([(command_id, command)]);
        while let Some((command_id, command)) = inputs.pop_front() {
            let range = self.execute(process.name, command_id, &stream, command)?.map_err(|refusal| {
                Stuck(format!("{stream} refused to learn something: {}", refusal.code()))
            })?;
            let first =
                self.log.iter().find(|recorded| recorded.stream == stream).map(|first| first.event.clone());
            let Some(first) = first else { continue };
            for concluded in self.log.get(range).unwrap_or_default().to_vec() {
                let want = Want { name: process.name, cause_id: concluded.id, kinds: process.wants };
                let refused = self.carry_out(want, "command", (process.issues)(&first, &concluded.event))?;
                let heard = (process.heard)(&concluded.event, refused);
                inputs.extend(heard.map(|command| (derived_id(concluded.id, "answers", 0), command)));
            }
        }
        Ok(())
    }

    /// Does what is wanted; returns what was refused of it.
    fn carry_out(&mut self, want: Want, kind: &str, issues: Vec<Issue>) -> Result<Vec<Refused>, Stuck> {
        let (mut refused, mut index) = (vec![], 0);
        for (issue, nth) in issues.into_iter().zip(0_i64..) {
            match issue {
                Issue::Timer { due, to, command } => self.agenda.set_timer(want.name, due, &to, command)?,
                Issue::Command { to, command } => {
                    check_kind(want, &command)?;
                    let stream = Stream { aggregate_type: command.aggregate_type(), id: String::from(&*to) };
                    let id = derived_id(want.cause_id, kind, nth);
                    if let Err(refusal) = self.execute(want.name, id, &stream, command)? {
                        refused.push(Refused { index, refusal });
                    }
                    index += 1;
                }
            }
        }
        Ok(refused)
    }

    fn fire(&mut self, due: Due) -> Result<(), Stuck> {
        let Due { name, cause_id, to, command, timer } = due;
        let of = command.aggregate_type();
        let process = self.processes.iter().find(|process| timer && process.aggregate_type == of);
        if let Some(process) = process {
            return self.learn(process, &to, cause_id, command);
        }
        let stream = Stream { aggregate_type: of, id: to };
        self.execute(name, cause_id, &stream, command).map(drop)
    }

    fn ask_gateway(&mut self, recorded: &Recorded, event: &domain::payment::Event) -> Result<(), Stuck> {
        let messages = gateway::messages(recorded.id, event).map_err(|error| Stuck(error.to_string()))?;
        for message in messages {
            let what = Due {
                name: "gateway",
                cause_id: derived_id(message.cause_id, "answer", 0),
                to: recorded.stream.id.clone(),
                command: message.command.into(),
                timer: false,
            };
            self.agenda.plan(self.now.plus_millis(message.after_ms), what);
        }
        Ok(())
    }

    /// Executes a command; one that was executed under that id gets its first answer.
    fn execute(
        &mut self,
        by: &str,
        id: Uuid,
        stream: &Stream,
        command: AnyCommand,
    ) -> Result<Answered, Stuck> {
        match self.answers.get(&id) {
            Some((first, answer)) if *first == command => return Ok(answer.clone()),
            Some((first, answer)) => {
                // The gateway is believed once; anybody else has made a mistake.
                return match by {
                    "gateway" => Ok(answer.clone()),
                    _ => Err(Stuck(format!("{by} uses one id for two commands: {first:?} and {command:?}"))),
                };
            }
            None => {}
        }
        self.count(by, stream, &command)?;
        let state = self.states.entry(stream.clone());
        let state = state.or_insert_with(|| AnyState::initial(stream.aggregate_type));
        let decided = state.decide(command.clone());
        let decided =
            decided.ok_or_else(|| Stuck(format!("{stream} was sent a command of another aggregate")))?;
        let answer = match decided {
            Ok(events) => {
                let start = self.log.len();
                for (event, nth) in events.into_iter().zip(1_i64..) {
                    self.append(derived_id(id, "event", nth), stream, event);
                }
                Ok(start..self.log.len())
            }
            Err(refusal) => {
                let entry = Entry::Refusal {
                    by: by.to_owned(),
                    stream: stream.clone(),
                    command: command.clone(),
                    refusal: refusal.clone(),
                };
                self.entries.push(entry);
                Err(refusal)
            }
        };
        self.answers.insert(id, (command, answer.clone()));
        Ok(answer)
    }

    fn append(&mut self, id: Uuid, stream: &Stream, event: AnyEvent) {
        let state = self.states.remove(stream).unwrap_or_else(|| AnyState::initial(stream.aggregate_type));
        self.states.insert(stream.clone(), state.evolve(event.clone()));
        let at = self.now;
        self.entries.push(Entry::Event { stream: stream.clone(), event: event.clone(), at });
        self.log.push(Recorded { id, stream: stream.clone(), event, at });
    }

    fn count(&mut self, by: &str, stream: &Stream, command: &AnyCommand) -> Result<(), Stuck> {
        self.commands += 1;
        if self.commands + CIRCLE < COMMANDS_MAX {
            return Ok(());
        }
        self.circle.insert(format!("{by} asks {stream} to {}", name_of_command(command)));
        if self.commands < COMMANDS_MAX {
            return Ok(());
        }
        let circle: Vec<_> = self.circle.iter().take(10).map(String::as_str).collect();
        Err(Stuck(format!("it never comes to rest; after {COMMANDS_MAX} commands {}", circle.join(", "))))
    }
}

/// The name of a command, as it is serialised.
#[must_use]
pub(crate) fn name_of_command(command: &AnyCommand) -> String {
    untagged(untagged(command.to_json_value().unwrap_or_default()).1).0
}

fn check_kind(want: Want, command: &AnyCommand) -> Result<(), Stuck> {
    let (aggregate_type, name) = (command.aggregate_type(), name_of_command(command));
    if want.kinds.iter().any(|(known, kind)| *known == aggregate_type && *kind == name) {
        return Ok(());
    }
    Err(Stuck(format!("{} wants {aggregate_type}.{name}, which is not among its `wants`", want.name)))
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use domain::{AggregateType, cart, value::Quantity};

    use super::*;

    /// One unit, two units, one unit: somebody who never makes up their mind.
    const UNDECIDED: Policy = Policy {
        name: "undecided",
        issues: |fact| match fact.event {
            AnyEvent::Cart(cart::Event::QuantitySet { sku, quantity, .. }) => {
                let quantity = Quantity::new(3 - quantity.get().min(2)).unwrap();
                vec![Issue::command(
                    fact.id,
                    cart::Command::SetQuantity { sku: sku.clone(), quantity, expires_at: None },
                )]
            }
            _ => vec![],
        },
        wants: &[(AggregateType::Cart, "SetQuantity")],
    };
    const SECRETIVE: Policy = Policy { wants: &[], ..UNDECIDED };

    fn played(policies: &'static [Policy]) -> Result<(), Stuck> {
        let mut world = DomainWorld::new(&[], policies);
        let cart = Stream { aggregate_type: AggregateType::Cart, id: "C1".into() };
        let event = |json: &str| serde_json::from_str::<cart::Event>(json).unwrap().into();
        let line = r#"{"LineAdded":{"line":{"sku":"MUG","product":"P1","title":"Mug","quantity":1,
            "unit_price":{"amount":1500,"currency":"GBP"}}}}"#;
        let events = vec![
            event(r#"{"Opened":{"currency":"GBP"}}"#),
            event(line),
            event(r#"{"QuantitySet":{"sku":"MUG","quantity":2}}"#),
        ];
        let mut playing = pin!(async {
            world.happened(&cart, events).await?;
            world.rest().await
        });
        match playing.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result,
            Poll::Pending => panic!("it waits"),
        }
    }

    #[test]
    fn who_goes_round_in_circles_is_named() {
        let message = played(&[UNDECIDED]).unwrap_err().0;
        assert!(message.starts_with("it never comes to rest"), "{message}");
        assert!(message.contains("undecided asks cart \"C1\" to SetQuantity"), "{message}");
    }

    #[test]
    fn a_wish_that_is_not_announced_is_an_error() {
        let message = played(&[SECRETIVE]).unwrap_err().0;
        assert_eq!(message, "undecided wants cart.SetQuantity, which is not among its `wants`");
    }
}
