//! Why a cart may say no.

use serde::{Deserialize, Serialize};

use super::PriceChange;
use crate::value::{CartId, Currency, Money, OrderId, Quantity, Sku, Time};

/// Why a cart may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
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
    /// Nobody touched it for too long.
    #[error("the cart has expired")]
    #[serde(rename = "cart.expired")]
    Expired { expired_at: Time },
    /// Its lines went into another cart.
    #[error("the cart went into cart {into}")]
    #[serde(rename = "cart.merged")]
    Merged { into: CartId },
    /// It is a customer's; only a guest's goes into another.
    #[error("the cart belongs to a customer")]
    #[serde(rename = "cart.not_a_guest_cart")]
    NotAGuestCart,
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
    /// One customer may not buy so many.
    #[error("one customer may buy {limit} of {sku}")]
    #[serde(rename = "cart.purchase_limit")]
    PurchaseLimit { sku: Sku, limit: Quantity },
    /// The price is in another currency than the cart.
    #[error("the cart is in {cart}, the price in {price}")]
    #[serde(rename = "cart.currency_mismatch")]
    CurrencyMismatch { cart: Currency, price: Currency },
    /// The price of a line is below zero, or the total does not fit.
    #[error("the prices do not add up to a total")]
    #[serde(rename = "cart.bad_total")]
    BadTotal,
    /// The catalogue asks other prices than the buyer was shown.
    #[error("the price of some lines has changed")]
    #[serde(rename = "cart.price_changed")]
    PriceChanged { changes: Vec<PriceChange> },
    /// The quote is not one for this cart.
    #[error("the quote is not one for what is in the cart")]
    #[serde(rename = "cart.bad_quote")]
    BadQuote,
    /// The buyer was shown another total.
    #[error("the total is {total}, not {expected}")]
    #[serde(rename = "cart.total_changed")]
    TotalChanged { total: Money, expected: Money },
}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &[
        "cart.not_open",
        "cart.already_open",
        "cart.already_checked_out",
        "cart.expired",
        "cart.merged",
        "cart.not_a_guest_cart",
        "cart.empty",
        "cart.no_such_line",
        "cart.too_many_lines",
        "cart.too_many_units",
        "cart.purchase_limit",
        "cart.currency_mismatch",
        "cart.bad_total",
        "cart.price_changed",
        "cart.bad_quote",
        "cart.total_changed",
    ];

    fn code(&self) -> &'static str {
        match self {
            Self::NotOpen => "cart.not_open",
            Self::AlreadyOpen => "cart.already_open",
            Self::AlreadyCheckedOut { .. } => "cart.already_checked_out",
            Self::Expired { .. } => "cart.expired",
            Self::Merged { .. } => "cart.merged",
            Self::NotAGuestCart => "cart.not_a_guest_cart",
            Self::Empty => "cart.empty",
            Self::NoSuchLine { .. } => "cart.no_such_line",
            Self::TooManyLines { .. } => "cart.too_many_lines",
            Self::TooManyUnits { .. } => "cart.too_many_units",
            Self::PurchaseLimit { .. } => "cart.purchase_limit",
            Self::CurrencyMismatch { .. } => "cart.currency_mismatch",
            Self::BadTotal => "cart.bad_total",
            Self::PriceChanged { .. } => "cart.price_changed",
            Self::BadQuote => "cart.bad_quote",
            Self::TotalChanged { .. } => "cart.total_changed",
        }
    }
}
