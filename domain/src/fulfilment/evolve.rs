//! What each event makes of a fulfilment.

use super::{Account, Books, EditStage, Event, Fulfilment, Pending};
use crate::{
    order::Terms,
    payment::Method,
    value::{Money, OrderId, PaymentId},
};

impl Fulfilment {
    pub(super) fn evolve_event(self, event: Event) -> Self {
        match (self, event) {
            (Self::Running(mut books), event) => {
                books.note(event);
                Self::Running(books)
            }
            (Self::Idle, Event::Started { order, terms, total }) => started(order, terms, total, vec![]),
            (Self::Prepaid { accounts }, Event::Started { order, terms, total }) => {
                started(order, terms, total, accounts)
            }
            (Self::Idle, event) => prepaid(vec![], event),
            (Self::Prepaid { accounts }, event) => prepaid(accounts, event),
        }
    }
}

fn started(order: OrderId, terms: Terms, total: Money, mut accounts: Vec<Account>) -> Fulfilment {
    account(&mut accounts, &terms.payment).authorized = total.amount;
    let prepaid = accounts.iter().fold(0, |sum: i64, account| sum.saturating_add(account.kept()));
    Fulfilment::Running(Box::new(Books {
        order,
        terms,
        due: Money::zero(total.currency),
        keep: total,
        complete: false,
        accounts,
        given_away: 0,
        prepaid,
        pending: None,
        asked: 0,
        failures: 0,
        retry_at: None,
        given_up: false,
        returns: vec![],
        invoiced: false,
        edit: None,
    }))
}

fn prepaid(mut accounts: Vec<Account>, event: Event) -> Fulfilment {
    match event {
        Event::CaptureNoted { payment, amount, .. } => {
            let account = account(&mut accounts, &payment);
            account.captured = account.captured.saturating_add(amount.amount);
        }
        Event::RefundNoted { payment, amount, .. } => {
            let account = account(&mut accounts, &payment);
            account.refunded = account.refunded.saturating_add(amount.amount);
        }
        _ => {}
    }
    if accounts.is_empty() { Fulfilment::Idle } else { Fulfilment::Prepaid { accounts } }
}

fn account<'a>(accounts: &'a mut Vec<Account>, payment: &PaymentId) -> &'a mut Account {
    let place = accounts.iter().position(|account| account.payment == *payment).unwrap_or_else(|| {
        accounts.push(Account {
            payment: payment.clone(),
            authorized: 0,
            captured: 0,
            refunded: 0,
            released: false,
            abandoned: false,
        });
        accounts.len().saturating_sub(1)
    });
    &mut accounts[place]
}

impl Books {
    fn note(&mut self, event: Event) {
        match event {
            Event::Started { .. } | Event::ReturnSettled { .. } | Event::CreditNoteDue { .. } => {
                self.note_settled_return(&event);
            }
            Event::CaptureNoted { payment, capture, amount } => {
                let account = account(&mut self.accounts, &payment);
                account.captured = account.captured.saturating_add(amount.amount);
                if !self.answered(&Pending::Capture { payment, capture }) {
                    self.prepaid = self.prepaid.saturating_add(amount.amount);
                }
            }
            Event::RefundNoted { payment, refund, amount } => {
                let what = Pending::Refund { payment: payment.clone(), refund };
                let extra = self.not_owed(&what, amount);
                self.given_away = self.given_away.saturating_add(extra.amount);
                let account = account(&mut self.accounts, &payment);
                account.refunded = account.refunded.saturating_add(amount.amount);
                self.answered(&what);
            }
            Event::AuthorizationNoted { payment, amount } => {
                let account = account(&mut self.accounts, &payment);
                account.authorized = amount.amount;
                account.released = false;
            }
            Event::ReleaseNoted { payment } => {
                account(&mut self.accounts, &payment).released = true;
                self.answered(&Pending::Release { payment });
            }
            Event::FailureNoted { .. } => {
                self.pending = None;
                self.failures = self.failures.saturating_add(1);
            }
            Event::BalanceChanged { due, keep, complete } => {
                (self.due, self.keep, self.complete) = (due, keep, complete);
                self.given_up = false;
            }
            Event::ReturnNoted { return_id, value } => self.returns.push((return_id, value)),
            Event::CaptureDue { payment, capture, .. } => self.ask(Pending::Capture { payment, capture }),
            Event::RefundDue { payment, refund, .. } => self.ask(Pending::Refund { payment, refund }),
            Event::ReleaseDue { payment, .. } => self.ask(Pending::Release { payment }),
            Event::RetryPlanned { due, .. } => self.retry_at = Some(due),
            Event::Retried {} => (self.retry_at, self.given_up) = (None, false),
            // Whatever it is that gives a reason to try once more, trying begins anew then.
            Event::SettlementFailed { .. } => (self.given_up, self.failures) = (true, 0),
            Event::InvoiceDue { .. } => self.invoiced = true,
            event @ (Event::EditStarted(_)
            | Event::EditReserved { .. }
            | Event::EditAccepted { .. }
            | Event::EditAllocated { .. }
            | Event::EditDone { .. }
            | Event::EditFailed { .. }) => self.note_edit(event),
        }
    }

    fn note_settled_return(&mut self, event: &Event) {
        if let Event::ReturnSettled { return_id, .. } = event {
            self.returns.retain(|(open, _)| open != return_id);
        }
    }

    fn ask(&mut self, pending: Pending) {
        self.asked = self.asked.saturating_add(1);
        self.pending = Some(pending);
    }

    /// A payment moved. Whether that was what was asked for; if so, that is answered, and trying begins anew.
    fn answered(&mut self, what: &Pending) -> bool {
        let asked = self.pending.as_ref() == Some(what);
        if asked {
            self.pending = None;
            self.failures = 0;
        }
        self.given_up = false;
        asked
    }

    fn note_edit(&mut self, event: Event) {
        match event {
            Event::EditStarted(plan) => {
                if let Some(payment) = &plan.payment {
                    let cash = self.terms.method == Method::CashOnDelivery;
                    // Cash needs no authorization: what is asked for can be collected.
                    let authorized = if cash { plan.difference.amount.max(0) } else { 0 };
                    account(&mut self.accounts, payment).authorized = authorized;
                }
                self.edit = Some((plan, EditStage::Reserving));
            }
            Event::EditReserved { .. } => self.edit_is(EditStage::AwaitingPayment),
            Event::EditAccepted { .. } => self.edit_is(EditStage::Allocating),
            Event::EditAllocated { .. } => self.edit_is(EditStage::Applying),
            Event::EditFailed { plan, .. } => {
                if let Some(payment) = &plan.payment {
                    account(&mut self.accounts, payment).abandoned = true;
                }
                self.edit = None;
            }
            _ => self.edit = None,
        }
    }

    fn edit_is(&mut self, stage: EditStage) {
        if let Some((_, known)) = &mut self.edit {
            *known = stage;
        }
    }
}
