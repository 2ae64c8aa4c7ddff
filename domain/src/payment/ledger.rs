//! What was captured of an intent, and what of that was given back or lost in a dispute.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Dispute, DisputeStage, Seeking};
use crate::value::{CaptureId, DisputeId, Money, RefundId};

/// How far a refund has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefundStage {
    /// The gateway has not answered.
    Pending,
    /// Given back.
    Done,
    /// The gateway refused; it may be asked again.
    Failed,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refund {
    /// How much.
    pub amount: Money,
    /// How far it has come.
    pub stage: RefundStage,
    /// How far it has come with the gateway's answer, if that is to come later.
    pub seeking: Seeking,
}

/// Captures and refunds of one intent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    captured: Money,
    captures: BTreeMap<CaptureId, Money>,
    refunds: BTreeMap<RefundId, Refund>,
    disputes: BTreeMap<DisputeId, Dispute>,
}

impl Ledger {
    pub(super) const fn new(captured: Money) -> Self {
        Self { captured, captures: BTreeMap::new(), refunds: BTreeMap::new(), disputes: BTreeMap::new() }
    }

    /// What was captured.
    #[must_use]
    pub const fn captured(&self) -> Money {
        self.captured
    }

    /// Every capture that was asked for, failed ones included, and how much was asked for.
    #[must_use]
    pub const fn captures(&self) -> &BTreeMap<CaptureId, Money> {
        &self.captures
    }

    /// Every refund that was asked for.
    #[must_use]
    pub const fn refunds(&self) -> &BTreeMap<RefundId, Refund> {
        &self.refunds
    }

    /// Every dispute that the gateway told of.
    #[must_use]
    pub const fn disputes(&self) -> &BTreeMap<DisputeId, Dispute> {
        &self.disputes
    }

    /// What buyers have got back from their banks. How much of this money another currency was is not known: it counts as
    /// everything that was captured.
    #[must_use]
    pub fn lost(&self) -> Money {
        let lost = self.disputes.values().filter(|dispute| dispute.stage == DisputeStage::Lost);
        let zero = Money::zero(self.captured.currency);
        lost.fold(zero, |sum, lost| sum.plus(lost.amount).unwrap_or(self.captured))
    }

    /// What was given back.
    #[must_use]
    pub fn refunded(&self) -> Money {
        self.sum(RefundStage::Done)
    }

    /// What the gateway was asked to give back and has not answered.
    #[must_use]
    pub fn refunding(&self) -> Money {
        self.sum(RefundStage::Pending)
    }

    /// What of `authorized` was not captured yet.
    #[must_use]
    pub fn capturable(&self, authorized: Money) -> Money {
        left(authorized, self.captured)
    }

    /// What was captured and is neither given back, nor about to be, nor lost.
    #[must_use]
    pub fn refundable(&self) -> Money {
        left(left(left(self.captured, self.refunded()), self.refunding()), self.lost())
    }

    /// Whether no refund waits for its answer or was refused, and nothing is disputed.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.open_dispute().is_none() && self.refunds.values().all(|refund| refund.stage == RefundStage::Done)
    }

    pub(super) fn capture_asked(mut self, capture: CaptureId, amount: Money) -> Self {
        self.captures.insert(capture, amount);
        self
    }

    pub(super) fn capture_done(mut self, amount: Money) -> Self {
        self.captured = self.captured.plus(amount).unwrap_or(self.captured);
        self
    }

    pub(super) fn refund_is(mut self, id: RefundId, amount: Money, stage: RefundStage) -> Self {
        self.refunds.insert(id, Refund { amount, stage, seeking: Seeking::No });
        self
    }

    pub(super) fn dispute_is(mut self, id: DisputeId, amount: Money, stage: DisputeStage) -> Self {
        self.disputes.insert(id, Dispute { amount, stage });
        self
    }

    /// Whether so much as that refund was given back.
    #[must_use]
    pub fn is_refunded(&self, id: &RefundId) -> bool {
        self.refunds.get(id).is_some_and(|refund| refund.stage == RefundStage::Done)
    }

    /// What the gateway is asked to give back under that name and has not answered.
    #[must_use]
    pub fn refund_pending(&self, id: &RefundId) -> Option<Money> {
        let refund = self.refunds.get(id).filter(|refund| refund.stage == RefundStage::Pending);
        refund.map(|refund| refund.amount)
    }

    pub(super) fn seeking(&mut self, id: &RefundId) -> Option<&mut Seeking> {
        let pending = self.refunds.get_mut(id).filter(|refund| refund.stage == RefundStage::Pending);
        pending.map(|refund| &mut refund.seeking)
    }

    fn sum(&self, stage: RefundStage) -> Money {
        let of_stage = self.refunds.values().filter(|refund| refund.stage == stage);
        of_stage
            .fold(Money::zero(self.captured.currency), |sum, refund| sum.plus(refund.amount).unwrap_or(sum))
    }
}

fn left(whole: Money, part: Money) -> Money {
    whole.minus(part).filter(|rest| rest.amount > 0).unwrap_or(Money::zero(whole.currency))
}
