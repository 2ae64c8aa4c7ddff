//! Holding money: a PaymentIntent is made, which holds nothing, and confirmed, which does.

use std::time::Duration;

use domain::{
    payment::{Authorization, CaptureWhen},
    value::AttemptId,
};
use reqwest::Method as Verb;
use store::gateway::{Ask, Authorized, GatewayError, Means, Use};

use super::{
    KEYS_MAX, Stripe,
    amiss::AMISS,
    amount,
    client::{Answer, Group, Patience, Refused, Request, Unanswered},
    nth_key, segment, unanswered,
    wire::{Intent, List, Status},
    word,
};

/// Stripe lets go of every hold after 30 days, of most after seven.
const HELD_AT_MOST_MS: i64 = 31 * 24 * 60 * 60 * 1_000;

/// What Stripe says of a PaymentIntent that has gone on meanwhile.
const UNEXPECTED_STATE: &str = "payment_intent_unexpected_state";

/// How long each call of an authorization may take: a connection that hangs leaves time for another.
pub(super) const TRY: Duration = Duration::from_millis(2_400);
/// How long both calls may take together, repeats included: a little less than the buyer waits.
pub(super) const AUTHORIZING: Duration = Duration::from_millis(4_700);

/// What was asked less than so long ago is not searched for: Stripe's search shows what is a minute old.
const SEARCHED_AFTER_MS: i64 = 3 * 60 * 1_000;

/// How an authorization stands, as far as it is known.
enum Known {
    Answer(Authorization),
    /// Stripe will tell.
    Later,
    /// Nothing is held, but it could be.
    Open,
    /// It is for something else than was asked.
    Amiss,
}

impl Stripe {
    /// Asks for the hold. Whoever cannot be told for certain is told that there was no answer in time: what became of it is
    /// found out afterwards.
    pub(super) async fn hold(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        means: &Means,
    ) -> Result<Authorized, GatewayError> {
        let answered = |outcome| Ok(Authorized::Answered(outcome));
        if let Some(reason) = cannot(ask) {
            return answered(Authorization::Declined { reason: word(reason)? });
        }
        if self.is_old(ask) {
            return answered(Authorization::TimedOut);
        }
        let patience = self.client.patience(TRY, AUTHORIZING, 4);
        let made = match self.make(ask, attempt, means, patience).await {
            Ok(Answer::Done(intent)) if !intent.is_for(ask.intent.amount) => {
                return answered(self.dropped(ask, &intent, patience).await?);
            }
            Ok(Answer::Done(intent)) => intent,
            Ok(Answer::Refused(refused)) => return answered(refusal(&refused)?),
            Err(_) => return answered(Authorization::TimedOut),
        };
        let confirmed = match self.confirm(ask, &made.id, patience).await {
            Ok(Answer::Done(intent)) => intent,
            Ok(Answer::Refused(refused)) => match refused.fault.payment_intent.clone() {
                // Confirmed before, by a try that was not heard of any more.
                Some(intent) if intent.status == Status::RequiresCapture => *intent,
                _ if refused.fault.word() == UNEXPECTED_STATE => return answered(Authorization::TimedOut),
                Some(_) | None => return answered(refusal(&refused)?),
            },
            Err(_) => return answered(Authorization::TimedOut),
        };
        match known(ask, &confirmed)? {
            Known::Answer(outcome) => answered(outcome),
            Known::Later => Ok(Authorized::Pending),
            Known::Amiss => answered(self.dropped(ask, &confirmed, patience).await?),
            Known::Open if confirmed.status == Status::RequiresAction => {
                // Nobody has the secret that the buyer could prove themselves with, so this only tidies up.
                let _ = self.cancel(ask, &confirmed.id, patience).await;
                answered(Authorization::Declined { reason: word("authentication_required")? })
            }
            Known::Open => answered(Authorization::TimedOut),
        }
    }

    /// What became of a hold that was not waited for. Afterwards it is held, or never will be.
    pub(super) async fn found_out(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        means: Option<&Means>,
    ) -> Result<Authorized, GatewayError> {
        let never =
            |reason: &str| Ok(Authorized::Answered(Authorization::Declined { reason: word(reason)? }));
        if let Some(reason) = cannot(ask) {
            return never(reason);
        }
        let age_ms = self.clock.now().millis().saturating_sub(ask.asked_at.millis());
        if age_ms > HELD_AT_MOST_MS {
            return never("expired");
        }
        let made = match means.filter(|_| !self.is_old(ask)) {
            None if age_ms < SEARCHED_AFTER_MS => {
                return Err(GatewayError(
                    "what it was to be paid with is gone, and it is too new to search for".to_owned(),
                ));
            }
            None => self.search(attempt).await?,
            Some(means) => match self.make(ask, attempt, means, self.settling()).await {
                Ok(Answer::Done(intent)) => vec![intent],
                Ok(Answer::Refused(refused)) if refused.is_of_the_key() => return Err(of_the_key(&refused)),
                Ok(Answer::Refused(refused)) => return never(refused.fault.word()),
                Err(Unanswered::Reused) => self.search(attempt).await?,
                // Whoever was answered so never learnt of a PaymentIntent that could be confirmed.
                Err(Unanswered::Burnt) => return never("timed_out"),
                Err(error) => return Err(unanswered(error)),
            },
        };
        let mut last = never("timed_out")?;
        for intent in made {
            last = self.closed(ask, &intent.id).await?;
            if !matches!(last, Authorized::Answered(Authorization::Declined { .. })) {
                break;
            }
        }
        Ok(last)
    }

    /// What is for something else is held by nobody here. Where it cannot be closed at once, it is found out afterwards.
    async fn dropped(
        &self,
        ask: &Ask,
        intent: &Intent,
        patience: Patience,
    ) -> Result<Authorization, GatewayError> {
        self.amiss(ask, intent);
        match self.cancel(ask, &intent.id, patience).await {
            Ok(Answer::Done(_)) => Ok(Authorization::Declined { reason: word(AMISS)? }),
            Ok(Answer::Refused(_)) | Err(_) => Ok(Authorization::TimedOut),
        }
    }

    /// The PaymentIntent is held, or is made so that it never will be, unless Stripe is still working on it.
    async fn closed(&self, ask: &Ask, id: &str) -> Result<Authorized, GatewayError> {
        let mut intent = self.intent(id).await?;
        let mut why = "timed_out";
        loop {
            let Some(found) = intent else {
                return Ok(Authorized::Answered(Authorization::Declined { reason: word(why)? }));
            };
            match known(ask, &found)? {
                Known::Answer(outcome @ Authorization::Approved { .. }) => {
                    return Ok(Authorized::Answered(outcome));
                }
                Known::Answer(_) if found.status == Status::Canceled && why == AMISS => {
                    intent = None;
                    continue;
                }
                Known::Answer(outcome) if found.status == Status::Canceled => {
                    return Ok(Authorized::Answered(outcome));
                }
                Known::Later => return Ok(Authorized::Pending),
                Known::Amiss => {
                    self.amiss(ask, &found);
                    why = AMISS;
                }
                // A card that was declined could be followed by another one: closed, it is out of the way.
                Known::Answer(_) | Known::Open => {}
            }
            intent = match self.cancel(ask, id, self.settling()).await.map_err(unanswered)? {
                Answer::Done(intent) => Some(intent),
                // It was confirmed meanwhile, or closed.
                Answer::Refused(_) => match self.intent(id).await? {
                    Some(now) if now.status == found.status => {
                        return Err(GatewayError("Stripe does not close it".to_owned()));
                    }
                    now => now,
                },
            };
        }
    }

    /// Makes the PaymentIntent, or gets the one that was made: the request's id is the key.
    async fn make(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        means: &Means,
        patience: Patience,
    ) -> Result<Answer<Intent>, Unanswered> {
        let whole = ask.intent.amount;
        let mut fields = vec![
            ("amount", amount::to_stripe(whole).unwrap_or_default().to_string()),
            ("currency", amount::code(whole.currency)),
            ("capture_method", "manual".to_owned()),
            ("payment_method", means.token.as_str().to_owned()),
            ("payment_method_types[]", "card".to_owned()),
            ("metadata[payment]", ask.payment.to_string()),
            ("metadata[order]", ask.intent.order.to_string()),
            ("metadata[attempt]", attempt.to_string()),
        ];
        match &means.used {
            Use::Once => {}
            Use::Kept(holder) => fields.push(("customer", holder.to_string())),
            // The buyer is there when it is paid with again. Stripe attaches it once the hold is confirmed.
            Use::Keep(holder) => fields
                .extend([("customer", holder.to_string()), ("setup_future_usage", "on_session".to_owned())]),
        }
        if ask.intent.capture == CaptureWhen::OnShipment {
            // Each part of an order is captured when it leaves.
            fields.push(("payment_method_options[card][request_multicapture]", "if_available".to_owned()));
        }
        let request = Request {
            group: Group::Authorize,
            method: Verb::POST,
            path: "/v1/payment_intents".to_owned(),
            fields: &fields,
            key: Some(ask.request_id.to_string()),
            patience,
        };
        self.around(request).await
    }

    /// Asks for what may be done twice: where Stripe keeps an error under one key, it is asked under the next.
    async fn around(&self, mut request: Request<'_>) -> Result<Answer<Intent>, Unanswered> {
        let key = request.key.take().unwrap_or_default();
        for nth in 0..KEYS_MAX {
            request.key = Some(nth_key(&key, nth));
            match self.client.call(&request).await {
                Err(Unanswered::Burnt) => {}
                answer => return answer,
            }
        }
        Err(Unanswered::Burnt)
    }

    async fn confirm(&self, ask: &Ask, id: &str, patience: Patience) -> Result<Answer<Intent>, Unanswered> {
        let key = format!("{}-confirm", ask.request_id);
        self.client.call(&on_intent(Group::Authorize, (id, "confirm"), key, patience)).await
    }

    pub(super) async fn cancel(
        &self,
        ask: &Ask,
        id: &str,
        patience: Patience,
    ) -> Result<Answer<Intent>, Unanswered> {
        let key = format!("{}-cancel-{id}", ask.request_id);
        self.around(on_intent(Group::Settle, (id, "cancel"), key, patience)).await
    }

    /// The PaymentIntents of an attempt, where their key is forgotten. Stripe's search shows what is a minute old.
    async fn search(&self, attempt: &AttemptId) -> Result<Vec<Intent>, GatewayError> {
        let quoted = attempt.as_str().replace(['\\', '\''], "");
        let fields = [("query", format!("metadata['attempt']:'{quoted}'")), ("limit", "10".to_owned())];
        match self.look::<List<Intent>>("/v1/payment_intents/search", &fields).await? {
            Answer::Done(list) => Ok(list.data),
            Answer::Refused(refused) => Err(GatewayError(refused.fault.word().to_owned())),
        }
    }
}

/// A call without fields on a PaymentIntent.
fn on_intent(group: Group, (id, what): (&str, &str), key: String, patience: Patience) -> Request<'static> {
    Request {
        group,
        method: Verb::POST,
        path: format!("/v1/payment_intents/{}/{what}", segment(id)),
        fields: &[],
        key: Some(key),
        patience,
    }
}

/// Why it is not even asked.
fn cannot(ask: &Ask) -> Option<&'static str> {
    if !Stripe::takes(ask.intent.method) {
        return Some("method_unavailable");
    }
    amount::to_stripe(ask.intent.amount).is_none().then_some("amount_not_representable")
}

fn known(ask: &Ask, intent: &Intent) -> Result<Known, GatewayError> {
    Ok(match intent.status {
        Status::RequiresCapture | Status::Succeeded | Status::Processing
            if !intent.is_for(ask.intent.amount) =>
        {
            Known::Amiss
        }
        Status::RequiresCapture | Status::Succeeded => {
            Known::Answer(Authorization::Approved { reference: word(&intent.id)? })
        }
        Status::RequiresPaymentMethod => {
            let reason = intent.last_payment_error.as_ref().map_or("card_declined", |fault| fault.word());
            Known::Answer(Authorization::Declined { reason: word(reason)? })
        }
        Status::Canceled => {
            let reason = intent.cancellation_reason.as_deref().unwrap_or("canceled");
            Known::Answer(Authorization::Declined { reason: word(reason)? })
        }
        Status::Processing => Known::Later,
        Status::RequiresConfirmation | Status::RequiresAction | Status::Unknown => Known::Open,
    })
}

/// A refusal is the buyer's card's, unless it is of the key that this side calls with: then nothing was asked at all.
fn refusal(refused: &Refused) -> Result<Authorization, GatewayError> {
    if refused.is_of_the_key() {
        tracing::error!(
            status = refused.status.as_u16(),
            "Stripe does not take the key that it is called with"
        );
        return Ok(Authorization::Declined { reason: word("gateway_unavailable")? });
    }
    Ok(Authorization::Declined { reason: word(refused.fault.word())? })
}

pub(super) fn of_the_key(refused: &Refused) -> GatewayError {
    GatewayError(format!("Stripe does not take the key that it is called with ({})", refused.status.as_u16()))
}
