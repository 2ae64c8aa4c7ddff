//! What a checkout wants done because of each of its own events.

use super::{Event, Plan, RESERVATION_GRACE_MS, Step};
use crate::{
    AggregateType, allowance,
    cart::Line,
    inventory_item,
    order::{self, CancelReason, Charge, Placement, Source, Terms},
    payment::{self, CaptureWhen, Method},
    pricing::Shipping,
    process::{Issue, Kind, Refused},
    value::{CaptureId, CustomerId, Quantity, RefundId, Sku, Text, Time},
};

/// Every kind of command that a checkout may want done at once.
pub(super) const WANTS: &[Kind] = &[
    (AggregateType::Allowance, "Claim"),
    (AggregateType::Allowance, "GiveBack"),
    (AggregateType::InventoryItem, "Allocate"),
    (AggregateType::InventoryItem, "PutBack"),
    (AggregateType::InventoryItem, "Release"),
    (AggregateType::InventoryItem, "Reserve"),
    (AggregateType::Order, "Cancel"),
    (AggregateType::Order, "Confirm"),
    (AggregateType::Order, "HoldForReview"),
    (AggregateType::Order, "Place"),
    (AggregateType::Payment, "OpenIntent"),
    (AggregateType::Payment, "Refund"),
    (AggregateType::Payment, "Void"),
];

/// Which step an event begins: the answers to its commands are the manager's next input.
#[must_use]
pub(super) const fn step_of(event: &Event) -> Option<Step> {
    match event {
        Event::Started(_) => Some(Step::Reserve),
        Event::Accepted { .. } => Some(Step::Allocate),
        Event::Completed {} => Some(Step::Confirm),
        Event::GivenUp { .. }
        | Event::AllocationFailed { .. }
        | Event::Reversed { .. }
        | Event::PaymentOrphaned {}
        | Event::UndoRetried { .. } => Some(Step::Undo),
        Event::CancellationNoted { .. }
        | Event::HoldNoted {}
        | Event::HoldLifted {}
        | Event::Reserved {}
        | Event::ReservationFailed { .. }
        | Event::AttemptFailed {}
        | Event::ReviewAwaited {}
        | Event::ClaimsReturned {}
        | Event::RefundDue { .. }
        | Event::RetryPlanned { .. }
        | Event::UndoFailed {} => None,
    }
}

/// Everything to be done because of `event`, in an order that never changes.
#[must_use]
pub(super) fn issues(plan: &Plan, event: &Event) -> Vec<Issue> {
    match event {
        Event::Started(plan) => started(plan),
        Event::CancellationNoted { .. }
        | Event::HoldNoted {}
        | Event::HoldLifted {}
        | Event::AttemptFailed {}
        | Event::ReviewAwaited {}
        | Event::UndoFailed {} => vec![],
        Event::Reserved {} => reserved(plan),
        Event::ReservationFailed { refusals, .. } => reservation_failed(plan, refusals),
        Event::Accepted { at } => each_sku(plan, |_| allocate(plan, *at)),
        Event::Completed {} => vec![Issue::command(plan.order.as_str(), order::Command::Confirm {})],
        Event::AllocationFailed { lost } => allocation_failed(plan, lost),
        Event::GivenUp { reason } => {
            let mut issues = each_sku(plan, |_| release(plan));
            issues.push(cancel(plan, *reason));
            issues.extend(undo_payment(plan));
            issues.extend(give_back(plan, |_| true));
            issues
        }
        Event::Reversed { .. } => {
            let mut issues = each_sku(plan, |quantity| restock(plan, quantity));
            issues.extend(undo_payment(plan));
            issues.extend(give_back(plan, |_| true));
            issues
        }
        Event::ClaimsReturned {} => give_back(plan, |_| true),
        Event::PaymentOrphaned {} => undo_payment(plan),
        Event::RefundDue { capture } => refund_due(plan, capture.as_ref()),
        Event::RetryPlanned { due } => {
            vec![Issue::timer(*due, plan.order.as_str(), super::Command::TryAgain {})]
        }
        // Whichever of the refunds has failed is asked for again; the others find nothing left.
        Event::UndoRetried { refunds } => {
            let again = refunds.iter().filter_map(|capture| refund_for(plan, capture.as_ref()));
            undo_payment(plan).into_iter().chain(again).collect()
        }
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
        in_stock: false,
        now: plan.at,
    }));
    issues.extend(limited(plan).into_iter().map(|Limited { id, quantity, limit }| {
        let claim = allowance::Command::Claim { order: plan.order.clone(), quantity, limit };
        Issue::command(&id, claim)
    }));
    issues
}

/// Units of a SKU of which one customer may buy only so many.
pub(super) struct Limited {
    id: String,
    quantity: Quantity,
    limit: Quantity,
}

/// What is limited, in the order of the SKUs. Guests are nobody in particular: their cart alone is limited.
pub(super) fn limited(plan: &Plan) -> Vec<Limited> {
    let of = |customer: &CustomerId| {
        let limit_of = |sku: &Sku| {
            let lines = plan.lines.iter().filter(|line| line.sku == *sku);
            lines.filter_map(|line| line.purchase_limit).min()
        };
        let skus = skus(plan).into_iter();
        skus.filter_map(|(sku, quantity)| {
            Some(Limited { id: allowance::id(customer, &sku), quantity, limit: limit_of(&sku)? })
        })
        .collect()
    };
    plan.customer.as_ref().map(of).unwrap_or_default()
}

fn give_back(plan: &Plan, claimed: impl Fn(usize) -> bool) -> Vec<Issue> {
    let claims = limited(plan).into_iter().enumerate().filter(|(place, _)| claimed(*place));
    let give_back = || allowance::Command::GiveBack { order: plan.order.clone(), quantity: None };
    claims.map(|(_, Limited { id, .. })| Issue::command(&id, give_back())).collect()
}

fn placement(plan: &Plan) -> Placement {
    let taxes = plan.quote.iter().flat_map(|quote| &quote.lines).map(|tax| Some(tax.tax));
    let line = |(line, tax): (&Line, _)| order::Line {
        sku: line.sku.clone(),
        title: Some(line.title.clone()),
        quantity: line.quantity,
        unit_price: line.unit_price,
        tax,
    };
    let terms = || Terms { payment: plan.payment.clone(), method: plan.method, capture: capture(plan) };
    Placement {
        customer: plan.customer.clone(),
        source: Source::Cart(plan.cart.clone()),
        lines: plan.lines.iter().zip(taxes.chain(std::iter::repeat(None))).map(line).collect(),
        charges: plan.quote.iter().filter_map(|quote| postage(quote.shipping.as_ref()?)).collect(),
        prices_include_tax: plan.quote.as_ref().is_none_or(|quote| quote.prices_include_tax),
        payment: plan.needs_payment().then(terms),
        delivery: Some(plan.delivery.clone()),
        country: Some(plan.delivery.country.clone()),
        placed_at: plan.at,
    }
}

fn postage(shipping: &Shipping) -> Option<Charge> {
    Some(Charge {
        code: shipping.code.clone(),
        title: Some(shipping.title.clone()),
        quantity: Quantity::new(1).ok()?,
        unit_amount: shipping.price,
        tax: Some(shipping.tax),
    })
}

/// Cash can only be taken at the door.
const fn capture(plan: &Plan) -> CaptureWhen {
    match plan.method {
        Method::CashOnDelivery => CaptureWhen::OnShipment,
        Method::Card | Method::Upi | Method::Wallet => plan.capture,
    }
}

fn reserved(plan: &Plan) -> Vec<Issue> {
    let mut issues = vec![];
    if let Some(reason) = plan.review.clone() {
        issues.push(Issue::command(plan.order.as_str(), order::Command::HoldForReview { reason }));
    }
    if plan.needs_payment() {
        let (order, amount, method, capture) = (plan.order.clone(), plan.total, plan.method, capture(plan));
        let open = payment::Command::OpenIntent { order, amount, method, capture };
        issues.push(Issue::command(plan.payment.as_str(), open));
    }
    if plan.needs_authorization() {
        issues.push(Issue::timer(plan.pay_by, plan.order.as_str(), super::Command::PayByPassed {}));
    }
    issues
}

/// Only what this checkout did is undone: where its command was refused, the name may be somebody else's.
fn reservation_failed(plan: &Plan, refusals: &[Refused]) -> Vec<Issue> {
    let refused = |index: usize| refusals.iter().any(|refused| usize::try_from(refused.index) == Ok(index));
    let mut issues: Vec<Issue> = skus(plan)
        .into_iter()
        .enumerate()
        .filter(|(place, _)| !refused(place.saturating_add(1)))
        .map(|(_, (sku, _))| Issue::command(sku.as_str(), release(plan)))
        .collect();
    let claims = skus(plan).len().saturating_add(1);
    issues.extend(give_back(plan, |place| !refused(place.saturating_add(claims))));
    if !refused(0) {
        issues.push(cancel(plan, why(refusals)));
    }
    issues
}

/// A claim that was refused says more than a shortage, which may have passed tomorrow.
fn why(refusals: &[Refused]) -> CancelReason {
    let limit = |refused: &Refused| matches!(refused.refusal, crate::AnyRefusal::Allowance(_));
    if refusals.iter().any(limit) { CancelReason::PurchaseLimit } else { CancelReason::OutOfStock }
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
    issues.extend(give_back(plan, |_| true));
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

/// What was captured is given back, and the rest of what is held is let go of.
fn refund_due(plan: &Plan, capture: Option<&CaptureId>) -> Vec<Issue> {
    refund_for(plan, capture).into_iter().chain(void(plan)).collect()
}

/// A refund is named after what it is for.
fn refund_for(plan: &Plan, capture: Option<&CaptureId>) -> Option<Issue> {
    let named = capture.and_then(|capture| RefundId::new(capture.as_str()).ok());
    refund_all(plan, named.unwrap_or_else(|| plan.order.clone().into()))
}

fn void(plan: &Plan) -> Option<Issue> {
    plan.needs_payment().then(|| Issue::command(plan.payment.as_str(), payment::Command::Void {}))
}

fn refund_all(plan: &Plan, refund: RefundId) -> Option<Issue> {
    let reason = Text::new("order not fulfilled").ok()?;
    let refund = payment::Command::Refund { refund, amount: None, reason };
    plan.needs_payment().then(|| Issue::command(plan.payment.as_str(), refund))
}
