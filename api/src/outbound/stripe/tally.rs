//! What is counted of calls to Stripe and of what it sends by itself, for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

/// How a call to Stripe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// It did what was asked.
    Done,
    /// It would not.
    Refused,
    /// It failed, or did not answer.
    Failed,
    /// It was not asked: the breaker is open.
    Held,
}

/// What became of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It told of a payment of ours.
    Taken,
    /// It is of a kind that says nothing here.
    Ignored,
    /// It is of no payment of ours.
    Unknown,
    /// It is not signed by who knows the secret, or too old.
    Unsigned,
    /// It tells of money that moved without being asked for here: somebody has to look.
    Unexplained,
    /// It tells of a dispute: somebody has to look.
    Dispute,
}

impl Call {
    pub(crate) const ALL: [(Self, &str); 4] =
        [(Self::Done, "done"), (Self::Refused, "refused"), (Self::Failed, "failed"), (Self::Held, "held")];
}

impl Delivery {
    pub(crate) const ALL: [(Self, &str); 6] = [
        (Self::Taken, "taken"),
        (Self::Ignored, "ignored"),
        (Self::Unknown, "unknown"),
        (Self::Unsigned, "unsigned"),
        (Self::Unexplained, "unexplained"),
        (Self::Dispute, "dispute"),
    ];
}

/// Counts since the process began.
#[derive(Debug, Default)]
pub struct Tally {
    calls: [AtomicU64; 4],
    deliveries: [AtomicU64; 6],
    mismatches: AtomicU64,
}

impl Tally {
    pub(super) fn mismatched(&self) {
        self.mismatches.fetch_add(1, Ordering::Relaxed);
    }

    /// Answers about another amount or currency than was asked for.
    #[must_use]
    pub fn mismatches(&self) -> u64 {
        self.mismatches.load(Ordering::Relaxed)
    }

    pub(super) fn called(&self, call: Call) {
        self.calls[call as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn delivered(&self, delivery: Delivery) {
        self.deliveries[delivery as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Calls that ended so.
    #[must_use]
    pub fn calls(&self, call: Call) -> u64 {
        self.calls[call as usize].load(Ordering::Relaxed)
    }

    /// Webhooks that became that.
    #[must_use]
    pub fn deliveries(&self, delivery: Delivery) -> u64 {
        self.deliveries[delivery as usize].load(Ordering::Relaxed)
    }
}
