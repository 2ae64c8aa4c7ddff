//! Random histories of stock: it is never oversold.

use proptest::prelude::*;

use super::*;
use crate::testing::{Again, caused, check_refusal, fold, id, named, play, quantity, text, time, units};

fn command() -> impl Strategy<Value = Command> {
    let delta = prop_oneof![9 => -10..10, 1 => any::<i32>()].prop_filter_map("zero", NonZeroI32::new);
    let reservation = || id(&["r-1", "r-2", "r-3", "r-4"]);
    let reason =
        prop::sample::select(&[AdjustReason::Count, AdjustReason::Returned, AdjustReason::Other][..]);
    prop_oneof![
        2 => (quantity(), prop::option::of(text()))
            .prop_map(|(quantity, reference)| Command::Receive { quantity, reference }),
        2 => (delta, reason, prop::option::of(text()))
            .prop_map(|(delta, reason, reference)| Command::Adjust { delta, reason, reference }),
        6 => (reservation(), quantity(), prop::option::of(time()), time()).prop_map(
            |(reservation, quantity, expires_at, now)| Command::Reserve { reservation, quantity, expires_at, now }
        ),
        2 => reservation().prop_map(|reservation| Command::Release { reservation }),
        3 => (reservation(), time()).prop_map(|(reservation, now)| Command::Allocate { reservation, now }),
    ]
}

fn history() -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(command(), 0..40)
}

fn reserved_is_the_sum_of_holds(item: &InventoryItem) {
    let held: i64 = item.reservations().map(|(_, held)| i64::from(held.quantity.get())).sum();
    assert_eq!(item.reserved(), held);
    let expiring = item.reservations().filter(|(_, held)| held.expires_at.is_some()).count();
    assert_eq!(item.expiring.len(), expiring);
}

fn never_oversold(item: &InventoryItem, events: &[Event]) {
    reserved_is_the_sum_of_holds(item);
    assert!(0 <= item.reserved() && item.reserved() <= item.on_hand(), "{item:?}");
    let moved: i64 = events
        .iter()
        .map(|event| match event {
            Event::Received { quantity, .. } => i64::from(quantity.get()),
            Event::Adjusted { delta, .. } => i64::from(delta.get()),
            Event::Allocated { quantity, .. } => -i64::from(quantity.get()),
            Event::Reserved { .. } | Event::Released { .. } | Event::Expired { .. } => 0,
        })
        .sum();
    assert_eq!(item.on_hand(), moved, "units appeared or vanished");
}

proptest! {
    #[test]
    fn stock_is_never_oversold_and_no_unit_gets_lost(commands in history()) {
        let again = |command: &Command| match command {
            Command::Receive { .. } | Command::Adjust { .. } => Again::Anything,
            Command::Reserve { .. } | Command::Release { .. } => Again::Nothing,
            Command::Allocate { .. } => Again::NothingOrRefused,
        };
        play::<InventoryItem>(commands, again, never_oversold);
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
        reserved_is_the_sum_of_holds(&fold(events));
    }
}

fn reserve(reservation: &str, quantity: u32, expires_at: Option<i64>, now: i64) -> Command {
    Command::Reserve {
        reservation: named(reservation),
        quantity: units(quantity),
        expires_at: expires_at.map(Time::from_millis),
        now: Time::from_millis(now),
    }
}

fn after(commands: Vec<Command>) -> InventoryItem {
    fold(caused::<InventoryItem>(commands))
}

#[test]
fn holds_expire_only_when_their_units_are_wanted() {
    let received = Command::Receive { quantity: units(10), reference: None };
    let item = after(vec![received, reserve("r-1", 3, Some(5), 0), reserve("r-2", 3, Some(50), 0)]);
    let expired = Event::Expired { reservation: named("r-1"), quantity: units(3) };
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
fn limits_hold_at_the_edge() {
    let item = InventoryItem { on_hand: ON_HAND_MAX - 1, ..InventoryItem::default() };
    assert!(item.decide(Command::Receive { quantity: units(1), reference: None }).is_ok());
    let too_much = Err(Refusal::TooMuch { max: ON_HAND_MAX });
    assert_eq!(item.decide(Command::Receive { quantity: units(2), reference: None }), too_much);
}

#[test]
fn every_refusal_serialises_its_code() {
    let refusals = [
        Refusal::Insufficient { requested: units(2), available: 1 },
        Refusal::BelowReserved { delta: NonZeroI32::MIN, on_hand: 2, reserved: 1 },
        Refusal::ReservationExists { reservation: named("r-1"), quantity: units(1) },
        Refusal::ReservationMissing { reservation: named("r-1") },
        Refusal::TooMuch { max: ON_HAND_MAX },
    ];
    refusals.iter().for_each(check_refusal::<InventoryItem>);
}
