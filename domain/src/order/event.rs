//! What happened to an order.

use serde::{Deserialize, Serialize};

use super::{
    CancelReason, Change, Charge, Credit, CreditDue, EditFailure, Line, Placement, ReceivedUnits, SkuUnits,
    Source, Terms, Units,
};
use crate::{
    cart::Delivery,
    value::{
        CancellationId, CustomerId, EditId, Money, OrderId, PaymentId, ReturnId, ShipmentId, Text, Time,
    },
};

/// What happened to an order. Whatever is worth money carries the amount and who pays it, so that a follower need not
/// look it up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Event {
    /// It was placed.
    Placed(Placed),
    /// Nothing happens to it until somebody has looked at it.
    HeldForReview { reason: Text },
    /// It may go on.
    ReleasedFromReview {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Text>,
    },
    /// It is going to be fulfilled. Orders confirmed before version 2 name neither total nor lines.
    Confirmed {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<Money>,
        lines: Vec<SkuUnits>,
    },
    /// It was called off. `units` were allocated and are to be put back; `value` was still to be paid, or paid, for them
    /// and the charges; `credit` is due when it was invoiced.
    Cancelled {
        reason: CancelReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Text>,
        confirmed: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
        units: Vec<SkuUnits>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        value: Option<Money>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credit: Option<CreditDue>,
    },
    /// Units were called off; `complete` says that none is left to be shipped, `credit` is due when it was invoiced.
    LinesCancelled {
        cancellation: CancellationId,
        lines: Vec<Units>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Text>,
        units: Vec<SkuUnits>,
        value: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
        complete: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credit: Option<CreditDue>,
    },
    /// Units left the house, worth `value`; `complete` says that none is left to be shipped.
    Shipped {
        shipment: ShipmentId,
        carrier: Text,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tracking: Option<Text>,
        lines: Vec<Units>,
        value: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
        complete: bool,
    },
    /// A shipment travels under another name.
    TrackingChanged {
        shipment: ShipmentId,
        carrier: Text,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tracking: Option<Text>,
    },
    /// A shipment arrived, worth `value`; `complete` says that nothing is left to be shipped or delivered.
    Delivered {
        shipment: ShipmentId,
        value: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
        complete: bool,
    },
    /// Somebody begins to change what is on it.
    EditBegun { edit: EditId },
    /// That is to change, and nothing else.
    EditStaged { edit: EditId, changes: Vec<Change> },
    /// The changes are wanted: `add` is to be allocated and `remove` to be put back, and the difference of the totals to
    /// be paid or given back. `payment` is there when there is more to pay.
    EditCommitted {
        edit: EditId,
        add: Vec<SkuUnits>,
        remove: Vec<SkuUnits>,
        total: Money,
        previous_total: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        payment: Option<PaymentId>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pay_by: Option<Time>,
        at: Time,
    },
    /// The changes were forgotten by whoever began them.
    EditAbandoned { edit: EditId },
    /// From now on these are the order's lines, and this is their total with the charges. What was cancelled before is
    /// no part of them.
    EditApplied { edit: EditId, lines: Vec<Line>, total: Money },
    /// The changes could not be made.
    EditRejected { edit: EditId, reason: EditFailure },
    /// The buyer wants to send units back.
    ReturnRequested { return_id: ReturnId, lines: Vec<Units>, reason: Text },
    /// They may come.
    ReturnApproved { return_id: ReturnId },
    /// They will not come; they may be asked for again.
    ReturnRejected {
        return_id: ReturnId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Text>,
    },
    /// They came, and the return is closed; `restock` goes back to stock, `value` to the buyer.
    ReturnReceived {
        return_id: ReturnId,
        restock: Vec<SkuUnits>,
        lines: Vec<ReceivedUnits>,
        value: Money,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        terms: Option<Terms>,
        credit: CreditDue,
        issued_at: Time,
    },
    /// The buyer got the money for them.
    ReturnRefunded { return_id: ReturnId, amount: Money },
    /// It has a number in the invoice book of a year.
    Invoiced { year: u16, number: u64, issued_at: Time },
    /// A credit note was issued.
    CreditNoteIssued(CreditNoteIssued),
}

/// What an order was placed with, and what that adds up to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Placed {
    /// Who buys, unless a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Where it came from.
    pub source: Source,
    /// Goods.
    pub lines: Vec<Line>,
    /// Everything else on the bill.
    pub charges: Vec<Charge>,
    /// Whether taxes are part of the prices, or come on top.
    pub prices_include_tax: bool,
    /// Who pays it, if anybody has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<Terms>,
    /// Who gets it and where; orders of other systems may lack it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Country name or code as the source gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Text>,
    /// When it was placed, in business time.
    pub placed_at: Time,
    /// The sum of its lines and charges, taxes included.
    pub total: Money,
}

impl Placed {
    pub(super) fn new(placement: Placement, total: Money) -> Self {
        let Placement {
            customer,
            source,
            lines,
            charges,
            prices_include_tax,
            payment,
            delivery,
            country,
            placed_at,
        } = placement;
        Self {
            customer,
            source,
            lines,
            charges,
            prices_include_tax,
            payment,
            delivery,
            country,
            placed_at,
            total,
        }
    }

    pub(super) fn into_placement(self) -> Placement {
        let Self {
            customer,
            source,
            lines,
            charges,
            prices_include_tax,
            payment,
            delivery,
            country,
            placed_at,
            total: _,
        } = self;
        Placement {
            customer,
            source,
            lines,
            charges,
            prices_include_tax,
            payment,
            delivery,
            country,
            placed_at,
        }
    }
}

/// What a credit note was issued with, and what that adds up to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CreditNoteIssued {
    /// Who gets it, unless a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// Where it came from.
    pub source: Source,
    /// The order that it credits, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// Goods that came back.
    pub lines: Vec<Line>,
    /// Everything else credited.
    pub charges: Vec<Charge>,
    /// Whether taxes are part of the prices, or come on top.
    pub prices_include_tax: bool,
    /// Country name or code as the source gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Text>,
    /// When it was issued, in business time.
    pub issued_at: Time,
    /// What the buyer gets.
    pub total: Money,
}

impl CreditNoteIssued {
    pub(super) fn new(credit: Credit, total: Money) -> Self {
        let Credit { customer, source, order, lines, charges, prices_include_tax, country, issued_at } =
            credit;
        Self { customer, source, order, lines, charges, prices_include_tax, country, issued_at, total }
    }

    pub(super) fn into_credit(self) -> Credit {
        let Self {
            customer,
            source,
            order,
            lines,
            charges,
            prices_include_tax,
            country,
            issued_at,
            total: _,
        } = self;
        Credit { customer, source, order, lines, charges, prices_include_tax, country, issued_at }
    }
}

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] = &[
        ("Placed", "2"),
        ("HeldForReview", "1"),
        ("ReleasedFromReview", "1"),
        ("Confirmed", "2"),
        ("Cancelled", "2"),
        ("LinesCancelled", "1"),
        ("Shipped", "1"),
        ("TrackingChanged", "1"),
        ("Delivered", "1"),
        ("EditBegun", "1"),
        ("EditStaged", "1"),
        ("EditCommitted", "1"),
        ("EditAbandoned", "1"),
        ("EditApplied", "1"),
        ("EditRejected", "1"),
        ("ReturnRequested", "1"),
        ("ReturnApproved", "1"),
        ("ReturnRejected", "1"),
        ("ReturnReceived", "1"),
        ("ReturnRefunded", "1"),
        ("Invoiced", "1"),
        ("CreditNoteIssued", "2"),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Placed(_) => "Placed",
            Self::HeldForReview { .. } => "HeldForReview",
            Self::ReleasedFromReview { .. } => "ReleasedFromReview",
            Self::Confirmed { .. } => "Confirmed",
            Self::Cancelled { .. } => "Cancelled",
            Self::LinesCancelled { .. } => "LinesCancelled",
            Self::Shipped { .. } => "Shipped",
            Self::TrackingChanged { .. } => "TrackingChanged",
            Self::Delivered { .. } => "Delivered",
            Self::EditBegun { .. } => "EditBegun",
            Self::EditStaged { .. } => "EditStaged",
            Self::EditCommitted { .. } => "EditCommitted",
            Self::EditAbandoned { .. } => "EditAbandoned",
            Self::EditApplied { .. } => "EditApplied",
            Self::EditRejected { .. } => "EditRejected",
            Self::ReturnRequested { .. } => "ReturnRequested",
            Self::ReturnApproved { .. } => "ReturnApproved",
            Self::ReturnRejected { .. } => "ReturnRejected",
            Self::ReturnReceived { .. } => "ReturnReceived",
            Self::ReturnRefunded { .. } => "ReturnRefunded",
            Self::Invoiced { .. } => "Invoiced",
            Self::CreditNoteIssued(_) => "CreditNoteIssued",
        }
    }
}
