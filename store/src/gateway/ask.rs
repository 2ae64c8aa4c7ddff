//! Carries payments to a gateway: what a payment requested is asked there, and the answer goes back as a command.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{
    Aggregate, AnyEvent,
    payment::{Authorization, Command, Event, Payment, Settlement, Token},
    value::{AttemptId, CustomerId, Money, PaymentId, Text, Time},
};
use uuid::Uuid;

use super::{
    AUTHORIZE_TIMEOUT_MS, Ask, Authorized, GATEWAY, Gateway, GatewayError, PaymentResults, Purse,
    SETTLE_TIMEOUT_MS, Settled, results::ANSWER,
};
use crate::{
    executor::derived_id,
    feed::Feed,
    follow::{React, ReactError},
    log::{Log, Meant, Recorded},
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

/// A request as it stands in its payment's stream.
struct Standing {
    ask: Ask,
    /// Whether the request is to take from or let go of the hold that is in use.
    in_use: bool,
    /// What happened to the payment after it was asked.
    later: Vec<Event>,
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
            // Apart: the buyer may try again while it is found out what became of the first try.
            Event::AuthorizationTimedOut { .. } => {
                Some(format!("{}-timed-out", meant.recorded.stream.id).into())
            }
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
                let asked = (request_id, Time::from_millis(recorded.recorded_at_us.div_euclid(1_000)));
                let history = self.history(meant).await?;
                let standing = standing(meant, asked, history)?;
                if standing.is_answered(event) {
                    return Ok(());
                }
                self.ask(&standing.ask, event).await?
            }
            Event::AuthorizationTimedOut { attempt, .. } => self.given_up(meant, attempt).await?,
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
    async fn history(&self, meant: Meant<'_>) -> Result<Vec<Past>, ReactError> {
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

    async fn ask(&self, ask: &Ask, event: &Event) -> Result<Option<Command>, ReactError> {
        match event {
            Event::AuthorizationRequested { attempt, token, keep_for, .. } => {
                let outcome = self.authorize(ask, attempt, (token, keep_for.as_ref())).await?;
                Ok(outcome.map(|outcome| Command::RecordAuthorization { attempt: attempt.clone(), outcome }))
            }
            Event::CaptureRequested { capture, reference, amount, .. } => {
                let settled = self.in_time(self.gateway.capture(ask, reference, capture, *amount)).await?;
                Ok(settled
                    .answer()
                    .map(|outcome| Command::RecordCapture { capture: capture.clone(), outcome }))
            }
            Event::VoidRequested { reference, .. } => {
                let settled = self.in_time(self.gateway.void(ask, reference)).await?;
                Ok(settled
                    .answer()
                    .map(|outcome| Command::RecordVoid { reference: reference.clone(), outcome }))
            }
            Event::RefundRequested { refund, reference, amount, .. } => {
                let settled = self.in_time(self.gateway.refund(ask, reference, refund, *amount)).await?;
                Ok(settled.answer().map(|outcome| Command::RecordRefund { refund: refund.clone(), outcome }))
            }
            _ => Ok(None),
        }
    }

    async fn authorize(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        paying: (&Token, Option<&CustomerId>),
    ) -> Result<Option<Authorization>, ReactError> {
        tokio::select! {
            answer = self.authorized(ask, attempt, paying) => match answer.map_err(again)? {
                Authorized::Answered(outcome) => Ok(Some(outcome)),
                Authorized::Pending => Ok(None),
            },
            () = self.clock.until(self.clock.now().plus_millis(AUTHORIZE_TIMEOUT_MS)) => Ok(Some(Authorization::TimedOut)),
        }
    }

    async fn authorized(
        &self,
        ask: &Ask,
        attempt: &AttemptId,
        (token, keep_for): (&Token, Option<&CustomerId>),
    ) -> Result<Authorized, GatewayError> {
        match self.purse.means(token, keep_for).await {
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

    /// No hold may be left that nobody knows of: what became of the authorization is asked until it is known.
    async fn given_up(&self, meant: Meant<'_>, attempt: &AttemptId) -> Result<Option<Command>, ReactError> {
        // That it holds nothing leaves no event, but an answered command.
        let answer = derived_id(meant.id(), ANSWER, 0);
        if !self.log.answers(&[answer]).await.map_err(again)?.is_empty() {
            return Ok(None);
        }
        let history = self.history(meant).await?;
        let approved =
            |past: &Past| matches!(&past.event, Event::Authorized { attempt: known, .. } if known == attempt);
        if history.iter().any(approved) {
            return Ok(None);
        }
        let requested = history.iter().find_map(|past| match &past.event {
            Event::AuthorizationRequested { attempt: asked, token, keep_for, .. } if asked == attempt => {
                Some((past.id, past.at, token.clone(), keep_for.clone()))
            }
            _ => None,
        });
        let Some((id, at, token, keep_for)) = requested else {
            return Ok(None);
        };
        let Standing { ask, .. } = standing(meant, (id, at), history)?;
        let found = async {
            let means = self.purse.means(&token, keep_for.as_ref()).await?;
            self.gateway.given_up(&ask, attempt, means.as_ref()).await
        };
        let outcome = self.in_time(found).await?;
        Ok(outcome.map(|outcome| Command::RecordAuthorization { attempt: attempt.clone(), outcome }))
    }

    /// The answer, if it comes before the time is over: afterwards the same is asked again.
    async fn in_time<A>(
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

/// An event of the payment.
struct Past {
    id: Uuid,
    at: Time,
    event: Event,
}

/// What an event of a payment's stream means.
fn past(recorded: &Recorded) -> Vec<Past> {
    let meant = recorded.meant().filter_map(|meant| match meant.event {
        AnyEvent::Payment(event) => Some(Past {
            id: meant.id(),
            at: Time::from_millis(recorded.recorded_at_us.div_euclid(1_000)),
            event: event.clone(),
        }),
        _ => None,
    });
    meant.collect()
}

/// What the gateway has to know beside the request, from the payment as it was then.
fn standing(
    meant: Meant<'_>,
    (request_id, asked_at): (Uuid, Time),
    history: Vec<Past>,
) -> Result<Standing, ReactError> {
    let upto = history.iter().position(|past| past.id == request_id).map_or(history.len(), |at| at + 1);
    let mut past = history.into_iter().map(|past| past.event);
    let payment = past.by_ref().take(upto).fold(Payment::default(), Payment::evolve);
    let later = past.collect();
    let missing = || ReactError("a request of a payment without an intent".into());
    let intent = payment.intent().ok_or_else(missing)?.clone();
    let captured = payment.captured().unwrap_or(Money::zero(intent.amount.currency));
    let in_use = match (meant.event, &payment) {
        (AnyEvent::Payment(Event::VoidRequested { reference, .. }), Payment::Held { hold, .. }) => {
            hold.reference == *reference
        }
        _ => false,
    };
    let payment = PaymentId::new(&*meant.recorded.stream.id).map_err(again)?;
    Ok(Standing { ask: Ask { request_id, asked_at, payment, intent, captured }, in_use, later })
}

impl Standing {
    /// Whether the log holds the answer, whoever brought it.
    fn is_answered(&self, asked: &Event) -> bool {
        let answers = |event: &Event| match (asked, event) {
            (
                Event::AuthorizationRequested { attempt: asked, .. },
                Event::Authorized { attempt, .. }
                | Event::Declined { attempt, .. }
                | Event::AuthorizationTimedOut { attempt, .. },
            ) => attempt == asked,
            (
                Event::CaptureRequested { capture: asked, .. },
                Event::Captured { capture, .. } | Event::CaptureFailed { capture, .. },
            ) => capture == asked,
            (Event::VoidRequested { .. }, Event::Voided { .. } | Event::VoidFailed { .. }) => self.in_use,
            (
                Event::VoidRequested { reference: asked, .. },
                Event::SurplusVoided { reference, .. } | Event::SurplusVoidFailed { reference, .. },
            ) => reference == asked,
            (
                Event::RefundRequested { refund: asked, .. },
                Event::Refunded { refund, .. } | Event::RefundFailed { refund, .. },
            ) => refund == asked,
            _ => false,
        };
        self.later.iter().any(answers)
    }
}

impl Settled {
    fn answer(self) -> Option<Settlement> {
        match self {
            Self::Answered(settlement) => Some(settlement),
            Self::Pending => None,
        }
    }
}

pub(super) fn again(error: impl std::fmt::Display) -> ReactError {
    ReactError(error.to_string())
}
