//! Answers that did not come when they were asked for: what became of an authorization that nobody waits for any more, and
//! how it stands with what the gateway wanted to answer later.

use domain::{
    payment::{Asked, Authorization, Command, Event},
    value::AttemptId,
};

use super::{
    Ask, Authorized,
    ask::{AskGateway, again},
    past::{Past, standing},
    results::ANSWER,
};
use crate::{executor::derived_id, follow::ReactError, log::Meant};

impl AskGateway {
    /// No hold may be left that nobody knows of: what became of the authorization is asked until it is known.
    pub(super) async fn given_up(
        &self,
        meant: Meant<'_>,
        attempt: &AttemptId,
    ) -> Result<Option<Command>, ReactError> {
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
        let asked = Asked::Authorization { attempt: attempt.clone() };
        let Some(request) = history.iter().find(|past| past.asks(&asked)).cloned() else {
            return Ok(None);
        };
        let ask = standing(&meant.recorded.stream.id, &request, history)?.ask;
        match self.found(&ask, &request.event).await? {
            Some(Authorized::Answered(outcome)) => Ok(Some(recorded(attempt, outcome))),
            Some(Authorized::Pending) => Err(ReactError("the gateway is still working on it".into())),
            None => Ok(None),
        }
    }

    /// How it stands with an answer that was to come later; nothing while the gateway still does not know.
    pub(super) async fn sought(
        &self,
        meant: Meant<'_>,
        asked: &Asked,
    ) -> Result<Option<Command>, ReactError> {
        let history = self.history(meant).await?;
        // The same may have been asked for before, and have failed: the last one counts.
        let Some(request) = history.iter().rfind(|past| past.asks(asked)).cloned() else {
            return Ok(None);
        };
        let standing = standing(&meant.recorded.stream.id, &request, history)?;
        if standing.is_answered(&request.event) {
            return Ok(None);
        }
        let ask = Ask { again: true, ..standing.ask };
        match asked {
            Asked::Authorization { attempt } => match self.found(&ask, &request.event).await? {
                Some(Authorized::Answered(outcome)) => Ok(Some(recorded(attempt, outcome))),
                Some(Authorized::Pending) | None => Ok(None),
            },
            Asked::Capture { .. } | Asked::Void { .. } | Asked::Refund { .. } => {
                self.ask(&ask, &request.event).await
            }
        }
    }

    /// What became of an authorization, as far as the gateway says.
    async fn found(&self, ask: &Ask, request: &Event) -> Result<Option<Authorized>, ReactError> {
        let Event::AuthorizationRequested { attempt, token, keep_for, .. } = request else {
            return Ok(None);
        };
        let found = async {
            let means = self.purse.means(ask, token, keep_for.as_ref()).await?;
            self.gateway.given_up(ask, attempt, means.as_ref()).await
        };
        self.in_time(found).await
    }
}

fn recorded(attempt: &AttemptId, outcome: Authorization) -> Command {
    Command::RecordAuthorization { attempt: attempt.clone(), outcome }
}
