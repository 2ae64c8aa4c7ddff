//! The process manager of a confirmed order: what is earned is captured, what is owed is given back, what was changed is
//! reserved and paid, and what ships is invoiced.
//!
//! It keeps two figures: how much of the buyer's money is due by now, and how much the order is worth, which is what the
//! shop may keep at most. Whenever it holds less than is due it captures; whenever it holds more it refunds, unless
//! somebody has captured it early on purpose and the order is worth it. What fails is tried again, and told when trying
//! is over.

mod decide;
mod edit;
mod evolve;
mod input;
mod issues;
mod settle;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::{
    AggregateType, AnyEvent,
    order::{Credit, CreditDue, EditFailure, SkuUnits, Terms},
    payment::{CaptureWhen, Method},
    process::{Process, Refused},
    value::{CaptureId, EditId, Money, OrderId, PaymentId, RefundId, ReturnId, Time},
};

/// A capture, refund or release that failed is tried again so often, after 1, 5, 25 minutes and so on.
pub const TRIES_MAX: u32 = 5;
/// How long the first wait is.
pub const FIRST_WAIT_MS: i64 = 60_000;
/// What an edit adds stays reserved for this long after its payment should have come.
pub const RESERVATION_GRACE_MS: i64 = 10 * 60 * 1_000;
/// How long what an edit adds stays reserved when nothing is to be paid.
pub const EDIT_HOLD_MS: i64 = 30 * 60 * 1_000;

/// How fulfilments are driven.
pub const PROCESS: Process = Process {
    name: "fulfilment",
    aggregate_type: AggregateType::Fulfilment,
    wants: issues::WANTS,
    input: input::input,
    issues: |_, event| match event {
        AnyEvent::Fulfilment(event) => issues::issues(event),
        _ => vec![],
    },
    heard: |event, refused| match event {
        AnyEvent::Fulfilment(event) => issues::heard(event, refused).map(Into::into),
        _ => None,
    },
};

/// What an edit of the order asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EditPlan {
    /// Which order.
    pub order: OrderId,
    /// Its name; what it adds is reserved under it.
    pub edit: EditId,
    /// Units to be allocated.
    pub add: Vec<SkuUnits>,
    /// Units to be put back.
    pub remove: Vec<SkuUnits>,
    /// What the order will cost.
    pub total: Money,
    /// What it costs more than before; below zero when it costs less.
    pub difference: Money,
    /// How it is paid.
    pub method: Method,
    /// When the difference is taken.
    pub capture: CaptureWhen,
    /// The intent that pays the difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentId>,
    /// When to give up waiting for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pay_by: Option<Time>,
    /// When it was asked for.
    pub at: Time,
}

/// Which commands were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// A capture, refund or release.
    Settle,
    /// Reserving what an edit adds.
    ReserveEdit,
    /// Allocating what an edit adds.
    AllocateEdit,
    /// Applying the edit.
    ApplyEdit,
}

/// What the manager learns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Command {
    /// The order was confirmed.
    Start { order: OrderId, terms: Terms, total: Money, at: Time },
    /// Units were shipped.
    Shipped { value: Money, complete: bool, at: Time },
    /// A shipment arrived.
    Delivered { value: Money, complete: bool, at: Time },
    /// Units were called off.
    LinesCancelled {
        note: OrderId,
        value: Money,
        complete: bool,
        #[serde(default)]
        credit: Option<CreditDue>,
        at: Time,
    },
    /// The order was called off.
    Cancelled { at: Time },
    /// Units came back; `delivered` is the worth of those that had arrived.
    ReturnReceived { return_id: ReturnId, value: Money, delivered: Money, credit: CreditDue, at: Time },
    /// An edit is wanted.
    EditCommitted(EditPlan),
    /// The order is what the edit made of it.
    EditApplied { edit: EditId, total: Money, at: Time },
    /// The order refused the edit, or was called off.
    EditRejected { edit: EditId, at: Time },
    /// The time to pay an edit is over.
    EditPayByPassed { edit: EditId, at: Time },
    /// A payment is authorized.
    PaymentAuthorized { payment: PaymentId, amount: Money, at: Time },
    /// Money was captured.
    PaymentCaptured { payment: PaymentId, capture: CaptureId, amount: Money, at: Time },
    /// Money was not captured.
    CaptureFailed { payment: PaymentId, capture: CaptureId, at: Time },
    /// Money was given back.
    Refunded { payment: PaymentId, refund: RefundId, amount: Money, at: Time },
    /// Money was not given back.
    RefundFailed { payment: PaymentId, refund: RefundId, at: Time },
    /// What was held and not captured was let go.
    Voided { payment: PaymentId, at: Time },
    /// It was not.
    VoidFailed { payment: PaymentId, at: Time },
    /// All commands of a step were answered; those not named were accepted.
    Answered { step: Step, refused: Vec<Refused>, at: Time },
    /// It is time to try again.
    TryAgain { at: Time },
    /// A dispute was decided: refunds are made again.
    DisputeEnded { at: Time },
}

/// What the manager noted and concluded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Event {
    /// It looks after a confirmed order.
    Started { order: OrderId, terms: Terms, total: Money },
    /// Money was captured before the order was confirmed, or by somebody else, or because it was due.
    CaptureNoted { payment: PaymentId, capture: CaptureId, amount: Money },
    /// Money was given back.
    RefundNoted { payment: PaymentId, refund: RefundId, amount: Money },
    /// A payment is authorized.
    AuthorizationNoted { payment: PaymentId, amount: Money },
    /// Nothing that is not captured is held any more.
    ReleaseNoted { payment: PaymentId },
    /// A capture, refund or release came to nothing.
    FailureNoted { payment: PaymentId },
    /// So much of the buyer's money is due by now, and so much may be kept at most: what the order costs, less what was
    /// given away; below zero when more was given away than what is left costs.
    BalanceChanged { due: Money, keep: Money, complete: bool },
    /// Units came back, and the buyer is to get `value` for them: nothing for what was never paid.
    ReturnNoted { return_id: ReturnId, value: Money },
    /// Take it.
    CaptureDue { payment: PaymentId, capture: CaptureId, amount: Money, at: Time },
    /// Give it back.
    RefundDue { payment: PaymentId, refund: RefundId, amount: Money, at: Time },
    /// Let go of what will not be taken.
    ReleaseDue { payment: PaymentId, at: Time },
    /// The buyer has the money for a return; the order may know.
    ReturnSettled { order: OrderId, return_id: ReturnId, amount: Money },
    /// Try again then.
    RetryPlanned { order: OrderId, due: Time },
    /// Trying again.
    Retried {},
    /// Trying is over: somebody has to look. `missing` should have been taken, `owed` given back.
    SettlementFailed { missing: Money, owed: Money },
    /// The first units left: the invoice is due.
    InvoiceDue { order: OrderId, total: Money, issued_at: Time },
    /// A credit note is due.
    CreditNoteDue { note: OrderId, credit: Credit },
    /// An edit is wanted; reserve what it adds.
    EditStarted(EditPlan),
    /// It is reserved; now the payment.
    EditReserved { plan: EditPlan },
    /// It is paid as far as it must be; allocate.
    EditAccepted { plan: EditPlan, at: Time },
    /// It is allocated; the order can take it.
    EditAllocated { plan: EditPlan, at: Time },
    /// The order is what the edit made of it; put back what it took away.
    EditDone { plan: EditPlan },
    /// It came to nothing; undo what was done for it. `lost` holds the places of what was never reserved or allocated.
    EditFailed { plan: EditPlan, reason: EditFailure, allocated: bool, lost: Vec<u32> },
}

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] = &[
        ("Started", "1"),
        ("CaptureNoted", "1"),
        ("RefundNoted", "1"),
        ("AuthorizationNoted", "1"),
        ("ReleaseNoted", "1"),
        ("FailureNoted", "1"),
        ("BalanceChanged", "1"),
        ("ReturnNoted", "1"),
        ("CaptureDue", "1"),
        ("RefundDue", "1"),
        ("ReleaseDue", "1"),
        ("ReturnSettled", "1"),
        ("RetryPlanned", "1"),
        ("Retried", "1"),
        ("SettlementFailed", "1"),
        ("InvoiceDue", "1"),
        ("CreditNoteDue", "1"),
        ("EditStarted", "1"),
        ("EditReserved", "1"),
        ("EditAccepted", "1"),
        ("EditAllocated", "1"),
        ("EditDone", "1"),
        ("EditFailed", "1"),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Started { .. } => "Started",
            Self::CaptureNoted { .. } => "CaptureNoted",
            Self::RefundNoted { .. } => "RefundNoted",
            Self::AuthorizationNoted { .. } => "AuthorizationNoted",
            Self::ReleaseNoted { .. } => "ReleaseNoted",
            Self::FailureNoted { .. } => "FailureNoted",
            Self::BalanceChanged { .. } => "BalanceChanged",
            Self::ReturnNoted { .. } => "ReturnNoted",
            Self::CaptureDue { .. } => "CaptureDue",
            Self::RefundDue { .. } => "RefundDue",
            Self::ReleaseDue { .. } => "ReleaseDue",
            Self::ReturnSettled { .. } => "ReturnSettled",
            Self::RetryPlanned { .. } => "RetryPlanned",
            Self::Retried {} => "Retried",
            Self::SettlementFailed { .. } => "SettlementFailed",
            Self::InvoiceDue { .. } => "InvoiceDue",
            Self::CreditNoteDue { .. } => "CreditNoteDue",
            Self::EditStarted(_) => "EditStarted",
            Self::EditReserved { .. } => "EditReserved",
            Self::EditAccepted { .. } => "EditAccepted",
            Self::EditAllocated { .. } => "EditAllocated",
            Self::EditDone { .. } => "EditDone",
            Self::EditFailed { .. } => "EditFailed",
        }
    }
}

/// A fulfilment refuses nothing: an input that no longer matters causes no events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
pub enum Refusal {}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &[];

    fn code(&self) -> &'static str {
        match *self {}
    }
}

/// One payment of the order, as far as the manager has heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Which.
    pub payment: PaymentId,
    /// What may be captured of it in all.
    pub authorized: i64,
    /// What was captured.
    pub captured: i64,
    /// What was given back.
    pub refunded: i64,
    /// Whether what is not captured was let go.
    pub released: bool,
    /// Whether nothing of it will ever be wanted.
    pub abandoned: bool,
}

/// What was asked of a payment and has no answer yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Pending {
    Capture { payment: PaymentId, capture: CaptureId },
    Refund { payment: PaymentId, refund: RefundId },
    Release { payment: PaymentId },
}

/// How far an edit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EditStage {
    /// What it adds is being reserved.
    Reserving,
    /// The buyer is to pay.
    AwaitingPayment,
    /// What it adds is being allocated.
    Allocating,
    /// The order is to take it.
    Applying,
}

/// The books of one order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Books {
    /// Which order.
    pub order: OrderId,
    /// How it is paid.
    pub terms: Terms,
    /// What is due by now.
    pub due: Money,
    /// What may be kept of it at most: what the order costs, less what was given away.
    pub keep: Money,
    /// Whether nothing more will be earned.
    pub complete: bool,
    /// Its payments.
    pub accounts: Vec<Account>,
    /// What was given back without being owed: the order cost as much as before, and the shop keeps less of it.
    pub given_away: i64,
    /// What somebody else has captured, perhaps before it was due.
    pub prepaid: i64,
    /// What has no answer yet.
    pub pending: Option<Pending>,
    /// Captures, refunds and releases asked for so far; each is named after its number.
    pub asked: u32,
    /// How often in a row one of them failed.
    pub failures: u32,
    /// When to try again.
    pub retry_at: Option<Time>,
    /// Whether trying is over.
    pub given_up: bool,
    /// Returns whose money the buyer does not have yet.
    pub returns: Vec<(ReturnId, Money)>,
    /// Whether the invoice was asked for.
    pub invoiced: bool,
    /// The edit that is under way.
    pub edit: Option<(EditPlan, EditStage)>,
}

/// The state of a fulfilment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Fulfilment {
    /// The order is not confirmed; payments may have been captured all the same.
    #[default]
    Idle,
    /// Not confirmed, and something was captured or given back.
    Prepaid {
        /// The payments that it was captured of.
        accounts: Vec<Account>,
    },
    /// Looking after the order.
    Running(Box<Books>),
}
