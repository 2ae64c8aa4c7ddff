//! A payment gateway for trying things out: the buyer's token says how it behaves.
//!
//! It remembers nothing. Every answer follows from the request alone, so the same request is answered alike.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    payment::{Authorization, Settlement},
    value::{AttemptId, Invalid, Money, PaymentId, Text},
};
use store::{
    executor::derived_id,
    gateway::{Authorized, Gateway, GatewayError, PaymentResults},
    ports::Clock,
};
use tokio::{sync::mpsc, task::JoinSet};
use uuid::Uuid;

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
    reference: Text,
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
                        deliveries.spawn(async move {
                            clock.sleep(delay).await;
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
    let outcome = Authorization::Approved { reference: approval.reference.clone() };
    while let Err(error) = results
        .authorization(approval.delivery_id, &approval.payment, &approval.attempt, outcome.clone())
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
        request_id: Uuid,
        payment: &PaymentId,
        attempt: &AttemptId,
        token: &Text,
        _amount: Money,
    ) -> Result<Authorized, GatewayError> {
        let behaviour = token.as_str().strip_prefix("tok_").unwrap_or_default();
        let reference = text(format!("sim-{behaviour}-{}", request_id.simple()))?;
        let approved = Authorization::Approved { reference: reference.clone() };
        let later = || {
            // When nobody drives the late answers any more, none come: as with a gateway that went away.
            let _ = self.late.send(Approval {
                delivery_id: derived_id(request_id, "late", 0),
                payment: payment.clone(),
                attempt: attempt.clone(),
                reference,
            });
        };
        match behaviour {
            "approve" | "capture_fails" | "void_fails" | "refund_fails" => Ok(Authorized::Answered(approved)),
            "decline" => declined("card_declined"),
            "timeout" => std::future::pending().await,
            "late" => {
                later();
                Ok(Authorized::Pending)
            }
            "twice" => {
                later();
                Ok(Authorized::Answered(approved))
            }
            "decline_then_approve" => {
                later();
                declined("card_declined")
            }
            _ => declined("unknown_token"),
        }
    }

    async fn capture(&self, _: Uuid, reference: &Text, _: Money) -> Result<Settlement, GatewayError> {
        settled(reference, "capture_fails")
    }

    async fn void(&self, _: Uuid, reference: &Text) -> Result<Settlement, GatewayError> {
        settled(reference, "void_fails")
    }

    async fn refund(&self, _: Uuid, reference: &Text, _: Money) -> Result<Settlement, GatewayError> {
        settled(reference, "refund_fails")
    }
}

fn declined(reason: &str) -> Result<Authorized, GatewayError> {
    let reason = text(reason)?;
    Ok(Authorized::Answered(Authorization::Declined { reason }))
}

fn settled(reference: &Text, failing: &str) -> Result<Settlement, GatewayError> {
    let behaviour = reference.as_str().strip_prefix("sim-").unwrap_or_default();
    if behaviour.starts_with(failing) {
        let reason = text(failing)?;
        return Ok(Settlement::Failed { reason });
    }
    Ok(Settlement::Done)
}

fn text(text: impl Into<String>) -> Result<Text, GatewayError> {
    Text::new(text).map_err(|error: Invalid| GatewayError(error.to_string()))
}
