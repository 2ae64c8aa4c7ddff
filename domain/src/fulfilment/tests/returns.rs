//! What the buyer gets for what came back.

use crate::{
    fulfilment::{Command, Event, Fulfilment},
    order::{CreditDue, Source, Terms},
    payment::{CaptureWhen, Method},
    testing::{caused, named, pounds},
    value::Time,
};

pub(super) const NOW: Time = Time::from_millis(0);

pub(super) fn start(method: Method) -> Command {
    let terms = Terms { payment: named("p-1"), method, capture: CaptureWhen::OnShipment };
    Command::Start { order: named("o-1"), terms, total: pounds(50), at: NOW }
}

pub(super) fn received(value: i64, delivered: i64) -> Command {
    let credit = CreditDue {
        customer: None,
        source: Source::Cart(named("c-1")),
        lines: vec![],
        charges: vec![],
        prices_include_tax: true,
        country: None,
    };
    Command::ReturnReceived {
        return_id: named("r-1"),
        value: pounds(value),
        delivered: pounds(delivered),
        credit,
        at: NOW,
    }
}

pub(super) fn captured(amount: i64) -> Command {
    Command::PaymentCaptured {
        payment: named("p-1"),
        capture: named("due-1"),
        amount: pounds(amount),
        at: NOW,
    }
}

fn noted(events: &[Event]) -> Option<i64> {
    events.iter().find_map(|event| match event {
        Event::ReturnNoted { value, .. } => Some(value.amount),
        _ => None,
    })
}

#[test]
fn goods_that_were_never_paid_at_the_door_are_worth_no_money_back() {
    let shipped = Command::Shipped { value: pounds(50), complete: true, at: NOW };
    let events = caused::<Fulfilment>(vec![start(Method::CashOnDelivery), shipped, received(50, 0)]);
    assert_eq!(noted(&events), Some(0));
    assert!(!events.iter().any(|event| matches!(event, Event::RefundDue { .. })));
}

#[test]
fn a_payment_of_which_nothing_can_be_earned_any_more_is_let_go() {
    let shipped = Command::Shipped { value: pounds(50), complete: true, at: NOW };
    let events = caused::<Fulfilment>(vec![start(Method::CashOnDelivery), shipped, received(50, 0)]);
    assert!(matches!(events.last(), Some(Event::ReleaseDue { .. })), "{events:?}");
}

#[test]
fn goods_that_were_paid_are_worth_what_was_paid_for_them() {
    let shipped = Command::Shipped { value: pounds(30), complete: false, at: NOW };
    let events = caused::<Fulfilment>(vec![start(Method::Card), shipped, captured(30), received(20, 0)]);
    assert_eq!(noted(&events), Some(20));
}

#[test]
fn goods_whose_money_was_never_taken_are_worth_what_was_taken_besides() {
    let shipped = Command::Shipped { value: pounds(30), complete: false, at: NOW };
    let failed = Command::CaptureFailed { payment: named("p-1"), capture: named("due-1"), at: NOW };
    let events = caused::<Fulfilment>(vec![start(Method::Card), shipped, failed, received(20, 0)]);
    assert_eq!(noted(&events), Some(0));
}

#[test]
fn the_parcel_that_was_paid_stays_paid_when_another_is_refused_at_the_door() {
    let shipped = Command::Shipped { value: pounds(50), complete: true, at: NOW };
    let delivered = Command::Delivered { value: pounds(20), complete: false, at: NOW };
    let paid = vec![start(Method::CashOnDelivery), shipped, delivered, captured(20)];
    let refused = caused::<Fulfilment>([paid.clone(), vec![received(30, 0)]].concat());
    assert_eq!(noted(&refused), Some(0));
    assert!(!refused.iter().any(|event| matches!(event, Event::RefundDue { .. })), "{refused:?}");
    let brought_back = caused::<Fulfilment>([paid, vec![received(20, 20)]].concat());
    assert_eq!(noted(&brought_back), Some(20));
}
