//! Pages of one thing each: written once, sent with what they reflect, for how long they may be kept, and under which tag.

use std::fmt::Write as _;

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use domain::cart::Delivery;
use projections::{Fresh, hot::Weighed};
use serde::Serialize;
use store::{
    executor::Token,
    log::{Position, Sequence},
};

use crate::{
    freshness::{POSITION, STALE_SINCE},
    ingress::HEADERS,
    problem::Problem,
    tags::{self, Conditions, Hash, Judged},
};

/// For one reader, who asks each time whether it is still so.
pub const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
/// To be kept nowhere.
pub const NOWHERE: HeaderValue = HeaderValue::from_static("no-store");

/// Room for the member that a page is sent with; one that takes more gets more.
const MEMBER_BYTES: usize = 1_024;
const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// A request that has to see a position is another one than a request that need not.
pub const VARY: HeaderValue = HeaderValue::from_static("daybook-min-position");

/// Who may keep a product's page, and for how long, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// Without asking again.
    pub fresh_s: u32,
    /// After that, while it is asked for anew.
    pub stale_s: u32,
}

impl Keeping {
    /// As a header says it.
    #[must_use]
    pub fn header(self) -> HeaderValue {
        let Self { fresh_s, stale_s } = self;
        let text = format!("public, max-age={fresh_s}, stale-while-revalidate={stale_s}");
        HeaderValue::from_str(&text).unwrap_or(PRIVATE)
    }
}

/// One thing as JSON.
#[derive(Clone, Debug)]
pub struct Page {
    body: Bytes,
    version: Sequence,
    tag: HeaderValue,
    /// Who gets an order and where, sealed: it is opened for each answer, so that forgetting reaches every one.
    pub delivery: Option<Box<Delivery>>,
}

impl Weighed for Page {
    fn bytes(&self) -> usize {
        let sealed = self.delivery.as_ref().map_or(0, |delivery| {
            let one = |sealed: &domain::value::Sealed| sealed.subject.len() + sealed.sealed.len();
            size_of::<Delivery>() + one(&delivery.contact) + one(&delivery.address)
        });
        size_of::<Self>() + self.body.len() + self.tag.len() + sealed
    }
}

impl Page {
    /// A page that follows from one stream alone.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of_stream(value: &impl Serialize, version: Sequence) -> Result<Self, Problem> {
        Ok(Self { body: json(value)?, version, tag: tags::of_version(version), delivery: None })
    }

    /// A page that shows more than its stream: its tag changes with all that it shows.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn of_more(value: &impl Serialize, version: Sequence) -> Result<Self, Problem> {
        let body = json(value)?;
        let tag = tags::of_page(version, Hash::of(&body));
        Ok(Self { body, version, tag, delivery: None })
    }

    /// The same with what is to be opened for each answer.
    #[must_use]
    pub fn delivered_to(self, delivery: Option<Delivery>) -> Self {
        Self { delivery: delivery.map(Box::new), ..self }
    }

    /// What tells it from others.
    #[must_use]
    pub const fn tag(&self) -> &HeaderValue {
        &self.tag
    }

    /// As it is sent.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The page with one more member at its end; `differs` tells its forms apart without telling what is in it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn with(&self, name: &str, value: &impl Serialize, differs: &[u8]) -> Result<Self, Problem> {
        let begun = self.body.strip_suffix(b"}").unwrap_or(&self.body);
        let mut body = Vec::with_capacity(begun.len() + MEMBER_BYTES);
        body.extend_from_slice(begun);
        body.extend_from_slice(b",\"");
        body.extend_from_slice(name.as_bytes());
        body.extend_from_slice(b"\":");
        serde_json::to_writer(&mut body, value).map_err(|error| Problem::internal(&error))?;
        body.push(b'}');
        let tag = match differs {
            [] => self.tag.clone(),
            differs => tags::of_page(self.version, Hash::of(&self.body).and(differs)),
        };
        Ok(Self { body: body.into(), version: self.version, tag, delivery: None })
    }

    /// The answer, or that the client has it already.
    ///
    /// # Errors
    /// `precondition.failed`, when the client insists on another one.
    pub fn answer<T>(
        &self,
        fresh: &Fresh<T>,
        conditions: &Conditions,
        keeping: HeaderValue,
    ) -> Result<Response, Problem> {
        let judged = conditions.judge(&self.tag);
        let mut response = match judged {
            Judged::Wanted => Response::new(Body::from(self.body.clone())),
            Judged::Known => Response::new(Body::empty()),
            Judged::Another => {
                let now = format!("the version is {} now", self.version);
                return Err(Problem::new("precondition.failed", now)
                    .with("version", self.version)
                    .with_header(header::ETAG, self.tag.to_str().unwrap_or_default())
                    .with_header(POSITION, &fresh.reflects.to_string()));
            }
        };
        let headers = response.headers_mut();
        headers.reserve(HEADERS);
        if judged == Judged::Wanted {
            headers.insert(header::CONTENT_TYPE, JSON);
        }
        headers.insert(header::ETAG, self.tag.clone());
        headers.insert(header::CACHE_CONTROL, keeping);
        headers.insert(header::VARY, VARY);
        tell(headers, fresh.reflects, fresh.stale_since);
        if judged == Judged::Known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        Ok(response)
    }
}

/// Says what an answer reflects, and what it lacks.
pub fn tell(headers: &mut HeaderMap, reflects: Token, stale_since: Option<Position>) {
    headers.insert(POSITION, position(reflects));
    if let Some(first) = stale_since {
        headers.insert(STALE_SINCE, position(Token { position: first, ..reflects }));
    }
}

/// What an answer reflects, as a header says it.
#[must_use]
pub fn position(reflects: Token) -> HeaderValue {
    let mut text = String::with_capacity(56);
    // Writing to a string cannot fail, and what a token is written with is visible ASCII.
    let _ = write!(text, "{reflects}");
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(NOWHERE)
}

/// The problem that there is no such thing; it too says what it reflects.
#[must_use]
pub fn missing<T>(found: &Fresh<T>, code: &'static str) -> Problem {
    let problem = Problem::new(code, "nothing has this id, as far as the read model has come")
        .with_header(POSITION, &found.reflects.to_string());
    match found.stale_since {
        Some(position) => problem.with_header(STALE_SINCE, &Token { position, ..found.reflects }.to_string()),
        None => problem,
    }
}

fn json(value: &impl Serialize) -> Result<Bytes, Problem> {
    // What is kept is counted by its length: room that was only in reserve would come on top.
    let body = serde_json::to_vec(value).map(Vec::into_boxed_slice);
    body.map(Bytes::from).map_err(|error| Problem::internal(&error))
}
