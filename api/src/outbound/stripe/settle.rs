//! Taking what is held, letting go of it, and giving back what was taken.

use domain::{
    payment::Settlement,
    value::{Money, RefundId, Text},
};
use reqwest::Method as Verb;
use store::gateway::{Ask, GatewayError, Settled};

use super::{
    KEYS_MAX, Stripe,
    amiss::AMISS,
    amount,
    authorize::of_the_key,
    client::{Answer, Group, Request, Unanswered},
    nth_key, segment, unanswered,
    wire::{Intent, Refund, Status},
    word,
};

impl Stripe {
    /// Takes so much.
    pub(super) async fn take(
        &self,
        ask: &Ask,
        reference: &Text,
        wanted: Money,
    ) -> Result<Settled, GatewayError> {
        let Some((part, upto)) = part_and_sum(ask, wanted) else {
            return failed("amount_not_representable");
        };
        let rest = ask.intent.amount.amount > ask.captured.amount.saturating_add(wanted.amount);
        let mut fields = vec![("amount_to_capture", part.to_string())];
        if rest || ask.again || self.is_old(ask) {
            let intent = self.intent(reference.as_str()).await?;
            if intent.as_ref().is_some_and(|intent| intent.has_taken(ask, upto)) {
                return done();
            }
            if let Some(intent) = intent.as_ref().filter(|_| ask.again) {
                return self.still_untaken(ask, intent);
            }
            if rest && intent.is_some_and(|intent| intent.takes_parts()) {
                fields.push(("final_capture", "false".to_owned()));
            }
        }
        for nth in 0..KEYS_MAX {
            let request = Request {
                group: Group::Settle,
                method: Verb::POST,
                path: format!("/v1/payment_intents/{}/capture", segment(reference.as_str())),
                fields: &fields,
                key: Some(key(ask, nth)),
                patience: self.settling(),
            };
            match self.client.call::<Intent>(&request).await {
                Ok(Answer::Done(Intent { status: Status::Processing, .. })) => return Ok(Settled::Pending),
                Ok(Answer::Done(intent)) if intent.has_taken(ask, upto) => return done(),
                Ok(Answer::Done(intent)) => {
                    self.amiss(ask, &intent);
                    return failed(AMISS);
                }
                Ok(Answer::Refused(refused)) if refused.is_of_the_key() => return Err(of_the_key(&refused)),
                Ok(Answer::Refused(refused)) => {
                    // Taken before, by a try that was not heard of any more.
                    return match self.intent(reference.as_str()).await? {
                        Some(intent) if intent.has_taken(ask, upto) => done(),
                        _ => failed(refused.fault.word()),
                    };
                }
                Err(Unanswered::Burnt | Unanswered::Reused) => {
                    let intent = self.intent(reference.as_str()).await?;
                    if intent.is_some_and(|intent| intent.has_taken(ask, upto)) {
                        return done();
                    }
                }
                Err(error) => return Err(unanswered(error)),
            }
        }
        Err(unanswered(Unanswered::Burnt))
    }

    /// How it stands with a capture that Stripe wanted to answer later, and that has not taken what it was to take.
    fn still_untaken(&self, ask: &Ask, intent: &Intent) -> Result<Settled, GatewayError> {
        match intent.status {
            Status::Processing => Ok(Settled::Pending),
            Status::Succeeded => {
                self.amiss(ask, intent);
                failed(AMISS)
            }
            Status::Canceled => failed(intent.cancellation_reason.as_deref().unwrap_or("canceled")),
            Status::RequiresCapture
            | Status::RequiresPaymentMethod
            | Status::RequiresConfirmation
            | Status::RequiresAction
            | Status::Unknown => {
                failed(intent.last_payment_error.as_ref().map_or("not_captured", |fault| fault.word()))
            }
        }
    }

    /// Lets go of what was not taken.
    pub(super) async fn let_go(&self, ask: &Ask, reference: &Text) -> Result<Settled, GatewayError> {
        let id = reference.as_str();
        let refused = match self.cancel(ask, id, self.settling()).await {
            Ok(Answer::Done(_)) => return done(),
            Ok(Answer::Refused(refused)) if refused.is_of_the_key() => return Err(of_the_key(&refused)),
            Ok(Answer::Refused(refused)) => refused.fault.word().to_owned(),
            Err(Unanswered::Burnt | Unanswered::Reused) => String::new(),
            Err(error) => return Err(unanswered(error)),
        };
        let known = amount::to_stripe(ask.captured);
        match self.intent(id).await? {
            Some(Intent { status: Status::Canceled, .. }) => done(),
            // A capture of a part lets go of the rest. Whatever else was taken was not taken by this shop.
            Some(Intent { status: Status::Succeeded, amount_received, .. })
                if Some(amount_received) == known =>
            {
                done()
            }
            Some(_) if refused.is_empty() => Err(unanswered(Unanswered::Burnt)),
            Some(_) | None => failed(&refused),
        }
    }

    /// Gives so much back.
    pub(super) async fn give_back(
        &self,
        ask: &Ask,
        reference: &Text,
        refund: &RefundId,
        wanted: Money,
    ) -> Result<Settled, GatewayError> {
        let Some(part) = amount::to_stripe(wanted) else {
            return failed("amount_not_representable");
        };
        if (ask.again || self.is_old(ask))
            && let Some(known) = self.known_refund(ask, reference, refund).await?
        {
            return known.outcome();
        }
        let fields = [
            ("payment_intent", reference.as_str().to_owned()),
            ("amount", part.to_string()),
            ("metadata[payment]", ask.payment.to_string()),
            ("metadata[refund]", refund.to_string()),
            ("metadata[request]", ask.request_id.to_string()),
        ];
        for nth in 0..KEYS_MAX {
            let request = Request {
                group: Group::Refund,
                method: Verb::POST,
                path: "/v1/refunds".to_owned(),
                fields: &fields,
                key: Some(key(ask, nth)),
                patience: self.settling(),
            };
            let word = match self.client.call::<Refund>(&request).await {
                Ok(Answer::Done(refund)) => return refund.outcome(),
                Ok(Answer::Refused(refused)) if refused.is_of_the_key() => return Err(of_the_key(&refused)),
                Ok(Answer::Refused(refused)) => Some(refused.fault.word().to_owned()),
                Err(Unanswered::Burnt | Unanswered::Reused) => None,
                Err(error) => return Err(unanswered(error)),
            };
            match (self.known_refund(ask, reference, refund).await?, word) {
                (Some(known), _) => return known.outcome(),
                (None, Some(word)) => return failed(&word),
                (None, None) => {}
            }
        }
        Err(unanswered(Unanswered::Burnt))
    }

    /// What this very request has given back already.
    async fn known_refund(
        &self,
        ask: &Ask,
        reference: &Text,
        refund: &RefundId,
    ) -> Result<Option<Refund>, GatewayError> {
        let request = ask.request_id.to_string();
        let ours = |known: &Refund| {
            known.metadata.get("refund").is_some_and(|id| id == refund.as_str())
                && known.metadata.get("request").is_some_and(|id| *id == request)
        };
        Ok(self.refunds(reference.as_str()).await?.into_iter().find(ours))
    }
}

impl Refund {
    /// What came of it.
    fn outcome(&self) -> Result<Settled, GatewayError> {
        match self.status.as_deref() {
            Some("failed" | "canceled") => failed(self.failure_reason.as_deref().unwrap_or("refund_failed")),
            Some("pending" | "requires_action") => Ok(Settled::Pending),
            Some(_) | None => done(),
        }
    }
}

/// What is to be taken now, and what will have been taken in all, as Stripe counts it.
fn part_and_sum(ask: &Ask, wanted: Money) -> Option<(i64, i64)> {
    Some((amount::to_stripe(wanted)?, amount::to_stripe(ask.captured.plus(wanted)?)?))
}

fn key(ask: &Ask, nth: u32) -> String {
    nth_key(&ask.request_id.to_string(), nth)
}

fn done() -> Result<Settled, GatewayError> {
    Ok(Settled::Answered(Settlement::Done))
}

fn failed(reason: &str) -> Result<Settled, GatewayError> {
    Ok(Settled::Answered(Settlement::Failed { reason: word(reason)? }))
}
