//! What is to be captured, given back or let go of, so that the books balance.

use super::{Account, Books, Event, FIRST_WAIT_MS, Pending, TRIES_MAX, decide::at_once};
use crate::{
    payment::Method,
    value::{CaptureId, Money, RefundId, Time},
};

impl Books {
    /// What the shop holds of the buyer's money.
    #[must_use]
    pub fn held(&self) -> i64 {
        self.accounts.iter().fold(0, |sum: i64, account| sum.saturating_add(account.kept()))
    }

    /// What should have been taken and was not.
    #[must_use]
    pub fn missing(&self) -> i64 {
        self.due.amount.saturating_sub(self.held()).max(0)
    }

    /// What must not be kept: neither due nor taken early on purpose, or more than the order is worth.
    #[must_use]
    pub fn owed(&self) -> i64 {
        let may_keep = self.due.amount.max(self.prepaid).min(self.keep.amount).max(0);
        self.held().saturating_sub(may_keep).max(0)
    }

    /// What of a refund was given away on purpose. One that nobody here asked for pays what is owed first.
    pub(super) fn not_owed(&self, what: &Pending, amount: Money) -> Money {
        let owed = match &self.pending {
            Some(asked) if asked == what => amount.amount,
            // What is owed is under way already.
            Some(Pending::Refund { .. }) => 0,
            Some(Pending::Capture { .. } | Pending::Release { .. }) | None => self.owed(),
        };
        self.money(amount.amount.saturating_sub(owed).max(0))
    }

    /// Whether nothing more will be earned, and nothing is awaited, due, owed or held.
    pub(super) fn is_settled(&self) -> bool {
        let awaited =
            self.pending.is_some() || self.retry_at.is_some() || self.given_up || self.edit.is_some();
        // When it would be done makes no difference to whether it would.
        self.complete && !awaited && self.settle(Time::from_millis(0)).is_empty()
    }

    /// The next thing to do, one at a time: each waits for the answer to the one before.
    pub(super) fn settle(&self, at: Time) -> Vec<Event> {
        if self.pending.is_some() || self.retry_at.is_some() || self.given_up {
            return vec![];
        }
        let due = self.next_due(at);
        let out_of_reach = self.missing() > 0 && due.is_none();
        if self.failures >= TRIES_MAX && due.is_some() || out_of_reach {
            let (missing, owed) = (self.money(self.missing()), self.money(self.owed()));
            return vec![Event::SettlementFailed { missing, owed }];
        }
        match due {
            Some(_) if self.failures > 0 => {
                let (order, due) = (self.order.clone(), wait(at, self.failures));
                return vec![Event::RetryPlanned { order, due }];
            }
            Some(due) => return vec![due],
            None => {}
        }
        let returns = self.returns.iter();
        returns
            .map(|(return_id, amount)| Event::ReturnSettled {
                order: self.order.clone(),
                return_id: return_id.clone(),
                amount: *amount,
            })
            .collect()
    }

    /// The same once it is time to try again, whatever failed before. Somebody may have done it by hand meanwhile.
    pub(super) fn retry(&self, at: Time) -> Vec<Event> {
        match (&self.pending, self.next_due(at)) {
            (None, Some(due)) => vec![due],
            _ => self.settle(at),
        }
    }

    fn next_due(&self, at: Time) -> Option<Event> {
        let number = self.asked.saturating_add(1);
        let name = format!("due-{number}");
        if self.owed() > 0 {
            let account = self.accounts.iter().rev().find(|account| account.kept() > 0)?;
            let amount = self.money(self.owed().min(account.kept()));
            let refund = RefundId::new(name).ok()?;
            return Some(Event::RefundDue { payment: account.payment.clone(), refund, amount, at });
        }
        if self.missing() > 0
            && let Some(account) = self.accounts.iter().find(|account| account.capturable() > 0)
        {
            let amount = self.money(self.missing().min(account.capturable()));
            let capture = CaptureId::new(name).ok()?;
            return Some(Event::CaptureDue { payment: account.payment.clone(), capture, amount, at });
        }
        // What nobody will take is let go of: at the end, as soon as everything is taken that is taken at once, or when
        // nothing is left that could be earned.
        let earned = self.complete || at_once(&self.terms) || self.keep.amount <= 0;
        let over = earned && self.missing() == 0 && self.edit.is_none();
        // Of cash that was collected there is no rest that anybody holds.
        let cash = self.terms.method == Method::CashOnDelivery;
        let held = |account: &Account| account.left() > 0 && !(cash && account.captured > 0);
        let unwanted = |account: &&Account| held(account) && (account.abandoned || over);
        let account = self.accounts.iter().find(unwanted)?;
        Some(Event::ReleaseDue { payment: account.payment.clone(), at })
    }

    pub(super) const fn money(&self, amount: i64) -> Money {
        Money::new(amount, self.due.currency)
    }
}

impl Account {
    /// What was captured and not given back.
    #[must_use]
    pub const fn kept(&self) -> i64 {
        self.captured.saturating_sub(self.refunded)
    }

    /// What can still be captured.
    #[must_use]
    pub const fn capturable(&self) -> i64 {
        if self.abandoned { 0 } else { self.left() }
    }

    const fn left(&self) -> i64 {
        if self.released { 0 } else { self.authorized.saturating_sub(self.captured) }
    }
}

fn wait(at: Time, failures: u32) -> Time {
    let factor = 5_i64.saturating_pow(failures.saturating_sub(1));
    at.plus_millis(FIRST_WAIT_MS.saturating_mul(factor))
}
