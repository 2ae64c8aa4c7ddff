//! What a checkout concludes from what it learns.

use std::collections::BTreeSet;

use super::{
    Checkout, Command, Event, FIRST_WAIT_MS, Notes, Plan, Refusal, Shortage, Step, TRIES_MAX,
    issues::{limited, skus},
};
use crate::{
    Aggregate, AnyRefusal, inventory_item, order, order::CancelReason, payment, process::Refused,
    value::CaptureId,
};

impl Aggregate for Checkout {
    const TYPE: &'static str = "checkout";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        if self.plan().is_some_and(|plan| concerns_another_payment(plan, &command)) {
            return Ok(vec![]);
        }
        Ok(match self {
            Self::Idle => idle(command),
            Self::Reserving { plan, notes } => reserving(plan, *notes, command),
            Self::AwaitingPayment { plan, held, failures } => {
                awaiting_payment(plan, *held, *failures, &command)
            }
            Self::Allocating { notes, .. } => allocating(*notes, command),
            Self::InReview { .. } => in_review(&command),
            Self::Done { plan } => done(plan, &command),
            Self::Closed { refunded, failures, .. } => closed(refunded, *failures, command),
        })
    }

    fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (Self::Idle, Event::Started(plan)) => Self::Reserving { plan, notes: Notes::default() },
            (
                Self::Reserving { plan, notes },
                event @ (Event::CancellationNoted { .. } | Event::HoldNoted {} | Event::HoldLifted {}),
            ) => Self::Reserving { plan, notes: notes.with(&event) },
            (Self::Reserving { plan, notes }, Event::Reserved {}) => {
                Self::AwaitingPayment { plan, held: notes.held, failures: 0 }
            }
            (
                Self::AwaitingPayment { plan, failures, .. },
                event @ (Event::HoldNoted {} | Event::HoldLifted {}),
            ) => Self::AwaitingPayment { plan, held: matches!(event, Event::HoldNoted {}), failures },
            (Self::AwaitingPayment { plan, held, failures }, Event::AttemptFailed {}) => {
                Self::AwaitingPayment { plan, held, failures: failures.saturating_add(1) }
            }
            (Self::AwaitingPayment { plan, held, .. }, Event::Accepted { .. }) => {
                Self::Allocating { plan, notes: Notes { cancelled: None, held } }
            }
            (
                Self::Allocating { plan, notes },
                event @ (Event::CancellationNoted { .. } | Event::HoldNoted {} | Event::HoldLifted {}),
            ) => Self::Allocating { plan, notes: notes.with(&event) },
            (Self::Allocating { plan, .. } | Self::Done { plan }, Event::ReviewAwaited {}) => {
                Self::InReview { plan }
            }
            (Self::Allocating { plan, .. } | Self::InReview { plan }, Event::Completed {}) => {
                Self::Done { plan }
            }
            (Self::Reserving { plan, .. }, Event::ReservationFailed { .. } | Event::GivenUp { .. })
            | (Self::AwaitingPayment { plan, .. }, Event::GivenUp { .. })
            | (Self::Allocating { plan, .. }, Event::AllocationFailed { .. } | Event::Reversed { .. })
            | (Self::InReview { plan } | Self::Done { plan }, Event::Reversed { .. }) => {
                Self::Closed { plan, refunded: BTreeSet::new(), failures: 0 }
            }
            (Self::Closed { plan, mut refunded, failures }, Event::RefundDue { capture }) => {
                refunded.insert(capture);
                Self::Closed { plan, refunded, failures }
            }
            (Self::Closed { plan, refunded, failures }, Event::RetryPlanned { .. }) => {
                Self::Closed { plan, refunded, failures: failures.saturating_add(1) }
            }
            (
                state,
                Event::Started(_)
                | Event::CancellationNoted { .. }
                | Event::HoldNoted {}
                | Event::HoldLifted {}
                | Event::Reserved {}
                | Event::ReservationFailed { .. }
                | Event::AttemptFailed {}
                | Event::Accepted { .. }
                | Event::ReviewAwaited {}
                | Event::Completed {}
                | Event::AllocationFailed { .. }
                | Event::GivenUp { .. }
                | Event::Reversed { .. }
                | Event::ClaimsReturned {}
                | Event::PaymentOrphaned {}
                | Event::RefundDue { .. }
                | Event::RetryPlanned { .. }
                | Event::UndoRetried { .. }
                | Event::UndoFailed {},
            ) => state,
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Idle
            | Self::Reserving { .. }
            | Self::AwaitingPayment { .. }
            | Self::Allocating { .. }
            | Self::InReview { .. } => false,
            Self::Done { .. } => true,
            // Whether a payment that could not be undone was undone at last, it does not hear.
            Self::Closed { failures, .. } => *failures == 0,
        }
    }
}

impl Notes {
    const fn with(mut self, event: &Event) -> Self {
        match event {
            Event::CancellationNoted { reason } => self.cancelled = Some(*reason),
            Event::HoldNoted {} => self.held = true,
            Event::HoldLifted {} => self.held = false,
            _ => {}
        }
        self
    }
}

/// An order that was edited may have further payments; they are not this checkout's.
fn concerns_another_payment(plan: &Plan, command: &Command) -> bool {
    match command {
        Command::PaymentAuthorized { payment, .. }
        | Command::PaymentCaptured { payment, .. }
        | Command::PaymentDeclined { payment }
        | Command::PaymentCaptureFailed { payment }
        | Command::PaymentTimedOut { payment }
        | Command::PaymentUndoFailed { payment, .. } => plan.payment != *payment,
        Command::Start(_)
        | Command::Answered { .. }
        | Command::TryAgain {}
        | Command::PayByPassed {}
        | Command::OrderHeld {}
        | Command::OrderReleased {}
        | Command::OrderCancelled { .. } => false,
    }
}

fn idle(command: Command) -> Vec<Event> {
    match command {
        Command::Start(plan) => vec![Event::Started(plan)],
        _ => vec![],
    }
}

/// What is noted while answers are awaited.
fn noted(notes: Notes, command: &Command) -> Option<Event> {
    match command {
        Command::OrderCancelled { reason, .. } if notes.cancelled.is_none() => {
            Some(Event::CancellationNoted { reason: *reason })
        }
        Command::OrderHeld {} if !notes.held => Some(Event::HoldNoted {}),
        Command::OrderReleased {} if notes.held => Some(Event::HoldLifted {}),
        _ => None,
    }
}

fn reserving(plan: &Plan, notes: Notes, command: Command) -> Vec<Event> {
    let Command::Answered { step: Step::Reserve, refused } = command else {
        return noted(notes, &command).into_iter().collect();
    };
    match notes.cancelled {
        _ if !refused.is_empty() => vec![reservation_failed(plan, refused)],
        Some(reason) => vec![Event::GivenUp { reason }],
        None if plan.needs_authorization() => vec![Event::Reserved {}],
        None => vec![Event::Reserved {}, Event::Accepted { at: plan.at }],
    }
}

/// Command 0 of the step places the order; the SKUs follow in their order, then the claims.
fn reservation_failed(plan: &Plan, refused: Vec<Refused>) -> Event {
    let skus = skus(plan);
    let (mut shortages, mut refusals) = (vec![], vec![]);
    for refused in refused {
        let place = usize::try_from(refused.index).ok().and_then(|index| index.checked_sub(1));
        match (&refused.refusal, place.and_then(|place| skus.get(place))) {
            (
                AnyRefusal::InventoryItem(inventory_item::Refusal::Insufficient { requested, available }),
                Some((sku, _)),
            ) => shortages.push(Shortage { sku: sku.clone(), requested: *requested, available: *available }),
            _ => refusals.push(refused),
        }
    }
    Event::ReservationFailed { shortages, refusals }
}

fn awaiting_payment(plan: &Plan, held: bool, failures: u32, command: &Command) -> Vec<Event> {
    let reason = match command {
        Command::PaymentAuthorized { at, .. } => return vec![Event::Accepted { at: *at }],
        Command::PaymentDeclined { .. } | Command::PaymentTimedOut { .. }
            if failures.saturating_add(1) < plan.attempts_max =>
        {
            return vec![Event::AttemptFailed {}];
        }
        Command::PaymentDeclined { .. } => CancelReason::PaymentDeclined,
        Command::PaymentTimedOut { .. } | Command::PayByPassed {} => CancelReason::PaymentTimedOut,
        Command::OrderCancelled { reason, .. } => *reason,
        command => return noted(Notes { cancelled: None, held }, command).into_iter().collect(),
    };
    vec![Event::GivenUp { reason }]
}

fn allocating(notes: Notes, command: Command) -> Vec<Event> {
    let Command::Answered { step: Step::Allocate, refused } = command else {
        return noted(notes, &command).into_iter().collect();
    };
    match notes {
        _ if !refused.is_empty() => {
            vec![Event::AllocationFailed { lost: refused.iter().map(|refused| refused.index).collect() }]
        }
        // Never completed: confirming would be refused.
        Notes { cancelled: Some(reason), .. } => vec![Event::Reversed { reason }],
        Notes { held: true, .. } => vec![Event::ReviewAwaited {}],
        Notes { .. } => vec![Event::Completed {}],
    }
}

fn in_review(command: &Command) -> Vec<Event> {
    match command {
        Command::OrderReleased {} => vec![Event::Completed {}],
        Command::OrderCancelled { reason, .. } => vec![Event::Reversed { reason: *reason }],
        _ => vec![],
    }
}

/// Until the order has accepted its confirmation it may have been held or cancelled; afterwards the fulfilment
/// looks after it.
fn done(plan: &Plan, command: &Command) -> Vec<Event> {
    match command {
        Command::Answered { step: Step::Confirm, refused } => {
            refused.first().and_then(|refused| unconfirmed(&refused.refusal)).into_iter().collect()
        }
        Command::OrderCancelled { reason, confirmed: false } => vec![Event::Reversed { reason: *reason }],
        Command::OrderCancelled { confirmed: true, .. } if !limited(plan).is_empty() => {
            vec![Event::ClaimsReturned {}]
        }
        _ => vec![],
    }
}

fn unconfirmed(refusal: &AnyRefusal) -> Option<Event> {
    match refusal {
        AnyRefusal::Order(order::Refusal::HeldForReview { .. }) => Some(Event::ReviewAwaited {}),
        AnyRefusal::Order(order::Refusal::Cancelled { reason }) => Some(Event::Reversed { reason: *reason }),
        _ => None,
    }
}

fn closed(refunded: &BTreeSet<Option<CaptureId>>, failures: u32, command: Command) -> Vec<Event> {
    let due = |capture| {
        if refunded.contains(&capture) { vec![] } else { vec![Event::RefundDue { capture }] }
    };
    match command {
        Command::PaymentUndoFailed { at, .. } if failures < TRIES_MAX => {
            let factor = 5_i64.saturating_pow(failures);
            vec![Event::RetryPlanned { due: at.plus_millis(FIRST_WAIT_MS.saturating_mul(factor)) }]
        }
        Command::PaymentUndoFailed { .. } => vec![Event::UndoFailed {}],
        Command::TryAgain {} => vec![Event::UndoRetried { refunds: refunded.iter().cloned().collect() }],
        Command::PaymentAuthorized { .. } | Command::PaymentCaptureFailed { .. } => {
            vec![Event::PaymentOrphaned {}]
        }
        Command::PaymentCaptured { capture, .. } => due(Some(capture)),
        Command::Answered { step: Step::Undo, refused } if any_captured(&refused) => due(None),
        _ => vec![],
    }
}

fn any_captured(refused: &[Refused]) -> bool {
    let captured = AnyRefusal::Payment(payment::Refusal::AlreadyCaptured);
    refused.iter().any(|refused| refused.refusal == captured)
}
