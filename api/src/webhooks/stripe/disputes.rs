//! Disputes: what a buyer wants back from their bank.

use domain::{payment::DisputeStage, value::DisputeId};
use store::executor::derived_id;

use super::{Told, unasked, unrecorded, word};
use crate::{
    outbound::stripe::{amount, tally::Delivery, wire::Dispute},
    problem::Problem,
};

impl Told<'_> {
    /// What an event says of a dispute is taken at its word: it is opened once and decided once, in whatever order that is told.
    pub(super) async fn disputed(&self, told: &Dispute) -> Result<Delivery, Problem> {
        let Some(id) = &told.payment_intent else { return Ok(Delivery::Unknown) };
        let Some(intent) = self.door.stripe.intent(id).await.map_err(unasked)? else {
            return Ok(Delivery::Unknown);
        };
        let Some((known, _)) = self.known(&intent).await? else { return Ok(Delivery::Unknown) };
        let stage = match told.status.as_str() {
            "needs_response" | "under_review" => DisputeStage::Open,
            "won" => DisputeStage::Won,
            "lost" => DisputeStage::Lost,
            // The bank only asks, and no money has moved.
            _ => {
                tracing::warn!(
                    dispute = told.id,
                    status = told.status,
                    "a bank asks about a payment: answer at Stripe"
                );
                return Ok(Delivery::Dispute);
            }
        };
        let (amount, dispute) = (amount::from_stripe(told.amount, &told.currency), DisputeId::new(&*told.id));
        let (Some(amount), Ok(dispute)) = (amount, dispute) else {
            return Ok(Delivery::Unexplained);
        };
        let reason = word(told.reason.as_deref().unwrap_or("general"))?;
        let new = known.payment.ledger().is_none_or(|ledger| !ledger.disputes().contains_key(&dispute));
        let id = derived_id(self.delivery_id, "dispute", 0);
        let recorded = self.door.results.dispute(id, &known.id, (&dispute, stage), (amount, reason)).await;
        recorded.map_err(unrecorded)?;
        if new && stage == DisputeStage::Open {
            tracing::error!(
                payment = %known.id,
                %dispute,
                "a payment is disputed: answer at Stripe before its deadline"
            );
            return Ok(Delivery::Dispute);
        }
        Ok(Delivery::Taken)
    }
}
