//! Carries payments to a gateway: what a payment requested is asked there, and the answer goes back as a command.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    AnyEvent,
    payment::{Authorization, Command, Event, Settlement},
    value::{AttemptId, Money, PaymentId, RefundId, Text},
};
use uuid::Uuid;

use crate::{
    executor::{Cause, ExecuteError, Executor, Origin, Request, derived_id},
    follow::{React, ReactError},
    log::{Log, Meant, Recorded},
    ports::Clock,
    secrets::Fingerprints,
};

/// How long a gateway may take to answer an authorization before the buyer is told that it did not.
pub const AUTHORIZE_TIMEOUT_MS: i64 = 5_000;

/// The name that payments are carried to a gateway under.
pub const GATEWAY: &str = "gateway";

/// What an answer's command is called beside the request that it answers.
const ANSWER: &str = "answer";

/// A gateway's answer to an authorization, as far as there is one.
#[derive(Clone, Debug, PartialEq)]
pub enum Authorized {
    /// It answered.
    Answered(Authorization),
    /// It will answer later, through [`PaymentResults`].
    Pending,
}

/// The machinery between here and the gateway failed; nothing is known, and the same request is sent again.
#[derive(Debug, thiserror::Error)]
#[error("the gateway could not be asked: {0}")]
pub struct GatewayError(pub String);

/// A payment gateway. Every request carries the id of its event; the gateway does it once however often it comes.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Hold an amount. Dropped when it takes too long.
    async fn authorize(
        &self,
        request_id: Uuid,
        payment: &PaymentId,
        attempt: &AttemptId,
        token: &Text,
        amount: Money,
    ) -> Result<Authorized, GatewayError>;

    /// Take so much of what is held.
    async fn capture(
        &self,
        request_id: Uuid,
        reference: &Text,
        amount: Money,
    ) -> Result<Settlement, GatewayError>;

    /// Let go of what is held and was not taken.
    async fn void(&self, request_id: Uuid, reference: &Text) -> Result<Settlement, GatewayError>;

    /// Give so much back.
    async fn refund(
        &self,
        request_id: Uuid,
        reference: &Text,
        amount: Money,
    ) -> Result<Settlement, GatewayError>;
}

/// Where answers that come by themselves go: late, twice, or from a webhook. Cheap to clone.
#[derive(Clone)]
pub struct PaymentResults {
    /// Runs the commands.
    pub executor: Executor,
    /// Tells repeats.
    pub fingerprints: Fingerprints,
}

impl PaymentResults {
    /// Records an answer to an authorization that the gateway knows as `delivery_id`.
    ///
    /// # Errors
    /// When the log is unavailable. A refusal is logged: the gateway can do nothing about it.
    pub async fn authorization(
        &self,
        delivery_id: Uuid,
        payment: &PaymentId,
        attempt: &AttemptId,
        outcome: Authorization,
    ) -> Result<(), ReactError> {
        let command = Command::RecordAuthorization { attempt: attempt.clone(), outcome };
        self.record(delivery_id, delivery_id, payment.as_str(), command).await
    }

    async fn record(
        &self,
        cause_id: Uuid,
        correlation_id: Uuid,
        payment: &str,
        command: Command,
    ) -> Result<(), ReactError> {
        let command = command.into();
        let request = Request {
            aggregate_id: payment.into(),
            fingerprint: self.fingerprints.of(&command).map_err(again)?,
            command,
            command_id: derived_id(cause_id, ANSWER, 0),
            origin: Origin::Derived,
            expected_version: None,
            cause: Cause {
                actor: "system:gateway".into(),
                correlation_id,
                causation_id: cause_id,
                occurred_at: None,
            },
        };
        match self.executor.execute_in_turn(request).await {
            Ok(_) => Ok(()),
            Err(ExecuteError::Refused(refused)) => {
                tracing::warn!(
                    payment,
                    code = refused.refusal.code(),
                    "a payment refused the gateway's answer"
                );
                Ok(())
            }
            // The first answer stands: a gateway that answers one request in two ways is believed once.
            Err(ExecuteError::IdReused) => Ok(()),
            Err(error) => Err(again(error)),
        }
    }
}

/// Asks the gateway for what payments requested.
pub struct AskGateway {
    /// Whom to ask.
    pub gateway: Arc<dyn Gateway>,
    /// Where its answers go.
    pub results: PaymentResults,
    /// Where it is seen whether they came before.
    pub log: Arc<dyn Log>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl React for AskGateway {
    fn name(&self) -> &'static str {
        GATEWAY
    }

    fn lane(&self, meant: Meant<'_>) -> Option<Box<str>> {
        let AnyEvent::Payment(event) = meant.event else {
            return None;
        };
        match event {
            Event::AuthorizationRequested { .. }
            | Event::CaptureRequested { .. }
            | Event::VoidRequested { .. }
            | Event::RefundRequested { .. } => Some(meant.recorded.stream.id.clone()),
            _ => None,
        }
    }

    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError> {
        let AnyEvent::Payment(event) = meant.event else {
            return Ok(());
        };
        if self.is_answered(meant, event).await? {
            return Ok(());
        }
        let (recorded, request_id) = (meant.recorded, meant.id());
        let command = match event {
            Event::AuthorizationRequested { attempt, token, amount, .. } => {
                let Some(outcome) = self.authorize(request_id, recorded, (attempt, token), *amount).await?
                else {
                    return Ok(());
                };
                Command::RecordAuthorization { attempt: attempt.clone(), outcome }
            }
            Event::CaptureRequested { capture, reference, amount, .. } => Command::RecordCapture {
                capture: capture.clone(),
                outcome: self.gateway.capture(request_id, reference, *amount).await.map_err(again)?,
            },
            Event::VoidRequested { reference, .. } => Command::RecordVoid {
                reference: reference.clone(),
                outcome: self.gateway.void(request_id, reference).await.map_err(again)?,
            },
            Event::RefundRequested { refund, reference, amount, .. } => {
                self.refund(request_id, refund, reference, *amount).await?
            }
            _ => return Ok(()),
        };
        self.results.record(request_id, recorded.metadata.correlation_id, &recorded.stream.id, command).await
    }
}

impl AskGateway {
    /// Whether the log holds the answer. Gateways forget their requests' ids after a day or so: whoever goes through the
    /// log again must not ask for what was done long ago.
    async fn is_answered(&self, meant: Meant<'_>, event: &Event) -> Result<bool, ReactError> {
        let Event::AuthorizationRequested { attempt: asked, .. } = event else {
            let answer = derived_id(meant.id(), ANSWER, 0);
            return Ok(!self.log.answers(&[answer]).await.map_err(again)?.is_empty());
        };
        // This answer may also have come by itself, under a name of the gateway's.
        let answers = |event: &AnyEvent| {
            matches!(event, AnyEvent::Payment(
                Event::Authorized { attempt, .. }
                | Event::Declined { attempt, .. }
                | Event::AuthorizationTimedOut { attempt, .. },
            ) if attempt == asked)
        };
        let recorded = meant.recorded;
        if recorded.events.iter().skip(meant.nth).any(answers) {
            return Ok(true);
        }
        let later = self.log.recorded(&recorded.stream, recorded.sequence).await.map_err(again)?;
        Ok(later.iter().flat_map(|later| &later.events).any(answers))
    }

    async fn authorize(
        &self,
        request_id: Uuid,
        recorded: &Recorded,
        (attempt, token): (&AttemptId, &Text),
        amount: Money,
    ) -> Result<Option<Authorization>, ReactError> {
        let payment = PaymentId::new(&*recorded.stream.id).map_err(again)?;
        let asked = self.gateway.authorize(request_id, &payment, attempt, token, amount);
        tokio::select! {
            answer = asked => match answer.map_err(again)? {
                Authorized::Answered(outcome) => Ok(Some(outcome)),
                Authorized::Pending => Ok(None),
            },
            () = self.clock.until(self.clock.now().plus_millis(AUTHORIZE_TIMEOUT_MS)) => Ok(Some(Authorization::TimedOut)),
        }
    }

    async fn refund(
        &self,
        request_id: Uuid,
        refund: &RefundId,
        reference: &Text,
        amount: Money,
    ) -> Result<Command, ReactError> {
        let outcome = self.gateway.refund(request_id, reference, amount).await.map_err(again)?;
        Ok(Command::RecordRefund { refund: refund.clone(), outcome })
    }
}

fn again(error: impl std::fmt::Display) -> ReactError {
    ReactError(error.to_string())
}
