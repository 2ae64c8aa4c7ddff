//! A cart: lines with the prices their buyer was shown, until it is checked out.

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    payment::Method,
    value::{Currency, CustomerId, Money, OrderId, PaymentId, ProductId, Quantity, Sku, Sealed, Text, Time},
};

/// A cart has at most this many lines.
pub const LINES_MAX: usize = 100;
/// A line has at most this many units.
pub const LINE_UNITS_MAX: u32 = 100_000;

/// So many units of a SKU at a price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// The catalogue entry that it was taken from.
    pub product: ProductId,
    /// Its name as shown.
    pub title: Text,
    /// How many.
    pub quantity: Quantity,
    /// The price of one, as shown when the line was added last.
    pub unit_price: Money,
}

/// Everything about the buyer and the delivery that a checkout carries; personal parts are sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Name, e-mail and phone.
    pub contact: Sealed,
    /// Where to.
    pub address: Sealed,
    /// ISO 3166-1 alpha-2 code of the country, open because tax and shipping depend on it.
    pub country: Text,
}

/// What may be asked of a cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Command {
    /// Begin a cart for a customer, or for a guest.
    Open { #[serde(default)] customer: Option<CustomerId>, currency: Currency },
    /// Add units of a SKU at the price of now; a line that is there grows and takes this price.
    AddLine(Line),
    /// Make a line have so many units.
    SetQuantity { sku: Sku, quantity: Quantity },
    /// Take a line out. Nothing happens when it is not there.
    RemoveLine { sku: Sku },
    /// Order what is in the cart. `order` and `payment` are new ids.
    CheckOut {
        order: OrderId,
        payment: PaymentId,
        method: Method,
        delivery: Delivery,
        /// The total that the buyer was shown; compared, never trusted.
        #[serde(default)]
        expected_total: Option<Money>,
        /// When the reservations and the wait for payment end.
        pay_by: Time,
    },
}

/// What happened to a cart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It was begun.
    Opened { #[serde(default, skip_serializing_if = "Option::is_none")] customer: Option<CustomerId>, currency: Currency },
    /// Units of a SKU were added; `quantity` is what was added.
    LineAdded(Line),
    /// A line has another quantity.
    QuantitySet { sku: Sku, quantity: Quantity },
    /// A line was taken out.
    LineRemoved { sku: Sku },
    /// It became an order.
    CheckedOut {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer: Option<CustomerId>,
        order: OrderId,
        payment: PaymentId,
        method: Method,
        delivery: Delivery,
        lines: Vec<Line>,
        total: Money,
        pay_by: Time,
    },
}

/// Why a cart may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
pub enum Refusal {
    /// There is no such cart.
    #[error("the cart was never opened")]
    #[serde(rename = "cart.not_open")]
    NotOpen,
    /// It belongs to somebody else or has another currency.
    #[error("the cart is already open for another customer or currency")]
    #[serde(rename = "cart.already_open")]
    AlreadyOpen,
    /// It became an order.
    #[error("the cart became order {order}")]
    #[serde(rename = "cart.already_checked_out")]
    AlreadyCheckedOut { order: OrderId },
    /// There is nothing in it.
    #[error("the cart is empty")]
    #[serde(rename = "cart.empty")]
    Empty,
    /// No line has that SKU.
    #[error("the cart has no line {sku}")]
    #[serde(rename = "cart.no_such_line")]
    NoSuchLine { sku: Sku },
    /// No more lines fit.
    #[error("a cart has at most {max} lines")]
    #[serde(rename = "cart.too_many_lines")]
    TooManyLines { max: usize },
    /// No more units fit on a line.
    #[error("a line has at most {max} units")]
    #[serde(rename = "cart.too_many_units")]
    TooManyUnits { max: u32 },
    /// The price is in another currency than the cart.
    #[error("the cart is in {cart}, the price in {price}")]
    #[serde(rename = "cart.currency_mismatch")]
    CurrencyMismatch { cart: Currency, price: Currency },
    /// The price of a line is below zero, or the total does not fit.
    #[error("the prices do not add up to a total")]
    #[serde(rename = "cart.bad_total")]
    BadTotal,
    /// The buyer was shown another total.
    #[error("the total is {total}, not {expected}")]
    #[serde(rename = "cart.total_changed")]
    TotalChanged { total: Money, expected: Money },
}

/// The state of a cart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Cart {
    /// Never opened.
    #[default]
    Unopened,
    /// Being filled.
    Open {
        /// Whose it is, unless a guest's.
        customer: Option<CustomerId>,
        /// What its prices are in.
        currency: Currency,
        /// What is in it, in the order of adding.
        lines: Vec<Line>,
    },
    /// Became an order.
    CheckedOut {
        /// Which order.
        order: OrderId,
    },
}
