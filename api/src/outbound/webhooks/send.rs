//! Sends webhooks: signed, in bounded time, to nobody inside, and without following where the answer points.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::value::Time;
use reqwest::{Client, StatusCode, header, redirect};
use uuid::Uuid;

use super::{
    Allowed, Endpoints, Target,
    address::PublicNames,
    endpoints::{DISABLED, EndpointError},
};
use crate::{
    outbound::errands::{self, Backoff, Carry, Channel, Errand, Lane, Outcome, Queue},
    standard_webhooks::{self, ID, SIGNATURE, TIMESTAMP},
};

/// How long an endpoint may take to answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Bytes of an answer that are read, so that the connection can be used again; what they say does not matter.
const ANSWER_MAX: usize = 16 << 10;
/// Deliveries to one endpoint at once.
const AT_ONCE: usize = 4;

/// What may be set about it.
#[derive(Clone, Debug)]
pub struct SendSettings {
    /// Where webhooks may go.
    pub allowed: Allowed,
    /// How long they wait after each failure.
    pub backoff: Backoff,
    /// How long every delivery has to fail before the endpoint is disabled.
    pub disable_after: Duration,
}

impl Default for SendSettings {
    fn default() -> Self {
        Self {
            allowed: Allowed::default(),
            backoff: Backoff::webhooks(),
            disable_after: Duration::from_secs(5 * 24 * 3_600),
        }
    }
}

/// Carries webhooks.
pub struct Send {
    client: Client,
    endpoints: Endpoints,
    queue: Queue,
    settings: SendSettings,
}

/// What an endpoint said, as far as it matters.
enum Answer {
    Taken,
    /// It wants to hear nothing more.
    Gone,
    Failed(String),
}

impl Send {
    /// A sender.
    ///
    /// # Errors
    /// When the machine cannot do TLS.
    pub fn new(endpoints: Endpoints, queue: Queue, settings: SendSettings) -> Result<Self, reqwest::Error> {
        Ok(Self { client: client(settings.allowed)?, endpoints, queue, settings })
    }

    async fn try_once(&self, errand: &Errand, id: Uuid) -> Result<Option<Answer>, EndpointError> {
        let Some((url, secrets)) = self.endpoints.target(id).await? else { return Ok(None) };
        // The setting may have changed since the endpoint was registered.
        let target = match Target::new(&url, self.settings.allowed) {
            Ok(target) => target,
            Err(_) => return Ok(Some(Answer::Failed("the address is not allowed".into()))),
        };
        if secrets.is_empty() {
            return Ok(Some(Answer::Failed("the secret does not open".into())));
        }
        let body = errand.payload.clone().unwrap_or_default();
        let (message, seconds) =
            (errands::named(errand.message), self.endpoints.clock.now().millis() / 1_000);
        let signature = standard_webhooks::signature(&secrets, &message, seconds, body.as_bytes());
        let sent = self
            .client
            .post(target.url().clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header(ID, message)
            .header(TIMESTAMP, seconds)
            .header(SIGNATURE, signature)
            .body(body)
            .send()
            .await;
        Ok(Some(match sent {
            Ok(answer) => answered(answer).await,
            Err(error) => Answer::Failed(why(&error).to_owned()),
        }))
    }

    async fn went(&self, id: Uuid, answer: &Answer) -> Result<(), sqlx::Error> {
        let now = self.endpoints.clock.now();
        match answer {
            Answer::Taken => self.endpoints.went(id, true).await,
            Answer::Gone => {
                self.endpoints.went(id, false).await?;
                self.disable(id, now, "it answered 410 Gone").await
            }
            Answer::Failed(_) => {
                self.endpoints.went(id, false).await?;
                let patience_ms = i64::try_from(self.settings.disable_after.as_millis()).unwrap_or(i64::MAX);
                let note = "every delivery has failed for too long";
                self.disable(id, now.plus_millis(-patience_ms), note).await
            }
        }
    }

    async fn disable(&self, id: Uuid, failing_since: Time, note: &str) -> Result<(), sqlx::Error> {
        if self.endpoints.disable(id, failing_since, note).await? {
            tracing::error!(endpoint = %id, note, "a webhook endpoint is disabled");
            self.queue.give_up(&id.to_string(), DISABLED).await?;
        }
        Ok(())
    }
}

fn client(allowed: Allowed) -> Result<Client, reqwest::Error> {
    Client::builder()
        .timeout(TIMEOUT)
        .redirect(redirect::Policy::none())
        // A proxy would look names up itself, and lead where it likes.
        .no_proxy()
        .dns_resolver(Arc::new(PublicNames(allowed)))
        .user_agent(concat!("Daybook/", env!("CARGO_PKG_VERSION")))
        .build()
}

async fn answered(mut answer: reqwest::Response) -> Answer {
    let status = answer.status();
    let mut read = 0;
    while read < ANSWER_MAX {
        match answer.chunk().await {
            Ok(Some(chunk)) => read += chunk.len(),
            Ok(None) => break,
            // The status has been said.
            Err(_) => break,
        }
    }
    match status {
        status if status.is_success() => Answer::Taken,
        StatusCode::GONE => Answer::Gone,
        status => Answer::Failed(format!("it answered {}", status.as_u16())),
    }
}

/// In words that hold nothing of the address.
fn why(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "it cannot be reached"
    } else {
        "the connection broke"
    }
}

#[async_trait]
impl Carry for Send {
    fn channel(&self) -> Channel {
        Channel::Webhook
    }

    async fn lanes(&self) -> Result<Vec<Lane>, sqlx::Error> {
        let enabled = self.endpoints.enabled().await?;
        Ok(enabled.into_iter().map(|id| Lane { name: id.to_string(), at_once: AT_ONCE }).collect())
    }

    async fn carry(&self, errand: &Errand) -> Outcome {
        let Ok(id) = errand.lane.parse() else {
            return Outcome::Never("it is of no endpoint".into());
        };
        let answer = match self.try_once(errand, id).await {
            Ok(Some(answer)) => answer,
            Ok(None) => return Outcome::Never(DISABLED.into()),
            Err(error) => {
                tracing::warn!(endpoint = %id, %error, "a webhook cannot be sent");
                return Outcome::Again("the shop could not look it up".into());
            }
        };
        if let Err(error) = self.went(id, &answer).await {
            tracing::warn!(endpoint = %id, %error, "how an endpoint is doing cannot be noted");
        }
        match answer {
            Answer::Taken => Outcome::Done,
            Answer::Gone => Outcome::Never("it answered 410".into()),
            Answer::Failed(reason) => Outcome::Again(reason),
        }
    }

    fn backoff(&self) -> &Backoff {
        &self.settings.backoff
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_home_by_now_is_not_called() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/", listener.local_addr().unwrap().port());
        let refused = client(Allowed { private: false }).unwrap().post(&url).send().await.unwrap_err();
        assert!(refused.is_connect(), "{refused:?}");
        let allowed = client(Allowed { private: true }).unwrap();
        tokio::select! {
            answer = allowed.post(&url).send() => panic!("nobody answers there: {answer:?}"),
            called = listener.accept() => drop(called.unwrap()),
        }
    }
}
