//! Random histories of carts, and of guests' carts that go into customers'.

mod merges;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{
    pricing::{LineTax, Quote, Shipping},
    testing::{
        Again, caused, check_refusal, currency, delivery, fold, id, money, named, play, pounds, quantity,
        sku, text, time, units,
    },
};

fn line() -> impl Strategy<Value = Line> {
    let limit = prop::option::weighted(0.3, quantity());
    (sku(), id(&["p-1", "p-2"]), text(), quantity(), money(), limit).prop_map(
        |(sku, product, title, quantity, unit_price, purchase_limit)| Line {
            sku,
            product,
            title,
            quantity,
            unit_price,
            tax_category: None,
            weight_grams: 7,
            purchase_limit,
        },
    )
}

fn prices() -> impl Strategy<Value = Vec<Price>> {
    let limit = prop::option::weighted(0.3, quantity());
    let price = (sku(), money(), limit).prop_map(|(sku, unit_price, purchase_limit)| Price {
        sku,
        unit_price,
        purchase_limit,
    });
    prop::collection::vec(price, 0..3)
}

fn expires_at() -> impl Strategy<Value = Option<Time>> {
    prop::option::of(time())
}

fn check_out() -> impl Strategy<Value = Command> {
    let method = prop_oneof![Just(Method::Card), Just(Method::CashOnDelivery)];
    let prices = prop_oneof![3 => Just(vec![]), 1 => prices()];
    let total = prop::option::weighted(0.2, money());
    (id(&["o-1", "o-2"]), method, total, time(), expires_at(), prices, prop::option::of(0..60_u32)).prop_map(
        |(order, method, expected_total, pay_by, now, prices, attempts_max)| Command::CheckOut {
            order,
            payment: named("pay-1"),
            method,
            delivery: delivery(),
            expected_total,
            pay_by,
            now,
            prices,
            quote: None,
            capture: CaptureWhen::OnShipment,
            attempts_max,
            review: None,
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    let customer = || id(&["c-1", "c-2"]);
    let other = || id(&["cart-1", "cart-2"]);
    let lines = prop::collection::vec(line(), 0..4);
    prop_oneof![
        2 => (prop::option::of(customer()), currency(), expires_at())
            .prop_map(|(customer, currency, expires_at)| Command::Open { customer, currency, expires_at }),
        6 => (line(), expires_at()).prop_map(|(line, expires_at)| Command::AddLine { line, expires_at }),
        3 => (sku(), quantity(), expires_at())
            .prop_map(|(sku, quantity, expires_at)| Command::SetQuantity { sku, quantity, expires_at }),
        2 => sku().prop_map(|sku| Command::RemoveLine { sku }),
        2 => prices().prop_map(|prices| Command::AcceptPrices { prices }),
        1 => check_out(),
        1 => time().prop_map(|now| Command::Expire { now }),
        1 => (other(), customer()).prop_map(|(into, customer)| Command::MergeInto { into, customer }),
        2 => (other(), customer(), currency(), lines, expires_at()).prop_map(
            |(from, customer, currency, lines, expires_at)| Command::TakeLines {
                from, customer, currency, lines, expires_at,
            }
        ),
        2 => other().prop_map(|into| Command::UndoMerge { into }),
    ]
}

fn history() -> impl Strategy<Value = Vec<Command>> {
    let opening = |customer| Command::Open { customer, currency: Currency::GBP, expires_at: Some(at(50)) };
    (0..3_u8, prop::collection::vec(command(), 0..30)).prop_map(move |(opened, commands)| {
        let first = match opened {
            0 => None,
            1 => Some(opening(None)),
            _ => Some(opening(Some(named("c-1")))),
        };
        first.into_iter().chain(commands).collect()
    })
}

fn distinct(lines: &[Line]) -> bool {
    lines.iter().map(|line| &line.sku).collect::<BTreeSet<_>>().len() == lines.len()
}

fn within_limits(line: &Line) -> bool {
    line.quantity.get() <= LINE_UNITS_MAX && line.purchase_limit.is_none_or(|limit| line.quantity <= limit)
}

fn bounded(cart: &Cart) {
    assert!(distinct(cart.lines()), "a SKU stands twice");
    assert!(cart.lines().iter().all(within_limits), "{cart:?}");
    assert!(cart.lines().len() <= LINES_MAX);
    assert_eq!(cart.total().is_some(), matches!(cart, Cart::Open(_)), "an open cart always has a total");
}

fn sound(cart: &Cart, events: &[Event]) {
    bounded(cart);
    match events.last() {
        Some(Event::CheckedOut { lines, total: billed, attempts_max, .. }) => {
            assert!(!lines.is_empty());
            assert_eq!(line::total(billed.currency, lines), Ok(*billed));
            assert!((1..=ATTEMPTS_MAX).contains(attempts_max));
        }
        Some(Event::PricesAccepted { changes }) => {
            assert!(!changes.is_empty());
            assert!(changes.iter().all(|change| change.was != change.now));
        }
        Some(Event::LinesTaken { lines, .. }) => {
            assert!(lines.iter().all(|line| cart.lines().contains(line)), "told as they are afterwards");
        }
        _ => {}
    }
    let ends = events.iter().filter_map(policy::ends).collect::<Vec<_>>();
    if matches!(cart, Cart::Open(_) | Cart::Expired { .. }) {
        assert_eq!(cart.expires_at(), ends.iter().max().copied(), "whoever hears of the end hears the last");
    }
}

/// Adding is another wish each time; a cart that cannot take says so each time.
fn again(command: &Command) -> Again {
    match command {
        Command::AddLine { .. } | Command::TakeLines { .. } => Again::Anything,
        _ => Again::Nothing,
    }
}

proptest! {
    #[test]
    fn a_cart_adds_up_and_repeats_change_nothing(commands in history()) {
        play::<Cart>(commands, again, sound);
    }

    #[test]
    fn any_order_of_events_folds(events in history().prop_map(caused::<Cart>)
        .prop_shuffle())
    {
        let cart: Cart = fold(events);
        prop_assert!(distinct(cart.lines()));
    }
}

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

fn mug(quantity: u32, price: i64) -> Line {
    Line {
        sku: named("MUG"),
        product: named("p-1"),
        title: named("Mug"),
        quantity: units(quantity),
        unit_price: pounds(price),
        tax_category: None,
        weight_grams: 300,
        purchase_limit: None,
    }
}

fn numbered(number: usize) -> Line {
    Line { sku: named(&format!("S{number}")), ..mug(1, 1) }
}

fn added(line: Line) -> Event {
    Event::LineAdded { line, expires_at: None }
}

fn add(line: Line) -> Command {
    Command::AddLine { line, expires_at: None }
}

fn opened(customer: Option<&str>) -> Event {
    Event::Opened { customer: customer.map(named), currency: Currency::GBP, expires_at: Some(at(1_000)) }
}

fn open(lines: Vec<Line>) -> Cart {
    fold([opened(None)].into_iter().chain(lines.into_iter().map(added)))
}

fn buy(prices: Vec<Price>, quote: Option<Quote>, now: Option<Time>) -> Command {
    Command::CheckOut {
        order: named("o-1"),
        payment: named("pay-1"),
        method: Method::Card,
        delivery: delivery(),
        expected_total: None,
        pay_by: at(5),
        now,
        prices,
        quote,
        capture: CaptureWhen::AtOnce,
        attempts_max: None,
        review: None,
    }
}

fn price(sku: &str, amount: i64) -> Price {
    Price { sku: named(sku), unit_price: pounds(amount), purchase_limit: None }
}

fn change(was: i64, now: i64) -> PriceChange {
    PriceChange { sku: named("MUG"), was: pounds(was), now: pounds(now) }
}

#[test]
fn a_line_added_again_grows_and_takes_the_new_price() {
    let cart = open(vec![mug(2, 500), Line { title: named("Mug, blue"), ..mug(3, 450) }]);
    assert_eq!(cart.lines(), [Line { title: named("Mug, blue"), ..mug(5, 450) }]);
    assert_eq!(cart.total(), Some(pounds(2_250)));
}

#[test]
fn limits_hold_at_the_edge() {
    let many = |count: usize| open((0..count).map(numbered).collect());
    assert!(many(LINES_MAX - 1).decide(add(mug(1, 1))).is_ok());
    let full = many(LINES_MAX);
    assert_eq!(full.decide(add(mug(1, 1))), Err(Refusal::TooManyLines { max: LINES_MAX }));
    assert!(full.decide(add(numbered(0))).is_ok());

    let cart = open(vec![mug(LINE_UNITS_MAX - 1, 1)]);
    assert!(cart.decide(add(mug(1, 1))).is_ok());
    assert_eq!(cart.decide(add(mug(2, 1))), Err(Refusal::TooManyUnits { max: LINE_UNITS_MAX }));
    assert_eq!(cart.decide(add(mug(1, i64::MAX))), Err(Refusal::BadTotal));
}

#[test]
fn a_purchase_limit_counts_all_units_of_the_line() {
    let rare = |quantity| Line { purchase_limit: Some(units(3)), ..mug(quantity, 500) };
    let refused = Err(Refusal::PurchaseLimit { sku: named("MUG"), limit: units(3) });
    let cart = open(vec![rare(2)]);
    assert!(cart.decide(add(rare(1))).is_ok());
    assert_eq!(cart.decide(add(rare(2))), refused);
    let set = |quantity| Command::SetQuantity { sku: named("MUG"), quantity, expires_at: None };
    assert!(cart.decide(set(units(3))).is_ok());
    assert_eq!(cart.decide(set(units(4))), refused);
}

#[test]
fn only_prices_that_differ_are_accepted() {
    let cart = open(vec![mug(2, 500), numbered(1)]);
    let accept = |prices| cart.decide(Command::AcceptPrices { prices });
    let events = accept(vec![price("MUG", 450), price("S1", 1), price("UNKNOWN", 9)]).unwrap();
    assert_eq!(events, [Event::PricesAccepted { changes: vec![change(500, 450)] }]);
    assert_eq!(accept(vec![price("MUG", 500), price("UNKNOWN", 9)]), Ok(vec![]));
    assert_eq!(accept(vec![price("MUG", i64::MAX)]), Err(Refusal::BadTotal));
    let euros = Price { sku: named("MUG"), unit_price: Money::new(5, named("EUR")), purchase_limit: None };
    let mismatch = Refusal::CurrencyMismatch { cart: Currency::GBP, price: named("EUR") };
    assert_eq!(accept(vec![euros]), Err(mismatch));
    assert_eq!(cart.evolve_event(events[0].clone()).total(), Some(pounds(901)));
}

#[test]
fn a_changed_price_stops_the_checkout_until_it_is_accepted() {
    let cart = open(vec![mug(2, 500)]);
    let now = vec![price("MUG", 600)];
    let refused = Refusal::PriceChanged { changes: vec![change(500, 600)] };
    assert_eq!(cart.decide(buy(now.clone(), None, None)), Err(refused));
    assert!(cart.decide(buy(vec![], None, None)).is_ok(), "nothing is compared");
    let accepted = cart.decide(Command::AcceptPrices { prices: now.clone() }).unwrap();
    let cart = accepted.into_iter().fold(cart, Cart::evolve);
    assert!(cart.decide(buy(now, None, None)).is_ok());
}

fn quoted(tax: i64, postage: i64, prices_include_tax: bool) -> Quote {
    let total = 1_000 + postage + if prices_include_tax { 0 } else { tax };
    Quote {
        prices_include_tax,
        lines: vec![LineTax { rate_ppm: 200_000, tax: pounds(tax) }],
        shipping: Some(Shipping {
            code: named("post"),
            title: named("By post"),
            price: pounds(postage),
            rate_ppm: 0,
            tax: pounds(0),
        }),
        tax: pounds(tax),
        total: pounds(total),
    }
}

#[test]
fn a_quote_is_the_total_if_it_fits_the_lines() {
    let cart = open(vec![mug(2, 500)]);
    for included in [true, false] {
        let quote = quoted(167, 395, included);
        let events = cart.decide(buy(vec![], Some(quote.clone()), None)).unwrap();
        let [Event::CheckedOut { total, quote: carried, .. }] = &events[..] else { panic!("{events:?}") };
        assert_eq!((*total, carried.as_ref()), (quote.total, Some(&quote)));
    }
    let good = quoted(167, 395, false);
    let two = LineTax { rate_ppm: 0, tax: pounds(0) };
    let wrong = [
        Quote { total: pounds(1_395), ..good.clone() },
        Quote { tax: pounds(166), ..good.clone() },
        Quote { lines: vec![], tax: pounds(0), total: pounds(1_395), ..good.clone() },
        Quote { lines: vec![good.lines[0].clone(), two], ..good.clone() },
        Quote { total: Money::new(1_562, named("EUR")), ..good.clone() },
        Quote { prices_include_tax: true, ..good },
        quoted(-1, 395, false),
        quoted(0, -1, false),
    ];
    for quote in wrong {
        let decided = cart.decide(buy(vec![], Some(quote.clone()), None));
        assert_eq!(decided, Err(Refusal::BadQuote), "{quote:?}");
    }
}

#[test]
fn an_expired_cart_takes_nothing_more() {
    let cart = open(vec![mug(2, 500)]);
    let expired = Err(Refusal::Expired { expired_at: at(1_000) });
    assert!(cart.decide(buy(vec![], None, Some(at(999)))).is_ok());
    assert_eq!(cart.decide(buy(vec![], None, Some(at(1_000)))), expired);
    assert_eq!(cart.decide(Command::Expire { now: at(999) }), Ok(vec![]));
    assert_eq!(cart.decide(Command::Expire { now: at(1_000) }), Ok(vec![Event::Expired {}]));
    let cart = cart.evolve(Event::Expired {});
    assert_eq!(cart.decide(add(mug(1, 1))), expired);
    assert_eq!(cart.decide(Command::RemoveLine { sku: named("MUG") }), expired);
    assert_eq!(cart.decide(Command::Expire { now: at(2_000) }), Ok(vec![]));
}

#[test]
fn a_cart_lives_longer_when_it_is_touched_and_never_shorter() {
    let cart = open(vec![]);
    let touch = |expires_at| Command::AddLine { line: mug(1, 1), expires_at: Some(at(expires_at)) };
    let later = cart.decide(touch(2_000)).unwrap();
    assert_eq!(later, [Event::LineAdded { line: mug(1, 1), expires_at: Some(at(2_000)) }]);
    assert_eq!(cart.decide(touch(1_000)), Ok(vec![added(mug(1, 1))]));
    let cart = later.into_iter().fold(cart, Cart::evolve);
    assert_eq!(cart.decide(Command::Expire { now: at(1_999) }), Ok(vec![]));
}

#[test]
fn a_checked_out_cart_does_not_expire() {
    let cart = open(vec![mug(1, 500)]);
    let events = cart.decide(buy(vec![], None, None)).unwrap();
    let cart = events.into_iter().fold(cart, Cart::evolve);
    assert_eq!(cart.decide(Command::Expire { now: at(9_999) }), Ok(vec![]));
    assert_eq!(cart.decide(buy(vec![], None, Some(at(9_999)))), Ok(vec![]), "a repeat is no news");
}

#[test]
fn attempts_to_pay_are_bounded() {
    assert_eq!(check_out::attempts(None), 1);
    assert_eq!(check_out::attempts(Some(0)), 1);
    assert_eq!(check_out::attempts(Some(3)), 3);
    assert_eq!(check_out::attempts(Some(u32::MAX)), ATTEMPTS_MAX);
}

#[test]
fn every_refusal_serialises_its_code() {
    let refusals = [
        Refusal::NotOpen,
        Refusal::AlreadyOpen,
        Refusal::AlreadyCheckedOut { order: named("o-1") },
        Refusal::Expired { expired_at: at(5) },
        Refusal::Merged { into: named("cart-2") },
        Refusal::NotAGuestCart,
        Refusal::Empty,
        Refusal::NoSuchLine { sku: named("MUG") },
        Refusal::TooManyLines { max: LINES_MAX },
        Refusal::TooManyUnits { max: LINE_UNITS_MAX },
        Refusal::PurchaseLimit { sku: named("MUG"), limit: units(2) },
        Refusal::CurrencyMismatch { cart: Currency::GBP, price: named("EUR") },
        Refusal::BadTotal,
        Refusal::PriceChanged { changes: vec![change(1, 2)] },
        Refusal::BadQuote,
        Refusal::TotalChanged { total: pounds(1), expected: pounds(2) },
    ];
    refusals.iter().for_each(check_refusal::<Cart>);
}
