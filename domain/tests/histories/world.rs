//! A shop in memory: every aggregate, every process manager and policy, a log, timers, and a gateway that answers when it
//! likes. Followers work in any order between lanes, die in the middle of their work, and begin it again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use domain::{
    AggregateType, AnyCommand, AnyEvent, AnyRefusal, AnyState,
    process::{Fact, Issue, POLICIES, PROCESSES, Process, Refused, process_of},
    value::Time,
};

use crate::gateway::Gateway;

/// What a command was answered the first time: the places of its events in the log, or why not.
pub type Outcome = Result<Vec<usize>, AnyRefusal>;

/// The name of a command, derived from its cause; the same cause names the same command again.
type Id = String;

pub struct Entry {
    pub id: String,
    pub event: AnyEvent,
    pub at: Time,
}

/// One event that a follower has to work on. Those of one lane are worked on in their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Task {
    follower: usize,
    lane: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timer {
    pub due: i64,
    to: String,
    command: String,
}

#[derive(Default)]
pub struct World {
    pub now: i64,
    pub log: Vec<Entry>,
    states: BTreeMap<(AggregateType, String), AnyState>,
    /// The idempotency rows.
    pub outcomes: BTreeMap<Id, Outcome>,
    tasks: BTreeMap<Task, VecDeque<usize>>,
    pub timers: BTreeSet<Timer>,
    fired: BTreeSet<Timer>,
    pub gateway: Gateway,
    clients: usize,
}

/// How many commands may be executed before the process dies.
struct Life(usize);

/// The process died.
struct Dead;

impl Life {
    fn spend(&mut self) -> Result<(), Dead> {
        self.0 = self.0.checked_sub(1).ok_or(Dead)?;
        Ok(())
    }
}

impl World {
    pub fn state(&self, aggregate_type: AggregateType, id: &str) -> AnyState {
        let known = self.states.get(&(aggregate_type, id.to_owned()));
        known.cloned().unwrap_or_else(|| AnyState::initial(aggregate_type))
    }

    pub fn ids(&self, aggregate_type: AggregateType) -> Vec<String> {
        let known = self.states.keys().filter(|(known, _)| *known == aggregate_type);
        known.map(|(_, id)| id.clone()).collect()
    }

    pub fn at(&self) -> Time {
        Time::from_millis(self.now)
    }

    /// A client's command; what becomes of it is the client's business.
    pub fn client(&mut self, id: &str, command: impl Into<AnyCommand>) -> bool {
        self.clients += 1;
        let name = format!("client-{}", self.clients);
        self.execute(&name, id, command.into()).is_ok()
    }

    /// The first answer, again if need be.
    pub fn execute(&mut self, name: &str, id: &str, command: AnyCommand) -> Outcome {
        if let Some(outcome) = self.outcomes.get(name) {
            return outcome.clone();
        }
        let aggregate_type = command.aggregate_type();
        let decided = self.state(aggregate_type, id).decide(command).unwrap();
        let outcome = decided.map(|events| events.into_iter().map(|event| self.append(id, event)).collect());
        self.outcomes.insert(name.to_owned(), outcome.clone());
        outcome
    }

    fn append(&mut self, id: &str, event: AnyEvent) -> usize {
        let key = (event.aggregate_type(), id.to_owned());
        let mut state = self.state(key.0, id).evolve(event.clone());
        // Now and then it is a snapshot that goes on.
        if self.log.len().is_multiple_of(8) {
            let text = serde_json::to_string(&state).unwrap();
            let read = AnyState::deserialize(key.0, &mut serde_json::Deserializer::from_str(&text)).unwrap();
            assert_eq!(read, state, "{text}");
            state = read;
        }
        self.states.insert(key, state);
        let place = self.log.len();
        self.gateway.hear(id, &event, place);
        self.log.push(Entry { id: id.to_owned(), event, at: self.at() });
        self.tell(place);
        place
    }

    /// Every follower that an event concerns has a task more.
    fn tell(&mut self, place: usize) {
        let entry = &self.log[place];
        let fact = Fact { id: &entry.id, event: &entry.event, at: entry.at };
        let mut told = vec![];
        for (follower, process) in PROCESSES.iter().enumerate() {
            if let Some((instance, _)) = (process.input)(fact) {
                told.push(Task { follower, lane: String::from(&*instance) });
            }
        }
        for (follower, policy) in (PROCESSES.len()..).zip(POLICIES) {
            if !(policy.issues)(fact).is_empty() {
                told.push(Task { follower, lane: entry.id.clone() });
            }
        }
        for task in told {
            self.tasks.entry(task).or_default().push_back(place);
        }
    }

    /// Redelivers the whole log to every follower.
    pub fn tell_everything_again(&mut self) {
        for place in 0..self.log.len() {
            self.tell(place);
        }
    }

    pub fn has_tasks(&self) -> bool {
        !self.tasks.is_empty()
    }

    /// Some follower works on the next event of one of its lanes, and may die after `life` commands.
    pub fn step(&mut self, pick: usize, life: usize) {
        let Some((task, queue)) = self.tasks.iter().nth(pick % self.tasks.len().max(1)) else {
            return;
        };
        let (task, place) = (task.clone(), queue[0]);
        if self.work(&task, place, Life(life)).is_err() {
            return;
        }
        if let Some(queue) = self.tasks.get_mut(&task) {
            queue.pop_front();
            if queue.is_empty() {
                self.tasks.remove(&task);
            }
        }
    }

    fn work(&mut self, task: &Task, place: usize, mut life: Life) -> Result<(), Dead> {
        let Entry { id, event, at } = &self.log[place];
        let fact = Fact { id, event, at: *at };
        if let Some(process) = PROCESSES.get(task.follower) {
            let Some((instance, command)) = (process.input)(fact) else { return Ok(()) };
            return self.learn(process, &instance, format!("{}:{place}", process.name), command, &mut life);
        }
        let policy = &POLICIES[task.follower - PROCESSES.len()];
        let issues = (policy.issues)(fact);
        self.carry_out(&format!("{}:{place}", policy.name), policy.wants, issues, &mut life).map(drop)
    }

    fn learn(
        &mut self,
        process: &Process,
        instance: &str,
        name: Id,
        command: AnyCommand,
        life: &mut Life,
    ) -> Result<(), Dead> {
        let mut inputs = VecDeque::from([(name, command)]);
        while let Some((name, command)) = inputs.pop_front() {
            life.spend()?;
            let concluded =
                self.execute(&name, instance, command).expect("a process manager refuses nothing");
            for place in concluded {
                let event = self.log[place].event.clone();
                let first = self.first_of(process.aggregate_type, instance);
                let issues = (process.issues)(&first, &event);
                let refused = self.carry_out(&format!("issue:{place}"), process.wants, issues, life)?;
                let heard = (process.heard)(&event, refused);
                inputs.extend(heard.map(|heard| (format!("answers:{place}"), heard)));
            }
        }
        Ok(())
    }

    fn first_of(&self, aggregate_type: AggregateType, instance: &str) -> AnyEvent {
        let own = |entry: &&Entry| entry.id == instance && entry.event.aggregate_type() == aggregate_type;
        self.log.iter().find(own).expect("an instance has a stream").event.clone()
    }

    fn carry_out(
        &mut self,
        cause: &str,
        wants: &[(AggregateType, &'static str)],
        issues: Vec<Issue>,
        life: &mut Life,
    ) -> Result<Vec<Refused>, Dead> {
        let mut refused = vec![];
        let mut index = 0;
        for (nth, issue) in issues.into_iter().enumerate() {
            match issue {
                Issue::Timer { due, to, command } => {
                    let command = serde_json::to_string(&command).unwrap();
                    let timer = Timer { due: due.millis(), to: String::from(&*to), command };
                    if !self.fired.contains(&timer) {
                        self.timers.insert(timer);
                    }
                }
                Issue::Command { to, command } => {
                    life.spend()?;
                    let kind = (command.aggregate_type(), name_of(&command));
                    assert!(
                        wants.iter().any(|(kind_of, name)| *kind_of == kind.0 && *name == kind.1),
                        "{kind:?}"
                    );
                    if let Err(refusal) = self.execute(&format!("{cause}:{nth}"), &to, command) {
                        refused.push(Refused { index, refusal });
                    }
                    index += 1;
                }
            }
        }
        Ok(refused)
    }

    /// The earliest timer fires; the clock is at least there. False when there is none.
    pub fn fire_next(&mut self) -> bool {
        let Some(timer) = self.timers.pop_first() else { return false };
        self.now = self.now.max(timer.due);
        self.fired.insert(timer.clone());
        let command: AnyCommand = serde_json::from_str(&timer.command).unwrap();
        let name = format!("timer:{timer:?}");
        match process_of(command.aggregate_type()) {
            Some(process) => {
                let done = self.learn(process, &timer.to, name, command, &mut Life(usize::MAX));
                assert!(done.is_ok());
            }
            None => drop(self.execute(&name, &timer.to, command)),
        }
        true
    }

    /// The gateway answers one of the requests that it has not answered, or one of those that it has.
    pub fn answer(&mut self, pick: usize, well: bool) {
        if let Some((name, payment, command)) = self.gateway.answer(pick, well) {
            self.execute(&name, &payment, command.into()).expect("a payment hears every answer");
        }
    }

    /// Everything that is on its way arrives: the gateway does what it is asked, and nobody dies.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            if self.has_tasks() {
                self.step(0, usize::MAX);
            } else if self.gateway.has_questions() {
                self.answer(0, true);
            } else {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    /// The same until no timer is left.
    pub fn come_to_rest(&mut self) {
        self.settle();
        while self.fire_next() {
            self.settle();
        }
    }
}

pub fn name_of(command: &AnyCommand) -> String {
    let json = serde_json::to_value(command).unwrap();
    let inner = json.as_object().unwrap().values().next().unwrap();
    match inner {
        serde_json::Value::String(name) => name.clone(),
        inner => inner.as_object().unwrap().keys().next().unwrap().clone(),
    }
}
