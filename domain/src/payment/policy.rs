//! What nobody else would come back to: a hold that the gateway does not let go of, and an answer that it puts off.

use super::{Asked, Command, Event};
use crate::{
    AnyEvent,
    process::{Fact, Issue, Policy},
};

const MINUTE_MS: i64 = 60 * 1_000;
/// How long after a failure it is tried again.
const AGAIN_AFTER_MS: i64 = 10 * MINUTE_MS;

/// The policy `surplus`: a hold that came on top of the one in use is let go of, however often the gateway does not.
pub const SURPLUS: Policy = Policy { name: "surplus", issues: let_go, wants: &[] };

/// The policy `answers`: an answer that was to come later is asked for, since whoever brings it may get lost.
pub const ANSWERS: Policy = Policy { name: "answers", issues: seek, wants: &[] };

fn let_go(Fact { id, event, at }: Fact<'_>) -> Vec<Issue> {
    let AnyEvent::Payment(Event::SurplusVoidFailed { reference, .. }) = event else {
        return vec![];
    };
    let void = Command::VoidSurplus { reference: reference.clone() };
    vec![Issue::timer(at.plus_millis(AGAIN_AFTER_MS), id, void)]
}

fn seek(Fact { id, event, at }: Fact<'_>) -> Vec<Issue> {
    let next = |asked: &Asked, nth: u32| {
        let seek = Command::SeekAnswer { asked: asked.clone(), nth };
        vec![Issue::timer(at.plus_millis(pause_ms(nth)), id, seek)]
    };
    match event {
        AnyEvent::Payment(Event::AnswerDeferred { asked, .. }) => next(asked, 1),
        AnyEvent::Payment(Event::AnswerSought { asked, nth, .. }) => next(asked, nth.saturating_add(1)),
        _ => vec![],
    }
}

/// How long before it is asked for that time: one, five and thirty minutes after it was put off, and then every hour.
const fn pause_ms(nth: u32) -> i64 {
    match nth {
        0 | 1 => MINUTE_MS,
        2 => 4 * MINUTE_MS,
        3 => 25 * MINUTE_MS,
        _ => 60 * MINUTE_MS,
    }
}
