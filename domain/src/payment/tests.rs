//! Random histories of payments: money is conserved.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::testing::{Again, caused, check_refusal, fold, id, named, play, pounds, text};

const ATTEMPTS: &[&str] = &["a-1", "a-2", "a-3"];
const REFUNDS: &[&str] = &["r-1", "r-2"];

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

fn command() -> impl Strategy<Value = Command> {
    let amount_or_all = || prop::option::weighted(0.6, amount());
    prop_oneof![
        1 => amount().prop_map(|amount| open(Method::Card, amount)),
        4 => (id(ATTEMPTS), text()).prop_map(|(attempt, token)| Command::Authorize { attempt, token }),
        6 => recorded(),
        4 => amount_or_all().prop_map(|amount| Command::Capture { amount }),
        4 => settlement().prop_map(|outcome| Command::RecordCapture { outcome }),
        2 => Just(Command::Void {}),
        2 => settlement().prop_map(|outcome| Command::RecordVoid { outcome }),
        3 => (id(REFUNDS), amount_or_all(), text())
            .prop_map(|(refund, amount, reason)| Command::Refund { refund, amount, reason }),
        3 => (id(REFUNDS), settlement()).prop_map(|(refund, outcome)| Command::RecordRefund { refund, outcome }),
    ]
}

fn history() -> impl Strategy<Value = Vec<Command>> {
    let method = prop_oneof![3 => Just(Method::Card), 1 => Just(Method::CashOnDelivery)];
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
        Payment::Held { hold: Hold { pending: Some(Pending::Capture { amount }), .. }, .. } => amount.amount,
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
    if let Payment::Held { hold, .. } = payment {
        standing.remove(&hold.reference);
    }
    assert!(standing.is_empty(), "{standing:?} stand beside {payment:?}");
}

proptest! {
    #[test]
    fn money_is_conserved_and_repeats_change_nothing(commands in history()) {
        let again = |command: &Command| match command {
            Command::Capture { amount: Some(_) } => Again::Anything,
            Command::Capture { amount: None } => Again::NothingOrRefused,
            _ => Again::Nothing,
        };
        play::<Payment>(commands, again, |payment, events| {
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
    Command::Authorize { attempt: named(attempt), token: named("tok") }
}

fn answer(attempt: &str, outcome: Authorization) -> Command {
    Command::RecordAuthorization { attempt: named(attempt), outcome }
}

fn approve(attempt: &str) -> Command {
    answer(attempt, Authorization::Approved { reference: named(&format!("ref-{attempt}")) })
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
    let capture = Command::Capture { amount: None };
    let done = Command::RecordCapture { outcome: Settlement::Done };
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
    let failed = Command::RecordVoid { outcome: Settlement::Failed { reason: named("no") } };
    assert_eq!(void(&[&held[..], &[Command::Void {}, failed]].concat()), requested());
    assert_eq!(void(&[&held[..], std::slice::from_ref(&capture)].concat()), Err(Refusal::AwaitingGateway));
    assert_eq!(void(&[&held[..], &[capture, done]].concat()), Err(Refusal::AlreadyCaptured));
}

#[test]
fn cash_is_collected_and_given_back_without_a_gateway() {
    let intent = open(Method::CashOnDelivery, pounds(100));
    let cash = after(vec![intent.clone()]);
    assert_eq!(cash.decide(authorize("a-1")), Err(Refusal::NeedsNoAuthorization));
    assert_eq!(types(&cash, Command::Capture { amount: None }), ["Captured"]);
    let collected = after(vec![intent, Command::Capture { amount: None }]);
    let refund = Command::Refund { refund: named("r-1"), amount: None, reason: named("returned") };
    assert_eq!(types(&collected, refund), ["Refunded"]);
}

#[test]
fn a_failed_refund_can_be_asked_for_again() {
    let refund = |amount| Command::Refund { refund: named("r-1"), amount, reason: named("returned") };
    let captured = [
        open(Method::Card, pounds(100)),
        authorize("a-1"),
        approve("a-1"),
        Command::Capture { amount: None },
        Command::RecordCapture { outcome: Settlement::Done },
    ];
    let failed = Command::RecordRefund {
        refund: named("r-1"),
        outcome: Settlement::Failed { reason: named("no answer") },
    };
    let payment = after([&captured[..], &[refund(Some(pounds(40))), failed]].concat());
    assert_eq!(types(&payment, refund(Some(pounds(40)))), ["RefundRequested"]);
    assert_eq!(types(&payment, refund(None)), ["RefundRequested"]);
    let other = Err(Refusal::RefundExists { refund: named("r-1") });
    assert_eq!(payment.decide(refund(Some(pounds(41)))), other);
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
        Refusal::RefundExists { refund: named("r-1") },
        Refusal::TooManyTries { max: TRIES_MAX },
    ];
    refusals.iter().for_each(check_refusal::<Payment>);
}
