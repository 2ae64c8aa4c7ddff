//! Money that does not move when it is asked to, and what is done by hand meanwhile.

use super::returns::{NOW, captured, received, start};
use crate::{
    fulfilment::{Command, Event, Fulfilment, TRIES_MAX, input},
    payment::{self, Method},
    process::Fact,
    testing::{caused, fold, named, pounds},
    value::Time,
};

/// Fifty pounds that were taken, twenty of which are owed after a return: `due-2` is asked for.
fn owing() -> Vec<Command> {
    let shipped = Command::Shipped { value: pounds(50), complete: true, at: NOW };
    vec![start(Method::Card), shipped, captured(50), received(20, 0)]
}

fn not_refunded(number: u32) -> Command {
    Command::RefundFailed { payment: named("p-1"), refund: named(&format!("due-{number}")), at: NOW }
}

fn by_hand(amount: i64) -> Command {
    Command::Refunded { payment: named("p-1"), refund: named("hand"), amount: pounds(amount), at: NOW }
}

/// The same, refused as often as it is tried.
fn given_up() -> Vec<Command> {
    let tried = |number| [not_refunded(number), again()];
    [owing(), (2..TRIES_MAX + 2).flat_map(tried).collect()].concat()
}

/// Later than any wait.
const fn again() -> Command {
    Command::TryAgain { at: Time::from_millis(1_000_000_000) }
}

fn with(before: Vec<Command>, more: Command) -> Vec<Command> {
    [before, vec![more]].concat()
}

/// What the last command causes.
fn last(commands: Vec<Command>) -> Vec<Event> {
    let before = caused::<Fulfilment>(commands[..commands.len() - 1].to_vec()).len();
    caused::<Fulfilment>(commands).split_off(before)
}

fn refunds(events: &[Event]) -> Vec<i64> {
    let due = events.iter().filter_map(|event| match event {
        Event::RefundDue { amount, .. } => Some(amount.amount),
        _ => None,
    });
    due.collect()
}

fn settled() -> Event {
    Event::ReturnSettled { order: named("o-1"), return_id: named("r-1"), amount: pounds(20) }
}

fn keep(commands: Vec<Command>) -> (i64, i64) {
    match fold::<Fulfilment>(caused::<Fulfilment>(commands)) {
        Fulfilment::Running(books) => (books.keep.amount, books.given_away),
        Fulfilment::Idle | Fulfilment::Prepaid { .. } => (0, 0),
    }
}

#[test]
fn what_is_owed_and_given_back_by_hand_is_not_given_back_again() {
    let events = caused::<Fulfilment>([owing(), vec![not_refunded(2), by_hand(20), again()]].concat());
    assert_eq!(refunds(&events), [20], "{events:?}");
    assert_eq!(events.last(), Some(&settled()));
}

#[test]
fn of_what_is_owed_and_given_back_by_hand_in_part_the_rest_is_given_back() {
    let events = last([owing(), vec![not_refunded(2), by_hand(15), again()]].concat());
    assert_eq!(refunds(&events), [5], "{events:?}");
}

#[test]
fn only_what_is_given_back_beyond_what_is_owed_is_given_away() {
    let refused = with(owing(), not_refunded(2));
    assert_eq!(keep(with(refused.clone(), by_hand(20))), (30, 0));
    assert_eq!(keep(with(refused.clone(), by_hand(26))), (24, 6));
    assert_eq!(refunds(&last([refused, vec![by_hand(26), again()]].concat())), [0; 0]);
    // What was asked for may be on its way: whoever gives something back beside it means it.
    assert_eq!(keep(with(owing(), by_hand(10))), (20, 10));
}

#[test]
fn what_nobody_could_give_back_is_settled_by_hand() {
    let events = caused::<Fulfilment>(given_up());
    assert!(
        matches!(events.last(), Some(Event::SettlementFailed { owed, .. }) if *owed == pounds(20)),
        "{events:?}"
    );
    let events = last(with(given_up(), by_hand(20)));
    assert_eq!(events.last(), Some(&settled()), "{events:?}");
}

#[test]
fn after_giving_up_the_next_parcel_is_asked_for_as_the_first_was() {
    let shipped = |value| Command::Shipped { value: pounds(value), complete: value == 20, at: NOW };
    let failed = |number: u32| {
        let capture = named(&format!("due-{number}"));
        [Command::CaptureFailed { payment: named("p-1"), capture, at: NOW }, again()]
    };
    let tries: Vec<_> = (1..=TRIES_MAX).flat_map(failed).collect();
    let first = [vec![start(Method::Card), shipped(30)], tries].concat();
    let events = caused::<Fulfilment>(first.clone());
    assert!(matches!(events.last(), Some(Event::SettlementFailed { .. })), "{events:?}");
    let events = last(with(first, shipped(20)));
    assert!(
        matches!(events.last(), Some(Event::CaptureDue { amount, .. }) if *amount == pounds(50)),
        "{events:?}"
    );
}

#[test]
fn the_end_of_a_dispute_is_a_reason_to_give_back_what_is_owed() {
    let ended = Command::DisputeEnded { at: NOW };
    for held_up in [with(owing(), not_refunded(2)), given_up()] {
        let events = last(with(held_up, ended.clone()));
        assert_eq!((events.first(), refunds(&events)), (Some(&Event::Retried {}), vec![20]), "{events:?}");
    }
    assert!(last(with(owing(), ended.clone())).is_empty(), "it is under way");
    assert!(last(with(vec![start(Method::Card)], ended)).is_empty(), "nothing is owed");
}

#[test]
fn disputes_are_heard_of_when_they_end() {
    let (order, dispute, amount) = (named("o-1"), named("d-1"), pounds(50));
    let won = payment::Event::DisputeWon { order, dispute, amount };
    let (order, dispute) = (named("o-1"), named("d-1"));
    let lost = payment::Event::DisputeLost { order, dispute, amount };
    for event in [won, lost] {
        let heard = input::input(Fact { id: "p-1", event: &event.into(), at: NOW });
        assert_eq!(heard, Some(("o-1".into(), Command::DisputeEnded { at: NOW }.into())));
    }
}
