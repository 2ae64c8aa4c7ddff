//! A hold that came on top of the one in use is let go of, however often the gateway does not.

use super::{Command, Event};
use crate::{
    AnyEvent,
    process::{Fact, Issue, Policy},
};

/// How long after a failure it is tried again.
const AGAIN_AFTER_MS: i64 = 10 * 60 * 1_000;

/// The policy `surplus`.
pub const SURPLUS: Policy = Policy { name: "surplus", issues, wants: &[] };

fn issues(Fact { id, event, at }: Fact<'_>) -> Vec<Issue> {
    let AnyEvent::Payment(Event::SurplusVoidFailed { reference, .. }) = event else {
        return vec![];
    };
    let void = Command::VoidSurplus { reference: reference.clone() };
    vec![Issue::timer(at.plus_millis(AGAIN_AFTER_MS), id, void)]
}
