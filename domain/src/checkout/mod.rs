//! The process manager that turns a checked-out cart into a confirmed order, or undoes it.
//!
//! It is an aggregate like the others: inputs arrive as commands, what it concluded are its events, and everything
//! it wants done derives from those events alone (`issues`), so that a replay wants exactly the same again.

mod decide;
mod input;
mod issues;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    AggregateType, AnyCommand, AnyEvent,
    cart::{Delivery, Line},
    order::CancelReason,
    payment::{CaptureWhen, Method},
    pricing::Quote,
    process::{Process, Refused},
    value::{CaptureId, CartId, CustomerId, Money, OrderId, PaymentId, Quantity, Sku, Text, Time},
};

/// How checkouts are driven.
pub const PROCESS: Process = Process {
    name: "checkout",
    aggregate_type: AggregateType::Checkout,
    input: input::input,
    issues: |first, event| match (first, event) {
        (AnyEvent::Checkout(Event::Started(plan)), AnyEvent::Checkout(event)) => issues::issues(plan, event),
        (_, _) => vec![],
    },
    heard: |event, refused| match event {
        AnyEvent::Checkout(event) => heard(event, refused),
        _ => None,
    },
    wants: issues::WANTS,
};

fn heard(event: &Event, refused: Vec<Refused>) -> Option<AnyCommand> {
    let step = issues::step_of(event)?;
    // Of these it only minds what was refused.
    if refused.is_empty() && matches!(step, Step::Confirm | Step::Undo) {
        return None;
    }
    Some(Command::Answered { step, refused }.into())
}

/// What the gateway did not undo is asked for again so often, after 1, 5, 25 minutes and so on.
pub const TRIES_MAX: u32 = 5;
/// How long the first wait is.
pub const FIRST_WAIT_MS: i64 = 60_000;
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
    /// Its tax and shipping, when the shop has such tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quote>,
    /// When the money is taken.
    pub capture: CaptureWhen,
    /// How often the buyer may try to pay.
    pub attempts_max: u32,
    /// Why somebody has to look at the order before it is confirmed, if anybody has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Text>,
    /// When to give up waiting for payment.
    pub pay_by: Time,
    /// When the cart was checked out.
    pub at: Time,
}

/// Which of the manager's own events a set of answers belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Placing the order, reserving every SKU and claiming what is limited.
    Reserve,
    /// Allocating what was reserved.
    Allocate,
    /// Confirming the order.
    Confirm,
    /// Undoing: releasing, cancelling, voiding.
    Undo,
}

/// What the manager learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Command {
    /// A cart was checked out.
    Start(Plan),
    /// All commands of a step were answered; those not named were accepted.
    Answered { step: Step, refused: Vec<Refused> },
    /// The payment is authorized.
    PaymentAuthorized { payment: PaymentId, at: Time },
    /// The payment was captured.
    PaymentCaptured { payment: PaymentId, capture: CaptureId },
    /// The payment was declined.
    PaymentDeclined { payment: PaymentId },
    /// The capture failed; the money is still held.
    PaymentCaptureFailed { payment: PaymentId },
    /// The gateway never answered.
    PaymentTimedOut { payment: PaymentId },
    /// The gateway did not let go, or did not give back.
    PaymentUndoFailed { payment: PaymentId, at: Time },
    /// It is time to try that again.
    TryAgain {},
    /// The time to pay is over.
    PayByPassed {},
    /// The order is held until somebody has looked at it.
    OrderHeld {},
    /// Somebody has looked at it.
    OrderReleased {},
    /// The order was cancelled.
    OrderCancelled { reason: CancelReason, confirmed: bool },
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
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Event {
    /// The order is to be placed and every SKU reserved.
    Started(Plan),
    /// The order was cancelled while the answers of a step were awaited; they decide what there is to undo.
    CancellationNoted { reason: CancelReason },
    /// The order is held until somebody has looked at it; it will not be confirmed before.
    HoldNoted {},
    /// Somebody has looked at it.
    HoldLifted {},
    /// Everything is reserved; now the payment.
    Reserved {},
    /// Something could not be reserved or the order not placed; undo.
    ReservationFailed {
        shortages: Vec<Shortage>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        refusals: Vec<Refused>,
    },
    /// A try to pay came to nothing; the buyer may try again.
    AttemptFailed {},
    /// The payment is secured as far as it must be; allocate.
    Accepted { at: Time },
    /// Everything is allocated, and somebody has to look at the order.
    ReviewAwaited {},
    /// Everything is allocated; confirm.
    Completed {},
    /// What was reserved was gone when the payment came; undo. `lost` holds the indexes of the SKUs that were gone.
    AllocationFailed { lost: Vec<u32> },
    /// Undo, for this reason.
    GivenUp { reason: CancelReason },
    /// The order was cancelled when everything was allocated; put it back and give the money back.
    Reversed { reason: CancelReason },
    /// A confirmed order was cancelled: its units no longer count against what its customer may buy.
    ClaimsReturned {},
    /// A payment was authorized for an order that nobody will fulfil; let go of it.
    PaymentOrphaned {},
    /// A payment was captured for an order that nobody will fulfil; give it back.
    RefundDue {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capture: Option<CaptureId>,
    },
    /// The gateway did not undo the payment; try again then.
    RetryPlanned { due: Time },
    /// Undo the payment, once more; `refunds` were due for these captures.
    UndoRetried { refunds: Vec<Option<CaptureId>> },
    /// Trying is over: somebody has to see to the payment.
    UndoFailed {},
}

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] = &[
        ("Started", "2"),
        ("CancellationNoted", "1"),
        ("HoldNoted", "1"),
        ("HoldLifted", "1"),
        ("Reserved", "1"),
        ("ReservationFailed", "1"),
        ("AttemptFailed", "1"),
        ("Accepted", "1"),
        ("ReviewAwaited", "1"),
        ("Completed", "1"),
        ("AllocationFailed", "1"),
        ("GivenUp", "1"),
        ("Reversed", "1"),
        ("ClaimsReturned", "1"),
        ("PaymentOrphaned", "1"),
        ("RefundDue", "2"),
        ("RetryPlanned", "1"),
        ("UndoRetried", "1"),
        ("UndoFailed", "1"),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Started(_) => "Started",
            Self::CancellationNoted { .. } => "CancellationNoted",
            Self::HoldNoted {} => "HoldNoted",
            Self::HoldLifted {} => "HoldLifted",
            Self::Reserved { .. } => "Reserved",
            Self::ReservationFailed { .. } => "ReservationFailed",
            Self::AttemptFailed {} => "AttemptFailed",
            Self::Accepted { .. } => "Accepted",
            Self::ReviewAwaited {} => "ReviewAwaited",
            Self::Completed { .. } => "Completed",
            Self::AllocationFailed { .. } => "AllocationFailed",
            Self::GivenUp { .. } => "GivenUp",
            Self::Reversed { .. } => "Reversed",
            Self::ClaimsReturned {} => "ClaimsReturned",
            Self::PaymentOrphaned { .. } => "PaymentOrphaned",
            Self::RefundDue { .. } => "RefundDue",
            Self::RetryPlanned { .. } => "RetryPlanned",
            Self::UndoRetried { .. } => "UndoRetried",
            Self::UndoFailed {} => "UndoFailed",
        }
    }
}

/// A checkout refuses nothing: an input that no longer matters causes no events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &[];

    fn code(&self) -> &'static str {
        match *self {}
    }
}

/// What became of the order while answers were awaited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// Why it was cancelled, if it was.
    pub cancelled: Option<CancelReason>,
    /// Whether it is held.
    pub held: bool,
}

/// The state of a checkout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Checkout {
    /// Not begun.
    #[default]
    Idle,
    /// The order is being placed and the stock reserved.
    Reserving {
        /// What it set out to do.
        plan: Plan,
        /// What became of the order meanwhile.
        notes: Notes,
    },
    /// Reserved; the buyer is to pay.
    AwaitingPayment {
        /// What it set out to do.
        plan: Plan,
        /// Whether the order is held.
        held: bool,
        /// How often the buyer tried in vain.
        failures: u32,
    },
    /// Paid as far as it must be; the stock is being allocated.
    Allocating {
        /// What it set out to do.
        plan: Plan,
        /// What became of the order meanwhile.
        notes: Notes,
    },
    /// Allocated; somebody has to look at the order.
    InReview {
        /// What it set out to do.
        plan: Plan,
    },
    /// The order is going to be fulfilled.
    Done {
        /// What it set out to do.
        plan: Plan,
    },
    /// Nothing will be fulfilled.
    Closed {
        /// What it set out to do.
        plan: Plan,
        /// The captures that a refund was asked for; `None` is whatever had been captured by then.
        refunded: BTreeSet<Option<CaptureId>>,
        /// How often the gateway did not undo the payment.
        failures: u32,
    },
}

impl Checkout {
    /// What it set out to do.
    #[must_use]
    pub const fn plan(&self) -> Option<&Plan> {
        match self {
            Self::Idle => None,
            Self::Reserving { plan, .. }
            | Self::AwaitingPayment { plan, .. }
            | Self::Allocating { plan, .. }
            | Self::InReview { plan }
            | Self::Done { plan }
            | Self::Closed { plan, .. } => Some(plan),
        }
    }
}
