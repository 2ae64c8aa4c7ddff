//! Random histories of payments: money is conserved.

mod answers;
mod disputes;
mod gateway;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::testing::{Again, caused, check_refusal, fold, id, named, play, pounds, text};

const ATTEMPTS: &[&str] = &["a-1", "a-2", "a-3"];
const CAPTURES: &[&str] = &["c-1", "c-2", "c-3"];
const REFUNDS: &[&str] = &["r-1", "r-2"];
const DISPUTES: &[&str] = &["d-1", "d-2"];

fn amount() -> impl Strategy<Value = Money> {
    prop_oneof![
        9 => (1..=100_i64).prop_map(pounds),
        1 => any::<i64>().prop_map(pounds),
        1 => Just(Money::new(1, named("EUR"))),
    ]
}

/// Each attempt's hold has the gateway's own name, as at a real gateway.
fn recorded() -> impl Strategy<Value = Command> {
    prop::sample::select(ATTEMPTS).prop_flat_map(|attempt| {
        let approved = Authorization::Approved { reference: named(&format!("ref-{attempt}")) };
        let declined = Authorization::Declined { reason: named("insufficient funds") };
        prop_oneof![3 => Just(approved), 1 => Just(declined), 1 => Just(Authorization::TimedOut)]
            .prop_map(move |outcome| Command::RecordAuthorization { attempt: named(attempt), outcome })
    })
}

fn settlement() -> impl Strategy<Value = Settlement> {
    prop_oneof![3 => Just(Settlement::Done), 1 => Just(Settlement::Failed { reason: named("no answer") })]
}

fn open(method: Method, amount: Money) -> Command {
    Command::OpenIntent { order: named("o-1"), amount, method, capture: CaptureWhen::AtOnce }
}

fn stage() -> impl Strategy<Value = DisputeStage> {
    prop::sample::select([DisputeStage::Open, DisputeStage::Won, DisputeStage::Lost].as_slice())
}

fn told(dispute: DisputeId, amount: i64, stage: DisputeStage) -> Command {
    Command::RecordDispute { dispute, amount: pounds(amount), reason: named("fraudulent"), stage }
}

fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        id(ATTEMPTS).prop_map(|attempt| Asked::Authorization { attempt }),
        id(CAPTURES).prop_map(|capture| Asked::Capture { capture }),
        id(&["ref-a-1", "ref-a-2"]).prop_map(|reference| Asked::Void { reference }),
        id(REFUNDS).prop_map(|refund| Asked::Refund { refund }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    let amount_or_all = || prop::option::weighted(0.6, amount());
    prop_oneof![
        1 => amount().prop_map(|amount| open(Method::Card, amount)),
        4 => (id(ATTEMPTS), text()).prop_map(|(attempt, token)| Command::Authorize { attempt, token: token.into(), keep_for: None }),
        6 => recorded(),
        4 => (id(CAPTURES), amount_or_all()).prop_map(|(capture, amount)| Command::Capture { capture, amount }),
        4 => (id(CAPTURES), settlement())
            .prop_map(|(capture, outcome)| Command::RecordCapture { capture, outcome }),
        2 => Just(Command::Void {}),
        2 => (id(&["ref-a-1", "ref-a-2", "ref-a-3"]), settlement())
            .prop_map(|(reference, outcome)| Command::RecordVoid { reference, outcome }),
        1 => id(&["ref-a-1", "ref-a-2", "ref-a-3"]).prop_map(|reference| Command::VoidSurplus { reference }),
        3 => (id(REFUNDS), amount_or_all(), text())
            .prop_map(|(refund, amount, reason)| Command::Refund { refund, amount, reason }),
        3 => (id(REFUNDS), settlement()).prop_map(|(refund, outcome)| Command::RecordRefund { refund, outcome }),
        2 => asked().prop_map(|asked| Command::RecordPending { asked }),
        2 => (asked(), 1..=3_u32).prop_map(|(asked, nth)| Command::SeekAnswer { asked, nth }),
        2 => (id(DISPUTES), 1..=100_i64, stage()).prop_map(|(dispute, amount, stage)| told(dispute, amount, stage)),
    ]
}

fn history() -> impl Strategy<Value = Vec<Command>> {
    let method = prop_oneof![
        1 => Just(Method::Card),
        1 => Just(Method::Upi),
        1 => Just(Method::Wallet),
        1 => Just(Method::CashOnDelivery),
    ];
    (method, 1..=100_i64, prop::collection::vec(command(), 0..40))
        .prop_map(|(method, amount, commands)| [vec![open(method, pounds(amount))], commands].concat())
}

fn money_is_conserved(payment: &Payment, events: &[Event]) {
    let (mut captured, mut refunded) = (0, 0);
    for event in events {
        match event {
            Event::Captured { amount, .. } => captured += amount.amount,
            Event::Refunded { amount, .. } => refunded += amount.amount,
            _ => {}
        }
    }
    let Some(intent) = payment.intent() else { return };
    assert_eq!(payment.captured(), Some(pounds(captured)), "{payment:?}");
    assert_eq!(payment.refunded(), Some(pounds(refunded)), "{payment:?}");
    let refunding = payment.ledger().map_or(0, |ledger| ledger.refunding().amount);
    let capturing = match payment {
        Payment::Held { hold: Hold { pending: Some(Pending::Capture { amount, .. }), .. }, .. } => {
            amount.amount
        }
        _ => 0,
    };
    assert!(captured + capturing <= payment.authorized().unwrap().amount, "{payment:?}");
    assert!(refunded + refunding <= captured, "{payment:?}");
    assert!(payment.authorized().unwrap().amount <= intent.amount.amount);
}

/// Whatever the gateway approved is the one hold, or it was asked to let go of it.
fn at_most_one_hold_stands(payment: &Payment, events: &[Event]) {
    let mut standing = BTreeSet::new();
    for event in events {
        match event {
            Event::Authorized { reference, .. } => standing.insert(reference),
            Event::VoidRequested { reference, .. } => standing.remove(reference),
            _ => false,
        };
    }
    if let Payment::Held { hold: Hold { reference, .. }, .. } | Payment::Released { reference, .. } = payment
    {
        standing.remove(reference);
    }
    assert!(standing.is_empty(), "{standing:?} stand beside {payment:?}");
}

proptest! {
    #[test]
    fn money_is_conserved_and_repeats_change_nothing(commands in history()) {
        play::<Payment>(commands, |_| Again::Nothing, |payment, events| {
            money_is_conserved(payment, events);
            at_most_one_hold_stands(payment, events);
        });
    }

    #[test]
    fn any_order_of_events_folds(
        events in (history(), history())
            .prop_map(|(one, other)| {
                let events = caused::<Payment>;
                [events(one), events(other)].concat()
            })
            .prop_shuffle()
    ) {
        let payment: Payment = fold(events);
        prop_assert_eq!(payment.captured().is_some(), payment.intent().is_some());
    }
}

fn after(commands: Vec<Command>) -> Payment {
    fold(caused::<Payment>(commands))
}

fn authorize(attempt: &str) -> Command {
    Command::Authorize { attempt: named(attempt), token: named("tok"), keep_for: None }
}

fn answer(attempt: &str, outcome: Authorization) -> Command {
    Command::RecordAuthorization { attempt: named(attempt), outcome }
}

fn approve(attempt: &str) -> Command {
    answer(attempt, Authorization::Approved { reference: named(&format!("ref-{attempt}")) })
}

fn failed() -> Settlement {
    Settlement::Failed { reason: named("no") }
}

fn capture(capture: &str, amount: Option<i64>) -> Command {
    Command::Capture { capture: named(capture), amount: amount.map(pounds) }
}

fn captured(capture: &str, outcome: Settlement) -> Command {
    Command::RecordCapture { capture: named(capture), outcome }
}

fn voided(reference: &str, outcome: Settlement) -> Command {
    Command::RecordVoid { reference: named(reference), outcome }
}

fn refund(amount: Option<i64>) -> Command {
    Command::Refund { refund: named("r-1"), amount: amount.map(pounds), reason: named("returned") }
}

fn refunded(outcome: Settlement) -> Command {
    Command::RecordRefund { refund: named("r-1"), outcome }
}

fn types(payment: &Payment, command: Command) -> Vec<&'static str> {
    payment.decide(command).unwrap().iter().map(crate::Event::event_type).collect()
}

#[test]
fn an_approval_counts_however_late_it_comes() {
    let asked = [open(Method::Card, pounds(100)), authorize("a-1")];
    let declined = answer("a-1", Authorization::Declined { reason: named("no") });
    let cases: [(&[Command], &[&str]); 6] = [
        (&[], &["Authorized"]),
        (&[answer("a-1", Authorization::TimedOut)], &["Authorized"]),
        (std::slice::from_ref(&declined), &["Authorized"]),
        (&[Command::Void {}], &["Authorized"]),
        (&[approve("a-1")], &[]),
        (&[declined.clone(), authorize("a-2"), approve("a-2")], &["Authorized", "VoidRequested"]),
    ];
    for (meanwhile, events) in cases {
        assert_eq!(
            types(&after([&asked, meanwhile].concat()), approve("a-1")),
            events,
            "after {meanwhile:?}"
        );
    }
    assert!(types(&after(asked.to_vec()), approve("a-9")).is_empty());
}

#[test]
fn a_void_depends_on_what_the_gateway_holds() {
    let held = [open(Method::Card, pounds(100)), authorize("a-1"), approve("a-1")];
    let capture = capture("c-1", None);
    let done = captured("c-1", Settlement::Done);
    let void = |commands: &[Command]| after(commands.to_vec()).decide(Command::Void {});
    let requested = || {
        let (order, reference) = (named("o-1"), named("ref-a-1"));
        Ok(vec![Event::VoidRequested { order, reference, amount: pounds(100) }])
    };

    assert_eq!(void(&[]), Err(Refusal::NotOpened));
    assert_eq!(void(&held[..1]), Ok(vec![Event::Voided { order: named("o-1") }]));
    assert_eq!(void(&held[..2]), Ok(vec![Event::Voided { order: named("o-1") }]));
    assert_eq!(void(&held), requested());
    assert_eq!(void(&[&held[..], &[Command::Void {}]].concat()), Ok(vec![]));
    let failed = voided("ref-a-1", failed());
    assert_eq!(void(&[&held[..], &[Command::Void {}, failed]].concat()), requested());
    assert_eq!(void(&[&held[..], std::slice::from_ref(&capture)].concat()), Err(Refusal::AwaitingGateway));
    assert_eq!(void(&[&held[..], &[capture, done]].concat()), Err(Refusal::AlreadyCaptured));
}

#[test]
fn cash_is_collected_and_given_back_without_a_gateway() {
    let intent = open(Method::CashOnDelivery, pounds(100));
    let cash = after(vec![intent.clone()]);
    assert_eq!(cash.decide(authorize("a-1")), Err(Refusal::NeedsNoAuthorization));
    assert_eq!(types(&cash, capture("c-1", None)), ["Captured"]);
    let collected = after(vec![intent, capture("c-1", None)]);
    assert_eq!(types(&collected, refund(None)), ["Refunded"]);
}

/// A card payment of 100 that the gateway holds, and what comes then.
fn held(commands: Vec<Command>) -> Payment {
    let held = vec![open(Method::Card, pounds(100)), authorize("a-1"), approve("a-1")];
    after([held, commands].concat())
}

#[test]
fn a_failed_refund_can_be_asked_for_again() {
    let payment = held(vec![
        capture("c-1", None),
        captured("c-1", Settlement::Done),
        refund(Some(40)),
        refunded(failed()),
    ]);
    assert_eq!(types(&payment, refund(Some(40))), ["RefundRequested"]);
    assert_eq!(types(&payment, refund(None)), ["RefundRequested"]);
    let other = Err(Refusal::RefundExists { refund: named("r-1") });
    assert_eq!(payment.decide(refund(Some(41))), other);
}

#[test]
fn of_nothing_that_is_left_nothing_is_given_back_unless_it_was_asked_for_before() {
    let taken = vec![capture("c-1", None), captured("c-1", Settlement::Done), refund(Some(100))];
    let another = Command::Refund { refund: named("r-2"), amount: None, reason: named("returned") };
    let nothing = Err(Refusal::ExceedsCaptured { requested: pounds(100), refundable: pounds(0) });
    let done = [taken.clone(), vec![refunded(Settlement::Done)]].concat();
    for payment in [held(taken), held(done)] {
        assert_eq!(payment.decide(another.clone()), nothing);
        assert_eq!(payment.decide(refund(None)), Ok(vec![]));
    }
    let cash = vec![open(Method::CashOnDelivery, pounds(100)), capture("c-1", None), refund(None)];
    assert_eq!(after(cash).decide(another), nothing);
}

#[test]
fn a_capture_is_known_by_its_id() {
    let pending = held(vec![capture("c-1", Some(60))]);
    for again in [capture("c-1", Some(60)), capture("c-1", None)] {
        assert_eq!(pending.decide(again), Ok(vec![]));
    }
    let exists = Err(Refusal::CaptureExists { capture: named("c-1") });
    assert_eq!(pending.decide(capture("c-1", Some(61))), exists);
    assert_eq!(pending.decide(capture("c-2", Some(40))), Err(Refusal::AwaitingGateway));
    assert!(types(&pending, captured("c-2", Settlement::Done)).is_empty());
    assert_eq!(types(&pending, captured("c-1", failed())), ["CaptureFailed"]);

    let failed = held(vec![capture("c-1", Some(60)), captured("c-1", failed())]);
    assert_eq!(failed.decide(capture("c-1", Some(60))), Ok(vec![]));
    assert_eq!(types(&failed, capture("c-2", Some(60))), ["CaptureRequested"]);
}

#[test]
fn a_void_after_a_part_was_captured_lets_go_of_the_rest() {
    let part = vec![capture("c-1", Some(30)), captured("c-1", Settlement::Done)];
    let payment = held(part.clone());
    let (order, reference) = (named("o-1"), named("ref-a-1"));
    let requested = Event::VoidRequested { order, reference, amount: pounds(70) };
    assert_eq!(payment.decide(Command::Void {}), Ok(vec![requested]));

    let unsure = held([part.clone(), vec![Command::Void {}, voided("ref-a-1", failed())]].concat());
    assert_eq!(types(&unsure, Command::Void {}), ["VoidRequested"]);
    assert_eq!(types(&unsure, capture("c-2", None)), ["CaptureRequested"]);

    let released = vec![Command::Void {}, voided("ref-a-1", Settlement::Done)];
    let payment = held([part, released].concat());
    assert_eq!((payment.authorized(), payment.captured()), (Some(pounds(30)), Some(pounds(30))));
    assert_eq!(payment.decide(capture("c-2", Some(1))), Err(Refusal::Voided));
    assert_eq!(payment.decide(capture("c-1", Some(30))), Ok(vec![]));
    assert_eq!(payment.decide(authorize("a-2")), Err(Refusal::Voided));
    assert_eq!(payment.decide(Command::Void {}), Ok(vec![]));
    assert_eq!(types(&payment, refund(Some(30))), ["RefundRequested"]);
    let too_much = Refusal::ExceedsCaptured { requested: pounds(31), refundable: pounds(30) };
    assert_eq!(payment.decide(refund(Some(31))), Err(too_much));
}

#[test]
fn the_answer_to_the_void_of_a_surplus_hold_does_not_void_the_other() {
    let declined = answer("a-1", Authorization::Declined { reason: named("no") });
    let asked = vec![open(Method::Upi, pounds(100)), authorize("a-1"), declined, authorize("a-2")];
    let twice = [asked, vec![approve("a-2"), approve("a-1"), Command::Void {}]].concat();
    let payment = after(twice);
    assert_eq!(types(&payment, voided("ref-a-1", Settlement::Done)), ["SurplusVoided"]);
    assert_eq!(types(&payment, voided("ref-a-2", Settlement::Done)), ["Voided"]);
    assert!(types(&payment, voided("ref-of-nobody", Settlement::Done)).is_empty());
}

#[test]
fn a_surplus_hold_is_let_go_of_until_it_is_gone() {
    let declined = answer("a-1", Authorization::Declined { reason: named("no") });
    let asked = vec![open(Method::Card, pounds(100)), authorize("a-1"), declined, authorize("a-2")];
    let twice = [asked, vec![approve("a-2"), approve("a-1")]].concat();
    let again = Command::VoidSurplus { reference: named("ref-a-1") };
    let failed = voided("ref-a-1", Settlement::Failed { reason: named("later") });
    let payment = after(twice.clone());
    assert_eq!(types(&payment, failed.clone()), ["SurplusVoidFailed"]);
    assert!(types(&payment, again.clone()).is_empty(), "the gateway was asked and has yet to answer");
    let payment = after([twice.clone(), vec![failed.clone()]].concat());
    assert!(types(&payment, failed.clone()).is_empty(), "it failed once");
    assert_eq!(types(&payment, again.clone()), ["VoidRequested"]);
    let gone = after([twice, vec![failed, again.clone(), voided("ref-a-1", Settlement::Done)]].concat());
    assert!(types(&gone, again).is_empty());
    assert!(types(&gone, voided("ref-a-1", Settlement::Done)).is_empty());
    assert!(types(&gone, Command::VoidSurplus { reference: named("ref-a-2") }).is_empty(), "it is in use");
}

#[test]
fn tries_are_bounded() {
    let mut payment = after(vec![open(Method::Card, pounds(100))]);
    for n in 0..TRIES_MAX {
        let attempt = format!("a-{n}");
        for command in [authorize(&attempt), answer(&attempt, Authorization::TimedOut)] {
            payment = payment.decide(command).unwrap().into_iter().fold(payment, Payment::evolve);
        }
    }
    assert_eq!(payment.decide(authorize("one-more")), Err(Refusal::TooManyTries { max: TRIES_MAX }));
    assert_eq!(payment.decide(authorize("a-0")), Ok(vec![]));
}

#[test]
fn every_refusal_serialises_its_code() {
    let refusals = [
        Refusal::NotOpened,
        Refusal::AlreadyOpened,
        Refusal::BadAmount,
        Refusal::NeedsNoAuthorization,
        Refusal::InProgress { attempt: named("a-1") },
        Refusal::AlreadyAuthorized,
        Refusal::NotAuthorized,
        Refusal::Voided,
        Refusal::AlreadyCaptured,
        Refusal::AwaitingGateway,
        Refusal::ExceedsAuthorized { requested: pounds(2), capturable: pounds(1) },
        Refusal::ExceedsCaptured { requested: pounds(2), refundable: pounds(1) },
        Refusal::CaptureExists { capture: named("c-1") },
        Refusal::RefundExists { refund: named("r-1") },
        Refusal::TooManyTries { max: TRIES_MAX },
    ];
    refusals.iter().for_each(check_refusal::<Payment>);
}
