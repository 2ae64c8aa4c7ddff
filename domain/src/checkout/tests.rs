//! What a checkout concludes, and what it wants done. That nothing leaks is a matter of all aggregates together:
//! `tests/histories`.

use proptest::prelude::*;

use super::{issues::issues, *};
use crate::{
    Aggregate, AnyEvent, AnyRefusal, allowance, cart, inventory_item, order, payment,
    process::{Fact, Issue, Refused},
    testing::{Again, caused, delivery, fold, named, play, pounds, units},
    value::ReservationId,
};

const SKUS: [&str; 2] = ["MUG", "85123A"];

fn plan(number: usize, method: Method, lines: &[(usize, u32, i64)]) -> Plan {
    let line = |&(sku, quantity, price): &(usize, u32, i64)| Line {
        sku: named(SKUS[sku]),
        product: named("p-1"),
        title: named("a thing"),
        quantity: units(quantity),
        unit_price: pounds(price),
        tax_category: None,
        weight_grams: 0,
        purchase_limit: None,
    };
    Plan {
        cart: named(&format!("cart-{number}")),
        customer: None,
        order: named(&format!("order-{number}")),
        payment: named(&format!("payment-{number}")),
        method,
        delivery: delivery(),
        lines: lines.iter().map(line).collect(),
        quote: None,
        capture: CaptureWhen::AtOnce,
        attempts_max: 1,
        review: None,
        total: pounds(lines.iter().map(|(_, quantity, price)| i64::from(*quantity) * price).sum()),
        pay_by: Time::from_millis(1_000),
        at: Time::from_millis(0),
    }
}

const CHECKOUTS: usize = 2;

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let method = prop_oneof![3 => Just(Method::Card), 1 => Just(Method::CashOnDelivery)];
    let price = prop_oneof![9 => 1..500_i64, 1 => Just(0)];
    let lines = prop::collection::vec((0..SKUS.len(), 1..3_u32, price), 1..4);
    prop::collection::vec((method, lines), CHECKOUTS).prop_map(|plans| {
        let plans = plans.into_iter().enumerate();
        plans.map(|(number, (method, lines))| plan(number, method, &lines)).collect()
    })
}

fn refused() -> impl Strategy<Value = Vec<Refused>> {
    let refusal = prop::sample::select(vec![
        AnyRefusal::from(inventory_item::Refusal::Insufficient { requested: units(2), available: 1 }),
        AnyRefusal::from(inventory_item::Refusal::ReservationMissing { reservation: named("order-0") }),
        AnyRefusal::from(order::Refusal::AlreadyPlaced),
        AnyRefusal::from(payment::Refusal::AlreadyCaptured),
    ]);
    let refused = (0..4_u32, refusal).prop_map(|(index, refusal)| Refused { index, refusal });
    prop_oneof![2 => Just(vec![]), 1 => prop::collection::vec(refused, 1..3)]
}

fn payment() -> PaymentId {
    named("payment-0")
}

fn authorized(at: Time) -> Command {
    Command::PaymentAuthorized { payment: payment(), at }
}

fn refund_due(capture: Option<&str>) -> Event {
    Event::RefundDue { capture: capture.map(named) }
}

fn captured(capture: &str) -> Command {
    Command::PaymentCaptured { payment: payment(), capture: named(capture) }
}

fn declined() -> Command {
    Command::PaymentDeclined { payment: payment() }
}

fn command() -> impl Strategy<Value = Command> {
    let step = prop::sample::select(&[Step::Reserve, Step::Allocate, Step::Confirm, Step::Undo][..]);
    let at = Time::from_millis(5);
    prop_oneof![
        2 => plans().prop_map(|plans| Command::Start(plans[0].clone())),
        6 => (step, refused()).prop_map(|(step, refused)| Command::Answered { step, refused }),
        3 => Just(authorized(at)),
        1 => Just(captured("c-1")),
        1 => Just(Command::PaymentCaptureFailed { payment: payment() }),
        1 => Just(declined()),
        1 => Just(Command::PaymentTimedOut { payment: payment() }),
        1 => Just(Command::PaymentUndoFailed { payment: payment(), at }),
        1 => Just(Command::TryAgain {}),
        1 => Just(Command::PayByPassed {}),
        1 => Just(Command::OrderHeld {}),
        1 => Just(Command::OrderReleased {}),
        1 => any::<bool>().prop_map(|confirmed| Command::OrderCancelled { reason: CancelReason::Staff, confirmed }),
    ]
}

proptest! {
    #[test]
    fn a_checkout_ends_once_and_repeats_change_nothing(commands in prop::collection::vec(command(), 0..30)) {
        // A payment that is orphaned again is voided again, which a payment takes as one wish; each try and each failure
        // is one more, told apart by the ids under which they are learnt.
        let again = |command: &Command| match command {
            Command::PaymentAuthorized { .. }
            | Command::PaymentCaptureFailed { .. }
            | Command::PaymentDeclined { .. }
            | Command::PaymentTimedOut { .. }
            | Command::PaymentUndoFailed { .. }
            | Command::TryAgain {}
            | Command::OrderCancelled { .. } => Again::Anything,
            _ => Again::Nothing,
        };
        play::<Checkout>(commands, again, |_, events| {
            let count = |wanted: &[&str]| {
                events.iter().filter(|event| wanted.contains(&crate::Event::event_type(*event))).count()
            };
            assert!(count(&["RefundDue"]) <= 2, "one for the capture, one for whatever there was");
            assert!(count(&["ReservationFailed", "AllocationFailed", "GivenUp"]) <= 1);
            assert!(count(&["Completed"]) <= 1 + count(&["ReviewAwaited"]));
            assert!(count(&["Reversed", "ReservationFailed", "AllocationFailed", "GivenUp"]) <= 1);
        });
    }

    #[test]
    fn what_it_does_not_mind_would_come_to_nothing(commands in prop::collection::vec(command(), 0..30)) {
        let mut checkout = Checkout::default();
        for command in commands {
            checkout = checkout.decide(command).unwrap().into_iter().fold(checkout, Checkout::evolve);
            for event in [Event::Completed {}, Event::PaymentOrphaned {}] {
                prop_assert_eq!(heard(&event, vec![]), None);
                let step = issues::step_of(&event).unwrap();
                prop_assert_eq!(checkout.decide(answered(step, &[])), Ok(vec![]));
            }
        }
    }

    #[test]
    fn any_order_of_events_folds(
        events in prop::collection::vec(command(), 0..30)
            .prop_map(caused::<Checkout>)
            .prop_shuffle()
    ) {
        let started = events.iter().any(|event| matches!(event, Event::Started(_)));
        let checkout: Checkout = fold(events);
        prop_assert_eq!(checkout.plan().is_some(), started);
    }
}

/// Two lines of one SKU and one of another.
fn mixed(method: Method) -> Plan {
    plan(0, method, &[(0, 2, 500), (1, 1, 100), (0, 3, 450)])
}

fn answered(step: Step, refused: &[(u32, AnyRefusal)]) -> Command {
    let refused = refused.iter().cloned().map(|(index, refusal)| Refused { index, refusal });
    Command::Answered { step, refused: refused.collect() }
}

fn after(method: Method, inputs: &[Command]) -> Vec<Event> {
    let start = Command::Start(mixed(method));
    caused::<Checkout>([&[start], inputs].concat())
}

#[test]
fn each_input_leads_to_its_conclusion() {
    let reserved = answered(Step::Reserve, &[]);
    let authorized = authorized(Time::from_millis(7));
    let allocated = answered(Step::Allocate, &[]);
    let cancelled = Command::OrderCancelled { reason: CancelReason::Staff, confirmed: false };
    let insufficient = inventory_item::Refusal::Insufficient { requested: units(5), available: 4 };
    let missing = inventory_item::Refusal::ReservationMissing { reservation: named("order-0") };
    let placed_before = order::Refusal::AlreadyPlaced;
    let taken = payment::Refusal::AlreadyCaptured;

    let given_up = |reason| Event::GivenUp { reason };
    let noted = Event::CancellationNoted { reason: CancelReason::Staff };
    let reversed = Event::Reversed { reason: CancelReason::Staff };
    let accepted = Event::Accepted { at: Time::from_millis(7) };
    let shortage = Shortage { sku: named("MUG"), requested: units(5), available: 4 };
    let short = Event::ReservationFailed { shortages: vec![shortage], refusals: vec![] };
    let not_placed = Refused { index: 0, refusal: placed_before.clone().into() };
    let misplaced = Event::ReservationFailed { shortages: vec![], refusals: vec![not_placed] };

    let cases: Vec<(Vec<Command>, Vec<Event>)> = vec![
        (vec![authorized.clone()], vec![]),
        (vec![answered(Step::Reserve, &[(1, insufficient.into())])], vec![short]),
        (vec![answered(Step::Reserve, &[(0, placed_before.into())])], vec![misplaced]),
        (vec![cancelled.clone(), reserved.clone()], vec![noted.clone(), given_up(CancelReason::Staff)]),
        (vec![reserved.clone(), cancelled.clone()], vec![Event::Reserved {}, given_up(CancelReason::Staff)]),
        (
            vec![reserved.clone(), declined(), authorized.clone()],
            vec![Event::Reserved {}, given_up(CancelReason::PaymentDeclined), Event::PaymentOrphaned {}],
        ),
        (
            vec![
                reserved.clone(),
                Command::PayByPassed {},
                Command::PaymentCaptureFailed { payment: payment() },
            ],
            vec![Event::Reserved {}, given_up(CancelReason::PaymentTimedOut), Event::PaymentOrphaned {}],
        ),
        (
            vec![reserved.clone(), Command::PayByPassed {}, captured("c-1"), captured("c-1")],
            vec![Event::Reserved {}, given_up(CancelReason::PaymentTimedOut), refund_due(Some("c-1"))],
        ),
        (
            vec![reserved.clone(), authorized.clone(), answered(Step::Allocate, &[(1, missing.into())])],
            vec![Event::Reserved {}, accepted.clone(), Event::AllocationFailed { lost: vec![1] }],
        ),
        (
            vec![reserved.clone(), authorized.clone(), cancelled.clone(), allocated.clone()],
            vec![Event::Reserved {}, accepted.clone(), noted, reversed.clone()],
        ),
        (
            vec![reserved, authorized, allocated, cancelled, answered(Step::Undo, &[(2, taken.into())])],
            vec![Event::Reserved {}, accepted, Event::Completed {}, reversed, refund_due(None)],
        ),
    ];
    for (inputs, conclusions) in cases {
        assert_eq!(after(Method::Card, &inputs)[1..], conclusions, "{inputs:?}");
    }
}

#[test]
fn a_buyer_may_try_to_pay_again_until_the_tries_are_over() {
    let plan = Plan { attempts_max: 2, ..mixed(Method::Card) };
    let tries = [Command::Start(plan), answered(Step::Reserve, &[]), declined(), declined()];
    let given_up = Event::GivenUp { reason: CancelReason::PaymentDeclined };
    assert_eq!(
        caused::<Checkout>(tries.to_vec())[1..],
        [Event::Reserved {}, Event::AttemptFailed {}, given_up]
    );
}

#[test]
fn a_held_order_is_confirmed_once_somebody_has_looked_at_it() {
    let paid =
        [answered(Step::Reserve, &[]), authorized(Time::from_millis(7)), answered(Step::Allocate, &[])];
    let held = [&paid[..2], &[Command::OrderHeld {}], &paid[2..], &[Command::OrderReleased {}]].concat();
    let tail = |inputs: &[Command]| after(Method::Card, inputs)[3..].to_vec();
    assert_eq!(tail(&held), [Event::HoldNoted {}, Event::ReviewAwaited {}, Event::Completed {}]);

    let refusal = order::Refusal::HeldForReview { reason: named("odd") };
    let late =
        [&paid[..], &[answered(Step::Confirm, &[(0, refusal.into())]), Command::OrderReleased {}]].concat();
    assert_eq!(tail(&late), [Event::Completed {}, Event::ReviewAwaited {}, Event::Completed {}]);
}

#[test]
fn a_payment_of_another_name_is_none_of_its_business() {
    let other = Command::PaymentAuthorized { payment: named("payment-of-an-edit"), at: Time::from_millis(7) };
    assert_eq!(after(Method::Card, &[answered(Step::Reserve, &[]), other])[1..], [Event::Reserved {}]);
}

#[test]
fn what_the_gateway_does_not_undo_is_asked_for_again_later_each_time() {
    let failed = Command::PaymentUndoFailed { payment: payment(), at: Time::from_millis(0) };
    let inputs = [answered(Step::Reserve, &[]), Command::PayByPassed {}];
    let inputs = [&inputs[..], &vec![failed; 6]].concat();
    let due = |minutes: i64| Event::RetryPlanned { due: Time::from_millis(minutes * 60_000) };
    assert_eq!(
        after(Method::Card, &inputs)[3..],
        [due(1), due(5), due(25), due(125), due(625), Event::UndoFailed {}]
    );
}

#[test]
fn what_a_customer_may_buy_no_more_of_is_claimed_and_given_back() {
    let mut plan = Plan { customer: Some(named("ada")), ..mixed(Method::Card) };
    plan.lines[0].purchase_limit = Some(units(6));
    let names = |event: &Event| {
        let issues = issues(&plan, event).into_iter();
        issues.filter(|issue| matches!(issue, Issue::Command { to, .. } if &**to == "ada:MUG")).count()
    };
    let exceeded = allowance::Refusal::Exceeded { limit: units(6), used: 2, requested: units(5) };
    let refused = Refused { index: 3, refusal: exceeded.into() };
    let failed = Event::ReservationFailed { shortages: vec![], refusals: vec![refused] };
    let given_up = Event::GivenUp { reason: CancelReason::Staff };
    let counts = [&Event::Started(plan.clone()), &failed, &given_up, &Event::ClaimsReturned {}].map(names);
    assert_eq!(counts, [1, 0, 1, 1]);
    let reason = issues(&plan, &failed).into_iter().last();
    let cancel = order::Command::Cancel { reason: CancelReason::PurchaseLimit, note: None };
    assert_eq!(reason, Some(Issue::command("order-0", cancel)));
}

#[test]
fn cash_and_free_goods_wait_for_no_payment() {
    let accepted = [Event::Reserved {}, Event::Accepted { at: Time::from_millis(0) }];
    assert_eq!(after(Method::CashOnDelivery, &[answered(Step::Reserve, &[])])[1..], accepted);

    let free = plan(0, Method::Card, &[(0, 1, 0)]);
    let inputs = vec![Command::Start(free.clone()), answered(Step::Reserve, &[])];
    assert_eq!(caused::<Checkout>(inputs)[1..], accepted);
    assert_eq!(issues(&free, &Event::Reserved {}), []);
}

/// The id and the name of each command that an event causes.
fn wanted(event: &Event) -> Vec<(String, String)> {
    let plan = mixed(Method::Card);
    let wanted = issues(&plan, event).into_iter().map(|issue| match issue {
        Issue::Timer { due, .. } => (due.millis().to_string(), "Timer".to_owned()),
        Issue::Command { to, command } => {
            let command = serde_json::to_value(command).unwrap();
            let command = command.as_object().and_then(|command| command.values().next()).unwrap();
            (
                String::from(&*to),
                command.as_object().and_then(|command| command.keys().next()).unwrap().clone(),
            )
        }
    });
    wanted.collect()
}

#[test]
fn each_conclusion_wants_its_commands_done() {
    let refused = |index| Refused { index, refusal: order::Refusal::AlreadyPlaced.into() };
    let at = Time::from_millis(0);
    let reason = CancelReason::Staff;
    let failed = |refusals| Event::ReservationFailed { shortages: vec![], refusals };
    let cases: [(Event, &[(&str, &str)]); 11] = [
        (
            Event::Started(mixed(Method::Card)),
            &[("order-0", "Place"), ("MUG", "Reserve"), ("85123A", "Reserve")],
        ),
        (Event::CancellationNoted { reason }, &[]),
        (Event::Reserved {}, &[("payment-0", "OpenIntent"), ("1000", "Timer")]),
        (failed(vec![refused(2)]), &[("MUG", "Release"), ("order-0", "Cancel")]),
        (failed(vec![refused(0), refused(1)]), &[("85123A", "Release")]),
        (Event::Accepted { at }, &[("MUG", "Allocate"), ("85123A", "Allocate")]),
        (Event::Completed {}, &[("order-0", "Confirm")]),
        (
            Event::AllocationFailed { lost: vec![0] },
            &[("85123A", "PutBack"), ("order-0", "Cancel"), ("payment-0", "Void"), ("payment-0", "Refund")],
        ),
        (
            Event::GivenUp { reason },
            &[
                ("MUG", "Release"),
                ("85123A", "Release"),
                ("order-0", "Cancel"),
                ("payment-0", "Void"),
                ("payment-0", "Refund"),
            ],
        ),
        (
            Event::Reversed { reason },
            &[("MUG", "PutBack"), ("85123A", "PutBack"), ("payment-0", "Void"), ("payment-0", "Refund")],
        ),
        (refund_due(None), &[("payment-0", "Refund"), ("payment-0", "Void")]),
    ];
    for (event, commands) in cases {
        let commands: Vec<_> =
            commands.iter().map(|(to, name)| ((*to).to_owned(), (*name).to_owned())).collect();
        assert_eq!(wanted(&event), commands, "{event:?}");
    }
}

#[test]
fn a_hold_covers_all_lines_of_its_sku_and_outlives_the_wait() {
    let plan = mixed(Method::Card);
    let reserve = inventory_item::Command::Reserve {
        reservation: ReservationId::from(plan.order.clone()),
        quantity: units(5),
        expires_at: Some(plan.pay_by.plus_millis(RESERVATION_GRACE_MS)),
        in_stock: false,
        now: plan.at,
    };
    let issue = issues(&plan, &Event::Started(plan.clone())).into_iter().nth(1);
    assert_eq!(issue, Some(Issue::Command { to: "MUG".into(), command: reserve.into() }));
}

#[test]
fn the_events_of_others_are_inputs_of_the_checkout_they_concern() {
    let order: OrderId = named("order-0");
    let at = Time::from_millis(3);
    let concerned = |id: &str, event: AnyEvent| (PROCESS.input)(Fact { id, event: &event, at });
    let learned = |command: Command| Some((order.as_str().into(), command.into()));

    let cancelled = order::Event::Cancelled {
        reason: CancelReason::Staff,
        note: None,
        confirmed: true,
        terms: None,
        units: vec![],
        value: None,
        credit: None,
    };
    let expected = learned(Command::OrderCancelled { reason: CancelReason::Staff, confirmed: true });
    assert_eq!(concerned("order-0", cancelled.into()), expected);
    let confirmed = order::Event::Confirmed { terms: None, total: None, lines: vec![] };
    assert_eq!(concerned("order-0", confirmed.into()), None);

    let no = payment::Event::Declined { order: order.clone(), attempt: named("a"), reason: named("no") };
    assert_eq!(concerned("payment-0", no.into()), learned(declined()));

    let Plan { cart: id, customer, payment, method, delivery, lines, total, pay_by, .. } =
        mixed(Method::Card);
    let checked_out = cart::Event::CheckedOut {
        customer,
        order: order.clone(),
        payment,
        method,
        delivery,
        lines,
        total,
        pay_by,
        quote: None,
        capture: payment::CaptureWhen::AtOnce,
        attempts_max: 1,
        review: None,
    };
    let started = learned(Command::Start(Plan { at, ..mixed(Method::Card) }));
    assert_eq!(concerned(id.as_str(), checked_out.into()), started);
}
