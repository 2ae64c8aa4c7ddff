//! A payment gateway for trying things out: the buyer's token says how it behaves.
//!
//! It remembers nothing. Every answer follows from the request alone, so the same request is answered alike.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    payment::Authorization,
    value::{AttemptId, CaptureId, CustomerId, Invalid, Money, PaymentId, RefundId, Text},
};
use store::{
    follow::ReactError,
    gateway::{Ask, Authorized, Gateway, GatewayError, Means, PaymentResults, Settled},
    ports::Clock,
};
use tokio::{sync::mpsc, task::JoinSet};
use uuid::Uuid;

use super::{
    behaviour::{self, Behaviour, First, Word},
    saved::{Card, Found, Keeps},
};

/// What it is called, in settings and in rows.
pub const NAME: &str = "simulator";

/// A gateway that does what the token says:
///
/// | token | authorization | later |
/// |---|---|---|
/// | `tok_approve` | approved | |
/// | `tok_decline` | declined | |
/// | `tok_timeout` | never answered | |
/// | `tok_late` | pending | approved after a delay, or when it is asked again |
/// | `tok_undecided` | pending | pending for ever |
/// | `tok_twice` | approved | the same approval again after a delay |
/// | `tok_decline_then_approve` | declined | approved after a delay |
/// | `tok_capture_fails`, `tok_void_fails`, `tok_refund_fails` | approved | that request fails |
/// | `tok_disputed`, `tok_dispute_won`, `tok_dispute_lost` | approved | disputed after its capture, and decided so |
/// | any other | declined as `unknown_token` | |
#[derive(Clone, Debug)]
pub struct Simulator {
    late: mpsc::UnboundedSender<Told>,
}

/// Approvals and disputes that come by themselves; nothing of them happens until [`Late::run`] is driven.
#[derive(Debug)]
pub struct Late {
    told: mpsc::UnboundedReceiver<Told>,
}

#[derive(Clone, Debug)]
struct Told {
    delivery_id: Uuid,
    payment: PaymentId,
    /// How many delays it comes late.
    delays: u32,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Authorization(AttemptId, Authorization),
    Dispute(Word, Money),
}

impl Simulator {
    /// A gateway and its late answers.
    #[must_use]
    pub fn new() -> (Self, Late) {
        let (late, told) = mpsc::unbounded_channel();
        (Self { late }, Late { told })
    }
}

impl Late {
    /// Delivers every late approval `delay` after it was asked for, and disputes after captures, for ever.
    pub async fn run(mut self, results: PaymentResults, clock: Arc<dyn Clock>, delay: Duration) {
        let mut deliveries = JoinSet::new();
        loop {
            tokio::select! {
                told = self.told.recv() => match told {
                    Some(told) => {
                        let (results, clock) = (results.clone(), Arc::clone(&clock));
                        let due = clock.now().plus_millis(i64::try_from((delay * told.delays).as_millis()).unwrap_or(i64::MAX));
                        deliveries.spawn(async move {
                            clock.until(due).await;
                            deliver(&results, &*clock, &told).await;
                        });
                    }
                    None => break,
                },
                Some(_) = deliveries.join_next(), if !deliveries.is_empty() => {}
            }
        }
        while deliveries.join_next().await.is_some() {}
    }
}

async fn deliver(results: &PaymentResults, clock: &dyn Clock, told: &Told) {
    const PAUSE: Duration = Duration::from_millis(500);
    while let Err(error) = try_to_deliver(results, told).await {
        tracing::warn!(%error, "what the simulated gateway tells late is delivered again soon");
        clock.sleep(PAUSE).await;
    }
}

async fn try_to_deliver(results: &PaymentResults, told: &Told) -> Result<(), ReactError> {
    let Told { delivery_id, payment, what, .. } = told;
    match what {
        What::Authorization(attempt, outcome) => {
            results.authorization(*delivery_id, payment, attempt, outcome.clone()).await
        }
        What::Dispute(Word { dispute, stage, reason, .. }, amount) => {
            results.dispute(*delivery_id, payment, (dispute, *stage), (*amount, reason.clone())).await
        }
    }
}

#[async_trait]
impl Gateway for Simulator {
    async fn authorize(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        means: &Means,
    ) -> Result<Authorized, GatewayError> {
        let Behaviour { first, late } =
            behaviour::authorization(ask.request_id, &means.token).map_err(failed)?;
        if let Some(behaviour::Late { delivery_id, outcome }) = late {
            self.tell(ask, delivery_id, 1, What::Authorization(attempt.clone(), outcome));
        }
        match first {
            First::Answered(outcome) => Ok(Authorized::Answered(outcome)),
            First::Pending => Ok(Authorized::Pending),
            First::Silent => std::future::pending().await,
        }
    }

    /// What comes late is known to whoever asks for it; the rest was answered, or never will be.
    async fn given_up(
        &self,
        ask: &Ask,
        _: &AttemptId,
        means: Option<&Means>,
    ) -> Result<Option<Authorized>, GatewayError> {
        let Some(means) = means else { return Ok(None) };
        let behaviour = behaviour::authorization(ask.request_id, &means.token).map_err(failed)?;
        Ok(match behaviour {
            Behaviour { first: First::Pending, late: Some(late) } => Some(Authorized::Answered(late.outcome)),
            Behaviour { first: First::Pending, late: None } => Some(Authorized::Pending),
            Behaviour { first: First::Answered(_) | First::Silent, .. } => None,
        })
    }

    async fn capture(
        &self,
        ask: &Ask,
        reference: &Text,
        _: &CaptureId,
        amount: Money,
    ) -> Result<Settled, GatewayError> {
        let disputes = behaviour::disputes(ask.request_id, reference).map_err(failed)?;
        for (word, delays) in disputes.into_iter().zip(1..) {
            self.tell(ask, word.delivery_id, delays, What::Dispute(word, amount));
        }
        behaviour::capture(reference).map(Settled::Answered).map_err(failed)
    }

    async fn void(&self, _: &Ask, reference: &Text) -> Result<Settled, GatewayError> {
        behaviour::void(reference).map(Settled::Answered).map_err(failed)
    }

    async fn refund(
        &self,
        _: &Ask,
        reference: &Text,
        _: &RefundId,
        _: Money,
    ) -> Result<Settled, GatewayError> {
        behaviour::refund(reference).map(Settled::Answered).map_err(failed)
    }
}

#[async_trait]
impl Keeps for Simulator {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn holder(&self, customer: &CustomerId) -> Result<Text, GatewayError> {
        Text::new(format!("sim-customer-{customer}")).map_err(failed)
    }

    async fn kept(&self, reference: &Text) -> Result<Option<Found>, GatewayError> {
        let named = reference.as_str().strip_prefix("sim-").and_then(|rest| rest.rsplit_once('-'));
        let Some((behaviour, _)) = named else { return Ok(None) };
        let token = Text::new(format!("tok_{behaviour}")).map_err(failed)?;
        let (brand, last4) = (Some("visa".to_owned()), Some("4242".to_owned()));
        let card = Card { kind: "card".to_owned(), brand, last4, expires: Some("2030-12".to_owned()) };
        Ok(Some(Found { token, card }))
    }

    async fn detach(&self, _: &Text) -> Result<(), GatewayError> {
        Ok(())
    }
}

impl Simulator {
    fn tell(&self, ask: &Ask, delivery_id: Uuid, delays: u32, what: What) {
        let payment = ask.payment.clone();
        // When nobody drives the late answers any more, none come: as with a gateway that went away.
        let _ = self.late.send(Told { delivery_id, payment, delays, what });
    }
}

fn failed(error: Invalid) -> GatewayError {
    GatewayError(error.to_string())
}
