//! What the shop can do and no scenario has ever seen it do.

use std::{collections::BTreeSet, fmt};

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
}

/// One kind of thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// How many there are.
    pub all: usize,
    /// Those that no scenario mentions.
    pub missing: Vec<String>,
}

impl Coverage {
    /// What a suite leaves out.
    #[must_use]
    pub fn of(suite: &Suite) -> Self {
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
        let part = |all: Vec<String>| Part {
            all: all.len(),
            missing: all.into_iter().filter(|name| !seen.contains(name)).collect(),
        };
        Self {
            events: part(events.collect()),
            refusals: part(refusals.map(ToString::to_string).collect()),
            wants: part(wants().collect()),
        }
    }

    /// Whether nothing is left out.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.parts().iter().all(|(_, part)| part.missing.is_empty())
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
        let part = |part: &Part| json!({"all": part.all, "missing": part.missing});
        json!({
            "ok": self.is_full(),
            "events": part(&self.events),
            "refusals": part(&self.refusals),
            "wants": part(&self.wants),
        })
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, part) in self.parts() {
            let Part { all, missing } = part;
            writeln!(f, "{} of {all} {title} are seen in a Then", all - missing.len())?;
            for name in missing {
                writeln!(f, "  no scenario sees {name}")?;
            }
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
