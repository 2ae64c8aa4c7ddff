//! Random histories of checkouts, driven together with real aggregates: nothing leaks.

mod world;

use proptest::prelude::*;

use self::world::{Hold, World};
use super::{issues::issues, *};
use crate::{
    AnyEvent, AnyRefusal, cart, inventory_item,
    order::{self, Order},
    payment,
    process::{Fact, Issue, Refused},
    testing::{Again, caused, delivery, fold, id, named, play, pounds, units},
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
    };
    Plan {
        cart: named(&format!("cart-{number}")),
        customer: None,
        order: named(&format!("order-{number}")),
        payment: named(&format!("payment-{number}")),
        method,
        delivery: delivery(),
        lines: lines.iter().map(line).collect(),
        total: pounds(lines.iter().map(|(_, quantity, price)| i64::from(*quantity) * price).sum()),
        pay_by: Time::from_millis(1_000),
        at: Time::from_millis(0),
    }
}

/// Something that happens next; the number picks among what could.
#[derive(Clone, Copy, Debug)]
enum Turn {
    Step(usize),
    Crash(usize),
    Authorize(usize, &'static str),
    Answer(usize, bool),
    TimeOut(usize),
    Settle(usize, bool),
    Capture(usize, Option<i64>),
    Cancel(usize),
    Timer(usize),
    Rival(usize, u32),
}

const CHECKOUTS: usize = 2;

fn turn() -> impl Strategy<Value = Turn> {
    let which = || 0..CHECKOUTS;
    prop_oneof![
        30 => which().prop_map(Turn::Step),
        2 => which().prop_map(Turn::Crash),
        5 => (which(), prop::sample::select(&["a-1", "a-2"][..])).prop_map(|(which, attempt)| Turn::Authorize(which, attempt)),
        5 => (0..8_usize, prop::bool::weighted(0.8)).prop_map(|(pick, approve)| Turn::Answer(pick, approve)),
        1 => (0..8_usize).prop_map(Turn::TimeOut),
        4 => (0..8_usize, prop::bool::weighted(0.4)).prop_map(|(pick, fails)| Turn::Settle(pick, fails)),
        1 => (which(), prop::option::of(1..500_i64)).prop_map(|(which, pence)| Turn::Capture(which, pence)),
        2 => which().prop_map(Turn::Cancel),
        1 => (0..8_usize).prop_map(Turn::Timer),
        1 => (0..SKUS.len(), 1..4_u32).prop_map(|(sku, quantity)| Turn::Rival(sku, quantity)),
    ]
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let method = prop_oneof![3 => Just(Method::Card), 1 => Just(Method::CashOnDelivery)];
    let price = prop_oneof![9 => 1..500_i64, 1 => Just(0)];
    let lines = prop::collection::vec((0..SKUS.len(), 1..3_u32, price), 1..4);
    prop::collection::vec((method, lines), CHECKOUTS).prop_map(|plans| {
        let plans = plans.into_iter().enumerate();
        plans.map(|(number, (method, lines))| plan(number, method, &lines)).collect()
    })
}

fn take(world: &mut World, turn: Turn) {
    match turn {
        Turn::Step(which) => {
            world.step(which);
        }
        Turn::Crash(which) => world.crash(which),
        Turn::Authorize(which, attempt) => world.authorize(which, attempt),
        Turn::Answer(pick, approve) => world.answer(pick, approve),
        Turn::TimeOut(pick) => world.time_out(pick),
        Turn::Settle(pick, capture_fails) => {
            world.settle(pick, capture_fails);
        }
        Turn::Capture(which, pence) => world.capture(which, pence),
        Turn::Cancel(which) => world.cancel(which),
        Turn::Timer(pick) => {
            world.fire_timer(pick);
        }
        Turn::Rival(sku, quantity) => world.rival(SKUS[sku], quantity),
    }
}

fn nothing_oversold(world: &World) {
    for sku in world.skus() {
        let item = world.item(&sku);
        assert!(0 <= item.reserved() && item.reserved() <= item.on_hand(), "{sku}: {item:?}");
    }
}

fn confirmed_is_allocated(world: &World) {
    for plan in &world.plans {
        let (order, checkout) = (world.order(plan), world.checkout(plan));
        match order {
            Order::Confirmed { .. } => assert!(matches!(checkout, Checkout::Done { .. }), "{checkout:?}"),
            Order::Cancelled { .. } => assert!(matches!(checkout, Checkout::Closed { .. }), "{checkout:?}"),
            order => panic!("{order:?} is left, with {checkout:?}"),
        }
    }
}

fn no_unit_leaked(world: &World, stock: &[(&str, u32)]) {
    for (sku, received) in stock {
        let item = world.item(sku);
        let sold: i64 = world
            .plans
            .iter()
            .filter(|plan| matches!(world.order(plan), Order::Confirmed { .. }))
            .flat_map(|plan| &plan.lines)
            .filter(|line| line.sku.as_str() == *sku)
            .map(|line| i64::from(line.quantity.get()))
            .sum();
        assert_eq!(item.reserved(), 0, "{sku} is still held: {item:?}");
        assert_eq!(item.on_hand() + sold, i64::from(*received), "{sku}");
    }
}

fn no_money_kept(world: &World) {
    for plan in &world.plans {
        let payment = world.payment(plan);
        let holds = world.holds.iter().filter(|((id, _), _)| id == plan.payment.as_str());
        let sum = |part: fn(&Hold) -> i64| holds.clone().map(|(_, hold)| part(hold)).sum::<i64>();
        if matches!(world.order(plan), Order::Confirmed { .. }) {
            let owed = if plan.needs_authorization() { plan.total.amount } else { 0 };
            assert_eq!(sum(|hold| hold.standing + hold.taken), owed, "{payment:?}");
            assert_eq!(sum(|hold| hold.given_back), 0, "{payment:?}");
        } else {
            assert_eq!(sum(|hold| hold.standing + hold.taken), 0, "{payment:?}");
            assert_eq!(payment.captured(), payment.refunded(), "{payment:?}");
            assert!(!matches!(payment, payment::Payment::Open { .. } | payment::Payment::Authorizing { .. }));
        }
    }
}

proptest! {
    // The rare interleavings need more runs than a single aggregate's history does.
    #![proptest_config(ProptestConfig { cases: 4 * ProptestConfig::default().cases, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_no_unit_and_no_money_gets_lost(
        plans in plans(),
        stock in (0..8_u32, 0..8_u32),
        turns in prop::collection::vec(turn(), 0..150),
        approve_late in any::<bool>(),
    ) {
        let stock = [(SKUS[0], stock.0), (SKUS[1], stock.1)];
        let mut world = World::new(plans, &stock);
        for turn in turns {
            take(&mut world, turn);
            nothing_oversold(&world);
        }
        world.come_to_rest(approve_late);
        confirmed_is_allocated(&world);
        no_unit_leaked(&world, &stock);
        no_money_kept(&world);
    }
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

fn command() -> impl Strategy<Value = Command> {
    let step = prop::sample::select(&[Step::Reserve, Step::Allocate, Step::Undo][..]);
    let at = Time::from_millis(5);
    prop_oneof![
        2 => plans().prop_map(|plans| Command::Start(plans[0].clone())),
        6 => (step, refused()).prop_map(|(step, refused)| Command::Answered { step, refused }),
        3 => Just(Command::PaymentAuthorized { at }),
        1 => id(&["c-1", "c-2"]).prop_map(|capture| Command::PaymentCaptured { capture }),
        1 => Just(Command::PaymentCaptureFailed {}),
        1 => Just(Command::PaymentDeclined {}),
        1 => Just(Command::PaymentTimedOut {}),
        1 => Just(Command::PayByPassed {}),
        1 => Just(Command::OrderCancelled { reason: CancelReason::Staff }),
    ]
}

proptest! {
    #[test]
    fn a_checkout_ends_once_and_repeats_change_nothing(commands in prop::collection::vec(command(), 0..30)) {
        // A payment that is orphaned again is voided again, which a payment takes as one wish.
        let again = |command: &Command| match command {
            Command::PaymentAuthorized { .. } | Command::PaymentCaptureFailed {} => Again::Anything,
            _ => Again::Nothing,
        };
        play::<Checkout>(commands, again, |_, events| {
            let count = |wanted: &[&str]| {
                events.iter().filter(|event| wanted.contains(&crate::Event::event_type(*event))).count()
            };
            assert!(count(&["RefundDue"]) <= 3, "one a capture, and one for those before");
            assert!(count(&["Completed", "ReservationFailed", "AllocationFailed", "GivenUp"]) <= 1);
            assert!(count(&["Reversed", "ReservationFailed", "AllocationFailed", "GivenUp"]) <= 1);
        });
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
    let authorized = Command::PaymentAuthorized { at: Time::from_millis(7) };
    let allocated = answered(Step::Allocate, &[]);
    let cancelled = Command::OrderCancelled { reason: CancelReason::Staff };
    let insufficient = inventory_item::Refusal::Insufficient { requested: units(5), available: 4 };
    let missing = inventory_item::Refusal::ReservationMissing { reservation: named("order-0") };
    let placed_before = order::Refusal::AlreadyPlaced;
    let captured = payment::Refusal::AlreadyCaptured;

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
            vec![reserved.clone(), Command::PaymentDeclined {}, authorized.clone()],
            vec![Event::Reserved {}, given_up(CancelReason::PaymentDeclined), Event::PaymentOrphaned {}],
        ),
        (
            vec![reserved.clone(), Command::PayByPassed {}, Command::PaymentCaptureFailed {}],
            vec![Event::Reserved {}, given_up(CancelReason::PaymentTimedOut), Event::PaymentOrphaned {}],
        ),
        (
            vec![
                reserved.clone(),
                Command::PayByPassed {},
                Command::PaymentCaptured { capture: named("c-1") },
                Command::PaymentCaptured { capture: named("c-1") },
                Command::PaymentCaptured { capture: named("c-2") },
            ],
            vec![
                Event::Reserved {},
                given_up(CancelReason::PaymentTimedOut),
                Event::RefundDue { capture: Some(named("c-1")) },
                Event::RefundDue { capture: Some(named("c-2")) },
            ],
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
            vec![reserved, authorized, allocated, cancelled, answered(Step::Undo, &[(2, captured.into())])],
            vec![
                Event::Reserved {},
                accepted,
                Event::Completed {},
                reversed,
                Event::RefundDue { capture: None },
            ],
        ),
    ];
    for (inputs, conclusions) in cases {
        assert_eq!(after(Method::Card, &inputs)[1..], conclusions, "{inputs:?}");
    }
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
            (to.into(), command.as_object().and_then(|command| command.keys().next()).unwrap().clone())
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
        (Event::Completed {}, &[("order-0", "Confirm"), ("payment-0", "Capture")]),
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
        (Event::RefundDue { capture: None }, &[("payment-0", "Refund"), ("payment-0", "Void")]),
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

    let cancelled = order::Event::Cancelled { reason: CancelReason::Staff, note: None };
    let expected = learned(Command::OrderCancelled { reason: CancelReason::Staff });
    assert_eq!(concerned("order-0", cancelled.into()), expected);
    assert_eq!(concerned("order-0", order::Event::Confirmed {}.into()), None);

    let declined =
        payment::Event::Declined { order: order.clone(), attempt: named("a"), reason: named("no") };
    assert_eq!(concerned("payment-0", declined.into()), learned(Command::PaymentDeclined {}));

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
    };
    let started = learned(Command::Start(Plan { at, ..mixed(Method::Card) }));
    assert_eq!(concerned(id.as_str(), checked_out.into()), started);
}
