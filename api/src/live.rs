//! Answers without an end: what happens, as it happens, for whoever goes on where they stopped.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};
use futures::{Stream, stream};
use store::{
    executor::Token,
    log::{Position, StoredEvent},
};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::{Shop, events::Filter, freshness::token, pages::NOWHERE, problem::Problem};

/// Where somebody stopped who was told before.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Events that are read at once; whoever reads slowly holds up nobody but themselves.
const PAGE: i64 = 500;
/// How long it is silent at most: proxies end what they believe to be dead.
pub(crate) const BEAT_EVERY: Duration = Duration::from_secs(15);
/// Then the other end comes again, and it is seen anew whether it may.
const LASTS: Duration = Duration::from_secs(15 * 60);

/// An answer without an end has one of the few places for such, and ends with the process.
pub(crate) struct Seat {
    shop: Arc<Shop>,
    until_us: i64,
    draining: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Seat {
    /// Takes a place.
    ///
    /// # Errors
    /// `edge.overloaded`, when there is none.
    pub fn take(shop: &Arc<Shop>) -> Result<Self, Problem> {
        let place = Arc::clone(&shop.ingress.seats).try_acquire_owned().map_err(|_| {
            Problem::new("edge.overloaded", "too many are being told what happens; ask for pages instead")
        })?;
        let lasts_us = i64::try_from(LASTS.as_micros()).unwrap_or(i64::MAX);
        Ok(Self {
            until_us: shop.clock.elapsed_us() + lasts_us,
            draining: shop.ingress.draining(),
            shop: Arc::clone(shop),
            _place: place,
        })
    }

    pub const fn shop(&self) -> &Arc<Shop> {
        &self.shop
    }

    pub fn is_over(&self) -> bool {
        *self.draining.borrow() || self.shop.clock.elapsed_us() >= self.until_us
    }

    /// Waits for `news`; `None` when there was none for a while. Ends early when the process is about to.
    pub async fn wait<T>(&mut self, news: impl Future<Output = T>) -> Option<T> {
        let Self { shop, draining, .. } = self;
        tokio::select! {
            news = news => Some(news),
            () = shop.clock.sleep(BEAT_EVERY) => None,
            _ = draining.wait_for(|draining| *draining) => None,
        }
    }
}

/// What is told.
pub(crate) enum Told {
    Event(StoredEvent),
    /// Nothing to tell up to here.
    Nothing(Position),
}

struct Following {
    seat: Seat,
    filter: Filter,
    after: Position,
    read: VecDeque<StoredEvent>,
    /// Whether something was told since the last page was read.
    told: bool,
    tip: watch::Receiver<Position>,
}

/// The events after a position that pass, for as long as the seat lasts.
pub(crate) fn follow(seat: Seat, filter: Filter, after: Position) -> impl Stream<Item = Told> + Send {
    let tip = seat.shop.feed.tip();
    let following = Following { seat, filter, after, read: VecDeque::new(), told: true, tip };
    stream::unfold(following, |mut following| async move {
        let told = following.next().await?;
        Some((told, following))
    })
}

impl Following {
    async fn next(&mut self) -> Option<Told> {
        loop {
            while let Some(stored) = self.read.pop_front() {
                self.after = stored.position;
                if self.filter.wants(&stored) {
                    self.told = true;
                    return Some(Told::Event(stored));
                }
            }
            if self.seat.is_over() {
                return None;
            }
            if !std::mem::replace(&mut self.told, true) {
                return Some(Told::Nothing(self.after));
            }
            match self.seat.shop.log.read(self.after, PAGE).await {
                Ok(read) if !read.is_empty() => (self.read, self.told) = (read.into(), false),
                Ok(_) => {
                    let (after, tip) = (self.after, &mut self.tip);
                    if self.seat.wait(tip.wait_for(|tip| *tip > after)).await.is_none() {
                        return Some(Told::Nothing(after));
                    }
                }
                // Whoever listens comes again, and is told what stands in the way.
                Err(error) => {
                    tracing::error!(%error, "events cannot be told any further");
                    return None;
                }
            }
        }
    }
}

/// Where somebody goes on who was told before, in this life of the log.
///
/// # Errors
/// `position.malformed` and `position.other_log`.
pub(crate) fn last_event(shop: &Shop, headers: &HeaderMap) -> Result<Option<Token>, Problem> {
    let Some(last) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    let last = last.to_str().ok().and_then(token).ok_or_else(|| {
        Problem::new(
            "position.malformed",
            "Last-Event-ID is what the last event's id said: <incarnation>:<position>",
        )
    })?;
    if last.position > 0 && last.incarnation != shop.feed.incarnation() {
        return Err(Problem::new(
            "position.other_log",
            "the event is of another life of the log: begin anew",
        ));
    }
    Ok(Some(last))
}

/// Whether the client wants Server-Sent Events.
pub(crate) fn wants_sse(headers: &HeaderMap) -> bool {
    let kinds = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let mut kinds = kinds.flat_map(|value| value.split(','));
    kinds.any(|kind| kind.split(';').next().unwrap_or_default().trim() == "text/event-stream")
}

/// An event as Server-Sent Events have it. `data` has no line breaks, since JSON needs none.
pub(crate) fn sse(token: Token, name: &str, data: &[u8]) -> Bytes {
    let mut text = format!("id: {token}\nevent: {name}\ndata: ").into_bytes();
    text.extend_from_slice(data);
    text.extend_from_slice(b"\n\n");
    text.into()
}

/// Nothing but where the listener stands: it goes on from here when it comes again.
pub(crate) fn beat(token: Token) -> Bytes {
    format!(": nothing new\nid: {token}\n\n").into()
}

/// An answer that goes on.
pub(crate) fn going_on<E>(
    kind: &'static str,
    parts: impl Stream<Item = Result<Bytes, E>> + Send + 'static,
) -> Response
where
    E: Into<Box<dyn std::error::Error + Send + Sync>> + 'static,
{
    let mut response = Response::new(Body::from_stream(parts));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, NOWHERE);
    // A proxy that gathers answers would keep back what is to be heard now.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}
