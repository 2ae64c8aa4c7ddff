//! A payment gateway for trying things out: the buyer's token says how it behaves.
//!
//! It remembers nothing. Every answer follows from the request alone, so the same request is answered alike.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    payment::Authorization,
    value::{AttemptId, CaptureId, Invalid, Money, PaymentId, RefundId, Text},
};
use store::{
    gateway::{Ask, Authorized, Gateway, GatewayError, PaymentResults, Settled},
    ports::Clock,
};
use tokio::{sync::mpsc, task::JoinSet};
use uuid::Uuid;

use super::behaviour::{self, Behaviour, First};

/// A gateway that does what the token says:
///
/// | token | authorization | later |
/// |---|---|---|
/// | `tok_approve` | approved | |
/// | `tok_decline` | declined | |
/// | `tok_timeout` | never answered | |
/// | `tok_late` | pending | approved after a delay |
/// | `tok_twice` | approved | the same approval again after a delay |
/// | `tok_decline_then_approve` | declined | approved after a delay |
/// | `tok_capture_fails`, `tok_void_fails`, `tok_refund_fails` | approved | that request fails |
/// | any other | declined as `unknown_token` | |
#[derive(Clone, Debug)]
pub struct Simulator {
    late: mpsc::UnboundedSender<Approval>,
}

/// Approvals that come by themselves; nothing of them happens until [`Late::run`] is driven.
#[derive(Debug)]
pub struct Late {
    approvals: mpsc::UnboundedReceiver<Approval>,
}

#[derive(Clone, Debug)]
struct Approval {
    delivery_id: Uuid,
    payment: PaymentId,
    attempt: AttemptId,
    outcome: Authorization,
}

impl Simulator {
    /// A gateway and its late answers.
    #[must_use]
    pub fn new() -> (Self, Late) {
        let (late, approvals) = mpsc::unbounded_channel();
        (Self { late }, Late { approvals })
    }
}

impl Late {
    /// Delivers every late approval `delay` after it was asked for, for ever.
    pub async fn run(mut self, results: PaymentResults, clock: Arc<dyn Clock>, delay: Duration) {
        let mut deliveries = JoinSet::new();
        loop {
            tokio::select! {
                approval = self.approvals.recv() => match approval {
                    Some(approval) => {
                        let (results, clock) = (results.clone(), Arc::clone(&clock));
                        let due = clock.now().plus_millis(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
                        deliveries.spawn(async move {
                            clock.until(due).await;
                            deliver(&results, &*clock, &approval).await;
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

async fn deliver(results: &PaymentResults, clock: &dyn Clock, approval: &Approval) {
    const PAUSE: Duration = Duration::from_millis(500);
    while let Err(error) = results
        .authorization(approval.delivery_id, &approval.payment, &approval.attempt, approval.outcome.clone())
        .await
    {
        tracing::warn!(%error, "a late approval is delivered again soon");
        clock.sleep(PAUSE).await;
    }
}

#[async_trait]
impl Gateway for Simulator {
    async fn authorize(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        token: &Text,
    ) -> Result<Authorized, GatewayError> {
        let Behaviour { first, late } = behaviour::authorization(ask.request_id, token).map_err(failed)?;
        if let Some(behaviour::Late { delivery_id, outcome }) = late {
            let (payment, attempt) = (ask.payment.clone(), attempt.clone());
            // When nobody drives the late answers any more, none come: as with a gateway that went away.
            let _ = self.late.send(Approval { delivery_id, payment, attempt, outcome });
        }
        match first {
            First::Answered(outcome) => Ok(Authorized::Answered(outcome)),
            First::Pending => Ok(Authorized::Pending),
            First::Silent => std::future::pending().await,
        }
    }

    async fn capture(
        &self,
        _: &Ask,
        reference: &Text,
        _: &CaptureId,
        _: Money,
    ) -> Result<Settled, GatewayError> {
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

fn failed(error: Invalid) -> GatewayError {
    GatewayError(error.to_string())
}
