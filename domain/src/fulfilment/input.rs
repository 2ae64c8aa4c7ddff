//! What a fulfilment learns from the events of the log.

use std::sync::Arc;

use super::{Command, EditPlan};
use crate::{
    AnyCommand, AnyEvent,
    order::{self, Terms},
    payment,
    process::Fact,
    value::{OrderId, PaymentId},
};

/// The fulfilment that an event of the log concerns, and what it learns. Orders that nobody pays have none.
pub(super) fn input(fact: Fact<'_>) -> Option<(Arc<str>, AnyCommand)> {
    let (order, command) = match fact.event {
        AnyEvent::Order(event) => order_input(fact, event)?,
        AnyEvent::Payment(event) => payment_input(fact, event)?,
        _ => return None,
    };
    Some((order.into(), command.into()))
}

fn order_input(Fact { id, at, .. }: Fact<'_>, event: &order::Event) -> Option<(OrderId, Command)> {
    use order::Event;
    let order = || OrderId::new(id).ok();
    let command = match event {
        Event::Confirmed { terms: Some(terms), total: Some(total), .. } => {
            Command::Start { order: order()?, terms: terms.clone(), total: *total, at }
        }
        Event::Shipped { value, terms: Some(_), complete, .. } => {
            Command::Shipped { value: *value, complete: *complete, at }
        }
        Event::Delivered { value, terms: Some(_), complete, .. } => {
            Command::Delivered { value: *value, complete: *complete, at }
        }
        Event::LinesCancelled { cancellation, value, terms: Some(_), complete, credit, .. } => {
            let (note, credit) = (cancellation.clone().into(), credit.clone());
            Command::LinesCancelled { note, value: *value, complete: *complete, credit, at }
        }
        Event::Cancelled { confirmed: true, terms: Some(_), .. } => Command::Cancelled { at },
        Event::ReturnReceived { return_id, value, delivered, terms: Some(_), credit, issued_at, .. } => {
            let (return_id, credit) = (return_id.clone(), credit.clone());
            Command::ReturnReceived {
                return_id,
                value: *value,
                delivered: *delivered,
                credit,
                at: *issued_at,
            }
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
        } => Command::EditCommitted(EditPlan {
            order: order()?,
            edit: edit.clone(),
            add: add.clone(),
            remove: remove.clone(),
            total: *total,
            difference: total.minus(*previous_total)?,
            method: *method,
            capture: *capture,
            payment: payment.clone(),
            pay_by: *pay_by,
            at: *at,
        }),
        Event::EditApplied { edit, total, .. } => {
            Command::EditApplied { edit: edit.clone(), total: *total, at }
        }
        Event::EditRejected { edit, .. } => Command::EditRejected { edit: edit.clone(), at },
        _ => return None,
    };
    Some((order()?, command))
}

fn payment_input(Fact { id, at, .. }: Fact<'_>, event: &payment::Event) -> Option<(OrderId, Command)> {
    use payment::Event;
    let payment = PaymentId::new(id).ok()?;
    let (order, command) = match event {
        Event::Authorized { order, amount, .. } => {
            (order, Command::PaymentAuthorized { payment, amount: *amount, at })
        }
        Event::Captured { order, capture, amount } => {
            (order, Command::PaymentCaptured { payment, capture: capture.clone(), amount: *amount, at })
        }
        Event::CaptureFailed { order, capture, .. } => {
            (order, Command::CaptureFailed { payment, capture: capture.clone(), at })
        }
        Event::Refunded { order, refund, amount } => {
            (order, Command::Refunded { payment, refund: refund.clone(), amount: *amount, at })
        }
        Event::RefundFailed { order, refund, .. } => {
            (order, Command::RefundFailed { payment, refund: refund.clone(), at })
        }
        Event::Voided { order } => (order, Command::Voided { payment, at }),
        Event::VoidFailed { order, .. } => (order, Command::VoidFailed { payment, at }),
        Event::DisputeWon { order, .. } | Event::DisputeLost { order, .. } => {
            (order, Command::DisputeEnded { at })
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
        | Event::DisputeOpened { .. } => return None,
    };
    Some((order.clone(), command))
}
