//! The process manager that turns a checked-out cart into a confirmed order, or undoes it.
//!
//! It is an aggregate like the others: inputs arrive as commands, what it concluded are its events, and everything
//! it wants done derives from those events alone (`issues`), so that a replay wants exactly the same again.

use serde::{Deserialize, Serialize};

use crate::{
    AnyCommand, AnyEvent, AnyRefusal,
    cart::{Delivery, Line},
    order::CancelReason,
    payment::Method,
    value::{CartId, CustomerId, Money, OrderId, PaymentId, Quantity, Sku, Time},
};

/// Reservations outlive the wait for payment by this, so that the manager gives up before they do.
pub const RESERVATION_GRACE_MS: i64 = 10 * 60 * 1_000;

/// What a checkout set out to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The cart it came from.
    pub cart: CartId,
    /// Who buys, unless a guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The order to be; also the checkout's own id and the name of its reservations.
    pub order: OrderId,
    /// The intent that will pay it.
    pub payment: PaymentId,
    /// How.
    pub method: Method,
    /// Who gets it and where.
    pub delivery: Delivery,
    /// What.
    pub lines: Vec<Line>,
    /// For how much.
    pub total: Money,
    /// When to give up waiting for payment.
    pub pay_by: Time,
    /// When the cart was checked out.
    pub at: Time,
}

/// Which of the manager's own events a set of answers belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Placing the order and reserving every SKU.
    Reserve,
    /// Allocating what was reserved.
    Allocate,
    /// Undoing: releasing, cancelling, voiding.
    Undo,
}

/// A command of a step that was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Its place among the commands of the step.
    pub index: u32,
    /// Why.
    pub refusal: AnyRefusal,
}

/// What the manager learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Command {
    /// A cart was checked out.
    Start(Plan),
    /// All commands of a step were answered; those not named were accepted.
    Answered { step: Step, refused: Vec<Refused> },
    /// The payment is authorized.
    PaymentAuthorized { at: Time },
    /// The payment was captured.
    PaymentCaptured {},
    /// The payment was declined.
    PaymentDeclined {},
    /// The gateway never answered.
    PaymentTimedOut {},
    /// The time to pay is over.
    PayByPassed {},
    /// Somebody cancelled the order.
    OrderCancelled { reason: CancelReason },
}

/// A SKU of which there was not enough.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shortage {
    /// Which.
    pub sku: Sku,
    /// How many were wanted.
    pub requested: Quantity,
    /// How many there were.
    pub available: i64,
}

/// What the manager concluded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The order is to be placed and every SKU reserved.
    Started(Plan),
    /// Everything is reserved; now the payment.
    Reserved {},
    /// Something could not be reserved or the order not placed; undo.
    ReservationFailed { shortages: Vec<Shortage>, #[serde(default, skip_serializing_if = "Vec::is_empty")] refusals: Vec<Refused> },
    /// The payment is secured as far as it must be; allocate.
    Accepted { at: Time },
    /// Everything is allocated; confirm, and capture if that is due.
    Completed {},
    /// What was reserved was gone when the payment came; undo. `lost` holds the indexes of the SKUs that were gone.
    AllocationFailed { lost: Vec<u32> },
    /// Undo, for this reason.
    GivenUp { reason: CancelReason },
    /// A confirmed order was cancelled; restock and give the money back.
    Reversed { reason: CancelReason },
    /// A payment was authorized for an order that nobody will fulfil; let go of it.
    PaymentOrphaned {},
    /// A payment was captured for an order that nobody will fulfil; give it back.
    RefundDue {},
}

/// Something that the manager wants done because of one of its events.
#[derive(Clone, Debug, PartialEq)]
pub enum Issue {
    /// A command on the aggregate with this id.
    Command {
        /// The aggregate's id.
        to: Box<str>,
        /// What to do.
        command: AnyCommand,
    },
    /// Wake the manager with an input at this time.
    Timer {
        /// When.
        due: Time,
        /// With what.
        input: Command,
    },
}
