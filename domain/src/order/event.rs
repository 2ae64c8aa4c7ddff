//! What happened to an order.

use serde::{Deserialize, Serialize};

use super::{
    CancelReason, Change, CreditDue, CreditNoteIssued, EditFailure, Line, Placed, ReceivedUnits, SkuUnits,
    Terms, Transit, Units,
};
use crate::value::{CancellationId, CustomerId, EditId, Money, PaymentId, ReturnId, ShipmentId, Text, Time};

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
        customer: Option<CustomerId>,
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
    /// A shipment does otherwise than before, by its carrier's word.
    TransitNoted { shipment: ShipmentId, transit: Transit },
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
    /// They came, and the return is closed; `restock` goes back to stock, `value` to the buyer as far as it was paid.
    /// `delivered` is the part of it that had arrived: units that never did are the first to come back.
    ReturnReceived {
        return_id: ReturnId,
        restock: Vec<SkuUnits>,
        lines: Vec<ReceivedUnits>,
        value: Money,
        delivered: Money,
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
        ("TransitNoted", "1"),
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
            Self::TransitNoted { .. } => "TransitNoted",
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
