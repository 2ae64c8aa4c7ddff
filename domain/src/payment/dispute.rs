//! What a buyer wants back from their bank, and what became of it.

use serde::{Deserialize, Serialize};

use super::{Event, Ledger, Payment, TRIES_MAX};
use crate::value::{DisputeId, Money, Text};

/// How a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DisputeStage {
    /// Nobody has decided yet; the gateway has taken the amount from the shop.
    Open,
    /// The shop keeps the money.
    Won,
    /// The buyer has it.
    Lost,
}

/// A dispute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dispute {
    /// About how much.
    pub amount: Money,
    /// How it stands.
    pub stage: DisputeStage,
}

impl Payment {
    /// Gateways tell late, twice, and of the end before the beginning: what comes after the end is old news, and an end
    /// that comes first tells of the beginning as well.
    pub(super) fn record_dispute(
        &self,
        dispute: DisputeId,
        amount: Money,
        reason: Text,
        stage: DisputeStage,
    ) -> Vec<Event> {
        let Some((intent, _, ledger)) = self.at_gateway() else {
            return vec![];
        };
        let known = ledger.disputes().get(&dispute);
        if known.is_some_and(|known| known.stage != DisputeStage::Open)
            || known.is_none() && ledger.disputes().len() >= TRIES_MAX
        {
            return vec![];
        }
        // What was disputed stands in what was told first.
        let of = known.map_or(amount, |known| known.amount);
        let order = intent.order.clone();
        let opened = known.is_none().then(|| Event::DisputeOpened {
            order: order.clone(),
            dispute: dispute.clone(),
            amount,
            reason,
        });
        let ended = match stage {
            DisputeStage::Open => None,
            DisputeStage::Won => Some(Event::DisputeWon { order, dispute, amount: of }),
            DisputeStage::Lost => Some(Event::DisputeLost { order, dispute, amount: of }),
        };
        opened.into_iter().chain(ended).collect()
    }

    pub(super) fn dispute_is(self, dispute: DisputeId, amount: Money, stage: DisputeStage) -> Self {
        self.with_gateway_ledger(|ledger| ledger.dispute_is(dispute, amount, stage))
    }
}

impl Ledger {
    /// The dispute that nobody has decided yet, if there is one.
    #[must_use]
    pub fn open_dispute(&self) -> Option<&DisputeId> {
        let mut disputes = self.disputes().iter();
        disputes.find(|(_, dispute)| dispute.stage == DisputeStage::Open).map(|(id, _)| id)
    }
}
