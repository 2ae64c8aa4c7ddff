//! What a fulfilment wants done because of each of its own events.

use super::{Command, EDIT_HOLD_MS, EditPlan, Event, RESERVATION_GRACE_MS, Step};
use crate::{
    AggregateType::{InventoryItem, InvoiceBook, Order, Payment},
    inventory_item,
    invoice_book::{self, Document},
    order::{self, SkuUnits},
    payment::{self, CaptureWhen, Method},
    process::{Issue, Kind, Refused},
    value::{ReservationId, Text},
};

/// Every kind of command that a fulfilment may want done at once.
pub(super) const WANTS: &[Kind] = &[
    (InventoryItem, "Allocate"),
    (InventoryItem, "PutBack"),
    (InventoryItem, "Release"),
    (InventoryItem, "Reserve"),
    (InvoiceBook, "Issue"),
    (Order, "ApplyEdit"),
    (Order, "IssueCreditNote"),
    (Order, "RecordReturnRefunded"),
    (Order, "RejectEdit"),
    (Payment, "Capture"),
    (Payment, "OpenIntent"),
    (Payment, "Refund"),
    (Payment, "Void"),
];

/// Everything to be done because of `event`, in an order that never changes.
pub(super) fn issues(event: &Event) -> Vec<Issue> {
    match event.clone() {
        Event::Started { .. }
        | Event::CaptureNoted { .. }
        | Event::RefundNoted { .. }
        | Event::AuthorizationNoted { .. }
        | Event::ReleaseNoted { .. }
        | Event::FailureNoted { .. }
        | Event::BalanceChanged { .. }
        | Event::ReturnNoted { .. }
        | Event::Retried {}
        | Event::SettlementFailed { .. } => vec![],
        Event::CaptureDue { payment, capture, amount, .. } => {
            vec![Issue::command(
                payment.as_str(),
                payment::Command::Capture { capture, amount: Some(amount) },
            )]
        }
        Event::RefundDue { payment, refund, amount, .. } => match Text::new("owed to the buyer") {
            Ok(reason) => {
                let refund = payment::Command::Refund { refund, amount: Some(amount), reason };
                vec![Issue::command(payment.as_str(), refund)]
            }
            Err(_) => vec![],
        },
        Event::ReleaseDue { payment, .. } => {
            vec![Issue::command(payment.as_str(), payment::Command::Void {})]
        }
        Event::ReturnSettled { order, return_id, amount } => {
            let record = order::Command::RecordReturnRefunded { return_id, amount };
            vec![Issue::command(order.as_str(), record)]
        }
        Event::RetryPlanned { order, due } => {
            vec![Issue::timer(due, order.as_str(), Command::TryAgain { at: due })]
        }
        Event::InvoiceDue { order, total, issued_at } => {
            let issue = invoice_book::Command::Issue { document: Document::Invoice, order, total, issued_at };
            vec![Issue::command(&issued_at.year().to_string(), issue)]
        }
        Event::CreditNoteDue { note, credit } => {
            vec![Issue::command(note.as_str(), order::Command::IssueCreditNote(credit))]
        }
        Event::EditStarted(plan) => started(&plan),
        Event::EditReserved { plan } => reserved(&plan),
        Event::EditAccepted { plan, at } => {
            let reservation = ReservationId::from(plan.edit.clone());
            let allocate = |_: &SkuUnits| inventory_item::Command::Allocate {
                reservation: reservation.clone(),
                now: at,
            };
            each(&plan.add, allocate)
        }
        Event::EditAllocated { plan, .. } => {
            vec![Issue::command(plan.order.as_str(), order::Command::ApplyEdit { edit: plan.edit })]
        }
        Event::EditDone { plan } => {
            let reference = Text::new(plan.edit.as_str()).ok();
            each(&plan.remove, |units| put_back(plan.order.clone().into(), units, reference.clone()))
        }
        Event::EditFailed { plan, reason, allocated, lost } => failed(&plan, reason, allocated, &lost),
    }
}

fn each(units: &[SkuUnits], wanted: impl Fn(&SkuUnits) -> inventory_item::Command) -> Vec<Issue> {
    units.iter().map(|units| Issue::command(units.sku.as_str(), wanted(units))).collect()
}

fn put_back(
    reservation: ReservationId,
    units: &SkuUnits,
    reference: Option<Text>,
) -> inventory_item::Command {
    inventory_item::Command::PutBack { reservation, quantity: units.quantity, reference }
}

fn started(plan: &EditPlan) -> Vec<Issue> {
    let until = match plan.pay_by {
        Some(pay_by) => pay_by.plus_millis(RESERVATION_GRACE_MS),
        None => plan.at.plus_millis(EDIT_HOLD_MS),
    };
    let reserve = |units: &SkuUnits| inventory_item::Command::Reserve {
        reservation: plan.edit.clone().into(),
        quantity: units.quantity,
        expires_at: Some(until),
        // What is added cannot wait: the edit takes effect as a whole, or not at all.
        in_stock: true,
        now: plan.at,
    };
    let mut issues = each(&plan.add, reserve);
    if let Some(payment) = plan.payment.as_ref().filter(|_| plan.difference.amount > 0) {
        let capture = match plan.method {
            Method::CashOnDelivery => CaptureWhen::OnShipment,
            Method::Card | Method::Upi | Method::Wallet => plan.capture,
        };
        let open = payment::Command::OpenIntent {
            order: plan.order.clone(),
            amount: plan.difference,
            method: plan.method,
            capture,
        };
        issues.push(Issue::command(payment.as_str(), open));
    }
    issues
}

fn reserved(plan: &EditPlan) -> Vec<Issue> {
    let due = plan.pay_by.unwrap_or(plan.at.plus_millis(EDIT_HOLD_MS));
    let over = Command::EditPayByPassed { edit: plan.edit.clone(), at: due };
    vec![Issue::timer(due, plan.order.as_str(), over)]
}

fn failed(plan: &EditPlan, reason: order::EditFailure, allocated: bool, lost: &[u32]) -> Vec<Issue> {
    let lost = |place: usize| lost.iter().any(|index| usize::try_from(*index) == Ok(place));
    let reference = Text::new(plan.edit.as_str()).ok();
    let reservation = ReservationId::from(plan.edit.clone());
    let undo = |units: &SkuUnits| match allocated {
        true => put_back(reservation.clone(), units, reference.clone()),
        false => inventory_item::Command::Release { reservation: reservation.clone() },
    };
    let kept = plan.add.iter().enumerate().filter(|(place, _)| !lost(*place));
    let mut issues: Vec<Issue> =
        kept.map(|(_, units)| Issue::command(units.sku.as_str(), undo(units))).collect();
    let reject = order::Command::RejectEdit { edit: plan.edit.clone(), reason };
    issues.push(Issue::command(plan.order.as_str(), reject));
    let void = plan.payment.as_ref().filter(|_| plan.difference.amount > 0);
    issues.extend(void.map(|payment| Issue::command(payment.as_str(), payment::Command::Void {})));
    issues
}

/// What the manager hears of the answers; of the rest it hears through the log, or does not need to.
pub(super) fn heard(event: &Event, refused: Vec<Refused>) -> Option<Command> {
    let (step, at) = match event {
        Event::CaptureDue { at, .. } | Event::RefundDue { at, .. } | Event::ReleaseDue { at, .. } => {
            (Step::Settle, *at)
        }
        Event::EditStarted(plan) => (Step::ReserveEdit, plan.at),
        Event::EditAccepted { at, .. } => (Step::AllocateEdit, *at),
        Event::EditAllocated { at, .. } => (Step::ApplyEdit, *at),
        _ => return None,
    };
    if step == Step::Settle && refused.is_empty() {
        return None;
    }
    Some(Command::Answered { step, refused, at })
}
