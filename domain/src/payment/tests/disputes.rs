//! Disputes: told in any order and often, they end as they were decided.

use proptest::prelude::*;

use super::*;

/// A payment of a hundred pounds that was taken.
fn captured() -> Vec<Event> {
    caused::<Payment>(vec![
        open(Method::Card, pounds(100)),
        authorize("a-1"),
        answer("a-1", Authorization::Approved { reference: named("ref") }),
        Command::Capture { capture: named("c-1"), amount: None },
        Command::RecordCapture { capture: named("c-1"), outcome: Settlement::Done },
    ])
}

fn after(words: &[(&str, i64, DisputeStage)]) -> (Payment, Vec<Event>) {
    let mut payment: Payment = fold(captured());
    let mut events = vec![];
    for (dispute, amount, stage) in words {
        let new = payment.decide(told(named(dispute), *amount, *stage)).unwrap();
        payment = new.iter().cloned().fold(payment, Payment::evolve);
        events.extend(new);
    }
    (payment, events)
}

fn refund(amount: i64) -> Command {
    Command::Refund { refund: named("r-1"), amount: Some(pounds(amount)), reason: named("kind") }
}

fn named_events(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(crate::Event::event_type).collect()
}

#[test]
fn an_end_that_is_told_before_its_beginning_tells_both() {
    let (payment, events) = after(&[
        ("d-1", 40, DisputeStage::Won),
        ("d-1", 40, DisputeStage::Open),
        ("d-1", 40, DisputeStage::Lost),
    ]);
    assert_eq!(named_events(&events), ["DisputeOpened", "DisputeWon"]);
    assert_eq!(payment.ledger().unwrap().refundable(), pounds(100));
}

#[test]
fn nothing_is_given_back_while_a_dispute_is_open() {
    let (payment, _) = after(&[("d-1", 40, DisputeStage::Open)]);
    assert_eq!(payment.decide(refund(10)), Err(Refusal::Disputed { dispute: named("d-1") }));
    assert!(!payment.is_closed());
    let (payment, _) = after(&[("d-1", 40, DisputeStage::Open), ("d-1", 40, DisputeStage::Won)]);
    assert_eq!(payment.decide(refund(100)).unwrap().len(), 1);
}

#[test]
fn what_was_lost_is_not_given_back_as_well() {
    let (payment, _) = after(&[("d-1", 40, DisputeStage::Open), ("d-1", 40, DisputeStage::Lost)]);
    let refused = Refusal::ExceedsCaptured { requested: pounds(61), refundable: pounds(60) };
    assert_eq!(payment.decide(refund(61)), Err(refused));
    assert_eq!(payment.decide(refund(60)).unwrap().len(), 1);
}

#[test]
fn what_was_lost_in_another_currency_leaves_nothing_to_give_back() {
    let (payment, _) = after(&[("d-1", 40, DisputeStage::Lost)]);
    let lost = Command::RecordDispute {
        dispute: named("d-2"),
        amount: Money::new(1, named("EUR")),
        reason: named("fraudulent"),
        stage: DisputeStage::Lost,
    };
    let payment: Payment = payment.decide(lost).unwrap().into_iter().fold(payment, Payment::evolve);
    let refused = Refusal::ExceedsCaptured { requested: pounds(10), refundable: pounds(0) };
    assert_eq!(payment.decide(refund(10)), Err(refused));
}

#[test]
fn of_what_was_never_taken_nothing_is_disputed() {
    let payment: Payment = fold(caused::<Payment>(vec![open(Method::Card, pounds(100))]));
    assert_eq!(payment.decide(told(named("d-1"), 40, DisputeStage::Open)), Ok(vec![]));
}

proptest! {
    #[test]
    fn words_in_any_order_open_a_dispute_once_and_end_it_once(
        stages in prop::collection::vec(stage(), 1..8)
    ) {
        let words: Vec<_> = stages.iter().map(|stage| ("d-1", 40, *stage)).collect();
        let (payment, events) = after(&words);
        let decided = stages.iter().find(|stage| **stage != DisputeStage::Open);
        let expected = match decided {
            None => vec!["DisputeOpened"],
            Some(DisputeStage::Lost) => vec!["DisputeOpened", "DisputeLost"],
            Some(_) => vec!["DisputeOpened", "DisputeWon"],
        };
        prop_assert_eq!(named_events(&events), expected);
        prop_assert_eq!(payment.ledger().unwrap().open_dispute().is_none(), decided.is_some());
    }
}
