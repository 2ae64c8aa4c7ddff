//! What there is to sell, and who wants it.

use domain::{
    AggregateType, AnyState, cart,
    inventory_item::{self, StockPolicy},
    payment::{CaptureWhen, Method},
    pricing::{LineTax, Quote, Shipping},
    product,
    value::{Currency, Money, Sealed},
};
use proptest::prelude::*;

use super::{named, quantity};
use crate::world::World;

pub const SKUS: [&str; 2] = ["MUG", "85123A"];
pub const CURRENCY: Currency = Currency::GBP;
pub const ORDERS_MAX: usize = 3;
pub const PAY_WITHIN_MS: i64 = 30 * 60 * 1_000;

/// What somebody is going to order.
#[derive(Clone, Debug)]
pub struct Wish {
    pub method: Method,
    pub capture: CaptureWhen,
    pub lines: Vec<(usize, u32, i64)>,
    pub customer: bool,
    pub attempts: u32,
    pub review: bool,
    pub postage: Option<i64>,
}

impl Wish {
    pub fn pays_at_once(&self) -> bool {
        self.method != Method::CashOnDelivery && self.capture == CaptureWhen::AtOnce
    }
}

#[derive(Clone, Debug)]
pub struct SetUp {
    pub stock: [u32; 2],
    pub backorders: [bool; 2],
    pub orders: Vec<Wish>,
}

pub fn set_up() -> impl Strategy<Value = SetUp> {
    let method =
        prop_oneof![3 => Just(Method::Card), 1 => Just(Method::Wallet), 1 => Just(Method::CashOnDelivery)];
    let capture = prop_oneof![Just(CaptureWhen::AtOnce), Just(CaptureWhen::OnShipment)];
    let lines = prop::collection::vec((0..2_usize, 1..4_u32, 0..500_i64), 1..3);
    let order = (
        method,
        capture,
        lines,
        any::<bool>(),
        1..3_u32,
        prop::bool::weighted(0.2),
        prop::option::of(0..400_i64),
    );
    let order = order.prop_map(|(method, capture, lines, customer, attempts, review, postage)| Wish {
        method,
        capture,
        lines,
        customer,
        attempts,
        review,
        postage,
    });
    let orders = prop::collection::vec(order, 1..=ORDERS_MAX);
    ([0..20_u32, 0..20_u32], [any::<bool>(), any::<bool>()], orders)
        .prop_map(|(stock, backorders, orders)| SetUp { stock, backorders, orders })
}

pub fn pence(amount: i64) -> Money {
    Money::new(amount, CURRENCY)
}

pub fn order_id(order: usize) -> String {
    format!("order-{order}")
}

pub fn payment_id(order: usize) -> String {
    format!("pay-{order}")
}

/// What the names of the payments for an order's edits begin with.
pub fn edit_payments(order: usize) -> String {
    format!("edit-pay-{order}")
}

/// Every payment of an order, the first one first.
pub fn payments(world: &World, order: usize) -> Vec<String> {
    let ids = world.ids(AggregateType::Payment);
    let (first, further) = (payment_id(order), format!("{}-", edit_payments(order)));
    ids.iter()
        .filter(|id| **id == first)
        .chain(ids.iter().filter(|id| id.starts_with(&further)))
        .cloned()
        .collect()
}

pub fn receive(world: &mut World, sku: usize, units: u32) {
    let receive =
        inventory_item::Command::Receive { quantity: quantity(units), location: None, reference: None };
    world.client(SKUS[sku], receive);
}

pub fn open(set_up: &SetUp) -> World {
    let mut world = World::default();
    for (sku, units) in set_up.stock.into_iter().enumerate() {
        if units > 0 {
            receive(&mut world, sku, units);
        }
        if set_up.backorders[sku] {
            let policy = StockPolicy::Backorder { limit: Some(5), promised_at: None };
            world.client(SKUS[sku], inventory_item::Command::SetPolicy { policy });
        }
    }
    world
}

/// What the catalogue asks for a SKU, in pence.
fn price(world: &World, sku: usize) -> Option<Money> {
    let AnyState::Product(product) = world.state(AggregateType::Product, SKUS[sku]) else { unreachable!() };
    product.listing()?.variants.first().map(|variant| variant.price)
}

/// The SKU stands in the catalogue at another price.
pub fn reprice(world: &mut World, sku: usize, amount: i64) {
    let variant = product::Variant {
        sku: named(SKUS[sku]),
        title: None,
        price: pence(amount),
        tax_category: None,
        weight_grams: 0,
        purchase_limit: None,
    };
    let listing = product::Listing {
        title: named("a thing"),
        description: None,
        brand: None,
        category: vec![],
        images: vec![],
        variants: vec![variant],
    };
    world.client(SKUS[sku], product::Command::List(listing));
    world.client(SKUS[sku], product::Command::ChangePrice { sku: named(SKUS[sku]), price: pence(amount) });
}

/// A guest logs in: what the guest had put into a cart goes into the customer's.
pub fn merge(world: &mut World, fresh: &str, order: usize, sku: usize, units: u32) {
    let (guest, into) = (format!("guest-{fresh}"), named(format!("cart-{order}")));
    let expires_at = Some(world.at().plus_millis(3_600_000));
    world.client(&guest, cart::Command::Open { customer: None, currency: CURRENCY, expires_at });
    let unit_price = price(world, sku).unwrap_or(pence(100));
    world.client(
        &guest,
        cart::Command::AddLine { line: line(sku, units, unit_price, false), expires_at: None },
    );
    world.client(&guest, cart::Command::MergeInto { into, customer: named("ada") });
}

fn line(sku: usize, units: u32, unit_price: Money, limited: bool) -> cart::Line {
    cart::Line {
        sku: named(SKUS[sku]),
        product: named("p-1"),
        title: named("a thing"),
        quantity: quantity(units),
        unit_price,
        tax_category: None,
        weight_grams: 0,
        purchase_limit: limited.then(|| quantity(8)),
    }
}

/// The tax is made up: a penny a line, included or not is the quote's business elsewhere.
fn quote(wish: &Wish, lines: &[cart::Line]) -> Option<Quote> {
    let postage = wish.postage?;
    let goods: i64 = lines.iter().map(|line| line.unit_price.amount * i64::from(line.quantity.get())).sum();
    let taxes: Vec<LineTax> = lines.iter().map(|_| LineTax { rate_ppm: 1, tax: pence(1) }).collect();
    let tax = pence(i64::try_from(taxes.len()).unwrap() + 1);
    let shipping = Shipping {
        code: named("POST"),
        title: named("Postage"),
        price: pence(postage),
        rate_ppm: 1,
        tax: pence(1),
    };
    let total = pence(goods + postage + tax.amount);
    Some(Quote { prices_include_tax: false, lines: taxes, shipping: Some(shipping), tax, total })
}

pub fn check_out(world: &mut World, set_up: &SetUp, order: usize) {
    let Some(wish) = set_up.orders.get(order) else { return };
    let cart = format!("cart-{order}");
    let customer = wish.customer.then(|| named("ada"));
    world.client(&cart, cart::Command::Open { customer, currency: CURRENCY, expires_at: None });
    if let AnyState::Cart(cart::Cart::Open(basket)) = world.state(AggregateType::Cart, &cart)
        && basket.lines.is_empty()
    {
        for (sku, units, price) in &wish.lines {
            let line = line(*sku, *units, pence(*price), wish.customer);
            world.client(&cart, cart::Command::AddLine { line, expires_at: None });
        }
    }
    let prices: Vec<cart::Price> = (0..SKUS.len())
        .filter_map(|sku| {
            Some(cart::Price { sku: named(SKUS[sku]), unit_price: price(world, sku)?, purchase_limit: None })
        })
        .collect();
    world.client(&cart, cart::Command::AcceptPrices { prices: prices.clone() });
    let AnyState::Cart(cart::Cart::Open(basket)) = world.state(AggregateType::Cart, &cart) else { return };
    let sealed = |text: &str| Sealed { subject: "guest".into(), sealed: text.into() };
    let command = cart::Command::CheckOut {
        order: named(order_id(order)),
        payment: named(payment_id(order)),
        method: wish.method,
        delivery: cart::Delivery { contact: sealed("a"), address: sealed("b"), country: named("GB") },
        expected_total: None,
        pay_by: world.at().plus_millis(PAY_WITHIN_MS),
        now: Some(world.at()),
        prices,
        quote: quote(wish, &basket.lines),
        capture: wish.capture,
        attempts_max: Some(wish.attempts),
        review: wish.review.then(|| named("looks odd")),
    };
    world.client(&cart, command);
}
