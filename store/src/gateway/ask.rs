//! Carries payments to a gateway: what a payment requested is asked there, and the answer goes back as a command.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    AnyEvent,
    payment::{Asked, Authorization, Command, Event, Token},
    value::{AttemptId, CustomerId, Text},
};

use super::{
    AUTHORIZE_TIMEOUT_MS, Ask, Authorized, GATEWAY, Gateway, GatewayError, PaymentResults, Purse,
    SETTLE_TIMEOUT_MS, Settled,
    past::{Past, past, recorded_at, standing},
};
use crate::{
    feed::Feed,
    follow::{React, ReactError},
    log::{Log, Meant},
    ports::Clock,
};

/// Asks the gateway for what payments requested.
pub struct AskGateway {
    /// Whom to ask.
    pub gateway: Arc<dyn Gateway>,
    /// Where it is found what buyers pay with.
    pub purse: Arc<dyn Purse>,
    /// Where its answers go.
    pub results: PaymentResults,
    /// Where it is seen whether they came before.
    pub log: Arc<dyn Log>,
    /// The same for what happened of late.
    pub feed: Feed,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl React for AskGateway {
    fn name(&self) -> &'static str {
        GATEWAY
    }

    fn lane(&self, meant: Meant<'_>) -> Option<Arc<str>> {
        let AnyEvent::Payment(event) = meant.event else {
            return None;
        };
        match event {
            Event::AuthorizationRequested { .. }
            | Event::CaptureRequested { .. }
            | Event::VoidRequested { .. }
            | Event::RefundRequested { .. } => Some(meant.recorded.stream.id.clone()),
            // Apart: the buyer may try again while it is found out what became of the first try.
            Event::AuthorizationTimedOut { .. } => {
                Some(format!("{}-timed-out", meant.recorded.stream.id).into())
            }
            // And while it is found out how it stands with an answer that was put off.
            Event::AnswerSought { .. } => Some(format!("{}-sought", meant.recorded.stream.id).into()),
            _ => None,
        }
    }

    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError> {
        let AnyEvent::Payment(event) = meant.event else {
            return Ok(());
        };
        let (recorded, request_id) = (meant.recorded, meant.id());
        let command = match event {
            Event::AuthorizationRequested { .. }
            | Event::CaptureRequested { .. }
            | Event::VoidRequested { .. }
            | Event::RefundRequested { .. } => {
                let request = Past { id: request_id, at: recorded_at(recorded), event: event.clone() };
                let history = self.history(meant).await?;
                let standing = standing(&recorded.stream.id, &request, history)?;
                if standing.is_answered(event) {
                    return Ok(());
                }
                self.ask(&standing.ask, event).await?
            }
            Event::AuthorizationTimedOut { attempt, .. } => self.given_up(meant, attempt).await?,
            Event::AnswerSought { asked, .. } => self.sought(meant, asked).await?,
            _ => return Ok(()),
        };
        let Some(command) = command else {
            return Ok(());
        };
        self.results.record(request_id, recorded.metadata.correlation_id, &recorded.stream.id, command).await
    }
}

impl AskGateway {
    /// Everything that happened to the payment, and how much of it up to the event.
    ///
    /// Gateways forget their requests' ids after a day or so: whoever goes through the log again must not ask for what was
    /// done long ago, so it is seen first what the log holds.
    pub(super) async fn history(&self, meant: Meant<'_>) -> Result<Vec<Past>, ReactError> {
        let stream = &meant.recorded.stream;
        let whole = self.feed.whole(stream, meant.recorded.position).and_then(|entries| {
            entries.iter().map(|entry| entry.event.as_ref().ok().map(past)).collect::<Option<Vec<_>>>()
        });
        let histories = match whole {
            Some(histories) => histories,
            None => self.log.recorded(stream, 0).await.map_err(again)?.iter().map(past).collect(),
        };
        Ok(histories.into_iter().flatten().collect())
    }

    pub(super) async fn ask(&self, ask: &Ask, event: &Event) -> Result<Option<Command>, ReactError> {
        match event {
            Event::AuthorizationRequested { attempt, token, keep_for, .. } => {
                let attempt = attempt.clone();
                match self.authorize(ask, &attempt, (token, keep_for.as_ref())).await? {
                    Authorized::Answered(outcome) => {
                        Ok(Some(Command::RecordAuthorization { attempt, outcome }))
                    }
                    Authorized::Pending => Ok(deferred(ask, Asked::Authorization { attempt })),
                }
            }
            Event::CaptureRequested { capture, reference, amount, .. } => {
                let settled = self.in_time(self.gateway.capture(ask, reference, capture, *amount)).await?;
                let capture = capture.clone();
                Ok(match settled {
                    Settled::Answered(outcome) => Some(Command::RecordCapture { capture, outcome }),
                    Settled::Pending => deferred(ask, Asked::Capture { capture }),
                })
            }
            Event::VoidRequested { reference, .. } => {
                let settled = self.in_time(self.gateway.void(ask, reference)).await?;
                let reference = reference.clone();
                Ok(match settled {
                    Settled::Answered(outcome) => Some(Command::RecordVoid { reference, outcome }),
                    Settled::Pending => deferred(ask, Asked::Void { reference }),
                })
            }
            Event::RefundRequested { refund, reference, amount, .. } => {
                let settled = self.in_time(self.gateway.refund(ask, reference, refund, *amount)).await?;
                let refund = refund.clone();
                Ok(match settled {
                    Settled::Answered(outcome) => Some(Command::RecordRefund { refund, outcome }),
                    Settled::Pending => deferred(ask, Asked::Refund { refund }),
                })
            }
            _ => Ok(None),
        }
    }

    async fn authorize(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        paying: (&Token, Option<&CustomerId>),
    ) -> Result<Authorized, ReactError> {
        tokio::select! {
            answer = self.authorized(ask, attempt, paying) => answer.map_err(again),
            () = self.clock.until(self.clock.now().plus_millis(AUTHORIZE_TIMEOUT_MS)) => {
                Ok(Authorized::Answered(Authorization::TimedOut))
            }
        }
    }

    async fn authorized(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        (token, keep_for): (&Token, Option<&CustomerId>),
    ) -> Result<Authorized, GatewayError> {
        match self.purse.means(ask, token, keep_for).await {
            Ok(Some(means)) => self.gateway.authorize(ask, attempt, &means).await,
            Ok(None) => {
                let reason = Text::new("method_gone").map_err(|error| GatewayError(error.to_string()))?;
                Ok(Authorized::Answered(Authorization::Declined { reason }))
            }
            // Nothing was asked yet: the buyer hears so in time, and may try again.
            Err(error) => {
                tracing::warn!(payment = %ask.payment, %error, "it cannot be found out what the buyer pays with");
                Ok(Authorized::Answered(Authorization::TimedOut))
            }
        }
    }

    /// The answer, if it comes before the time is over: afterwards the same is asked again.
    pub(super) async fn in_time<A>(
        &self,
        asked: impl Future<Output = Result<A, GatewayError>>,
    ) -> Result<A, ReactError> {
        let limit = Duration::from_millis(SETTLE_TIMEOUT_MS.unsigned_abs());
        tokio::select! {
            answer = asked => answer.map_err(again),
            () = self.clock.sleep(limit) => Err(ReactError("the gateway did not answer in time".into())),
        }
    }
}

/// That the answer comes later is worth saying once.
fn deferred(ask: &Ask, asked: Asked) -> Option<Command> {
    (!ask.again).then_some(Command::RecordPending { asked })
}

pub(super) fn again(error: impl std::fmt::Display) -> ReactError {
    ReactError(error.to_string())
}
