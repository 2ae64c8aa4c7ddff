//! A cart: lines with the prices their buyer was shown, until it is checked out.

mod decide;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    payment::Method,
    value::{Currency, CustomerId, Money, OrderId, PaymentId, ProductId, Quantity, Sealed, Sku, Text, Time},
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
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Command {
    /// Begin a cart for a customer, or for a guest.
    Open {
        #[serde(default)]
        customer: Option<CustomerId>,
        currency: Currency,
    },
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
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Event {
    /// It was begun.
    Opened {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer: Option<CustomerId>,
        currency: Currency,
    },
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

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] = &[
        ("Opened", "1"),
        ("LineAdded", "1"),
        ("QuantitySet", "1"),
        ("LineRemoved", "1"),
        ("CheckedOut", "1"),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "Opened",
            Self::LineAdded(_) => "LineAdded",
            Self::QuantitySet { .. } => "QuantitySet",
            Self::LineRemoved { .. } => "LineRemoved",
            Self::CheckedOut { .. } => "CheckedOut",
        }
    }
}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &[
        "cart.not_open",
        "cart.already_open",
        "cart.already_checked_out",
        "cart.empty",
        "cart.no_such_line",
        "cart.too_many_lines",
        "cart.too_many_units",
        "cart.currency_mismatch",
        "cart.bad_total",
        "cart.total_changed",
    ];

    fn code(&self) -> &'static str {
        match self {
            Self::NotOpen => "cart.not_open",
            Self::AlreadyOpen => "cart.already_open",
            Self::AlreadyCheckedOut { .. } => "cart.already_checked_out",
            Self::Empty => "cart.empty",
            Self::NoSuchLine { .. } => "cart.no_such_line",
            Self::TooManyLines { .. } => "cart.too_many_lines",
            Self::TooManyUnits { .. } => "cart.too_many_units",
            Self::CurrencyMismatch { .. } => "cart.currency_mismatch",
            Self::BadTotal => "cart.bad_total",
            Self::TotalChanged { .. } => "cart.total_changed",
        }
    }
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

impl Aggregate for Cart {
    const TYPE: &'static str = "cart";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Open { customer, currency } => self.open(customer, currency),
            Command::AddLine(line) => self.add_line(line),
            Command::SetQuantity { sku, quantity } => self.set_quantity(sku, quantity),
            Command::RemoveLine { sku } => self.remove_line(sku),
            Command::CheckOut { order, .. } if self.order() == Some(&order) => Ok(vec![]),
            Command::CheckOut { order, payment, method, delivery, expected_total, pay_by } => {
                let (customer, lines, total) = self.bill(expected_total)?;
                Ok(vec![Event::CheckedOut {
                    customer,
                    order,
                    payment,
                    method,
                    delivery,
                    lines,
                    total,
                    pay_by,
                }])
            }
        }
    }

    fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (Self::Unopened, Event::Opened { customer, currency }) => {
                Self::Open { customer, currency, lines: vec![] }
            }
            (Self::Open { customer, currency, lines }, Event::LineAdded(line)) => {
                Self::Open { customer, currency, lines: with(lines, line) }
            }
            (Self::Open { customer, currency, lines }, Event::QuantitySet { sku, quantity }) => {
                Self::Open { customer, currency, lines: with_quantity(lines, &sku, quantity) }
            }
            (Self::Open { customer, currency, mut lines }, Event::LineRemoved { sku }) => {
                lines.retain(|line| line.sku != sku);
                Self::Open { customer, currency, lines }
            }
            (Self::Open { .. }, Event::CheckedOut { order, .. }) => Self::CheckedOut { order },
            (
                state,
                Event::Opened { .. }
                | Event::LineAdded(_)
                | Event::QuantitySet { .. }
                | Event::LineRemoved { .. }
                | Event::CheckedOut { .. },
            ) => state,
        }
    }
}

impl Cart {
    /// What is in it; nothing once it became an order.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        match self {
            Self::Open { lines, .. } => lines,
            Self::Unopened | Self::CheckedOut { .. } => &[],
        }
    }

    /// What it costs while it is open.
    #[must_use]
    pub fn total(&self) -> Option<Money> {
        match self {
            Self::Open { currency, lines, .. } => total(*currency, lines).ok(),
            Self::Unopened | Self::CheckedOut { .. } => None,
        }
    }

    /// Whose it is while it is open, unless a guest's.
    #[must_use]
    pub const fn customer(&self) -> Option<&CustomerId> {
        match self {
            Self::Open { customer, .. } => customer.as_ref(),
            Self::Unopened | Self::CheckedOut { .. } => None,
        }
    }

    /// The order that it became.
    #[must_use]
    pub const fn order(&self) -> Option<&OrderId> {
        match self {
            Self::CheckedOut { order } => Some(order),
            Self::Unopened | Self::Open { .. } => None,
        }
    }
}

fn total(currency: Currency, lines: &[Line]) -> Result<Money, Refusal> {
    let add = |sum: Money, line: &Line| match line.unit_price.amount {
        0.. => sum.plus(line.unit_price.times(line.quantity)?),
        _ => None,
    };
    lines.iter().try_fold(Money::zero(currency), add).ok_or(Refusal::BadTotal)
}

/// The lines with one more added; one of the same SKU grows and takes the new price and name.
fn with(mut lines: Vec<Line>, added: Line) -> Vec<Line> {
    match lines.iter_mut().find(|line| line.sku == added.sku) {
        None => lines.push(added),
        Some(line) => {
            if let Some(quantity) = line.quantity.plus(added.quantity) {
                *line = Line { quantity, ..added };
            }
        }
    }
    lines
}

fn with_quantity(mut lines: Vec<Line>, sku: &Sku, quantity: Quantity) -> Vec<Line> {
    for line in lines.iter_mut().filter(|line| line.sku == *sku) {
        line.quantity = quantity;
    }
    lines
}
