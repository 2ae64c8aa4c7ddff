//! What may be given back of what was captured.

use super::{Event, Hold, Intent, Ledger, Payment, RefundStage, Refusal, Settlement, TRIES_MAX};
use crate::value::{Money, RefundId, Text};

impl Payment {
    pub(super) fn refund(
        &self,
        refund: RefundId,
        amount: Option<Money>,
        reason: Text,
    ) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unopened => Err(Refusal::NotOpened),
            Self::Open { .. } | Self::Authorizing { .. } => Err(Refusal::NotAuthorized),
            Self::Voided { .. } => Err(Refusal::Voided),
            Self::Collected { intent, ledger } => {
                let amount = to_refund(intent, ledger, &refund, amount)?;
                let order = intent.order.clone();
                Ok(amount.map(|amount| Event::Refunded { order, refund, amount }).into_iter().collect())
            }
            Self::Held { intent, hold: Hold { reference, ledger, .. }, .. }
            | Self::Released { intent, reference, ledger, .. } => {
                let amount = to_refund(intent, ledger, &refund, amount)?;
                let (order, reference) = (intent.order.clone(), reference.clone());
                let request = |amount| Event::RefundRequested { order, refund, reference, amount, reason };
                Ok(amount.map(request).into_iter().collect())
            }
        }
    }

    pub(super) fn record_refund(&self, refund: RefundId, outcome: Settlement) -> Vec<Event> {
        let Some((intent, _, ledger)) = self.at_gateway() else {
            return vec![];
        };
        let Some(amount) = ledger.refund_pending(&refund) else {
            return vec![];
        };
        let order = intent.order.clone();
        match outcome {
            Settlement::Done => vec![Event::Refunded { order, refund, amount }],
            Settlement::Failed { reason } => vec![Event::RefundFailed { order, refund, amount, reason }],
        }
    }
}

/// How much to give back; nothing when this refund is under way or done. A failed one may be asked for again.
fn to_refund(
    intent: &Intent,
    ledger: &Ledger,
    refund: &RefundId,
    asked: Option<Money>,
) -> Result<Option<Money>, Refusal> {
    let known = ledger.refunds().get(refund);
    if let Some(known) = known {
        if asked.is_some_and(|asked| asked != known.amount) {
            return Err(Refusal::RefundExists { refund: refund.clone() });
        }
        if known.stage != RefundStage::Failed {
            return Ok(None);
        }
    }
    if let Some(dispute) = ledger.open_dispute() {
        return Err(Refusal::Disputed { dispute: dispute.clone() });
    }
    let refundable = ledger.refundable();
    // Whoever asks for everything asks for more than nothing.
    let everything = match (ledger.captured(), refundable) {
        (Money { amount: 0, .. }, _) => intent.amount,
        (captured, Money { amount: 0, .. }) => captured,
        _ => refundable,
    };
    let amount = asked.or(known.map(|known| known.amount)).unwrap_or(everything);
    if amount.amount <= 0 {
        return Err(Refusal::BadAmount);
    }
    if amount.currency != refundable.currency || amount.amount > refundable.amount {
        return Err(Refusal::ExceedsCaptured { requested: amount, refundable });
    }
    if known.is_none() && ledger.refunds().len() >= TRIES_MAX {
        return Err(Refusal::TooManyTries { max: TRIES_MAX });
    }
    Ok(Some(amount))
}
