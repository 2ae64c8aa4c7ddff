//! What a checkout learns from the events of the log.

use super::{Command, Plan};
use crate::{
    AnyCommand, AnyEvent, cart, order, payment,
    process::Fact,
    value::{CartId, OrderId, Time},
};

/// The checkout that an event of the log concerns, and what it learns.
pub(super) fn input(fact: Fact<'_>) -> Option<(Box<str>, AnyCommand)> {
    let (order, command) = learned(fact)?;
    Some((order.as_str().into(), command.into()))
}

fn learned(Fact { id, event, at }: Fact<'_>) -> Option<(OrderId, Command)> {
    match event {
        AnyEvent::Cart(event) => start(id, event, at),
        AnyEvent::Payment(event) => payment_input(event, at),
        AnyEvent::Order(order::Event::Cancelled { reason, .. }) => {
            Some((OrderId::new(id).ok()?, Command::OrderCancelled { reason: *reason }))
        }
        AnyEvent::Order(_) | AnyEvent::Checkout(_) | AnyEvent::InventoryItem(_) | AnyEvent::Product(_) => {
            None
        }
    }
}

fn start(id: &str, event: &cart::Event, at: Time) -> Option<(OrderId, Command)> {
    let cart::Event::CheckedOut { customer, order, payment, method, delivery, lines, total, pay_by } = event
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
        pay_by: *pay_by,
        at,
    };
    Some((order.clone(), Command::Start(plan)))
}

fn payment_input(event: &payment::Event, at: Time) -> Option<(OrderId, Command)> {
    use payment::Event;
    match event {
        Event::Authorized { order, .. } => Some((order.clone(), Command::PaymentAuthorized { at })),
        Event::Captured { order, capture, .. } => {
            Some((order.clone(), Command::PaymentCaptured { capture: capture.clone() }))
        }
        Event::CaptureFailed { order, .. } => Some((order.clone(), Command::PaymentCaptureFailed {})),
        Event::Declined { order, .. } => Some((order.clone(), Command::PaymentDeclined {})),
        Event::AuthorizationTimedOut { order, .. } => Some((order.clone(), Command::PaymentTimedOut {})),
        Event::IntentOpened { .. }
        | Event::AuthorizationRequested { .. }
        | Event::CaptureRequested { .. }
        | Event::VoidRequested { .. }
        | Event::Voided { .. }
        | Event::VoidFailed { .. }
        | Event::RefundRequested { .. }
        | Event::Refunded { .. }
        | Event::RefundFailed { .. } => None,
    }
}
