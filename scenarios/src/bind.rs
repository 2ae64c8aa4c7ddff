//! Sentences bound to the domain: names looked up, values typed, and every flaw found before anything runs.

use domain::{AggregateType, AnyCommand, AnyEvent, AnyRefusal, value::Time};
use gherkin::StepType;
use store::json::{self, Misfit, ToJson as _};

use crate::{
    expect::{self, Expected},
    feature,
    pattern::Pattern,
    steps::{self, Named, Sentence, Stream},
    text::{Flaw, Pos, Text, instead_of, time},
    values::Binder,
    vocabulary::{Side, find, names, tagged},
};

/// When every scenario begins, unless it says otherwise: 2026-01-01T00:00:00Z.
pub const START: Time = Time::from_millis(1_767_225_600_000);

/// A scenario that can be played: one for each row of its examples.
#[derive(Clone, Debug)]
pub struct Play {
    /// The example that was put in, if there is one.
    pub example: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// A step that can be played.
#[derive(Clone, Debug)]
pub struct Step {
    /// As it is written.
    pub text: String,
    /// Where.
    pub line: u32,
    /// What it does.
    pub act: Act,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Act {
    /// The clock stands there.
    Clock(Time),
    /// This happened.
    Happened(Stream, Vec<AnyEvent>),
    /// These were asked for, and accepted.
    Done(Stream, Vec<AnyCommand>),
    /// This is asked for.
    Ask(Stream, AnyCommand),
    /// What was asked for last is asked for again, under the same id.
    AskAgain,
    /// So many milliseconds pass.
    Pass(i64),
    /// This is to be seen.
    See(See),
}

/// What is to be seen.
#[derive(Clone, Debug)]
pub enum See {
    /// These events came out of the command.
    Events(Vec<Expected>),
    /// Nothing did, and it was not refused.
    Nothing,
    /// It was refused with this code, and with these values if any are given.
    Refused(String, Option<Pattern>),
    /// These are in the streams by now, in this order.
    Eventually(Vec<Expected>),
    /// These are all there is in the stream since the givens.
    Exactly(Stream, Vec<Expected>),
    /// None of these is in its stream.
    Never(Vec<Expected>),
    /// These commands are wanted because of this stream.
    Wants(Stream, Vec<Expected>),
    /// No others are.
    NothingMore(Stream),
    /// A read model says this.
    Reads(Noun, String, Pattern),
}

/// What a read model tells of, with the path of its resource.
pub type Noun = (&'static str, &'static str);

/// Everything that can be read over HTTP, by the word that scenarios use.
pub const NOUNS: &[Noun] = &[
    ("cart", "/v1/carts/{id}"),
    ("order", "/v1/orders/{id}"),
    ("payment", "/v1/payments/{id}"),
    ("product", "/v1/products/{id}"),
    ("stock", "/v1/inventory/{id}"),
];

/// Binds one row of a scenario, and adds everything that is wrong with it to `flaws`.
pub fn bind(row: &feature::Row, flaws: &mut Vec<Flaw>) -> Play {
    let mut binding = Binding { now: START, set: false, stage: Stage::Given, asked: None, flaws };
    let mut bound = vec![];
    for step in &row.steps {
        let line = step.whole.at().line;
        binding.stage(step);
        let steps = step.repeated().unwrap_or_else(|flaw| {
            binding.flaws.push(flaw);
            vec![]
        });
        for step in &steps {
            match steps::read(step) {
                Ok(sentence) => {
                    let act = binding.act(sentence, step.kind, step.whole.at());
                    bound.extend(act.map(|act| Step { text: step.whole.as_str().to_owned(), line, act }));
                }
                Err(flaw) => binding.flaws.push(flaw),
            }
        }
    }
    Play { example: row.example.clone(), tags: row.tags.clone(), steps: bound }
}

/// How far a scenario has come.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Given,
    Asked,
    Passed,
}

struct Binding<'a> {
    now: Time,
    /// Whether the clock was set.
    set: bool,
    stage: Stage,
    /// The stream of the last command.
    asked: Option<Stream>,
    flaws: &'a mut Vec<Flaw>,
}

impl Binding<'_> {
    /// Given, then When and Then in turns.
    fn stage(&mut self, step: &feature::Step) {
        let at = step.whole.at();
        match step.kind {
            StepType::Given if self.stage != Stage::Given => {
                self.flaws.push(Flaw::new(at, "what is given comes before the first When"));
            }
            StepType::Then if self.stage == Stage::Given => {
                self.flaws.push(Flaw::new(at, "a Then comes after a When"));
            }
            StepType::When if self.stage == Stage::Given => self.stage = Stage::Passed,
            StepType::Given | StepType::When | StepType::Then => {}
        }
    }

    fn flaw<T>(&mut self, at: Pos, message: impl Into<String>) -> Option<T> {
        self.flaws.push(Flaw::new(at, message));
        None
    }

    fn act(&mut self, sentence: Sentence, kind: StepType, at: Pos) -> Option<Act> {
        match sentence {
            Sentence::ItIs(text) => self.clock(&text),
            Sentence::Said(stream, named) if kind == StepType::Given => self.given(stream, named),
            Sentence::Pass(ms) => {
                (self.stage, self.now) = (Stage::Passed, self.now.plus_millis(ms));
                Some(Act::Pass(ms))
            }
            Sentence::Again => {
                self.stage = Stage::Asked;
                match self.asked {
                    Some(_) => Some(Act::AskAgain),
                    None => self.flaw(at, "there is no command in a When above that could come again"),
                }
            }
            Sentence::Said(stream, named) if kind == StepType::When => self.ask(stream, named),
            Sentence::Said(stream, named) => {
                self.after_a_command(at);
                self.all(&stream, Side::Event, named).map(|all| Act::See(See::Events(all)))
            }
            Sentence::Happens(named) => {
                self.after_a_command(at);
                let stream = self.asked.clone()?;
                self.all(&stream, Side::Event, vec![named]).map(|all| Act::See(See::Events(all)))
            }
            Sentence::Nothing => Some(Act::See(See::Nothing)),
            Sentence::Refused(named) => {
                self.after_a_command(at);
                self.refused(named)
            }
            Sentence::Eventually(stream, named) => {
                self.all(&stream, Side::Event, named).map(|all| Act::See(See::Eventually(all)))
            }
            Sentence::Exactly(stream, named) => {
                let all = self.all(&stream, Side::Event, named)?;
                Some(Act::See(See::Exactly(stream, all)))
            }
            Sentence::Never(stream, named) => {
                self.all(&stream, Side::Event, named).map(|all| Act::See(See::Never(all)))
            }
            Sentence::Wants(by, to, named) => {
                let all = self.all(&to, Side::Command, named)?;
                Some(Act::See(See::Wants(by, all)))
            }
            Sentence::NothingMore(by) => Some(Act::See(See::NothingMore(by))),
            Sentence::Reads(noun, id, value) => match NOUNS.iter().find(|(known, _)| *known == noun.as_str())
            {
                Some(known) => {
                    let pattern = Pattern::untyped(&value, self.now);
                    Some(Act::See(See::Reads(*known, id, pattern)))
                }
                None => {
                    let instead = instead_of(noun.as_str(), NOUNS.iter().map(|(noun, _)| *noun));
                    self.flaw(noun.at(), format!("nobody reads a \"{}\"{instead}", noun.as_str()))
                }
            },
        }
    }

    fn after_a_command(&mut self, at: Pos) {
        if self.stage == Stage::Passed {
            self.flaws.push(Flaw::new(
                at,
                "only a command is answered: say \"eventually\", or put a command into the When",
            ));
        }
    }

    fn clock(&mut self, text: &Text) -> Option<Act> {
        let now = match time(text.as_str(), self.now) {
            Ok(now) => now,
            Err(message) => return self.flaw(text.at(), message),
        };
        if self.set && now < self.now {
            return self.flaw(text.at(), "time does not go back");
        }
        (self.now, self.set) = (now, true);
        Some(Act::Clock(now))
    }

    fn given(&mut self, stream: Stream, named: Vec<Named>) -> Option<Act> {
        let aggregate_type = stream.aggregate_type;
        let is_command = |named: &Named| find(aggregate_type, Side::Command, named.name.as_str()).is_some();
        if named.iter().any(is_command) {
            let commands: Vec<_> = named.into_iter().map(|named| self.command(&stream, named)).collect();
            return Some(Act::Done(stream, commands.into_iter().collect::<Option<_>>()?));
        }
        let events: Vec<_> = named.into_iter().map(|named| self.event(&stream, named)).collect();
        Some(Act::Happened(stream, events.into_iter().collect::<Option<_>>()?))
    }

    fn ask(&mut self, stream: Stream, mut named: Vec<Named>) -> Option<Act> {
        (self.stage, self.asked) = (Stage::Asked, Some(stream.clone()));
        match (named.pop(), named.first()) {
            (Some(only), None) => self.command(&stream, only).map(|command| Act::Ask(stream, command)),
            (last, _) => {
                let at = last.map(|named| named.name.at()).unwrap_or_default();
                self.flaw(at, "a When asks for one thing; use And for the next")
            }
        }
    }

    fn command(&mut self, stream: &Stream, named: Named) -> Option<AnyCommand> {
        let expected = self.expected(stream, Side::Command, named, true)?;
        let body =
            expected.fields.as_ref().map(|fields| fields.over(&serde_json::Value::Null)).unwrap_or_default();
        let command = json::written_command(stream.aggregate_type, &tagged(expected.variant, body));
        self.unpack(&expected, command)
    }

    fn event(&mut self, stream: &Stream, named: Named) -> Option<AnyEvent> {
        let expected = self.expected(stream, Side::Event, named, true)?;
        let body =
            expected.fields.as_ref().map(|fields| fields.over(&serde_json::Value::Null)).unwrap_or_default();
        let event = json::written_event(stream.aggregate_type, &tagged(expected.variant, body));
        self.unpack(&expected, event)
    }

    fn unpack<T>(&mut self, expected: &Expected, read: Result<T, Misfit>) -> Option<T> {
        match (read, &expected.fields) {
            (Ok(read), _) => Some(read),
            (Err(unreadable), fields) => {
                let nothing = Pattern::exact(Pos::default(), serde_json::Value::Null);
                self.flaws.push(expect::flaw(fields.as_ref().unwrap_or(&nothing), unreadable));
                None
            }
        }
    }

    /// Everything that a Then expects of a stream.
    fn all(&mut self, stream: &Stream, side: Side, named: Vec<Named>) -> Option<Vec<Expected>> {
        let all: Vec<_> = named
            .into_iter()
            .map(|named| {
                let expected = self.expected(stream, side, named, false)?;
                match expected.check() {
                    Ok(()) => Some(expected),
                    Err(flaw) => self.flaw(flaw.at, flaw.message),
                }
            })
            .collect();
        all.into_iter().collect()
    }

    /// `whole` when every field counts, as in a command; otherwise a name alone is enough.
    fn expected(&mut self, stream: &Stream, side: Side, named: Named, whole: bool) -> Option<Expected> {
        let Named { name, fields } = named;
        let Some(variant) = find(stream.aggregate_type, side, name.as_str()) else {
            let message = self.unknown(stream.aggregate_type, side, name.as_str(), whole);
            return self.flaw(name.at(), message);
        };
        if !whole && fields.is_none() {
            return Some(Expected { stream: stream.clone(), side, variant, fields: None });
        }
        let mut binder = Binder {
            now: self.now,
            fills_now: side == Side::Command && whole,
            may_leave_open: !whole,
            flaws: &mut *self.flaws,
        };
        let fields = binder.body(variant.name, name.at(), fields.as_ref(), &variant.body)?;
        Some(Expected { stream: stream.clone(), side, variant, fields: Some(fields) })
    }

    fn unknown(&self, aggregate_type: AggregateType, side: Side, name: &str, whole: bool) -> String {
        let of = |side| names(aggregate_type, side).iter().map(|variant| variant.name);
        let (kind, other) = match side {
            Side::Command => ("command", Side::Event),
            Side::Event => ("event", Side::Command),
        };
        if find(aggregate_type, other, name).is_some() {
            return match side {
                Side::Command => format!("{name} is an event; here stands a command"),
                Side::Event => format!("{name} is a command; here stands an event"),
            };
        }
        if self.stage == Stage::Given && whole {
            let known: Vec<_> = of(Side::Event).chain(of(Side::Command)).collect();
            return format!("{aggregate_type} has no event or command \"{name}\"{}", instead_of(name, known));
        }
        format!("{aggregate_type} has no {kind} \"{name}\"{}", instead_of(name, of(side)))
    }

    fn refused(&mut self, named: Named) -> Option<Act> {
        let code = named.name.as_str().to_owned();
        let asked = self.asked.clone()?;
        if !asked.aggregate_type.refusal_codes().contains(&code.as_str()) {
            let everybody = AggregateType::ALL.iter().flat_map(|known| known.refusal_codes());
            let message = if everybody.clone().any(|known| *known == code) {
                format!("{} never refuses with {code}", asked.aggregate_type)
            } else {
                let instead = instead_of(&code, asked.aggregate_type.refusal_codes().iter().copied());
                format!("{} has no refusal \"{code}\"{instead}", asked.aggregate_type)
            };
            return self.flaw(named.name.at(), message);
        }
        let values = named.fields.map(|fields| Pattern::untyped(&fields, self.now));
        Some(Act::See(See::Refused(code, values)))
    }
}

/// A refusal's values, as they are serialised.
#[must_use]
pub fn values_of(refusal: &AnyRefusal) -> serde_json::Value {
    let json = refusal.to_json_value().unwrap_or_default();
    json.get("values").cloned().unwrap_or_default()
}
