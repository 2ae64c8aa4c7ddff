//! What a checkout wants done because of each of its own events.

use super::{Event, Plan, RESERVATION_GRACE_MS, Step};
use crate::{
    cart::Line,
    inventory_item,
    order::{self, CancelReason, Placement, Source},
    payment::{self, CaptureWhen},
    process::{Issue, Refused},
    value::{CaptureId, Quantity, RefundId, Sku, Text, Time},
};

/// Which step an event begins: the answers to its commands are the manager's next input.
#[must_use]
pub(super) const fn step_of(event: &Event) -> Option<Step> {
    match event {
        Event::Started(_) => Some(Step::Reserve),
        Event::Accepted { .. } => Some(Step::Allocate),
        Event::GivenUp { .. }
        | Event::AllocationFailed { .. }
        | Event::Reversed { .. }
        | Event::PaymentOrphaned {} => Some(Step::Undo),
        Event::CancellationNoted { .. }
        | Event::Reserved {}
        | Event::ReservationFailed { .. }
        | Event::Completed {}
        | Event::RefundDue { .. } => None,
    }
}

/// Everything to be done because of `event`, in an order that never changes.
#[must_use]
pub(super) fn issues(plan: &Plan, event: &Event) -> Vec<Issue> {
    match event {
        Event::Started(plan) => started(plan),
        Event::CancellationNoted { .. } => vec![],
        Event::Reserved {} => reserved(plan),
        Event::ReservationFailed { refusals, .. } => reservation_failed(plan, refusals),
        Event::Accepted { at } => each_sku(plan, |_| allocate(plan, *at)),
        Event::Completed {} => completed(plan),
        Event::AllocationFailed { lost } => allocation_failed(plan, lost),
        Event::GivenUp { reason } => {
            let mut issues = each_sku(plan, |_| release(plan));
            issues.push(cancel(plan, *reason));
            issues.extend(undo_payment(plan));
            issues
        }
        Event::Reversed { .. } => {
            let mut issues = each_sku(plan, |quantity| restock(plan, quantity));
            issues.extend(undo_payment(plan));
            issues
        }
        Event::PaymentOrphaned {} => undo_payment(plan),
        Event::RefundDue { capture } => refund_due(plan, capture.as_ref()),
    }
}

impl Plan {
    /// Whether the buyer has to authorize a payment before the order can be fulfilled.
    #[must_use]
    pub const fn needs_authorization(&self) -> bool {
        self.needs_payment() && self.method.needs_authorization()
    }

    /// Whether there is anything to pay; free goods need no intent.
    #[must_use]
    pub const fn needs_payment(&self) -> bool {
        self.total.amount > 0
    }
}

/// The distinct SKUs in the order of first appearance, with all their units.
pub(super) fn skus(plan: &Plan) -> Vec<(Sku, Quantity)> {
    let mut skus: Vec<(Sku, Quantity)> = vec![];
    for Line { sku, quantity, .. } in &plan.lines {
        match skus.iter_mut().find(|(known, _)| known == sku) {
            // A cart's limits keep the sum far below what fits.
            Some((_, sum)) => *sum = sum.plus(*quantity).unwrap_or(*sum),
            None => skus.push((sku.clone(), *quantity)),
        }
    }
    skus
}

fn started(plan: &Plan) -> Vec<Issue> {
    let mut issues = vec![Issue::command(plan.order.as_str(), order::Command::Place(placement(plan)))];
    issues.extend(each_sku(plan, |quantity| inventory_item::Command::Reserve {
        reservation: plan.order.clone().into(),
        quantity,
        expires_at: Some(plan.pay_by.plus_millis(RESERVATION_GRACE_MS)),
        now: plan.at,
    }));
    issues
}

fn placement(plan: &Plan) -> Placement {
    let line = |line: &Line| order::Line {
        sku: line.sku.clone(),
        title: Some(line.title.clone()),
        quantity: line.quantity,
        unit_price: line.unit_price,
    };
    Placement {
        customer: plan.customer.clone(),
        source: Source::Cart(plan.cart.clone()),
        lines: plan.lines.iter().map(line).collect(),
        charges: vec![],
        payment: plan.needs_payment().then(|| plan.payment.clone()),
        delivery: Some(plan.delivery.clone()),
        country: Some(plan.delivery.country.clone()),
        placed_at: plan.at,
    }
}

fn reserved(plan: &Plan) -> Vec<Issue> {
    let mut issues = vec![];
    if plan.needs_payment() {
        let capture =
            if plan.method.needs_authorization() { CaptureWhen::AtOnce } else { CaptureWhen::OnShipment };
        let (order, amount, method) = (plan.order.clone(), plan.total, plan.method);
        let open = payment::Command::OpenIntent { order, amount, method, capture };
        issues.push(Issue::command(plan.payment.as_str(), open));
    }
    if plan.needs_authorization() {
        issues.push(Issue::timer(plan.pay_by, plan.order.as_str(), super::Command::PayByPassed {}));
    }
    issues
}

fn completed(plan: &Plan) -> Vec<Issue> {
    let mut issues = vec![Issue::command(plan.order.as_str(), order::Command::Confirm {})];
    if plan.needs_authorization() {
        let capture = payment::Command::Capture { capture: plan.order.clone().into(), amount: None };
        issues.push(Issue::command(plan.payment.as_str(), capture));
    }
    issues
}

/// Only what this checkout did is undone: where its command was refused, the name may be somebody else's.
fn reservation_failed(plan: &Plan, refusals: &[Refused]) -> Vec<Issue> {
    let refused = |index: usize| refusals.iter().any(|refused| usize::try_from(refused.index) == Ok(index));
    let skus = skus(plan).into_iter().enumerate();
    let mut issues: Vec<Issue> = skus
        .filter(|(place, _)| !refused(place.saturating_add(1)))
        .map(|(_, (sku, _))| Issue::command(sku.as_str(), release(plan)))
        .collect();
    if !refused(0) {
        issues.push(cancel(plan, CancelReason::OutOfStock));
    }
    issues
}

fn allocation_failed(plan: &Plan, lost: &[u32]) -> Vec<Issue> {
    let lost = |place: usize| lost.iter().any(|index| usize::try_from(*index) == Ok(place));
    let skus = skus(plan).into_iter().enumerate();
    let mut issues: Vec<Issue> = skus
        .filter(|(place, _)| !lost(*place))
        .map(|(_, (sku, quantity))| Issue::command(sku.as_str(), restock(plan, quantity)))
        .collect();
    issues.push(cancel(plan, CancelReason::OutOfStock));
    issues.extend(undo_payment(plan));
    issues
}

fn each_sku(plan: &Plan, wanted: impl Fn(Quantity) -> inventory_item::Command) -> Vec<Issue> {
    skus(plan).into_iter().map(|(sku, quantity)| Issue::command(sku.as_str(), wanted(quantity))).collect()
}

fn allocate(plan: &Plan, now: Time) -> inventory_item::Command {
    inventory_item::Command::Allocate { reservation: plan.order.clone().into(), now }
}

fn release(plan: &Plan) -> inventory_item::Command {
    inventory_item::Command::Release { reservation: plan.order.clone().into() }
}

fn restock(plan: &Plan, quantity: Quantity) -> inventory_item::Command {
    let reference = Text::new(plan.order.as_str()).ok();
    inventory_item::Command::PutBack { reservation: plan.order.clone().into(), quantity, reference }
}

fn cancel(plan: &Plan, reason: CancelReason) -> Issue {
    Issue::command(plan.order.as_str(), order::Command::Cancel { reason, note: None })
}

/// Lets go of what is held, and gives back what was captured of it so far; either is refused where there is nothing of
/// the kind. What is still being captured is given back when it is known.
fn undo_payment(plan: &Plan) -> Vec<Issue> {
    let refund = RefundId::new(plan.payment.as_str()).ok().and_then(|refund| refund_all(plan, refund));
    void(plan).into_iter().chain(refund).collect()
}

/// What was captured is given back, and the rest of what is held is let go of. A refund is named after what it is for.
fn refund_due(plan: &Plan, capture: Option<&CaptureId>) -> Vec<Issue> {
    let named = capture.and_then(|capture| RefundId::new(capture.as_str()).ok());
    let refund = named.unwrap_or_else(|| plan.order.clone().into());
    refund_all(plan, refund).into_iter().chain(void(plan)).collect()
}

fn void(plan: &Plan) -> Option<Issue> {
    plan.needs_payment().then(|| Issue::command(plan.payment.as_str(), payment::Command::Void {}))
}

fn refund_all(plan: &Plan, refund: RefundId) -> Option<Issue> {
    let reason = Text::new("order not fulfilled").ok()?;
    let refund = payment::Command::Refund { refund, amount: None, reason };
    plan.needs_payment().then(|| Issue::command(plan.payment.as_str(), refund))
}
