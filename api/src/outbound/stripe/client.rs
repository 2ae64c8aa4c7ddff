//! Speaks to Stripe over HTTP: every call has a time limit, is repeated only where that is safe, and waits for nobody who
//! has stopped answering.

use std::{sync::Arc, time::Duration};

use reqwest::{Method, RequestBuilder, Response, StatusCode, redirect::Policy};
use serde::de::DeserializeOwned;
use store::ports::{Clock, Ids};

use super::{
    breaker::{self, Breaker, Standing},
    key::Key,
    tally::{Call, Tally},
    wire::{Failure, Fault},
};

/// The form of answers that this was written for; Stripe keeps it for whoever names it.
/// <https://docs.stripe.com/api/versioning>
pub const VERSION: &str = "2024-06-20";

/// Bytes of an answer.
const ANSWER_MAX: usize = 1 << 20;
/// The first pause between two tries of a call, at most; each further one may be twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(4);

/// Calls that fail together: each group has a breaker of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Holding money.
    Authorize,
    /// Taking it, and letting go of it.
    Settle,
    /// Giving it back.
    Refund,
    /// Looking how something stands.
    Look,
}

impl Group {
    /// All of them, as `/metrics` calls them.
    pub(crate) const ALL: [(Self, &str); 4] = [
        (Self::Authorize, "authorize"),
        (Self::Settle, "settle"),
        (Self::Refund, "refund"),
        (Self::Look, "look"),
    ];
}

/// One call.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    pub group: Group,
    pub method: Method,
    pub path: String,
    /// The body's fields, or the query's.
    pub fields: &'a [(&'a str, String)],
    /// What Stripe knows it by: with the same key it is done once. Queries need none.
    pub key: Option<String>,
    pub patience: Patience,
}

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Each try.
    pub try_us: i64,
    /// When all of it has to be over, by the clock that never jumps.
    pub until_us: i64,
    /// How often it is tried.
    pub tries: u32,
}

/// What Stripe answered.
#[derive(Clone, Debug)]
pub enum Answer<T> {
    /// It did what was asked.
    Done(T),
    /// It will not, however often it is asked.
    Refused(Refused),
}

/// A refusal.
#[derive(Clone, Debug)]
pub struct Refused {
    pub status: StatusCode,
    pub fault: Box<Fault>,
}

impl Refused {
    /// Whether what stands in the way is the key that this side calls with, and not what it asks for.
    pub fn is_of_the_key(&self) -> bool {
        matches!(self.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
    }
}

/// No answer that anything can be concluded from.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The breaker is open.
    #[error("Stripe has not answered lately and is left alone for a while")]
    Held,
    /// It was asked, and nobody knows what came of it.
    #[error("Stripe does not answer: {0}")]
    Unclear(String),
    /// What is stored under the key is an error of Stripe's own: the key is of no use.
    #[error("Stripe keeps an error under this request's key")]
    Burnt,
    /// The key was used for a request with other fields: by another version of this program, say.
    #[error("Stripe knows another request under this request's key")]
    Reused,
}

/// What became of one try.
enum Tried {
    Answered(StatusCode, Vec<u8>),
    /// Nothing was done; it may be asked again.
    Busy(String),
    /// Perhaps it was done.
    Lost(String),
    Useless(Unanswered),
}

/// The door to one Stripe account.
pub struct Client {
    http: reqwest::Client,
    base: String,
    key: Key,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    breakers: [Breaker; 4],
    tally: Arc<Tally>,
}

/// What a client is made of.
pub struct Parts {
    pub base: String,
    pub key: Key,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub limits: breaker::Limits,
    pub tally: Arc<Tally>,
}

impl Client {
    pub fn new(parts: Parts) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .user_agent(concat!("daybook/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let Parts { base, key, clock, ids, limits, tally } = parts;
        let breakers = Group::ALL.map(|_| Breaker::new(limits));
        Ok(Self { http, base: base.trim_end_matches('/').to_owned(), key, clock, ids, breakers, tally })
    }

    /// How long a call may take from now on.
    pub fn patience(&self, each: Duration, all: Duration, tries: u32) -> Patience {
        let until_us = self.clock.elapsed_us().saturating_add(micros(all));
        Patience { try_us: micros(each), until_us, tries }
    }

    /// How the breaker of each group stands.
    pub fn standings(&self) -> [(&'static str, Standing); 4] {
        Group::ALL.map(|(group, name)| (name, self.breaker(group).standing()))
    }

    /// Asks until there is an answer, the tries are used up or the time is over.
    pub async fn call<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<Answer<T>, Unanswered> {
        let mut pause = PAUSE;
        for tried in 1.. {
            if self.clock.elapsed_us() >= request.patience.until_us {
                return Err(self.ended(Call::Failed, Unanswered::Unclear("the time is over".to_owned())));
            }
            let told = match self.attempt(request).await? {
                Tried::Answered(status, body) => return self.concluded(status, &body),
                Tried::Useless(why) => return Err(self.ended(Call::Failed, why)),
                Tried::Busy(told) | Tried::Lost(told) => told,
            };
            let now_us = self.clock.elapsed_us();
            let wait = self.jittered(pause);
            if tried >= request.patience.tries || now_us + micros(wait) >= request.patience.until_us {
                return Err(self.ended(Call::Failed, Unanswered::Unclear(told)));
            }
            tracing::warn!(group = ?request.group, tried, told, "Stripe is asked again soon");
            self.clock.sleep(wait).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
        Err(Unanswered::Unclear(String::new()))
    }

    fn ended(&self, how: Call, why: Unanswered) -> Unanswered {
        self.tally.called(how);
        why
    }

    fn concluded<T: DeserializeOwned>(
        &self,
        status: StatusCode,
        body: &[u8],
    ) -> Result<Answer<T>, Unanswered> {
        if status.is_success() {
            let read = serde_json::from_slice(body)
                .map_err(|error| Unanswered::Unclear(format!("an answer that cannot be read: {error}")));
            self.tally.called(if read.is_ok() { Call::Done } else { Call::Failed });
            return read.map(Answer::Done);
        }
        self.tally.called(Call::Refused);
        let Failure { error } = serde_json::from_slice(body).unwrap_or_default();
        Ok(Answer::Refused(Refused { status, fault: Box::new(error) }))
    }

    /// One try, told to the breaker. One that is dropped on the way has taken too long for whoever waited: a failure too.
    async fn attempt(&self, request: &Request<'_>) -> Result<Tried, Unanswered> {
        let breaker = self.breaker(request.group);
        let now_us = self.clock.elapsed_us();
        if !breaker.admits(now_us) {
            return Err(self.ended(Call::Held, Unanswered::Held));
        }
        let mut verdict = Verdict { client: self, group: request.group, answered: false };
        let left_us = request.patience.until_us.saturating_sub(now_us);
        let limit_us = request.patience.try_us.min(left_us).max(0);
        let tried = tokio::select! {
            tried = self.send(request) => tried,
            () = self.clock.sleep(Duration::from_micros(limit_us.unsigned_abs())) => Tried::Lost("no answer in time".to_owned()),
        };
        verdict.answered = matches!(tried, Tried::Answered(..) | Tried::Busy(_) | Tried::Useless(_));
        Ok(tried)
    }

    async fn send(&self, request: &Request<'_>) -> Tried {
        match self.built(request).send().await {
            Ok(response) => read(response).await,
            // The error tells the address, which holds ids alone, and never the key.
            Err(error) => Tried::Lost(error.without_url().to_string()),
        }
    }

    fn built(&self, request: &Request<'_>) -> RequestBuilder {
        let url = format!("{}{}", self.base, request.path);
        let mut built = self
            .http
            .request(request.method.clone(), url)
            .bearer_auth(self.key.expose())
            .header("stripe-version", VERSION);
        if let Some(key) = &request.key {
            built = built.header("idempotency-key", key);
        }
        if request.method == Method::GET { built.query(request.fields) } else { built.form(request.fields) }
    }

    fn breaker(&self, group: Group) -> &Breaker {
        &self.breakers[group as usize]
    }

    /// Full jitter: anything between nothing and the whole pause, so that callers who failed together do not come together.
    fn jittered(&self, pause: Duration) -> Duration {
        let mut dice = [0; 8];
        match self.ids.fill(&mut dice) {
            Ok(()) => {
                let pause_us = micros(pause).unsigned_abs();
                Duration::from_micros(u64::from_le_bytes(dice) % pause_us.saturating_add(1))
            }
            Err(_) => pause,
        }
    }
}

/// Tells the breaker how a try ended, however it ended.
struct Verdict<'a> {
    client: &'a Client,
    group: Group,
    answered: bool,
}

impl Drop for Verdict<'_> {
    fn drop(&mut self) {
        let (breaker, now_us) = (self.client.breaker(self.group), self.client.clock.elapsed_us());
        if self.answered {
            breaker.answered(now_us);
        } else if breaker.failed(now_us) {
            tracing::error!(group = ?self.group, "Stripe does not answer and is left alone for a while");
        }
    }
}

async fn read(mut response: Response) -> Tried {
    let status = response.status();
    let replayed =
        response.headers().get("idempotent-replayed").is_some_and(|replayed| replayed.as_bytes() == b"true");
    let name = response.headers().get("request-id").and_then(|id| id.to_str().ok()).unwrap_or("-");
    tracing::debug!(status = status.as_u16(), request = name, replayed, "Stripe answered");
    let mut body = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() <= ANSWER_MAX => body.extend_from_slice(&chunk),
            Ok(Some(_)) => return Tried::Lost("an answer of more than 1 MiB".to_owned()),
            Ok(None) => break,
            Err(error) => return Tried::Lost(error.without_url().to_string()),
        }
    }
    match status {
        StatusCode::TOO_MANY_REQUESTS => Tried::Busy("429: too many requests".to_owned()),
        // Another request has the object, or this very request is being worked on.
        StatusCode::CONFLICT => Tried::Busy("409: it is being worked on".to_owned()),
        status if status.is_server_error() && replayed => Tried::Useless(Unanswered::Burnt),
        status if status.is_server_error() => Tried::Lost(status.to_string()),
        StatusCode::BAD_REQUEST if is_of_another(&body) => Tried::Useless(Unanswered::Reused),
        status => Tried::Answered(status, body),
    }
}

/// Whether the key was used for a request that asked for something else.
fn is_of_another(body: &[u8]) -> bool {
    let failure: Failure = serde_json::from_slice(body).unwrap_or_default();
    failure.error.kind.as_deref() == Some("idempotency_error")
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
