//! What may be asked of an order.

use serde::{Deserialize, Serialize};

use super::{CancelReason, Change, Credit, EditFailure, Placement, ReceivedUnits, Transit, Units};
use crate::value::{CancellationId, EditId, Money, PaymentId, ReturnId, ShipmentId, Text, Time};

/// What may be asked of an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Command {
    /// Place it.
    Place(Placement),
    /// Let nothing happen to it until somebody has looked at it.
    HoldForReview { reason: Text },
    /// It was looked at and may go on.
    ReleaseFromReview {
        #[serde(default)]
        note: Option<Text>,
    },
    /// It was looked at and must not go on.
    RejectAfterReview {
        #[serde(default)]
        note: Option<Text>,
    },
    /// Stock is allocated and payment is settled as far as it must be.
    Confirm {},
    /// Call it off, as long as nothing was shipped.
    Cancel {
        reason: CancelReason,
        #[serde(default)]
        note: Option<Text>,
    },
    /// Call off units that were not shipped.
    CancelLines {
        cancellation: CancellationId,
        lines: Vec<Units>,
        #[serde(default)]
        note: Option<Text>,
    },
    /// Units leave the house.
    Ship {
        shipment: ShipmentId,
        carrier: Text,
        #[serde(default)]
        tracking: Option<Text>,
        lines: Vec<Units>,
    },
    /// A shipment travels under another name.
    ChangeTracking {
        shipment: ShipmentId,
        carrier: Text,
        #[serde(default)]
        tracking: Option<Text>,
    },
    /// The carrier tells how a shipment does that is under way.
    RecordTransit { shipment: ShipmentId, transit: Transit },
    /// A shipment has arrived.
    Deliver { shipment: ShipmentId },
    /// Begin to change what is on it, before anything ships.
    BeginEdit { edit: EditId },
    /// Say what is to change, in place of what was said before. Lines are named as they stand on the order.
    StageEdit { edit: EditId, changes: Vec<Change> },
    /// Ask for the changes. What they cost more is paid with `payment`, until `pay_by`.
    CommitEdit {
        edit: EditId,
        #[serde(default)]
        payment: Option<PaymentId>,
        #[serde(default)]
        pay_by: Option<Time>,
        now: Time,
    },
    /// Forget the changes.
    AbandonEdit { edit: EditId },
    /// Stock and payment allow the changes.
    ApplyEdit { edit: EditId },
    /// Stock or payment do not allow the changes.
    RejectEdit { edit: EditId, reason: EditFailure },
    /// The buyer wants to send units back.
    RequestReturn { return_id: ReturnId, lines: Vec<Units>, reason: Text },
    /// They may come.
    ApproveReturn { return_id: ReturnId },
    /// They may not come, or never came.
    RejectReturn {
        return_id: ReturnId,
        #[serde(default)]
        note: Option<Text>,
    },
    /// They came, all or some of them; the rest of the return is closed.
    ReceiveReturn { return_id: ReturnId, lines: Vec<ReceivedUnits>, issued_at: Time },
    /// The buyer got the money for them.
    RecordReturnRefunded { return_id: ReturnId, amount: Money },
    /// It, or the credit note, got its number in the invoice book of a year.
    RecordInvoice { year: u16, number: u64, issued_at: Time },
    /// Credit something, with or without an order that it belongs to.
    IssueCreditNote(Credit),
}
