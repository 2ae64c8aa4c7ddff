//! What Stripe's events mean to payments.
//!
//! An event says that something has changed, and events come in any order, late and repeated. So what an event says of a
//! PaymentIntent is not taken at its word: unless the log knows it already, it is looked up how the PaymentIntent stands now.

mod disputes;

use domain::{
    Aggregate, AggregateType, AnyEvent,
    payment::{Authorization, Event as PaymentEvent, Hold, Payment, Pending, Settlement},
    value::{AttemptId, Money, PaymentId, RefundId, Text},
};
use serde::Deserialize;
use serde_json::Value;
use store::{
    executor::derived_id,
    follow::ReactError,
    gateway::GatewayError,
    log::{Recorded, StreamId},
};
use uuid::Uuid;

use super::FromStripe;
use crate::{
    Shop,
    awaiting::read,
    outbound::stripe::{
        amount,
        tally::Delivery,
        wire::{Intent, Refund, Status},
    },
    problem::Problem,
};

/// An event of Stripe's, as far as it is read.
#[derive(Deserialize)]
pub(super) struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Inside,
}

#[derive(Deserialize)]
struct Inside {
    object: Value,
}

/// A charge.
#[derive(Deserialize)]
struct About {
    #[serde(default)]
    payment_intent: Option<String>,
}

/// A payment of ours that an event tells of.
struct Known {
    id: PaymentId,
    payment: Payment,
    recorded: Vec<Recorded>,
}

/// Acts on an event, and says what it was.
pub(super) async fn take(shop: &Shop, door: &FromStripe, event: Event) -> Result<Delivery, Problem> {
    let delivery_id = derived_id(Uuid::NAMESPACE_URL, &format!("stripe:{}", event.id), 0);
    let told = Told { shop, door, delivery_id };
    let delivery = match event.kind.as_str() {
        "payment_intent.amount_capturable_updated"
        | "payment_intent.succeeded"
        | "payment_intent.payment_failed"
        | "payment_intent.canceled" => told.intent(object(event.data.object)?).await?,
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => {
            told.refund(object(event.data.object)?).await?
        }
        "charge.refunded" => told.refunds(object(event.data.object)?).await?,
        "charge.dispute.created"
        | "charge.dispute.updated"
        | "charge.dispute.closed"
        | "charge.dispute.funds_withdrawn"
        | "charge.dispute.funds_reinstated" => told.disputed(&object(event.data.object)?).await?,
        _ => Delivery::Ignored,
    };
    match delivery {
        Delivery::Unknown => {
            tracing::info!(event = event.id, kind = event.kind, "a webhook of no payment of ours")
        }
        Delivery::Unexplained => {
            tracing::error!(
                event = event.id,
                kind = event.kind,
                "money has moved at Stripe that nobody asked for here"
            );
        }
        Delivery::Taken | Delivery::Ignored | Delivery::Unsigned | Delivery::Dispute => {}
    }
    Ok(delivery)
}

fn object<T: serde::de::DeserializeOwned>(object: Value) -> Result<T, Problem> {
    serde_json::from_value(object)
        .map_err(|_| Problem::new("request.malformed", "the event's object is not what its type says"))
}

/// One delivery on its way.
struct Told<'a> {
    shop: &'a Shop,
    door: &'a FromStripe,
    delivery_id: Uuid,
}

impl Told<'_> {
    async fn intent(&self, told: Intent) -> Result<Delivery, Problem> {
        let Some((known, attempt)) = self.known(&told).await? else {
            return Ok(Delivery::Unknown);
        };
        if is_old_news(&known, &attempt, &told) {
            return Ok(Delivery::Taken);
        }
        let Some(intent) = self.door.stripe.intent(&told.id).await.map_err(unasked)? else {
            return Ok(Delivery::Unknown);
        };
        // Read again: what Stripe has done by now was asked for in the log before.
        match self.known(&intent).await? {
            Some((known, attempt)) => self.converge(&known, &attempt, &intent).await,
            None => Ok(Delivery::Unknown),
        }
    }

    /// Lets the payment know how its PaymentIntent stands.
    async fn converge(
        &self,
        known: &Known,
        attempt: &AttemptId,
        intent: &Intent,
    ) -> Result<Delivery, Problem> {
        let approved = known.payment.attempt(attempt).is_some_and(|attempt| attempt.reference.is_some());
        let whole = known.payment.intent().map(|intent| intent.amount);
        let stands = matches!(intent.status, Status::RequiresCapture | Status::Succeeded);
        if stands && !whole.is_some_and(|whole| intent.is_for(whole)) {
            // It is closed, if it can be, by whoever asked for it.
            return Ok(Delivery::Unexplained);
        }
        let outcome = |reason: &str| Ok::<_, Problem>(Authorization::Declined { reason: word(reason)? });
        match intent.status {
            Status::RequiresCapture | Status::Succeeded if !approved => {
                let reference = word(&intent.id)?;
                self.authorization(known, attempt, Authorization::Approved { reference }).await?;
            }
            Status::RequiresPaymentMethod if !approved => {
                let fault = intent.last_payment_error.as_ref();
                let declined = outcome(fault.map_or("card_declined", |fault| fault.word()))?;
                self.authorization(known, attempt, declined).await?;
            }
            Status::Canceled if !approved => {
                let declined = outcome(intent.cancellation_reason.as_deref().unwrap_or("canceled"))?;
                self.authorization(known, attempt, declined).await?;
            }
            Status::Canceled => {
                let reference = word(&intent.id)?;
                let results = &self.door.results;
                let id = derived_id(self.delivery_id, "void", 0);
                results.void(id, &known.id, &reference, Settlement::Done).await.map_err(unrecorded)?;
                return Ok(if is_idle(known, intent) { Delivery::Unexplained } else { Delivery::Taken });
            }
            Status::RequiresCapture | Status::Succeeded => return self.captured(known, intent).await,
            Status::RequiresPaymentMethod
            | Status::RequiresConfirmation
            | Status::RequiresAction
            | Status::Processing
            | Status::Unknown => {}
        }
        let taken_already = !approved && intent.amount_received > 0;
        Ok(if taken_already { Delivery::Unexplained } else { Delivery::Taken })
    }

    async fn authorization(
        &self,
        known: &Known,
        attempt: &AttemptId,
        outcome: Authorization,
    ) -> Result<(), Problem> {
        let id = derived_id(self.delivery_id, "authorization", 0);
        self.door.results.authorization(id, &known.id, attempt, outcome).await.map_err(unrecorded)
    }

    /// What was taken is what the pending capture asks for, or what the log knows, or nobody's here.
    async fn captured(&self, known: &Known, intent: &Intent) -> Result<Delivery, Problem> {
        let before = known.payment.captured();
        let Payment::Held { hold: Hold { reference, pending, .. }, .. } = &known.payment else {
            let same = before.and_then(amount::to_stripe) == Some(intent.amount_received);
            return Ok(if same { Delivery::Taken } else { Delivery::Unexplained });
        };
        let is = |sum: Option<Money>| sum.and_then(amount::to_stripe) == Some(intent.amount_received);
        if reference.as_str() != intent.id || is(before) {
            return Ok(Delivery::Taken);
        }
        match pending {
            Some(Pending::Capture { capture, amount })
                if is(before.and_then(|before| before.plus(*amount))) =>
            {
                let id = derived_id(self.delivery_id, "capture", 0);
                let recorded = self.door.results.capture(id, &known.id, capture, Settlement::Done).await;
                recorded.map_err(unrecorded)?;
                Ok(Delivery::Taken)
            }
            Some(Pending::Capture { .. } | Pending::Void) | None => Ok(Delivery::Unexplained),
        }
    }

    async fn refund(&self, told: Refund) -> Result<Delivery, Problem> {
        if !told.metadata.contains_key("refund") {
            // Not asked for here; perhaps it is of a payment of ours all the same.
            let Some(id) = &told.payment_intent else { return Ok(Delivery::Unknown) };
            let Some(intent) = self.door.stripe.intent(id).await.map_err(unasked)? else {
                return Ok(Delivery::Unknown);
            };
            let known = self.known(&intent).await?;
            return Ok(if known.is_some() { Delivery::Unexplained } else { Delivery::Unknown });
        }
        match self.payment(told.metadata.get("payment")).await? {
            Some(known) => self.refunded(&known, &told).await,
            None => Ok(Delivery::Unknown),
        }
    }

    /// A refund that is told of by its charge alone is looked up.
    async fn refunds(&self, charge: About) -> Result<Delivery, Problem> {
        let Some(id) = &charge.payment_intent else { return Ok(Delivery::Unknown) };
        let Some(intent) = self.door.stripe.intent(id).await.map_err(unasked)? else {
            return Ok(Delivery::Unknown);
        };
        let Some((known, _)) = self.known(&intent).await? else { return Ok(Delivery::Unknown) };
        for refund in self.door.stripe.refunds(id).await.map_err(unasked)? {
            self.refunded(&known, &refund).await?;
        }
        Ok(Delivery::Taken)
    }

    async fn refunded(&self, known: &Known, told: &Refund) -> Result<Delivery, Problem> {
        let outcome = match told.status.as_deref() {
            Some("succeeded") => Settlement::Done,
            Some("failed" | "canceled") => Settlement::Failed {
                reason: word(told.failure_reason.as_deref().unwrap_or("refund_failed"))?,
            },
            Some(_) | None => return Ok(Delivery::Taken),
        };
        let Some(refund) = told.metadata.get("refund").and_then(|id| RefundId::new(id.as_str()).ok()) else {
            return Ok(Delivery::Taken);
        };
        // One that failed may be asked for again under its name: what is told of the try before is old news.
        let mut asked =
            known.recorded.iter().flat_map(Recorded::meant).filter_map(|meant| match meant.event {
                AnyEvent::Payment(PaymentEvent::RefundRequested { refund: asked, .. })
                    if *asked == refund =>
                {
                    Some(meant.id().to_string())
                }
                _ => None,
            });
        if asked.next_back().as_ref() != told.metadata.get("request") {
            return Ok(Delivery::Taken);
        }
        let late = known.payment.ledger().is_some_and(|ledger| ledger.refund_pending(&refund).is_none());
        if late {
            let lost = outcome != Settlement::Done
                && known.payment.ledger().is_some_and(|ledger| ledger.is_refunded(&refund));
            return Ok(if lost { Delivery::Unexplained } else { Delivery::Taken });
        }
        let id = derived_id(self.delivery_id, &format!("refund:{refund}"), 0);
        self.door.results.refund(id, &known.id, &refund, outcome).await.map_err(unrecorded)?;
        Ok(Delivery::Taken)
    }

    /// The payment and the attempt that a PaymentIntent was made for, if it was made here.
    async fn known(&self, intent: &Intent) -> Result<Option<(Known, AttemptId)>, Problem> {
        let attempt = intent.metadata.get("attempt").and_then(|id| AttemptId::new(id.as_str()).ok());
        let known = self.payment(intent.metadata.get("payment")).await?;
        let both = known.zip(attempt);
        Ok(both.filter(|(known, attempt)| known.payment.attempt(attempt).is_some()))
    }

    async fn payment(&self, id: Option<&String>) -> Result<Option<Known>, Problem> {
        let Some(id) = id.and_then(|id| PaymentId::new(id.as_str()).ok()) else {
            return Ok(None);
        };
        let recorded = read(self.shop, &StreamId::new(AggregateType::Payment, id.as_str()), 0).await?;
        let events = recorded.iter().flat_map(|recorded| &recorded.events);
        let payment = events.fold(Payment::default(), |payment, event| match event {
            AnyEvent::Payment(event) => payment.evolve(event.clone()),
            _ => payment,
        });
        let opened = payment.intent().is_some();
        Ok(opened.then_some(Known { id, payment, recorded }))
    }
}

/// Whether the log holds already what an event tells, so that nothing has to be looked up: most come after our own answers.
fn is_old_news(known: &Known, attempt: &AttemptId, told: &Intent) -> bool {
    let Some(reference) = known.payment.attempt(attempt).and_then(|attempt| attempt.reference.as_ref())
    else {
        return false;
    };
    let idle = match &known.payment {
        Payment::Held { hold, .. } => hold.pending.is_none() && hold.reference == *reference,
        Payment::Released { reference: used, .. } => used == reference,
        _ => false,
    };
    let captured = known.payment.captured().and_then(amount::to_stripe);
    let open = matches!(told.status, Status::RequiresCapture | Status::Succeeded);
    idle && open && captured.is_some_and(|captured| told.amount_received <= captured)
}

/// Whether the log believes in a hold that nobody was asked to let go of.
fn is_idle(known: &Known, intent: &Intent) -> bool {
    matches!(&known.payment, Payment::Held { hold, .. }
        if hold.reference.as_str() == intent.id && hold.pending != Some(Pending::Void))
}

fn word(word: &str) -> Result<Text, Problem> {
    Ok(Text::new(word)?)
}

fn unasked(error: GatewayError) -> Problem {
    tracing::warn!(%error, "a webhook cannot be looked into; it will come again");
    Problem::new("gateway.unavailable", "the gateway cannot be asked; send it again later")
}

fn unrecorded(error: ReactError) -> Problem {
    Problem::unavailable(&error.to_string().into())
}
