//! How many requests are at work at once, and how long each may take.

use std::{pin::pin, task::Poll, time::Duration};

use axum::{
    extract::Request,
    response::{IntoResponse as _, Response},
};
use futures::poll;

use crate::{Shop, problem::Problem};

/// What is asked by whoever watches over the process: it has to be answered when there is too much to do above all.
const ALWAYS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// What comes within that time.
pub(crate) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    // Much is there at once: no timer is set for it.
    if let Poll::Ready(output) = poll!(future.as_mut()) {
        return Some(output);
    }
    tokio::time::timeout(time, future).await.ok()
}

/// Turns away what is too much, and gives up what takes too long.
pub(super) async fn bounded<F: Future<Output = Response>>(
    shop: &Shop,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    if ALWAYS.contains(&request.uri().path()) {
        return next(request).await;
    }
    let Ok(_turn) = shop.ingress.turns.try_acquire() else {
        return Problem::new("edge.overloaded", "too many requests are at work; nothing was done")
            .into_response();
    };
    match within(shop.ingress.answer_within, next(request)).await {
        Some(response) => response,
        None => Problem::new(
            "edge.timeout",
            "there is no answer yet; a command may take effect, so repeat it under its Idempotency-Key",
        )
        .into_response(),
    }
}
