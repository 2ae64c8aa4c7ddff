//! Where answers of gateways become commands to payments, whoever brings them and however often.

use domain::{
    payment::{Authorization, Command, DisputeStage, Settlement},
    value::{AttemptId, CaptureId, DisputeId, Money, PaymentId, RefundId, Text},
};
use uuid::Uuid;

use super::ask::again;
use crate::{
    executor::{Cause, ExecuteError, Executor, Origin, Request, derived_id},
    follow::ReactError,
    secrets::Fingerprints,
};

/// What an answer's command is called beside the request that it answers.
pub(super) const ANSWER: &str = "answer";
/// The same of the command that says that the answer comes later: the answer itself is another.
const DEFERRED: &str = "deferred";

/// Where answers that come by themselves go: late, twice, or from a webhook. Cheap to clone.
///
/// A delivery is known by its id: whatever it says the second time, the first time counts.
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

    /// Records an answer to a capture.
    ///
    /// # Errors
    /// As for an authorization.
    pub async fn capture(
        &self,
        delivery_id: Uuid,
        payment: &PaymentId,
        capture: &CaptureId,
        outcome: Settlement,
    ) -> Result<(), ReactError> {
        let command = Command::RecordCapture { capture: capture.clone(), outcome };
        self.record(delivery_id, delivery_id, payment.as_str(), command).await
    }

    /// Records an answer to a void.
    ///
    /// # Errors
    /// As for an authorization.
    pub async fn void(
        &self,
        delivery_id: Uuid,
        payment: &PaymentId,
        reference: &Text,
        outcome: Settlement,
    ) -> Result<(), ReactError> {
        let command = Command::RecordVoid { reference: reference.clone(), outcome };
        self.record(delivery_id, delivery_id, payment.as_str(), command).await
    }

    /// Records an answer to a refund.
    ///
    /// # Errors
    /// As for an authorization.
    pub async fn refund(
        &self,
        delivery_id: Uuid,
        payment: &PaymentId,
        refund: &RefundId,
        outcome: Settlement,
    ) -> Result<(), ReactError> {
        let command = Command::RecordRefund { refund: refund.clone(), outcome };
        self.record(delivery_id, delivery_id, payment.as_str(), command).await
    }

    /// Records how a dispute about so much stands, and why it was begun.
    ///
    /// # Errors
    /// As for an authorization.
    pub async fn dispute(
        &self,
        delivery_id: Uuid,
        payment: &PaymentId,
        dispute: (&DisputeId, DisputeStage),
        (amount, reason): (Money, Text),
    ) -> Result<(), ReactError> {
        let (dispute, stage) = (dispute.0.clone(), dispute.1);
        let command = Command::RecordDispute { dispute, amount, reason, stage };
        self.record(delivery_id, delivery_id, payment.as_str(), command).await
    }

    pub(super) async fn record(
        &self,
        cause_id: Uuid,
        correlation_id: Uuid,
        payment: &str,
        command: Command,
    ) -> Result<(), ReactError> {
        let name = if matches!(command, Command::RecordPending { .. }) { DEFERRED } else { ANSWER };
        let command = command.into();
        let request = Request {
            aggregate_id: payment.into(),
            fingerprint: self.fingerprints.of(&command).map_err(again)?,
            command,
            command_id: derived_id(cause_id, name, 0),
            origin: Origin::Derived,
            expected_version: None,
            cause: Cause {
                actor: "system:gateway".into(),
                correlation_id,
                causation_id: cause_id,
                occurred_at: None,
                traceparent: None,
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
