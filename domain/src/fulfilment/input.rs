//! What a fulfilment learns from the events of the log.

use super::{Command, EditPlan};
use crate::{
    AnyCommand, AnyEvent,
    order::{self, Terms},
    payment,
    process::Fact,
    value::{OrderId, PaymentId},
};

/// The fulfilment that an event of the log concerns, and what it learns. Orders that nobody pays have none.
pub(super) fn input(fact: Fact<'_>) -> Option<(Box<str>, AnyCommand)> {
    let (order, command) = match fact.event {
        AnyEvent::Order(event) => order_input(fact, event)?,
        AnyEvent::Payment(event) => payment_input(fact, event)?,
        _ => return None,
    };
    Some((order.as_str().into(), command.into()))
}

fn order_input(Fact { id, at, .. }: Fact<'_>, event: &order::Event) -> Option<(OrderId, Command)> {
    use order::Event;
    let command = match event.clone() {
        Event::Confirmed { terms: Some(terms), total: Some(total), .. } => {
            Command::Start { order: OrderId::new(id).ok()?, terms, total, at }
        }
        Event::Shipped { value, terms: Some(_), complete, .. } => Command::Shipped { value, complete, at },
        Event::Delivered { value, terms: Some(_), complete, .. } => {
            Command::Delivered { value, complete, at }
        }
        Event::LinesCancelled { cancellation, value, terms: Some(_), complete, credit, .. } => {
            Command::LinesCancelled { note: cancellation.into(), value, complete, credit, at }
        }
        Event::Cancelled { confirmed: true, terms: Some(_), .. } => Command::Cancelled { at },
        Event::ReturnReceived { return_id, value, delivered, terms: Some(_), credit, issued_at, .. } => {
            Command::ReturnReceived { return_id, value, delivered, credit, at: issued_at }
        }
        Event::EditCommitted {
            edit,
            add,
            remove,
            total,
            previous_total,
            terms: Some(Terms { method, capture, .. }),
            payment,
            pay_by,
            at,
        } => {
            let (order, difference) = (OrderId::new(id).ok()?, total.minus(previous_total)?);
            Command::EditCommitted(EditPlan {
                order,
                edit,
                add,
                remove,
                total,
                difference,
                method,
                capture,
                payment,
                pay_by,
                at,
            })
        }
        Event::EditApplied { edit, total, .. } => Command::EditApplied { edit, total, at },
        Event::EditRejected { edit, .. } => Command::EditRejected { edit, at },
        _ => return None,
    };
    Some((OrderId::new(id).ok()?, command))
}

fn payment_input(Fact { id, at, .. }: Fact<'_>, event: &payment::Event) -> Option<(OrderId, Command)> {
    use payment::Event;
    let payment = PaymentId::new(id).ok()?;
    match event.clone() {
        Event::Authorized { order, amount, .. } => {
            Some((order, Command::PaymentAuthorized { payment, amount, at }))
        }
        Event::Captured { order, capture, amount } => {
            Some((order, Command::PaymentCaptured { payment, capture, amount, at }))
        }
        Event::CaptureFailed { order, capture, .. } => {
            Some((order, Command::CaptureFailed { payment, capture, at }))
        }
        Event::Refunded { order, refund, amount } => {
            Some((order, Command::Refunded { payment, refund, amount, at }))
        }
        Event::RefundFailed { order, refund, .. } => {
            Some((order, Command::RefundFailed { payment, refund, at }))
        }
        Event::Voided { order } => Some((order, Command::Voided { payment, at })),
        Event::VoidFailed { order, .. } => Some((order, Command::VoidFailed { payment, at })),
        Event::DisputeWon { order, .. } | Event::DisputeLost { order, .. } => {
            Some((order, Command::DisputeEnded { at }))
        }
        Event::IntentOpened { .. }
        | Event::AuthorizationRequested { .. }
        | Event::Declined { .. }
        | Event::AuthorizationTimedOut { .. }
        | Event::CaptureRequested { .. }
        | Event::VoidRequested { .. }
        | Event::SurplusVoided { .. }
        | Event::SurplusVoidFailed { .. }
        | Event::RefundRequested { .. }
        | Event::AnswerDeferred { .. }
        | Event::AnswerSought { .. }
        | Event::AnswerMissing { .. }
        | Event::DisputeOpened { .. } => None,
    }
}
