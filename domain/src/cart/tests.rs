//! Random histories of carts.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::testing::{
    Again, caused, check_refusal, currency, delivery, fold, id, money, named, play, pounds, quantity, sku,
    text, time, units,
};

fn line() -> impl Strategy<Value = Line> {
    (sku(), id(&["p-1", "p-2"]), text(), quantity(), money()).prop_map(
        |(sku, product, title, quantity, unit_price)| Line { sku, product, title, quantity, unit_price },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let customer = || prop::option::of(id(&["c-1", "c-2"]));
    let method = prop_oneof![Just(Method::Card), Just(Method::CashOnDelivery)];
    prop_oneof![
        2 => (customer(), currency()).prop_map(|(customer, currency)| Command::Open { customer, currency }),
        6 => line().prop_map(Command::AddLine),
        3 => (sku(), quantity()).prop_map(|(sku, quantity)| Command::SetQuantity { sku, quantity }),
        2 => sku().prop_map(|sku| Command::RemoveLine { sku }),
        1 => (id(&["o-1", "o-2"]), method, prop::option::weighted(0.2, money()), time()).prop_map(
            |(order, method, expected_total, pay_by)| Command::CheckOut {
                order,
                payment: named("pay-1"),
                method,
                delivery: delivery(),
                expected_total,
                pay_by,
            }
        ),
    ]
}

fn history() -> impl Strategy<Value = Vec<Command>> {
    let opening = Command::Open { customer: None, currency: Currency::GBP };
    (any::<bool>(), prop::collection::vec(command(), 0..30)).prop_map(move |(opened, commands)| {
        opened.then(|| opening.clone()).into_iter().chain(commands).collect()
    })
}

fn sound(cart: &Cart, events: &[Event]) {
    let skus: BTreeSet<_> = cart.lines().iter().map(|line| &line.sku).collect();
    assert_eq!(skus.len(), cart.lines().len(), "a SKU stands twice");
    assert!(cart.lines().iter().all(|line| line.quantity.get() <= LINE_UNITS_MAX));
    match cart {
        Cart::Open { currency, lines, .. } => assert_eq!(cart.total(), total(*currency, lines).ok()),
        Cart::Unopened | Cart::CheckedOut { .. } => assert_eq!(cart.total(), None),
    }
    assert_eq!(cart.total().is_some(), matches!(cart, Cart::Open { .. }), "an open cart always has a total");
    if let Some(Event::CheckedOut { lines, total: billed, .. }) = events.last() {
        assert!(!lines.is_empty());
        assert_eq!(total(billed.currency, lines), Ok(*billed));
    }
}

proptest! {
    #[test]
    fn a_cart_adds_up_and_repeats_change_nothing(commands in history()) {
        let again = |command: &Command| match command {
            Command::AddLine(_) => Again::Anything,
            _ => Again::Nothing,
        };
        play::<Cart>(commands, again, sound);
    }

    #[test]
    fn any_order_of_events_folds(events in history().prop_map(caused::<Cart>)
        .prop_shuffle())
    {
        let cart: Cart = fold(events);
        let skus: BTreeSet<_> = cart.lines().iter().map(|line| &line.sku).collect();
        prop_assert_eq!(skus.len(), cart.lines().len());
    }
}

fn mug(quantity: u32, price: i64) -> Line {
    let (sku, product, title) = (named("MUG"), named("p-1"), named("Mug"));
    Line { sku, product, title, quantity: units(quantity), unit_price: pounds(price) }
}

fn open(lines: Vec<Line>) -> Cart {
    let opened = Event::Opened { customer: None, currency: Currency::GBP };
    fold([opened].into_iter().chain(lines.into_iter().map(Event::LineAdded)))
}

#[test]
fn a_line_added_again_grows_and_takes_the_new_price() {
    let cart = open(vec![mug(2, 500), Line { title: named("Mug, blue"), ..mug(3, 450) }]);
    assert_eq!(cart.lines(), [Line { title: named("Mug, blue"), ..mug(5, 450) }]);
    assert_eq!(cart.total(), Some(pounds(2_250)));
}

#[test]
fn limits_hold_at_the_edge() {
    let many =
        |count: usize| open((0..count).map(|n| Line { sku: named(&format!("S{n}")), ..mug(1, 1) }).collect());
    assert!(many(LINES_MAX - 1).decide(Command::AddLine(mug(1, 1))).is_ok());
    let full = many(LINES_MAX);
    assert_eq!(full.decide(Command::AddLine(mug(1, 1))), Err(Refusal::TooManyLines { max: LINES_MAX }));
    assert!(full.decide(Command::AddLine(Line { sku: named("S0"), ..mug(1, 1) })).is_ok());

    let cart = open(vec![mug(LINE_UNITS_MAX - 1, 1)]);
    assert!(cart.decide(Command::AddLine(mug(1, 1))).is_ok());
    assert_eq!(cart.decide(Command::AddLine(mug(2, 1))), Err(Refusal::TooManyUnits { max: LINE_UNITS_MAX }));
    assert_eq!(cart.decide(Command::AddLine(mug(1, i64::MAX))), Err(Refusal::BadTotal));
}

#[test]
fn every_refusal_serialises_its_code() {
    let refusals = [
        Refusal::NotOpen,
        Refusal::AlreadyOpen,
        Refusal::AlreadyCheckedOut { order: named("o-1") },
        Refusal::Empty,
        Refusal::NoSuchLine { sku: named("MUG") },
        Refusal::TooManyLines { max: LINES_MAX },
        Refusal::TooManyUnits { max: LINE_UNITS_MAX },
        Refusal::CurrencyMismatch { cart: Currency::GBP, price: named("EUR") },
        Refusal::BadTotal,
        Refusal::TotalChanged { total: pounds(1), expected: pounds(2) },
    ];
    refusals.iter().for_each(check_refusal::<Cart>);
}
