//! What a checkout learns from the events of the log.

use std::sync::Arc;

use super::{Command, Plan};
use crate::{
    AnyCommand, AnyEvent, cart, order, payment,
    process::Fact,
    value::{CartId, OrderId, PaymentId, Time},
};

/// The checkout that an event of the log concerns, and what it learns.
pub(super) fn input(fact: Fact<'_>) -> Option<(Arc<str>, AnyCommand)> {
    let (order, command) = learned(fact)?;
    Some((order.into(), command.into()))
}

fn learned(Fact { id, event, at }: Fact<'_>) -> Option<(OrderId, Command)> {
    match event {
        AnyEvent::Cart(event) => start(id, event, at),
        AnyEvent::Payment(event) => payment_input(id, event, at),
        AnyEvent::Order(event) => Some((OrderId::new(id).ok()?, order_input(event)?)),
        _ => None,
    }
}

fn start(id: &str, event: &cart::Event, at: Time) -> Option<(OrderId, Command)> {
    let cart::Event::CheckedOut {
        customer,
        order,
        payment,
        method,
        delivery,
        lines,
        total,
        pay_by,
        quote,
        capture,
        attempts_max,
        review,
    } = event
    else {
        return None;
    };
    let plan = Plan {
        cart: CartId::new(id).ok()?,
        customer: customer.clone(),
        order: order.clone(),
        payment: payment.clone(),
        method: *method,
        delivery: delivery.clone(),
        lines: lines.clone(),
        total: *total,
        quote: quote.clone(),
        capture: *capture,
        attempts_max: *attempts_max,
        review: review.clone(),
        pay_by: *pay_by,
        at,
    };
    Some((order.clone(), Command::Start(plan)))
}

fn order_input(event: &order::Event) -> Option<Command> {
    match event {
        order::Event::HeldForReview { .. } => Some(Command::OrderHeld {}),
        order::Event::ReleasedFromReview { .. } => Some(Command::OrderReleased {}),
        order::Event::Cancelled { reason, confirmed, .. } => {
            Some(Command::OrderCancelled { reason: *reason, confirmed: *confirmed })
        }
        _ => None,
    }
}

fn payment_input(id: &str, event: &payment::Event, at: Time) -> Option<(OrderId, Command)> {
    use payment::Event;
    let payment = PaymentId::new(id).ok()?;
    match event {
        Event::Authorized { order, .. } => Some((order.clone(), Command::PaymentAuthorized { payment, at })),
        Event::Captured { order, capture, .. } => {
            Some((order.clone(), Command::PaymentCaptured { payment, capture: capture.clone() }))
        }
        Event::CaptureFailed { order, .. } => {
            Some((order.clone(), Command::PaymentCaptureFailed { payment }))
        }
        Event::Declined { order, .. } => Some((order.clone(), Command::PaymentDeclined { payment })),
        Event::AuthorizationTimedOut { order, .. } => {
            Some((order.clone(), Command::PaymentTimedOut { payment }))
        }
        Event::VoidFailed { order, .. } | Event::RefundFailed { order, .. } => {
            Some((order.clone(), Command::PaymentUndoFailed { payment, at }))
        }
        Event::IntentOpened { .. }
        | Event::AuthorizationRequested { .. }
        | Event::CaptureRequested { .. }
        | Event::VoidRequested { .. }
        | Event::SurplusVoided { .. }
        | Event::SurplusVoidFailed { .. }
        | Event::Voided { .. }
        | Event::RefundRequested { .. }
        | Event::Refunded { .. }
        | Event::DisputeOpened { .. }
        | Event::AnswerDeferred { .. }
        | Event::AnswerSought { .. }
        | Event::AnswerMissing { .. }
        | Event::DisputeWon { .. }
        | Event::DisputeLost { .. } => None,
    }
}
