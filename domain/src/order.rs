//! An order: what was bought, and how far it has come; or a credit note for what came back.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    cart::Delivery,
    value::{CartId, CustomerId, Money, OrderId, PaymentId, Quantity, Sku, Text, Time},
};

/// An order has at most this many lines.
pub const LINES_MAX: usize = 2_000;
/// An order has at most this many charges.
pub const CHARGES_MAX: usize = 2_000;

/// So many units of a SKU at a price. A SKU may stand on several lines, at several prices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// What.
    pub sku: Sku,
    /// Its name as sold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// How many.
    pub quantity: Quantity,
    /// The price of one, above or equal to zero.
    pub unit_price: Money,
}

/// Something on the bill that is not goods: postage, a fee, a discount (below zero).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// The shop's code for it, such as `POST`.
    pub code: Text,
    /// Its name on the bill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Text>,
    /// How many.
    pub quantity: Quantity,
    /// The amount of one.
    pub unit_amount: Money,
}

/// Where an order came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A cart was checked out.
    Cart(CartId),
    /// Another system's invoice, by its number there.
    Import(Text),
}

/// Why an order was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The buyer asked for it.
    CustomerRequest,
    /// Staff decided it.
    Staff,
    /// Something on it could not be reserved.
    OutOfStock,
    /// The payment was declined.
    PaymentDeclined,
    /// No payment came in time.
    PaymentTimedOut,
}

/// What an order is placed with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Who buys, unless a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Where it came from.
    pub source: Source,
    /// Goods.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// Everything else on the bill.
    #[serde(default)]
    pub charges: Vec<Charge>,
    /// The intent that pays it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentId>,
    /// Who gets it and where; orders of other systems may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Country name or code as the source gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Text>,
    /// When it was placed, in business time.
    pub placed_at: Time,
}

/// What a credit note is issued with; quantities and amounts are what goes back to the buyer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// Who gets it, unless a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Where it came from.
    pub source: Source,
    /// The order that it credits, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// Goods that came back.
    #[serde(default)]
    pub lines: Vec<Line>,
    /// Everything else credited.
    #[serde(default)]
    pub charges: Vec<Charge>,
    /// Country name or code as the source gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Text>,
    /// When it was issued, in business time.
    pub issued_at: Time,
}

/// What may be asked of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Command {
    /// Place it.
    Place(Placement),
    /// Stock is allocated and payment is settled as far as it must be.
    Confirm {},
    /// Call it off.
    Cancel {
        reason: CancelReason,
        #[serde(default)]
        note: Option<Text>,
    },
    /// Credit something, with or without an order that it belongs to.
    IssueCreditNote(Credit),
}

/// What happened to an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Event {
    /// It was placed; `total` is the sum of its lines and charges.
    Placed {
        #[serde(flatten)]
        placement: Placement,
        total: Money,
    },
    /// It is going to be fulfilled.
    Confirmed {},
    /// It was called off.
    Cancelled {
        reason: CancelReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Text>,
    },
    /// A credit note was issued; `total` is what the buyer gets.
    CreditNoteIssued {
        #[serde(flatten)]
        credit: Credit,
        total: Money,
    },
}

/// Why an order may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Refusal {
    /// There is no such order.
    #[error("the order was never placed")]
    #[serde(rename = "order.not_placed")]
    NotPlaced,
    /// The id stands for another order or credit note.
    #[error("the id is taken by another order")]
    #[serde(rename = "order.already_placed")]
    AlreadyPlaced,
    /// It was called off.
    #[error("the order was cancelled")]
    #[serde(rename = "order.cancelled")]
    Cancelled { reason: CancelReason },
    /// A credit note is neither confirmed nor cancelled.
    #[error("this is a credit note")]
    #[serde(rename = "order.is_credit_note")]
    IsCreditNote,
    /// Nothing is on it.
    #[error("there is neither a line nor a charge")]
    #[serde(rename = "order.empty")]
    Empty,
    /// More is on it than may be.
    #[error("an order has at most {max} lines and as many charges")]
    #[serde(rename = "order.too_many_lines")]
    TooManyLines { max: usize },
    /// The prices are below zero, of several currencies, or too large to add.
    #[error("the prices do not add up to a total")]
    #[serde(rename = "order.bad_total")]
    BadTotal,
}

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] =
        &[("Placed", "1"), ("Confirmed", "1"), ("Cancelled", "1"), ("CreditNoteIssued", "1")];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Placed { .. } => "Placed",
            Self::Confirmed { .. } => "Confirmed",
            Self::Cancelled { .. } => "Cancelled",
            Self::CreditNoteIssued { .. } => "CreditNoteIssued",
        }
    }
}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &[
        "order.not_placed",
        "order.already_placed",
        "order.cancelled",
        "order.is_credit_note",
        "order.empty",
        "order.too_many_lines",
        "order.bad_total",
    ];

    fn code(&self) -> &'static str {
        match self {
            Self::NotPlaced => "order.not_placed",
            Self::AlreadyPlaced => "order.already_placed",
            Self::Cancelled { .. } => "order.cancelled",
            Self::IsCreditNote => "order.is_credit_note",
            Self::Empty => "order.empty",
            Self::TooManyLines { .. } => "order.too_many_lines",
            Self::BadTotal => "order.bad_total",
        }
    }
}

/// The state of an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Never placed.
    #[default]
    Unplaced,
    /// Placed, not yet certain.
    Placed {
        /// With what.
        placement: Placement,
        /// The sum of its lines and charges.
        total: Money,
    },
    /// Going to be fulfilled.
    Confirmed {
        /// With what it was placed.
        placement: Placement,
        /// The sum of its lines and charges.
        total: Money,
    },
    /// Called off.
    Cancelled {
        /// With what it was placed.
        placement: Placement,
        /// The sum of its lines and charges.
        total: Money,
        /// Why.
        reason: CancelReason,
    },
    /// Not an order but a credit note.
    CreditNote {
        /// With what it was issued.
        credit: Credit,
        /// What the buyer gets.
        total: Money,
    },
}

impl Aggregate for Order {
    const TYPE: &'static str = "order";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Place(placement) => self.place(placement),
            Command::Confirm {} => self.confirm(),
            Command::Cancel { reason, note } => self.cancel(reason, note),
            Command::IssueCreditNote(credit) => self.issue_credit_note(credit),
        }
    }

    fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (Self::Unplaced, Event::Placed { placement, total }) => Self::Placed { placement, total },
            (Self::Unplaced, Event::CreditNoteIssued { credit, total }) => Self::CreditNote { credit, total },
            (Self::Placed { placement, total }, Event::Confirmed {}) => Self::Confirmed { placement, total },
            (
                Self::Placed { placement, total } | Self::Confirmed { placement, total },
                Event::Cancelled { reason, .. },
            ) => Self::Cancelled { placement, total, reason },
            (
                state,
                Event::Placed { .. }
                | Event::Confirmed {}
                | Event::Cancelled { .. }
                | Event::CreditNoteIssued { .. },
            ) => state,
        }
    }
}

impl Order {
    /// What it was placed with.
    #[must_use]
    pub const fn placement(&self) -> Option<&Placement> {
        match self {
            Self::Placed { placement, .. }
            | Self::Confirmed { placement, .. }
            | Self::Cancelled { placement, .. } => Some(placement),
            Self::Unplaced | Self::CreditNote { .. } => None,
        }
    }

    /// What the credit note was issued with.
    #[must_use]
    pub const fn credit(&self) -> Option<&Credit> {
        match self {
            Self::CreditNote { credit, .. } => Some(credit),
            Self::Unplaced | Self::Placed { .. } | Self::Confirmed { .. } | Self::Cancelled { .. } => None,
        }
    }

    /// The sum of its lines and charges.
    #[must_use]
    pub const fn total(&self) -> Option<Money> {
        match self {
            Self::Placed { total, .. }
            | Self::Confirmed { total, .. }
            | Self::Cancelled { total, .. }
            | Self::CreditNote { total, .. } => Some(*total),
            Self::Unplaced => None,
        }
    }

    /// Why it was called off.
    #[must_use]
    pub const fn cancelled(&self) -> Option<CancelReason> {
        match self {
            Self::Cancelled { reason, .. } => Some(*reason),
            Self::Unplaced | Self::Placed { .. } | Self::Confirmed { .. } | Self::CreditNote { .. } => None,
        }
    }

    fn place(&self, placement: Placement) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => {
                let total = total(&placement.lines, &placement.charges)?;
                Ok(vec![Event::Placed { placement, total }])
            }
            _ if self.placement() == Some(&placement) => Ok(vec![]),
            _ => Err(Refusal::AlreadyPlaced),
        }
    }

    fn confirm(&self) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => Err(Refusal::NotPlaced),
            Self::Placed { .. } => Ok(vec![Event::Confirmed {}]),
            Self::Confirmed { .. } => Ok(vec![]),
            Self::Cancelled { reason, .. } => Err(Refusal::Cancelled { reason: *reason }),
            Self::CreditNote { .. } => Err(Refusal::IsCreditNote),
        }
    }

    fn cancel(&self, reason: CancelReason, note: Option<Text>) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => Err(Refusal::NotPlaced),
            Self::Placed { .. } | Self::Confirmed { .. } => Ok(vec![Event::Cancelled { reason, note }]),
            Self::Cancelled { .. } => Ok(vec![]),
            Self::CreditNote { .. } => Err(Refusal::IsCreditNote),
        }
    }

    fn issue_credit_note(&self, credit: Credit) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => {
                let total = total(&credit.lines, &credit.charges)?;
                Ok(vec![Event::CreditNoteIssued { credit, total }])
            }
            _ if self.credit() == Some(&credit) => Ok(vec![]),
            _ => Err(Refusal::AlreadyPlaced),
        }
    }
}

fn total(lines: &[Line], charges: &[Charge]) -> Result<Money, Refusal> {
    if lines.len() > LINES_MAX || charges.len() > CHARGES_MAX {
        return Err(Refusal::TooManyLines { max: LINES_MAX });
    }
    if lines.iter().any(|line| line.unit_price.amount < 0) {
        return Err(Refusal::BadTotal);
    }
    let mut amounts = (lines.iter().map(|line| line.unit_price.times(line.quantity)))
        .chain(charges.iter().map(|charge| charge.unit_amount.times(charge.quantity)));
    let first = amounts.next().ok_or(Refusal::Empty)?;
    let sum = amounts.try_fold(first.ok_or(Refusal::BadTotal)?, |sum, amount| sum.plus(amount?));
    sum.filter(|sum| sum.amount >= 0).ok_or(Refusal::BadTotal)
}
