//! What the shop can do and no scenario has ever seen it do.

use std::{collections::BTreeSet, fmt, path::Path};

use domain::{
    AggregateType,
    process::{POLICIES, PROCESSES, process_of},
};
use serde_json::{Value as Json, json};

use crate::{
    bind::{Act, See},
    suite::Suite,
};

/// What is mentioned in no Then, and how much there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Events, as `cart.Opened`.
    pub events: Part,
    /// Codes of refusals.
    pub refusals: Part,
    /// Commands of process managers and policies, as `checkout wants order.Place`.
    pub wants: Part,
    /// Excuses for what is seen, or is not there.
    pub idle_excuses: Vec<String>,
    /// Lines among the excuses that are none, with their numbers.
    pub no_excuses: Vec<(usize, String)>,
}

/// One kind of thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// How many there are.
    pub all: usize,
    /// Those that no scenario mentions, and that are not excused.
    pub missing: Vec<String>,
    /// Those that no scenario can see.
    pub excused: Vec<String>,
}

/// What no scenario can see: a name and the reason on each line, as `payment.in_doubt: only while …`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excuses {
    known: Vec<(String, String)>,
    /// Lines that are no excuse.
    none: Vec<(usize, String)>,
}

impl Excuses {
    /// The file that holds them, in the folder of the scenarios.
    pub const FILE: &str = "unseen.txt";

    /// Reads them from the folder of the scenarios; a folder without the file excuses nothing.
    #[must_use]
    pub fn load(folder: &Path) -> Self {
        Self::read(&std::fs::read_to_string(folder.join(Self::FILE)).unwrap_or_default())
    }

    /// Reads them; a line without a reason excuses nothing.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut excuses = Self::default();
        for (line, number) in text.lines().zip(1..) {
            let parts = line.split_once(':').map(|(name, reason)| (name.trim(), reason.trim()));
            match parts.filter(|(name, reason)| !name.is_empty() && !reason.is_empty()) {
                _ if line.trim().is_empty() || line.starts_with('#') => {}
                Some((name, reason)) => excuses.known.push((name.to_owned(), reason.to_owned())),
                None => excuses.none.push((number, line.to_owned())),
            }
        }
        excuses
    }

    fn hold(&self, name: &str) -> bool {
        self.known.iter().any(|(known, _)| known == name)
    }
}

impl Coverage {
    /// What a suite leaves out.
    #[must_use]
    pub fn of(suite: &Suite, excuses: &Excuses) -> Self {
        let mut seen = BTreeSet::new();
        let plays = suite.scenarios.iter().flat_map(|scenario| &scenario.plays);
        for step in plays.flat_map(|play| &play.steps) {
            if let Act::See(see) = &step.act {
                mentioned(see, &mut seen);
            }
        }
        let aggregates = AggregateType::ALL.iter();
        let events = aggregates.clone().flat_map(|aggregate_type| {
            aggregate_type.event_types().iter().map(move |(name, _)| format!("{aggregate_type}.{name}"))
        });
        let refusals = aggregates.flat_map(|aggregate_type| aggregate_type.refusal_codes());
        let part = |all: Vec<String>| {
            let unseen: Vec<_> = all.iter().filter(|name| !seen.contains(*name)).cloned().collect();
            let (excused, missing) = unseen.into_iter().partition(|name| excuses.hold(name));
            Part { all: all.len(), missing, excused }
        };
        let (events, wants) = (part(events.collect()), part(wants().collect()));
        let refusals = part(refusals.map(ToString::to_string).collect());
        let used =
            |name: &String| [&events, &refusals, &wants].iter().any(|part| part.excused.contains(name));
        let idle = excuses.known.iter().map(|(name, _)| name).filter(|name| !used(name)).cloned();
        let idle_excuses = idle.collect();
        Self { events, refusals, wants, idle_excuses, no_excuses: excuses.none.clone() }
    }

    /// Whether nothing is left out.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let excuses = self.idle_excuses.is_empty() && self.no_excuses.is_empty();
        excuses && self.parts().iter().all(|(_, part)| part.missing.is_empty())
    }

    const fn parts(&self) -> [(&'static str, &Part); 3] {
        [
            ("event types", &self.events),
            ("refusals", &self.refusals),
            ("commands of process managers", &self.wants),
        ]
    }

    /// For programs.
    #[must_use]
    pub fn json(&self) -> Json {
        let part = |part: &Part| json!({"all": part.all, "missing": part.missing, "excused": part.excused});
        json!({
            "ok": self.is_full(),
            "events": part(&self.events),
            "refusals": part(&self.refusals),
            "wants": part(&self.wants),
            "idle_excuses": self.idle_excuses,
            "no_excuses": self.no_excuses,
        })
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, part) in self.parts() {
            let Part { all, missing, excused } = part;
            write!(f, "{} of {all} {title} are seen in a Then", all - missing.len() - excused.len())?;
            writeln!(
                f,
                "{}",
                if excused.is_empty() { String::new() } else { format!(", {} excused", excused.len()) }
            )?;
            for name in missing {
                writeln!(f, "  no scenario sees {name}")?;
            }
        }
        for name in &self.idle_excuses {
            writeln!(f, "  {} excuses {name}, which is seen or not there", Excuses::FILE)?;
        }
        for (number, line) in &self.no_excuses {
            writeln!(
                f,
                "  {}:{number}: \"{line}\" is no excuse: a name, a colon and the reason",
                Excuses::FILE
            )?;
        }
        Ok(())
    }
}

/// Everything that anybody in the shop may want.
fn wants() -> impl Iterator<Item = String> {
    let processes = PROCESSES.iter().map(|process| (process.name, process.wants));
    let all = processes.chain(POLICIES.iter().map(|policy| (policy.name, policy.wants)));
    all.flat_map(|(name, kinds)| {
        kinds.iter().map(move |(aggregate_type, command)| format!("{name} wants {aggregate_type}.{command}"))
    })
}

fn mentioned(see: &See, seen: &mut BTreeSet<String>) {
    match see {
        See::Events(all) | See::Eventually(all) | See::Exactly(_, all) => {
            let name = |expected: &crate::expect::Expected| {
                format!("{}.{}", expected.stream.aggregate_type, expected.variant.name)
            };
            seen.extend(all.iter().map(name));
        }
        See::Refused(code, _) => {
            seen.insert(code.clone());
        }
        See::Wants(by, all) => {
            for expected in all {
                let command = (expected.stream.aggregate_type, expected.variant.name);
                let process = process_of(by.aggregate_type).map(|process| process.name);
                // Which policy it was is told by the command: the event is the same for all of them.
                let policies =
                    POLICIES.iter().filter(|policy| process.is_none() && policy.wants.contains(&command));
                let names = process.into_iter().chain(policies.map(|policy| policy.name));
                seen.extend(names.map(|name| format!("{name} wants {}.{}", command.0, command.1)));
            }
        }
        // What never happens is not seen.
        See::Nothing | See::Never(_) | See::NothingMore(_) | See::Reads(..) => {}
    }
}
