//! A cart: lines with the prices their buyer was shown, until it is checked out, goes into another, or expires.

mod check_out;
mod decide;
mod evolve;
mod line;
mod merge;
pub(crate) mod policy;
mod refusal;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    payment::{CaptureWhen, Method},
    pricing::Quote,
    value::{CartId, Currency, CustomerId, Money, OrderId, PaymentId, Quantity, Sku, Text, Time},
};

pub use line::{Delivery, LeftOut, Line, Price, PriceChange};
pub use refusal::Refusal;

/// A cart has at most this many lines.
pub const LINES_MAX: usize = 100;
/// A line has at most this many units.
pub const LINE_UNITS_MAX: u32 = 100_000;
/// Attempts at authorizing the payment, where the checkout does not say how many: the first decline is the last word.
pub const ATTEMPTS_DEFAULT: u32 = 1;
/// A checkout may allow at most this many attempts; more are cut down to it.
pub const ATTEMPTS_MAX: u32 = 50;

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
        /// When it ends unless it is touched; never, unless a command names a time. It only ever moves later.
        #[serde(default)]
        expires_at: Option<Time>,
    },
    /// Add units of a SKU at the price of now; a line that is there grows and takes this price.
    AddLine {
        line: Line,
        #[serde(default)]
        expires_at: Option<Time>,
    },
    /// Make a line have so many units.
    SetQuantity {
        sku: Sku,
        quantity: Quantity,
        #[serde(default)]
        expires_at: Option<Time>,
    },
    /// Take a line out. Nothing happens when it is not there.
    RemoveLine { sku: Sku },
    /// Take these prices for the lines that have others. Prices of what is not in the cart do not matter.
    AcceptPrices { prices: Vec<Price> },
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
        /// Now, to tell whether the cart has expired.
        #[serde(default)]
        now: Option<Time>,
        /// The catalogue's prices, to tell whether one has changed; what is not named is not compared.
        #[serde(default)]
        prices: Vec<Price>,
        /// Tax and shipping for just these lines.
        #[serde(default)]
        quote: Option<Quote>,
        #[serde(default = "at_once")]
        capture: CaptureWhen,
        /// How often the buyer may try to pay.
        #[serde(default)]
        attempts_max: Option<u32>,
        /// Why somebody has to look at the order before it is confirmed, if anybody has to.
        #[serde(default)]
        review: Option<Text>,
    },
    /// End a cart that nobody touched for too long. Nothing happens when its time has not come, or no longer matters.
    Expire { now: Time },
    /// Put a guest's lines into the cart of the customer that the guest turns out to be.
    MergeInto { into: CartId, customer: CustomerId },
    /// Take the lines of a guest's cart, as far as there is room. Never refused: what cannot be is declined.
    TakeLines {
        from: CartId,
        customer: CustomerId,
        currency: Currency,
        lines: Vec<Line>,
        #[serde(default)]
        expires_at: Option<Time>,
    },
    /// Go on by itself: the other cart has declined. Nothing happens unless this one went into that one.
    UndoMerge { into: CartId },
}

const fn at_once() -> CaptureWhen {
    CaptureWhen::AtOnce
}

/// What happened to a cart. Where an event names `expires_at`, the cart ends later than it did before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Event {
    /// It was begun.
    Opened {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer: Option<CustomerId>,
        currency: Currency,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Time>,
    },
    /// Units of a SKU were added; the line's `quantity` is what was added.
    LineAdded {
        line: Line,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Time>,
    },
    /// A line has another quantity.
    QuantitySet {
        sku: Sku,
        quantity: Quantity,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Time>,
    },
    /// A line was taken out.
    LineRemoved { sku: Sku },
    /// Lines have other prices, and their buyer knows.
    PricesAccepted { changes: Vec<PriceChange> },
    /// It became an order.
    CheckedOut {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        customer: Option<CustomerId>,
        order: OrderId,
        payment: PaymentId,
        method: Method,
        delivery: Delivery,
        lines: Vec<Line>,
        /// With shipping and tax, when there is a quote.
        total: Money,
        pay_by: Time,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quote: Option<Quote>,
        capture: CaptureWhen,
        attempts_max: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        review: Option<Text>,
    },
    /// Nobody touched it for too long.
    Expired {},
    /// Its lines are to go into a customer's cart.
    MergedInto {
        into: CartId,
        customer: CustomerId,
        currency: Currency,
        lines: Vec<Line>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Time>,
    },
    /// It took what another cart held: the lines that changed by it, as they are now, and what found no room.
    LinesTaken {
        from: CartId,
        lines: Vec<Line>,
        left_out: Vec<LeftOut>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Time>,
    },
    /// It could not take what another cart held.
    LinesDeclined { from: CartId, reason: Decline },
    /// It is open again, for the other cart has declined.
    MergeUndone {
        into: CartId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Time>,
    },
}

/// Why a cart does not take the lines of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = MergeDeclined))]
#[serde(rename_all = "snake_case")]
pub enum Decline {
    /// It is not that customer's.
    NotTheirs,
    /// Its prices are in another currency.
    OtherCurrency,
    /// It is checked out, expired, or went into another cart itself.
    Closed,
}

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] = &[
        ("Opened", "2"),
        ("LineAdded", "2"),
        ("QuantitySet", "2"),
        ("LineRemoved", "1"),
        ("PricesAccepted", "1"),
        ("CheckedOut", "2"),
        ("Expired", "1"),
        ("MergedInto", "1"),
        ("LinesTaken", "1"),
        ("LinesDeclined", "1"),
        ("MergeUndone", "1"),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Opened { .. } => "Opened",
            Self::LineAdded { .. } => "LineAdded",
            Self::QuantitySet { .. } => "QuantitySet",
            Self::LineRemoved { .. } => "LineRemoved",
            Self::PricesAccepted { .. } => "PricesAccepted",
            Self::CheckedOut { .. } => "CheckedOut",
            Self::Expired {} => "Expired",
            Self::MergedInto { .. } => "MergedInto",
            Self::LinesTaken { .. } => "LinesTaken",
            Self::LinesDeclined { .. } => "LinesDeclined",
            Self::MergeUndone { .. } => "MergeUndone",
        }
    }
}

/// The state of a cart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Cart {
    /// Never opened.
    #[default]
    Unopened,
    /// Being filled.
    Open(Basket),
    /// Became an order. It remembers the carts that it took, so that a repeat is not told that it came too late.
    CheckedOut { order: OrderId, taken: BTreeSet<CartId> },
    /// Nobody touched it for too long.
    Expired { at: Time, taken: BTreeSet<CartId> },
    /// Went into another cart, and keeps what it held in case that one declines.
    Merged { into: CartId, customer: CustomerId, basket: Basket },
}

/// What is in a cart, and for whom.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Basket {
    /// Whose it is, unless a guest's.
    pub customer: Option<CustomerId>,
    /// What its prices are in.
    pub currency: Currency,
    /// What is in it, in the order of adding.
    pub lines: Vec<Line>,
    /// When it ends unless it is touched.
    pub expires_at: Option<Time>,
    /// The carts whose lines it took.
    pub taken: BTreeSet<CartId>,
}

impl Aggregate for Cart {
    const TYPE: &'static str = "cart";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        self.decide_command(command)
    }

    fn evolve(self, event: Event) -> Self {
        self.evolve_event(event)
    }

    fn is_closed(&self) -> bool {
        matches!(self, Self::CheckedOut { .. } | Self::Expired { .. } | Self::Merged { .. })
    }
}

impl Cart {
    /// What is in it; nothing once it became an order or has expired.
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        match self {
            Self::Open(basket) | Self::Merged { basket, .. } => &basket.lines,
            Self::Unopened | Self::CheckedOut { .. } | Self::Expired { .. } => &[],
        }
    }

    /// What it costs while it is open, without tax and shipping.
    #[must_use]
    pub fn total(&self) -> Option<Money> {
        match self {
            Self::Open(basket) => line::total(basket.currency, &basket.lines).ok(),
            Self::Unopened | Self::CheckedOut { .. } | Self::Expired { .. } | Self::Merged { .. } => None,
        }
    }

    /// Whose it is while it is open, unless a guest's.
    #[must_use]
    pub const fn customer(&self) -> Option<&CustomerId> {
        match self {
            Self::Open(basket) => basket.customer.as_ref(),
            Self::Unopened | Self::CheckedOut { .. } | Self::Expired { .. } | Self::Merged { .. } => None,
        }
    }

    /// When it ends, or ended, unless it is touched.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Time> {
        match self {
            Self::Open(basket) | Self::Merged { basket, .. } => basket.expires_at,
            Self::Expired { at, .. } => Some(*at),
            Self::Unopened | Self::CheckedOut { .. } => None,
        }
    }

    /// The order that it became.
    #[must_use]
    pub const fn order(&self) -> Option<&OrderId> {
        match self {
            Self::CheckedOut { order, .. } => Some(order),
            Self::Unopened | Self::Open(_) | Self::Expired { .. } | Self::Merged { .. } => None,
        }
    }

    /// The cart that it went into.
    #[must_use]
    pub const fn merged_into(&self) -> Option<&CartId> {
        match self {
            Self::Merged { into, .. } => Some(into),
            Self::Unopened | Self::Open(_) | Self::CheckedOut { .. } | Self::Expired { .. } => None,
        }
    }
}

impl Basket {
    /// A time to expire at, if it is later than the one that counts.
    fn later(&self, expires_at: Option<Time>) -> Option<Time> {
        expires_at.filter(|_| expires_at > self.expires_at)
    }
}
