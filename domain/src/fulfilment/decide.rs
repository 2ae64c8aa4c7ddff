//! What a fulfilment concludes from what it learns.

use super::{Account, Books, Command, Event, Fulfilment, Pending, Refusal, Step};
use crate::{
    Aggregate,
    order::Terms,
    payment::{CaptureWhen, Method},
    value::{Money, PaymentId, RefundId, Time},
};

impl Aggregate for Fulfilment {
    const TYPE: &'static str = "fulfilment";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    /// First what is learnt is noted, then whatever follows from the books as they are with it.
    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        let at = command.at();
        let again = matches!(command, Command::TryAgain { .. } | Command::DisputeEnded { .. });
        let mut events = match self {
            Self::Idle | Self::Prepaid { .. } => before(self, command),
            Self::Running(books) => books.learn(command),
        };
        if events.is_empty() {
            return Ok(events);
        }
        let after = events.iter().cloned().fold(self.clone(), Self::evolve);
        if let Self::Running(books) = after {
            events.extend(if again { books.retry(at) } else { books.settle(at) });
        }
        Ok(events)
    }

    fn evolve(self, event: Event) -> Self {
        self.evolve_event(event)
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Idle | Self::Prepaid { .. } => false,
            Self::Running(books) => books.is_settled(),
        }
    }
}

/// Before the order is confirmed only money that moves is noted.
fn before(state: &Fulfilment, command: Command) -> Vec<Event> {
    match command {
        Command::Start { order, terms, total, .. } => {
            let due = if at_once(&terms) { total } else { Money::zero(total.currency) };
            let balance = Event::BalanceChanged { due, keep: total, complete: false };
            vec![Event::Started { order, terms, total }, balance]
        }
        Command::PaymentCaptured { payment, capture, amount, .. } => {
            vec![Event::CaptureNoted { payment, capture, amount }]
        }
        Command::Refunded { payment, refund, amount, .. } if matches!(state, Fulfilment::Prepaid { .. }) => {
            vec![Event::RefundNoted { payment, refund, amount }]
        }
        _ => vec![],
    }
}

/// Whether everything is due as soon as the order is confirmed.
pub(super) fn at_once(terms: &Terms) -> bool {
    terms.method != Method::CashOnDelivery && terms.capture == CaptureWhen::AtOnce
}

impl Books {
    fn learn(&self, command: Command) -> Vec<Event> {
        match command {
            Command::Start { .. } => vec![],
            Command::Shipped { value, complete, at } => self.shipped(value, complete, at),
            Command::Delivered { value, complete, .. } => self.delivered(value, complete),
            Command::LinesCancelled { note, value, complete, credit, at } => {
                let mut events = vec![self.worth_less(value, complete)];
                events.extend(credit.map(|credit| {
                    let credit = credit.issued(self.order.clone(), at);
                    Event::CreditNoteDue { note, credit }
                }));
                events
            }
            Command::Cancelled { .. } => {
                let nothing = self.money(0);
                let mut events = self.end_edit();
                events.push(Event::BalanceChanged { due: nothing, keep: nothing, complete: true });
                events
            }
            Command::ReturnReceived { return_id, value, delivered, credit, at } => {
                // Cash was only due for what had arrived.
                let cash = self.terms.method == Method::CashOnDelivery;
                let due = if cash { delivered } else { value };
                let credit = credit.issued(self.order.clone(), at);
                vec![
                    Event::ReturnNoted { return_id: return_id.clone(), value: self.to_give_back(due) },
                    self.came_back(value, due),
                    Event::CreditNoteDue { note: return_id.into(), credit },
                ]
            }
            Command::PaymentAuthorized { payment, amount, at } => self.authorized(payment, amount, at),
            Command::PaymentCaptured { payment, capture, amount, .. } => {
                vec![Event::CaptureNoted { payment, capture, amount }]
            }
            Command::Refunded { payment, refund, amount, .. } => self.refunded(payment, refund, amount),
            Command::CaptureFailed { payment, capture, .. } => {
                self.failed(Pending::Capture { payment, capture })
            }
            Command::RefundFailed { payment, refund, .. } => self.failed(Pending::Refund { payment, refund }),
            Command::VoidFailed { payment, .. } => self.failed(Pending::Release { payment }),
            Command::Voided { payment, .. } => {
                let known =
                    self.accounts.iter().any(|account| account.payment == payment && !account.released);
                known.then_some(Event::ReleaseNoted { payment }).into_iter().collect()
            }
            Command::Answered { step: Step::Settle, refused, .. } => match &self.pending {
                Some(pending) if !refused.is_empty() => {
                    vec![Event::FailureNoted { payment: pending.payment().clone() }]
                }
                _ => vec![],
            },
            Command::TryAgain { at } => {
                let due = self.retry_at.is_some_and(|retry_at| retry_at <= at);
                due.then_some(Event::Retried {}).into_iter().collect()
            }
            // While it was open nothing was given back.
            Command::DisputeEnded { .. } => {
                let held_up = self.owed() > 0 && (self.given_up || self.retry_at.is_some());
                held_up.then_some(Event::Retried {}).into_iter().collect()
            }
            command @ (Command::EditCommitted(_)
            | Command::EditApplied { .. }
            | Command::EditRejected { .. }
            | Command::EditPayByPassed { .. }
            | Command::Answered { .. }) => self.learn_of_edit(command),
        }
    }

    fn shipped(&self, value: Money, complete: bool, at: Time) -> Vec<Event> {
        let cash = self.terms.method == Method::CashOnDelivery;
        let earned = if cash || at_once(&self.terms) { self.due } else { self.plus(self.due, value) };
        // Cash is collected at the door, so nothing is complete before that.
        let complete = self.complete || complete && !cash;
        let mut events = self.balance(self.at_most_keep(earned), complete);
        if !self.invoiced {
            // What was given away is money, not goods: the invoice tells what was bought, and what it cost.
            let total = self.money(self.keep.amount.saturating_add(self.given_away));
            events.push(Event::InvoiceDue { order: self.order.clone(), total, issued_at: at });
        }
        events
    }

    fn delivered(&self, value: Money, complete: bool) -> Vec<Event> {
        if self.terms.method != Method::CashOnDelivery {
            return vec![];
        }
        let due = self.at_most_keep(self.plus(self.due, value));
        self.balance(due, self.complete || complete)
    }

    fn balance(&self, due: Money, complete: bool) -> Vec<Event> {
        let changed = due != self.due || complete != self.complete;
        changed.then_some(Event::BalanceChanged { due, keep: self.keep, complete }).into_iter().collect()
    }

    /// The order is worth less: of what is not paid less will be due, of what is paid less may be kept.
    fn worth_less(&self, value: Money, complete: bool) -> Event {
        let keep = self.keep.amount.saturating_sub(value.amount);
        // Cash for what is still on its way is collected at the door.
        let collected = self.terms.method != Method::CashOnDelivery || self.due.amount >= keep;
        self.worth(self.money(keep), self.complete || complete && collected)
    }

    /// The order is worth less by what came back or was given away, and `due` of it is no longer due.
    fn came_back(&self, value: Money, due: Money) -> Event {
        let due = self.due.amount.saturating_sub(due.amount);
        let keep = self.keep.amount.saturating_sub(value.amount);
        let due = self.money(due.min(keep).max(0));
        Event::BalanceChanged { due, keep: self.money(keep), complete: self.complete }
    }

    /// What the buyer gets for units of that worth: what was due for them, less what was never taken. A capture that has
    /// no answer yet is taken to be one that succeeds.
    fn to_give_back(&self, value: Money) -> Money {
        let due = value.amount.min(self.due.amount);
        let unpaid = match self.pending {
            Some(Pending::Capture { .. }) => 0,
            Some(Pending::Refund { .. } | Pending::Release { .. }) | None => self.missing(),
        };
        self.money(due.saturating_sub(unpaid).max(0))
    }

    fn worth(&self, keep: Money, complete: bool) -> Event {
        let due = if at_once(&self.terms) { keep.amount } else { self.due.amount.min(keep.amount) };
        Event::BalanceChanged { due: self.money(due.max(0)), keep, complete }
    }

    /// The order costs so much now; what was given away before stays so.
    pub(super) fn costs(&self, total: Money) -> Event {
        self.worth(self.money(total.amount.saturating_sub(self.given_away)), self.complete)
    }

    /// What was given away is no longer due either.
    fn refunded(&self, payment: PaymentId, refund: RefundId, amount: Money) -> Vec<Event> {
        let what = Pending::Refund { payment: payment.clone(), refund: refund.clone() };
        let extra = self.not_owed(&what, amount);
        let worth_less = (extra.amount > 0).then(|| self.came_back(extra, extra));
        [Event::RefundNoted { payment, refund, amount }].into_iter().chain(worth_less).collect()
    }

    fn failed(&self, what: Pending) -> Vec<Event> {
        let ours = self.pending.as_ref() == Some(&what);
        ours.then(|| Event::FailureNoted { payment: what.payment().clone() }).into_iter().collect()
    }

    fn authorized(&self, payment: PaymentId, amount: Money, at: Time) -> Vec<Event> {
        let known = |account: &&Account| account.payment == payment && account.authorized == amount.amount;
        if self.accounts.iter().any(|account| known(&account) && !account.released) {
            return vec![];
        }
        let mut events = vec![Event::AuthorizationNoted { payment: payment.clone(), amount }];
        events.extend(self.paid_for_edit(&payment, at));
        events
    }

    fn at_most_keep(&self, money: Money) -> Money {
        self.money(money.amount.min(self.keep.amount).max(0))
    }

    fn plus(&self, money: Money, more: Money) -> Money {
        self.money(money.amount.saturating_add(more.amount))
    }
}

impl Pending {
    pub(super) const fn payment(&self) -> &PaymentId {
        match self {
            Self::Capture { payment, .. } | Self::Refund { payment, .. } | Self::Release { payment } => {
                payment
            }
        }
    }
}

impl Command {
    const fn at(&self) -> Time {
        match self {
            Self::Start { at, .. }
            | Self::Shipped { at, .. }
            | Self::Delivered { at, .. }
            | Self::LinesCancelled { at, .. }
            | Self::Cancelled { at }
            | Self::ReturnReceived { at, .. }
            | Self::EditApplied { at, .. }
            | Self::EditRejected { at, .. }
            | Self::EditPayByPassed { at, .. }
            | Self::PaymentAuthorized { at, .. }
            | Self::PaymentCaptured { at, .. }
            | Self::CaptureFailed { at, .. }
            | Self::Refunded { at, .. }
            | Self::RefundFailed { at, .. }
            | Self::Voided { at, .. }
            | Self::VoidFailed { at, .. }
            | Self::Answered { at, .. }
            | Self::TryAgain { at }
            | Self::DisputeEnded { at } => *at,
            Self::EditCommitted(plan) => plan.at,
        }
    }
}
