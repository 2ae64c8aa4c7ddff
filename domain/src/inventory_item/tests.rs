//! Random histories of stock: it is never oversold, and no unit gets lost.

use proptest::prelude::*;

use super::*;
use crate::{
    AnyEvent,
    process::{Fact, Issue},
    testing::{Again, caused, check_refusal, fold, id, named, play, quantity, text, time, units},
};

const PLACES: &[&str] = &["main", "north", "south"];

fn place() -> impl Strategy<Value = Option<LocationId>> {
    prop::option::of(id(PLACES))
}

fn shelves() -> impl Strategy<Value = Command> {
    let delta = prop_oneof![9 => -10..10, 1 => any::<i32>()].prop_filter_map("zero", NonZeroI32::new);
    let reason =
        prop::sample::select(&[AdjustReason::Count, AdjustReason::Returned, AdjustReason::Other][..]);
    let reference = || prop::option::of(text());
    prop_oneof![
        3 => (quantity(), place(), reference())
            .prop_map(|(quantity, location, reference)| Command::Receive { quantity, location, reference }),
        2 => (delta, reason, place(), reference()).prop_map(|(delta, reason, location, reference)| {
            Command::Adjust { delta, reason, location, reference }
        }),
        2 => (place(), 0..8_u32, prop::option::weighted(0.3, 0..8_i64), reference()).prop_map(
            |(location, counted, expected, reference)| Command::Count { location, counted, expected, reference }
        ),
        2 => (id(&["t-1", "t-2", "t-3", "t-4"]), id(PLACES), id(PLACES), quantity())
            .prop_map(|(transfer, from, to, quantity)| Command::Transfer { transfer, from, to, quantity }),
    ]
}

fn holds() -> impl Strategy<Value = Command> {
    let reservation = || id(&["r-1", "r-2", "r-3", "r-4", "r-5"]);
    prop_oneof![
        8 => (reservation(), quantity(), prop::option::of(time()), time()).prop_map(
            |(reservation, quantity, expires_at, now)| Command::Reserve { reservation, quantity, expires_at, in_stock: false, now }
        ),
        2 => (reservation(), time(), time())
            .prop_map(|(reservation, expires_at, now)| Command::Extend { reservation, expires_at, now }),
        2 => reservation().prop_map(|reservation| Command::Release { reservation }),
        4 => (reservation(), time()).prop_map(|(reservation, now)| Command::Allocate { reservation, now }),
        1 => time().prop_map(|now| Command::Expire { now }),
        1 => (reservation(), quantity()).prop_map(|(reservation, quantity)| {
            Command::PutBack { reservation, quantity, reference: None }
        }),
    ]
}

fn limit() -> impl Strategy<Value = Option<u32>> {
    prop_oneof![2 => (0..12_u32).prop_map(Some), 1 => Just(None)]
}

fn rules() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => Just(Command::SetPolicy { policy: StockPolicy::Deny }),
        2 => (limit(), prop::option::of(time())).prop_map(|(limit, promised_at)| {
            Command::SetPolicy { policy: StockPolicy::Backorder { limit, promised_at } }
        }),
        1 => (limit(), time()).prop_map(|(limit, available_from)| {
            Command::SetPolicy { policy: StockPolicy::Preorder { limit, available_from } }
        }),
        2 => prop::option::of(0..6_u32).prop_map(|units| Command::SetReorderPoint { units }),
    ]
}

fn history() -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(prop_oneof![4 => shelves(), 8 => holds(), 1 => rules()], 0..40)
}

/// Every figure and every index is what the holds and the places say.
fn figures_agree(item: &InventoryItem) {
    let sum = |part: fn(&Reservation) -> i64| item.reservations().map(|(_, held)| part(held)).sum::<i64>();
    assert_eq!(item.reserved(), sum(Reservation::held), "{item:?}");
    assert_eq!(item.backordered(), sum(|held| i64::from(held.short())), "{item:?}");
    assert_eq!(item.on_hand(), item.locations().values().sum::<i64>(), "{item:?}");
    let expiring = item.reservations().filter(|(_, held)| held.expires_at.is_some()).count();
    assert_eq!(item.expiring.len(), expiring, "{item:?}");
    let waiting: Vec<_> = item.waiting.iter().map(|(turn, name)| (name.clone(), *turn)).collect();
    let short =
        item.reservations().filter_map(|(name, held)| Some((name.clone(), held.short.as_ref()?.turn)));
    assert_eq!(std::collections::BTreeMap::from_iter(waiting), short.collect(), "{item:?}");
}

fn never_oversold(item: &InventoryItem) {
    figures_agree(item);
    assert!(0 <= item.reserved() && item.reserved() <= item.on_hand(), "{item:?}");
    assert!(item.available() >= 0, "{item:?}");
    assert!(item.locations().values().all(|there| *there > 0), "{item:?}");
}

fn is_low(item: &InventoryItem) -> bool {
    item.reorder_point().is_some_and(|few| item.available() <= i64::from(few))
}

/// One more decision, looked at event by event.
fn step(mut item: InventoryItem, command: &Command) -> InventoryItem {
    let Ok(events) = item.decide(command.clone()) else { return item };
    let (was_low, before) = (is_low(&item), item.on_hand());
    for event in &events {
        if let Event::BackorderFilled { reservation, .. } = event {
            assert_eq!(item.waiting.values().next(), Some(reservation), "out of turn: {events:?}");
        }
        item = item.evolve(event.clone());
        never_oversold(&item);
    }
    let told = events.iter().filter(|event| matches!(event, Event::LowStock { .. })).count();
    assert_eq!(told, usize::from(!was_low && is_low(&item)), "{command:?} caused {events:?}");
    match command {
        Command::Expire { now } => {
            let over = |held: &Reservation| held.expires_at.is_some_and(|expires_at| expires_at <= *now);
            assert!(!item.reservations().any(|(_, held)| over(held)), "{item:?}");
        }
        Command::Transfer { .. } => assert_eq!(item.on_hand(), before),
        Command::Reserve { .. } => {
            if let StockPolicy::Backorder { limit: Some(limit), .. } = item.policy()
                && events.iter().any(|event| matches!(event, Event::Backordered { .. }))
            {
                assert!(item.backordered() <= i64::from(*limit), "{item:?}");
            }
        }
        _ => {}
    }
    item
}

fn accounted_for(item: &InventoryItem, events: &[Event]) {
    never_oversold(item);
    let sum = |part: fn(Change) -> i64| events.iter().map(|event| part(event.change())).sum::<i64>();
    assert_eq!(item.on_hand(), sum(|change| change.on_hand), "units appeared or vanished");
    assert_eq!(item.reserved(), sum(|change| change.reserved));
    assert_eq!(item.backordered(), sum(|change| change.backordered));
    if item.backordered() > 0 {
        assert_eq!(item.available(), 0, "units lie idle while somebody waits: {item:?}");
    }
}

proptest! {
    #[test]
    fn stock_is_never_oversold_and_no_unit_gets_lost(commands in history()) {
        let again = |command: &Command| match command {
            Command::Receive { .. }
            | Command::Adjust { .. }
            | Command::Count { .. }
            | Command::PutBack { .. } => Again::Anything,
            Command::Allocate { .. } => Again::NothingOrRefused,
            _ => Again::Nothing,
        };
        play::<InventoryItem>(commands, again, accounted_for);
    }

    #[test]
    fn every_decision_keeps_the_promises_of_the_shelf(commands in history()) {
        commands.iter().fold(InventoryItem::default(), step);
    }

    #[test]
    fn any_order_of_events_folds(
        events in (history(), history())
            .prop_map(|(one, other)| {
                let events = caused::<InventoryItem>;
                [events(one), events(other)].concat()
            })
            .prop_shuffle()
    ) {
        figures_agree(&fold(events));
    }
}

fn reserve(reservation: &str, quantity: u32, expires_at: Option<i64>, now: i64) -> Command {
    Command::Reserve {
        reservation: named(reservation),
        quantity: units(quantity),
        expires_at: expires_at.map(Time::from_millis),
        in_stock: false,
        now: Time::from_millis(now),
    }
}

fn receive(quantity: u32) -> Command {
    receive_at("main", quantity)
}

fn receive_at(location: &str, quantity: u32) -> Command {
    Command::Receive { quantity: units(quantity), location: Some(named(location)), reference: None }
}

fn allocate(reservation: &str) -> Command {
    Command::Allocate { reservation: named(reservation), now: Time::from_millis(0) }
}

fn extend(reservation: &str, expires_at: i64, now: i64) -> Command {
    let (expires_at, now) = (Time::from_millis(expires_at), Time::from_millis(now));
    Command::Extend { reservation: named(reservation), expires_at, now }
}

fn backorders(limit: Option<u32>) -> Command {
    Command::SetPolicy { policy: StockPolicy::Backorder { limit, promised_at: None } }
}

fn filled(reservation: &str, quantity: u32) -> Event {
    Event::BackorderFilled { reservation: named(reservation), quantity: units(quantity) }
}

fn allocated(reservation: &str, from: &[(&str, u32)]) -> Event {
    let quantity = units(from.iter().map(|(_, quantity)| quantity).sum());
    let at =
        |(location, quantity): &(&str, u32)| At { location: named(location), quantity: units(*quantity) };
    Event::Allocated { reservation: named(reservation), quantity, from: from.iter().map(at).collect() }
}

fn after(commands: Vec<Command>) -> InventoryItem {
    fold(caused::<InventoryItem>(commands))
}

fn types(item: &InventoryItem, command: Command) -> Vec<&'static str> {
    item.decide(command).unwrap().iter().map(crate::Event::event_type).collect()
}

#[test]
fn holds_give_way_only_when_their_units_are_wanted() {
    let item = after(vec![receive(10), reserve("r-1", 3, Some(5), 0), reserve("r-2", 3, Some(50), 0)]);
    let expired = Event::Expired { reservation: named("r-1"), quantity: units(3), short: 0 };
    let reserved =
        |quantity| Event::Reserved { reservation: named("r-3"), quantity: units(quantity), expires_at: None };

    let cases = [
        (4, 5, Ok(vec![reserved(4)])),
        (5, 4, Err(Refusal::Insufficient { requested: units(5), available: 4 })),
        (5, 5, Ok(vec![expired.clone(), reserved(5)])),
        (7, 49, Ok(vec![expired, reserved(7)])),
        (8, 49, Err(Refusal::Insufficient { requested: units(8), available: 7 })),
    ];
    for (quantity, now, outcome) in cases {
        assert_eq!(item.decide(reserve("r-3", quantity, None, now)), outcome, "{quantity} at {now}");
    }
    assert!(item.decide(Command::Allocate { reservation: named("r-1"), now: Time::from_millis(99) }).is_ok());
}

#[test]
fn units_leave_the_main_place_first() {
    let item = after(vec![
        receive_at("north", 2),
        receive_at("east", 2),
        receive(2),
        reserve("r-1", 1, None, 0),
        reserve("r-2", 5, None, 0),
    ]);
    assert_eq!(item.decide(allocate("r-1")), Ok(vec![allocated("r-1", &[("main", 1)])]));
    let from = [("main", 2), ("east", 2), ("north", 1)];
    assert_eq!(item.decide(allocate("r-2")), Ok(vec![allocated("r-2", &from)]));
}

#[test]
fn who_comes_first_is_served_first_and_a_commitment_is_kept_when_the_goods_arrive() {
    let item = after(vec![
        backorders(None),
        receive(2),
        reserve("r-1", 5, Some(50), 0),
        reserve("r-2", 1, None, 0),
        allocate("r-1"),
    ]);
    assert_eq!((item.reserved(), item.backordered(), item.available()), (2, 4, 0));
    assert_eq!(item.reservation(&named("r-1")).unwrap().expires_at, None);
    assert_eq!(item.decide(allocate("r-1")), Ok(vec![]));
    assert_eq!(item.decide(Command::Expire { now: Time::from_millis(99) }), Ok(vec![]));

    let arrived = |quantity| item.decide(receive_at("north", quantity)).unwrap().split_off(1);
    assert_eq!(arrived(2), [filled("r-1", 2)]);
    let from = allocated("r-1", &[("main", 2), ("north", 3)]);
    assert_eq!(arrived(3), [filled("r-1", 3), from.clone()]);
    assert_eq!(arrived(9), [filled("r-1", 3), from, filled("r-2", 1)]);
}

#[test]
fn units_that_come_free_go_to_who_waits() {
    let waiting =
        vec![backorders(None), receive(3), reserve("r-1", 3, Some(5), 0), reserve("r-2", 4, None, 0)];
    let item = after(waiting.clone());
    let released = Event::Released { reservation: named("r-1"), quantity: units(3), short: 0 };
    let release = Command::Release { reservation: named("r-1") };
    assert_eq!(item.decide(release), Ok(vec![released, filled("r-2", 3)]));
    let expired = Event::Expired { reservation: named("r-1"), quantity: units(3), short: 0 };
    let expire = Command::Expire { now: Time::from_millis(5) };
    assert_eq!(item.decide(expire), Ok(vec![expired, filled("r-2", 3)]));
    let item = after([waiting, vec![Command::SetPolicy { policy: StockPolicy::Deny }]].concat());
    let free = Refusal::Insufficient { requested: units(1), available: 0 };
    assert_eq!(item.decide(reserve("r-3", 1, None, 5)), Err(free), "the freed units are promised");
}

#[test]
fn promises_end_at_the_limit() {
    let item = after(vec![backorders(Some(5)), receive(2), reserve("r-1", 4, None, 0)]);
    assert_eq!(types(&item, reserve("r-2", 3, None, 0)), ["Backordered"]);
    let most = Refusal::Insufficient { requested: units(4), available: 3 };
    assert_eq!(item.decide(reserve("r-2", 4, None, 0)), Err(most));

    let available_from = Time::from_millis(77);
    let preorder = Command::SetPolicy { policy: StockPolicy::Preorder { limit: None, available_from } };
    let events = after(vec![preorder]).decide(reserve("r-1", 4, Some(9), 0)).unwrap();
    let promised = Event::Backordered {
        reservation: named("r-1"),
        quantity: units(4),
        short: units(4),
        promised_at: Some(available_from),
        expires_at: Some(Time::from_millis(9)),
    };
    assert_eq!(events, [promised]);
}

#[test]
fn a_hold_is_extended_once() {
    let held = vec![receive(9), reserve("r-1", 3, Some(50), 0), reserve("r-2", 3, None, 0)];
    let item = after(held.clone());
    assert_eq!(types(&item, extend("r-1", 60, 49)), ["Extended"]);
    assert_eq!(item.decide(extend("r-1", 50, 99)), Ok(vec![]));
    assert_eq!(item.decide(extend("r-2", 60, 99)), Ok(vec![]));
    let expired_at = Time::from_millis(50);
    assert_eq!(item.decide(extend("r-1", 60, 50)), Err(Refusal::ReservationExpired { expired_at }));
    let missing = Refusal::ReservationMissing { reservation: named("r-3") };
    assert_eq!(item.decide(extend("r-3", 60, 0)), Err(missing));

    let item = after([held, vec![extend("r-1", 60, 0)]].concat());
    assert_eq!(item.decide(extend("r-1", 60, 0)), Ok(vec![]));
    assert_eq!(item.decide(extend("r-1", 61, 0)), Err(Refusal::AlreadyExtended));
    assert_eq!(item.decide(Command::Expire { now: Time::from_millis(59) }), Ok(vec![]));
}

#[test]
fn a_count_holds_only_while_nothing_has_moved() {
    let count = |counted, expected| Command::Count {
        location: Some(named("north")),
        counted,
        expected,
        reference: None,
    };
    let item = after(vec![receive(2), receive_at("north", 4), reserve("r-1", 4, None, 0)]);
    assert_eq!(types(&item, count(3, Some(4))), ["Counted"]);
    assert_eq!(item.decide(count(4, Some(9))), Ok(vec![]));
    assert_eq!(item.decide(count(3, Some(5))), Err(Refusal::CountChanged { expected: 5, on_hand: 4 }));
    let below = Refusal::BelowReserved { delta: -3, on_hand: 6, reserved: 4 };
    assert_eq!(item.decide(count(1, None)), Err(below));
    let lost = |units: i32, location: &str| Command::Adjust {
        delta: NonZeroI32::new(-units).unwrap(),
        reason: AdjustReason::Lost,
        location: Some(named(location)),
        reference: None,
    };
    let below = Refusal::BelowReserved { delta: -3, on_hand: 6, reserved: 4 };
    assert_eq!(item.decide(lost(3, "main")), Err(below));
    let below = Refusal::BelowZero { location: named("south"), on_hand: 0 };
    assert_eq!(item.decide(lost(2, "south")), Err(below));
}

#[test]
fn a_transfer_moves_once_and_only_what_is_there() {
    let transfer = |name: &str, from: &str, quantity| Command::Transfer {
        transfer: named(name),
        from: named(from),
        to: named("north"),
        quantity: units(quantity),
    };
    let item = after(vec![receive(5), reserve("r-1", 5, None, 0), transfer("t-1", "main", 3)]);
    let there = |place| item.on_hand_at(&named(place));
    assert_eq!((there("main"), there("north"), item.available()), (2, 3, 0));
    assert_eq!(item.decide(transfer("t-1", "main", 3)), Ok(vec![]));
    let short = Refusal::InsufficientAt { location: named("main"), on_hand: 2, requested: units(3) };
    assert_eq!(item.decide(transfer("t-2", "main", 3)), Err(short));
    assert_eq!(item.decide(transfer("t-2", "north", 1)), Err(Refusal::SameLocation));
}

#[test]
fn what_was_allocated_is_put_back_whatever_came_of_it() {
    let put_back =
        Command::PutBack { reservation: named("r-1"), quantity: units(3), reference: Some(named("o-1")) };
    let held = vec![backorders(None), receive(2), reserve("r-1", 3, None, 0), allocate("r-1")];
    assert_eq!(types(&after(held.clone()), put_back.clone()), ["Released"]);
    let item = after([held, vec![receive(1)]].concat());
    assert_eq!(item.on_hand(), 0);
    let returned = Event::Adjusted {
        location: named("main"),
        delta: NonZeroI32::new(3).unwrap(),
        reason: AdjustReason::Returned,
        reference: Some(named("o-1")),
    };
    assert_eq!(item.decide(put_back), Ok(vec![returned]));
}

#[test]
fn few_units_are_told_once_and_again_after_there_were_more() {
    let point = |units| Command::SetReorderPoint { units };
    let item = after(vec![receive(5), point(Some(2)), reserve("r-1", 2, None, 0)]);
    let low = Event::LowStock { available: 2, reorder_point: 2 };
    assert_eq!(item.decide(reserve("r-2", 1, None, 0)).unwrap().pop(), Some(low.clone()));
    let item = after(vec![receive(5), point(Some(2)), reserve("r-1", 3, None, 0)]);
    assert_eq!(types(&item, reserve("r-2", 1, None, 0)), ["Reserved"]);
    assert_eq!(types(&item, allocate("r-1")), ["Allocated"]);
    assert_eq!(types(&after(vec![receive(2)]), point(Some(2))), ["ReorderPointSet", "LowStock"]);
    assert_eq!(types(&item, point(None)), ["ReorderPointSet"]);
}

/// So many holds of one unit that is not there, and what comes then.
fn crowd(many: usize, commands: Vec<Command>) -> InventoryItem {
    let waiting = (0..many).map(|n| reserve(&format!("r-{n}"), 1, Some(5), 0));
    let commands = [backorders(None)].into_iter().chain(waiting).chain(commands);
    commands.fold(InventoryItem::default(), |item, command| {
        item.decide(command).unwrap().into_iter().fold(item, InventoryItem::evolve)
    })
}

#[test]
fn the_work_of_one_command_is_bounded() {
    let item = crowd(EXPIRED_MAX + 500, vec![]);
    assert_eq!(item.decide(Command::Expire { now: Time::from_millis(5) }).unwrap().len(), EXPIRED_MAX);
    let item = crowd(FILLED_MAX + 500, vec![receive(2_000)]);
    assert_eq!((item.available(), item.backordered()), (1_000, 500));
    let next = item.decide(Command::SetReorderPoint { units: Some(9) }).unwrap();
    assert_eq!(next.len(), 1 + 500, "the next event brings the rest");
}

#[test]
fn nobody_gets_ahead_of_those_who_still_wait_when_there_was_too_much_to_do() {
    let item = crowd(FILLED_MAX + 1, vec![receive(1_001)]);
    assert_eq!((item.available(), item.backordered()), (1, 1));
    assert_eq!(types(&item, reserve("late", 1, None, 0)), ["Backordered", "BackorderFilled"]);
    let item = crowd(FILLED_MAX + 1, vec![receive(1_002)]);
    assert_eq!(types(&item, reserve("late", 1, None, 0)), ["Reserved", "BackorderFilled"]);
}

#[test]
fn old_transfers_are_forgotten_and_so_are_empty_places() {
    let mut item = after(vec![receive(1)]);
    let transfer = |n: usize| {
        let (from, to) = if n.is_multiple_of(2) { ("main", "north") } else { ("north", "main") };
        let transfer = named(&format!("t-{n}"));
        Command::Transfer { transfer, from: named(from), to: named(to), quantity: units(1) }
    };
    for n in 0..=TRANSFERS_KEPT {
        item = item.decide(transfer(n)).unwrap().into_iter().fold(item, InventoryItem::evolve);
        assert_eq!(item.locations().len(), 1);
    }
    assert_eq!(item.decide(transfer(1)), Ok(vec![]));
    assert_ne!(item.decide(transfer(0)), Ok(vec![]));
}

#[test]
fn limits_hold_at_the_edge() {
    let item = InventoryItem { on_hand: ON_HAND_MAX - 1, ..InventoryItem::default() };
    assert!(item.decide(receive(1)).is_ok());
    assert_eq!(item.decide(receive(2)), Err(Refusal::TooMuch { max: ON_HAND_MAX }));

    let places = (0..LOCATIONS_MAX).map(|n| (named(&format!("p-{n}")), 1)).collect();
    let item = InventoryItem { locations: places, ..InventoryItem::default() };
    assert!(item.decide(receive_at("p-1", 1)).is_ok());
    assert_eq!(item.decide(receive(1)), Err(Refusal::TooManyLocations { max: LOCATIONS_MAX }));
}

#[test]
fn a_timer_ends_the_holds_of_ten_seconds_together() {
    let at = Time::from_millis(123_456);
    let wanted = |event: Event| {
        (policy::RESERVATION_EXPIRY.issues)(Fact { id: "MUG", event: &AnyEvent::from(event), at })
    };
    let reserved = |expires_at: Option<i64>| Event::Reserved {
        reservation: named("r-1"),
        quantity: units(1),
        expires_at: expires_at.map(Time::from_millis),
    };
    let expire = |due| {
        let now = Time::from_millis(due);
        vec![Issue::timer(now, "MUG", Command::Expire { now })]
    };
    assert_eq!(wanted(reserved(Some(200_001))), expire(210_000));
    assert_eq!(wanted(reserved(Some(210_000))), expire(210_000));
    assert_eq!(wanted(reserved(None)), []);
    let extended = Event::Extended { reservation: named("r-1"), expires_at: Time::from_millis(300_000) };
    assert_eq!(wanted(extended), expire(300_000));
    let expired = Event::Expired { reservation: named("r-1"), quantity: units(1), short: 0 };
    assert_eq!(wanted(expired), expire(130_000));
    assert_eq!(wanted(Event::Committed { reservation: named("r-1") }), []);
}

#[test]
fn every_refusal_serialises_its_code() {
    let refusals = [
        Refusal::Insufficient { requested: units(2), available: 1 },
        Refusal::BelowReserved { delta: i64::MIN, on_hand: 2, reserved: 1 },
        Refusal::BelowZero { location: named("main"), on_hand: 1 },
        Refusal::CountChanged { expected: 1, on_hand: 2 },
        Refusal::InsufficientAt { location: named("main"), on_hand: 1, requested: units(2) },
        Refusal::SameLocation,
        Refusal::TooManyLocations { max: LOCATIONS_MAX },
        Refusal::ReservationExists { reservation: named("r-1"), quantity: units(1) },
        Refusal::ReservationMissing { reservation: named("r-1") },
        Refusal::AlreadyExtended,
        Refusal::ReservationExpired { expired_at: Time::from_millis(1) },
        Refusal::TooMuch { max: ON_HAND_MAX },
    ];
    refusals.iter().for_each(check_refusal::<InventoryItem>);
}
