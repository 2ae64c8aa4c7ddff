//! Answers that a gateway puts off: sought while they are awaited, more and more rarely, and given up after a day.

use super::*;
use crate::{
    AnyEvent,
    payment::policy::ANSWERS,
    process::{Fact, Issue},
    value::Time,
};

fn pending(asked: &Asked) -> Command {
    Command::RecordPending { asked: asked.clone() }
}

fn an_attempt() -> Asked {
    Asked::Authorization { attempt: named("a-1") }
}

/// A payment that waits for the answer to each kind of request, and what gives that answer.
fn waiting() -> Vec<(Asked, Vec<Command>, Command)> {
    let held = vec![open(Method::Card, pounds(100)), authorize("a-1"), approve("a-1")];
    let then = |more: &[Command]| [held.clone(), more.to_vec()].concat();
    let taken = [capture("c-1", None), captured("c-1", Settlement::Done)];
    let reference: Text = named("ref-a-1");
    let surplus: Text = named("ref-a-2");
    let declined = answer("a-1", Authorization::Declined { reason: named("no") });
    let twice = [
        vec![open(Method::Card, pounds(100)), authorize("a-1"), declined],
        vec![authorize("a-2"), approve("a-1"), approve("a-2")],
    ];
    vec![
        (an_attempt(), vec![open(Method::Card, pounds(100)), authorize("a-1")], approve("a-1")),
        (
            Asked::Capture { capture: named("c-1") },
            then(&[capture("c-1", None)]),
            captured("c-1", Settlement::Done),
        ),
        (Asked::Void { reference }, then(&[Command::Void {}]), voided("ref-a-1", Settlement::Done)),
        (Asked::Void { reference: surplus }, twice.concat(), voided("ref-a-2", failed())),
        (
            Asked::Refund { refund: named("r-1") },
            then(&[&taken[..], &[refund(None)]].concat()),
            refunded(Settlement::Done),
        ),
    ]
}

/// Every time that the policy asks again, in minutes after it was put off, until nothing comes of it any more.
fn minutes(mut payment: Payment, asked: &Asked) -> (Vec<i64>, Vec<Event>) {
    let mut events = payment.decide(pending(asked)).unwrap();
    let (mut at, mut minutes, mut all) = (Time::from_millis(0), vec![], vec![]);
    while let Some(event) = events.pop() {
        payment = payment.evolve(event.clone());
        all.push(event.clone());
        let issues = (ANSWERS.issues)(Fact { id: "p-1", event: &AnyEvent::Payment(event), at });
        for issue in issues {
            let Issue::Timer { due, command: crate::AnyCommand::Payment(command), .. } = issue else {
                panic!("{issue:?} is no timer of a payment");
            };
            at = due;
            minutes.push(due.millis() / 60_000);
            events = payment.decide(command).unwrap();
        }
    }
    (minutes, all)
}

#[test]
fn an_answer_that_never_comes_is_sought_for_a_day_and_then_missed() {
    for (asked, before, _) in waiting() {
        let (minutes, events) = minutes(after(before), &asked);
        assert_eq!(minutes[..5], [1, 5, 30, 90, 150], "{asked:?}");
        assert_eq!(minutes.last(), Some(&(30 + 25 * 60)));
        assert_eq!(events.len(), 2 + usize::try_from(SEEKS_MAX).unwrap());
        assert_eq!(events.last(), Some(&Event::AnswerMissing { order: named("o-1"), asked }));
    }
}

#[test]
fn an_answer_that_came_is_not_sought() {
    for (asked, before, answer) in waiting() {
        let asked_again = Command::SeekAnswer { asked: asked.clone(), nth: 1 };
        let payment = after([before.clone(), vec![pending(&asked)]].concat());
        assert_eq!(types(&payment, asked_again.clone()), ["AnswerSought"], "{asked:?}");
        assert_eq!(types(&payment, pending(&asked)), [""; 0], "it is known");
        let answered = after([before, vec![pending(&asked), answer]].concat());
        assert_eq!(types(&answered, asked_again), [""; 0], "{asked:?}");
        assert_eq!(types(&answered, pending(&asked)), [""; 0], "{asked:?}");
    }
}

#[test]
fn an_answer_counts_that_comes_after_it_was_missed() {
    for (asked, before, answer) in waiting() {
        let payment = after(before);
        let (_, events) = minutes(payment.clone(), &asked);
        let missed = events.into_iter().fold(payment, Payment::evolve);
        assert_eq!(missed.decide(answer).unwrap().len(), 1, "{asked:?}");
    }
}

#[test]
fn what_became_of_an_attempt_is_asked_though_nobody_waits_for_it_and_missed_by_nobody() {
    let given_up = [open(Method::Card, pounds(100)), authorize("a-1"), Command::Void {}];
    let (minutes, events) = minutes(after(given_up.to_vec()), &an_attempt());
    assert_eq!((minutes.len(), events.len()), (28, 28));
    let declined = answer("a-1", Authorization::Declined { reason: named("no") });
    let over =
        after(vec![open(Method::Card, pounds(100)), authorize("a-1"), pending(&an_attempt()), declined]);
    assert_eq!(types(&over, Command::SeekAnswer { asked: an_attempt(), nth: 1 }), [""; 0]);
}
