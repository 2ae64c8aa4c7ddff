//! A history played again, step by step, in memory; what is done and seen on the way is the scenario.

use std::collections::BTreeMap;

use domain::{
    AnyCommand, AnyEvent, inventory_item,
    shape::Shape,
    value::{LocationId, Quantity, Time},
};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{guess::guess, history::Group};
use crate::{
    expect::{compare, written},
    run::parts,
    steps::Stream,
    text::{span, time_text},
    vocabulary::{Side, find},
    world::{Answer, DomainWorld, Entry, Stuck, World},
};

/// What must be in a place before a history begins.
pub(super) type Stock = Vec<(Stream, BTreeMap<LocationId, i64>)>;

/// Why a script goes no further.
pub(super) enum Halt {
    /// Nobody knows what led to the group of that number, and it is too late to take it as given.
    Unknown(usize),
    /// The shop itself is stuck.
    Stuck(Stuck),
}

impl From<Stuck> for Halt {
    fn from(stuck: Stuck) -> Self {
        Self::Stuck(stuck)
    }
}

/// A script on its way.
struct Script {
    world: DomainWorld,
    now: Time,
    lines: Vec<String>,
    /// What the last line began with.
    last: &'static str,
    /// Whether anything was asked in a When.
    begun: bool,
    asked: i64,
    /// Up to where the events of each stream have been told.
    told: BTreeMap<Stream, usize>,
}

/// Plays everything; the first `given` groups are taken as given. Returns the steps.
pub(super) async fn script(groups: &[Group], stock: &Stock, given: usize) -> Result<Vec<String>, Halt> {
    let now = groups.first().map_or(crate::bind::START, |group| group.at);
    let mut script = Script {
        world: DomainWorld::default(),
        now,
        lines: vec![],
        last: "",
        begun: false,
        asked: 0,
        told: BTreeMap::new(),
    };
    script.world.set_clock(now).await?;
    script.line("Given", &format!("it is {}", time_text(now)));
    for (stream, places) in stock {
        script.stock(stream, places).await?;
    }
    for (number, group) in groups.iter().enumerate() {
        if !script.group(group, number < given).await? {
            return Err(Halt::Unknown(number));
        }
    }
    script.end().await?;
    Ok(script.lines)
}

impl Script {
    fn line(&mut self, keyword: &'static str, text: &str) {
        let shown = if self.last == keyword { "And" } else { keyword };
        self.lines.push(format!("{shown} {text}"));
        self.last = keyword;
    }

    async fn stock(&mut self, stream: &Stream, places: &BTreeMap<LocationId, i64>) -> Result<(), Halt> {
        for (location, units) in places {
            let Some(quantity) = u32::try_from(*units).ok().and_then(|units| Quantity::new(units).ok())
            else {
                continue;
            };
            let (location, reference) = (location.clone(), None);
            self.given(stream, &[inventory_item::Event::Received { location, quantity, reference }.into()])
                .await?;
        }
        self.tell_all(stream).await
    }

    /// Tells one group; `false` when nobody knows what led to it.
    async fn group(&mut self, group: &Group, given: bool) -> Result<bool, Halt> {
        if self.follows(group, given).await? {
            return Ok(true);
        }
        self.pass(group.at, given).await?;
        if self.follows(group, given).await? {
            return Ok(true);
        }
        let state = self.world.state(&group.stream);
        match guess(&group.stream, &state, &group.events, group.at) {
            Some(guess) => {
                let mut body = guess.body;
                // It is filled in where it is left out.
                if let Json::Object(fields) = &mut body
                    && fields.get("now").and_then(Json::as_i64) == Some(self.now.millis())
                {
                    fields.remove("now");
                }
                let text = written(&group.stream, Side::Command, guess.name, &body);
                self.ask(group, guess.command, &text, given).await?;
                Ok(true)
            }
            None if given || !self.begun => {
                self.given(&group.stream, &group.events).await?;
                self.tell_all(&group.stream).await?;
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Whether the group has come by itself by now; then that is told.
    async fn follows(&mut self, group: &Group, given: bool) -> Result<bool, Halt> {
        let new = self.new_events(&group.stream).await?;
        let mut places = vec![];
        for event in &group.events {
            let from = places.last().map_or(0, |(place, _)| place + 1);
            let found = new.iter().enumerate().skip(from).find(|(_, (_, other))| same_kind(other, event));
            let Some((place, (_, other))) = found else { return Ok(false) };
            places.push((place, other));
        }
        if !given && self.begun {
            for ((_, came), event) in places.iter().zip(&group.events) {
                let text = agreed(&group.stream, event, came);
                self.line("Then", &format!("eventually {text}"));
            }
        }
        if let Some((place, _)) = places.last() {
            self.told.insert(group.stream.clone(), new[*place].0 + 1);
        }
        Ok(true)
    }

    /// A stream's events that have not been told, with their places in it.
    async fn new_events(&mut self, stream: &Stream) -> Result<Vec<(usize, AnyEvent)>, Halt> {
        let told = self.told.get(stream).copied().unwrap_or_default();
        let entries = self.world.entries().await?;
        let events = entries.into_iter().filter_map(|entry| match entry {
            Entry::Event { stream: of, event, .. } if of == *stream => Some(event),
            Entry::Event { .. } | Entry::Refusal { .. } => None,
        });
        Ok(events.enumerate().skip(told).collect())
    }

    async fn tell_all(&mut self, stream: &Stream) -> Result<(), Halt> {
        let told = self.told.get(stream).copied().unwrap_or_default();
        let new = self.new_events(stream).await?.len();
        self.told.insert(stream.clone(), told + new);
        Ok(())
    }

    async fn pass(&mut self, at: Time, given: bool) -> Result<(), Halt> {
        let ms = at.millis() - self.now.millis();
        if given && !self.begun {
            // Also where no time passes: what is given by now comes to rest.
            self.now = self.now.max(at);
            self.line("Given", &format!("it is {}", time_text(self.now)));
            self.world.set_clock(self.now).await?;
        } else if ms > 0 && !self.begun && self.lines.len() == 1 {
            // Nothing has happened yet.
            self.world.set_clock(at).await?;
            self.now = at;
            self.lines = vec![];
            self.last = "";
            self.line("Given", &format!("it is {}", time_text(at)));
        } else if ms > 0 {
            self.when();
            let span = span(ms);
            let verb = if span.starts_with("1 ") { "passes" } else { "pass" };
            self.line("When", &format!("{span} {verb}"));
            self.world.pass(ms).await?;
            self.now = at;
        }
        Ok(())
    }

    /// Everything given comes to rest before the first When.
    fn when(&mut self) {
        self.begun = true;
    }

    async fn given(&mut self, stream: &Stream, events: &[AnyEvent]) -> Result<(), Halt> {
        for event in events {
            let (name, body) = parts(event);
            self.line("Given", &written(stream, Side::Event, &name, &body));
        }
        Ok(self.world.happened(stream, events.to_vec()).await?)
    }

    async fn ask(&mut self, group: &Group, command: AnyCommand, text: &str, given: bool) -> Result<(), Halt> {
        self.asked += 1;
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("scenario:{}", self.asked).as_bytes());
        if !given {
            self.when();
        }
        self.world.rest().await?;
        let before = self.new_events(&group.stream).await?.len();
        let answer = self.world.ask(id, &group.stream, command).await?;
        let told = self.told.get(&group.stream).copied().unwrap_or_default();
        if let Answer::Accepted(events) = &answer {
            self.told.insert(group.stream.clone(), told + before + events.len());
        }
        self.world.rest().await?;
        self.line(if given { "Given" } else { "When" }, text);
        if let (Answer::Accepted(events), false) = (answer, given) {
            for (came, event) in events.iter().zip(&group.events) {
                let text = agreed(&group.stream, event, came);
                // It is the command's own stream.
                let prefix = format!("{}: ", group.stream);
                self.line("Then", text.strip_prefix(&prefix).unwrap_or(&text));
            }
        }
        Ok(())
    }

    /// A scenario ends with a Then: where nothing was left to ask, nothing more comes.
    async fn end(&mut self) -> Result<(), Halt> {
        if self.last != "Then" {
            self.world.rest().await?;
            let before = self.world.entries().await?.len();
            self.world.pass(1_000).await?;
            self.line("When", "1 second passes");
            match self.world.entries().await?.into_iter().nth(before) {
                Some(Entry::Event { stream, event, .. }) => {
                    self.line("Then", &format!("eventually {}", agreed(&stream, &event, &event)));
                }
                Some(Entry::Refusal { .. }) | None => self.line("Then", "nothing happens"),
            }
        }
        Ok(())
    }
}

fn same_kind(one: &AnyEvent, other: &AnyEvent) -> bool {
    one.aggregate_type() == other.aggregate_type() && one.event_type() == other.event_type()
}

/// An event that came, with the fields that are as they were told; the others are left open.
fn agreed(stream: &Stream, event: &AnyEvent, came: &AnyEvent) -> String {
    let ((name, told), (_, came)) = (parts(event), parts(came));
    let shape = find(stream.aggregate_type, Side::Event, &name).map(|variant| &variant.body);
    let (Json::Object(told), Json::Object(came)) = (told, came) else {
        return format!("{stream}: {name}");
    };
    let field = |name: &str| match shape {
        Some(Shape::Struct(_, fields)) => fields.iter().find(|field| field.name == name),
        _ => None,
    };
    let same = |name: &str, value: &Json| {
        let mut differences = vec![];
        let other = came.get(name).unwrap_or(&Json::Null);
        compare("", value, other, field(name).map_or(&Shape::Open, |field| &field.shape), &mut differences);
        differences.is_empty()
    };
    let (all, more) = (told.len(), came.keys().any(|name| !told.contains_key(name)));
    let kept: serde_json::Map<_, _> = told.into_iter().filter(|(name, value)| same(name, value)).collect();
    let open = kept.len() < all || more;
    let text = written(stream, Side::Event, &name, &Json::Object(kept));
    match (open, text.strip_suffix('}')) {
        (false, _) => text,
        (true, Some(text)) => format!("{text}, ..}}"),
        (true, None) => text,
    }
}
