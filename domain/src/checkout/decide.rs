//! What a checkout concludes from what it learns.

use std::collections::BTreeSet;

use super::{Checkout, Command, Event, Plan, Refusal, Shortage, Step, issues::skus};
use crate::{
    Aggregate, AnyRefusal, inventory_item, order::CancelReason, payment, process::Refused, value::CaptureId,
};

impl Aggregate for Checkout {
    const TYPE: &'static str = "checkout";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        Ok(match self {
            Self::Idle => idle(command),
            Self::Reserving { plan, cancelled } => reserving(plan, *cancelled, command),
            Self::AwaitingPayment { .. } => awaiting_payment(&command),
            Self::Allocating { cancelled, .. } => allocating(*cancelled, command),
            Self::Done { .. } => done(&command),
            Self::Closed { refunded, .. } => closed(refunded, command),
        })
    }

    fn evolve(self, event: Event) -> Self {
        match (self, event) {
            (Self::Idle, Event::Started(plan)) => Self::Reserving { plan, cancelled: None },
            (Self::Reserving { plan, .. }, Event::CancellationNoted { reason }) => {
                Self::Reserving { plan, cancelled: Some(reason) }
            }
            (Self::Reserving { plan, .. }, Event::Reserved {}) => Self::AwaitingPayment { plan },
            (Self::AwaitingPayment { plan }, Event::Accepted { .. }) => {
                Self::Allocating { plan, cancelled: None }
            }
            (Self::Allocating { plan, .. }, Event::CancellationNoted { reason }) => {
                Self::Allocating { plan, cancelled: Some(reason) }
            }
            (Self::Allocating { plan, .. }, Event::Completed {}) => Self::Done { plan },
            (Self::Reserving { plan, .. }, Event::ReservationFailed { .. } | Event::GivenUp { .. })
            | (Self::AwaitingPayment { plan }, Event::GivenUp { .. })
            | (Self::Allocating { plan, .. }, Event::AllocationFailed { .. } | Event::Reversed { .. })
            | (Self::Done { plan }, Event::Reversed { .. }) => {
                Self::Closed { plan, refunded: BTreeSet::new() }
            }
            (Self::Closed { plan, mut refunded }, Event::RefundDue { capture }) => {
                refunded.insert(capture);
                Self::Closed { plan, refunded }
            }
            (
                state,
                Event::Started(_)
                | Event::CancellationNoted { .. }
                | Event::Reserved {}
                | Event::ReservationFailed { .. }
                | Event::Accepted { .. }
                | Event::Completed {}
                | Event::AllocationFailed { .. }
                | Event::GivenUp { .. }
                | Event::Reversed { .. }
                | Event::PaymentOrphaned {}
                | Event::RefundDue { .. },
            ) => state,
        }
    }
}

fn idle(command: Command) -> Vec<Event> {
    match command {
        Command::Start(plan) => vec![Event::Started(plan)],
        _ => vec![],
    }
}

fn reserving(plan: &Plan, cancelled: Option<CancelReason>, command: Command) -> Vec<Event> {
    match (command, cancelled) {
        (Command::OrderCancelled { reason }, None) => vec![Event::CancellationNoted { reason }],
        (Command::Answered { step: Step::Reserve, refused }, _) if !refused.is_empty() => {
            vec![reservation_failed(plan, refused)]
        }
        (Command::Answered { step: Step::Reserve, .. }, Some(reason)) => vec![Event::GivenUp { reason }],
        (Command::Answered { step: Step::Reserve, .. }, None) if plan.needs_authorization() => {
            vec![Event::Reserved {}]
        }
        (Command::Answered { step: Step::Reserve, .. }, None) => {
            vec![Event::Reserved {}, Event::Accepted { at: plan.at }]
        }
        _ => vec![],
    }
}

/// Command 0 of the step places the order; the SKUs follow in their order.
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

fn awaiting_payment(command: &Command) -> Vec<Event> {
    let reason = match command {
        Command::PaymentAuthorized { at } => return vec![Event::Accepted { at: *at }],
        Command::PaymentDeclined {} => CancelReason::PaymentDeclined,
        Command::PaymentTimedOut {} | Command::PayByPassed {} => CancelReason::PaymentTimedOut,
        Command::OrderCancelled { reason } => *reason,
        _ => return vec![],
    };
    vec![Event::GivenUp { reason }]
}

fn allocating(cancelled: Option<CancelReason>, command: Command) -> Vec<Event> {
    match (command, cancelled) {
        (Command::OrderCancelled { reason }, None) => vec![Event::CancellationNoted { reason }],
        (Command::Answered { step: Step::Allocate, refused }, _) if !refused.is_empty() => {
            vec![Event::AllocationFailed { lost: refused.iter().map(|refused| refused.index).collect() }]
        }
        // Never completed: confirming would be refused, and a capture would only have to be given back.
        (Command::Answered { step: Step::Allocate, .. }, Some(reason)) => vec![Event::Reversed { reason }],
        (Command::Answered { step: Step::Allocate, .. }, None) => vec![Event::Completed {}],
        _ => vec![],
    }
}

fn done(command: &Command) -> Vec<Event> {
    match command {
        Command::OrderCancelled { reason } => vec![Event::Reversed { reason: *reason }],
        _ => vec![],
    }
}

fn closed(refunded: &BTreeSet<Option<CaptureId>>, command: Command) -> Vec<Event> {
    let due = |capture| {
        if refunded.contains(&capture) { vec![] } else { vec![Event::RefundDue { capture }] }
    };
    match command {
        Command::PaymentAuthorized { .. } | Command::PaymentCaptureFailed {} => {
            vec![Event::PaymentOrphaned {}]
        }
        Command::PaymentCaptured { capture } => due(Some(capture)),
        Command::Answered { step: Step::Undo, refused } if any_captured(&refused) => due(None),
        _ => vec![],
    }
}

fn any_captured(refused: &[Refused]) -> bool {
    let captured = AnyRefusal::Payment(payment::Refusal::AlreadyCaptured);
    refused.iter().any(|refused| refused.refusal == captured)
}
