//! An order as it changes, for a page that shows where it stands.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderMap, HeaderValue},
    response::Response,
};
use domain::{AggregateType, value::OrderId};
use futures::{
    StreamExt as _,
    stream::{self, BoxStream, SelectAll},
};
use projections::Freshness;
use store::{
    executor::Token,
    feed::Entry,
    log::{Position, StreamId},
};

use super::shown;
use crate::{
    Shop,
    extract::Path,
    live::{Seat, beat, going_on, last_event, sse},
    problem::Problem,
};

/// How long the read model is waited for when something has happened.
const WAIT: std::time::Duration = std::time::Duration::from_secs(5);

struct Watched {
    seat: Seat,
    id: OrderId,
    /// The page that was told last, by its tag.
    told: Option<HeaderValue>,
    /// What the next page has to reflect.
    at_least: Option<Token>,
    /// What happens to the order, and what its managers conclude of its payments.
    entries: SelectAll<BoxStream<'static, Arc<Entry>>>,
}

/// `GET /v1/orders/{id}/live`
pub async fn follow(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<OrderId>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let at_least = last_event(&shop, &headers)?;
    let kinds = [AggregateType::Order, AggregateType::Checkout, AggregateType::Fulfilment];
    let watches = kinds.map(|kind| shop.feed.watch(StreamId::new(kind, id.as_str())));
    let entries = watches.map(|watch| {
        stream::unfold(watch, |mut watch| async move { Some((watch.recv().await?, watch)) }).boxed()
    });
    let entries = stream::select_all(entries);
    // Whoever asks for what is not there is told so at once.
    shown(&shop, &id, Freshness { at_least, wait: WAIT }).await?;
    let seat = Seat::take(&shop)?;
    let watched = Watched { seat, id, told: None, at_least, entries };
    let parts = stream::unfold(watched, |mut watched| async move {
        let part = watched.next().await?;
        Some((Ok::<_, std::convert::Infallible>(part), watched))
    });
    Ok(going_on("text/event-stream", parts))
}

impl Watched {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.seat.is_over() {
                return None;
            }
            let (shop, freshness) = (self.seat.shop(), Freshness { at_least: self.at_least, wait: WAIT });
            let found = match shown(shop, &self.id, freshness).await {
                Ok(found) => found,
                // Whoever listens comes again, and is told what stands in the way.
                Err(problem) => {
                    tracing::debug!(?problem, "an order can be told of no further");
                    return None;
                }
            };
            if self.told.as_ref() != Some(found.value.tag()) {
                self.told = Some(found.value.tag().clone());
                return Some(sse(found.reflects, "order", found.value.body()));
            }
            match self.seat.wait(self.entries.next()).await {
                Some(Some(entry)) => self.reach(entry.position),
                // Nobody tells this process anything any more.
                Some(None) => return None,
                None => return Some(beat(found.reflects)),
            }
        }
    }

    /// The next page shows everything up to there.
    fn reach(&mut self, position: Position) {
        let incarnation = self.seat.shop().feed.incarnation();
        self.at_least = Some(Token { incarnation, position });
    }
}
