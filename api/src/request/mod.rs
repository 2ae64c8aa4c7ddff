//! A request from its first byte to its answer: in which trace, by whom, as which command; logged, counted and traced once.

mod tally;

use std::{
    cell::{Cell, OnceCell},
    pin::pin,
};

use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderMap, Method},
    response::Response,
};
use store::trace::{self, Kind, Span, Traceparent};
use uuid::Uuid;

pub use self::tally::{BOUNDS_US, Tally};
use crate::{Shop, freshness::POSITION, problem};

/// Where no route is, or it was not looked for.
const NO_ROUTE: &str = "none";
/// What watches over the process asks every few seconds: a line each would be most of a log.
const WATCHERS: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

tokio::task_local! {
    /// The request that the task answers.
    static HERE: Here;
}

/// What is found out about a request while it is answered.
struct Here {
    trace_id: u128,
    /// What kind of principal asks, once that is known.
    principal: Cell<Option<&'static str>>,
    /// The first command that it stands for.
    command: Cell<Option<Uuid>>,
    /// Which route it met, once that is known.
    route: OnceCell<MatchedPath>,
}

/// The trace of the request that this task answers, as its problem and its line in the log tell it.
#[must_use]
pub fn trace_id() -> Option<String> {
    HERE.try_with(|here| format!("{:032x}", here.trace_id)).ok()
}

/// Says what kind of principal asks.
pub fn is_by(kind: &'static str) {
    // A task that answers no request is asked by nobody.
    let _ = HERE.try_with(|here| here.principal.set(Some(kind)));
}

/// Says which route the request met.
pub fn is_at(route: MatchedPath) {
    let _ = HERE.try_with(|here| here.route.set(route));
}

/// Says which command the request stands for; of several, the first one counts.
pub fn runs(command_id: Uuid) {
    let _ = HERE.try_with(|here| here.command.set(here.command.get().or(Some(command_id))));
}

/// Answers a request, and writes down what came of it.
pub(crate) async fn watched<F: Future<Output = Response>>(
    shop: &Shop,
    request: Request,
    next: impl FnOnce(Request) -> F,
) -> Response {
    let began_us = shop.clock.elapsed_us();
    let given = traceparent(request.headers());
    let mut span = Span::begin("request", Kind::Server, given);
    let own = span.as_ref().and_then(Span::traceparent).unwrap_or_else(|| {
        let id = shop.ids.next().as_u128();
        // The lower half is random.
        Traceparent { trace_id: given.map_or(id, |given| given.trace_id), span_id: id as u64, sampled: false }
    });
    let here = Here {
        trace_id: own.trace_id,
        principal: Cell::default(),
        command: Cell::default(),
        route: OnceCell::default(),
    };
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let collected = span.as_ref().filter(|span| span.is_kept()).map(|_| own);
    let answered = pin!(async {
        let response = next(request).await;
        (response, HERE.with(|here| (here.principal.get(), here.command.get(), here.route.get().cloned())))
    });
    let (response, (principal, command_id, route)) =
        HERE.scope(here, trace::within(collected, answered)).await;
    let status = response.status();
    let (response, code) = problem::complete(response, &method, uri.path(), own.trace_id);
    let took_us = shop.clock.elapsed_us() - began_us;
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    shop.requests.count(&method, route, status, took_us, code);
    let position = response.headers().get(POSITION).and_then(|position| position.to_str().ok());
    // Nothing that a client chose is written but the method and the trace: neither path, query, header nor body.
    macro_rules! line {
        ($level:expr) => {
            tracing::event!(
                $level,
                %method,
                route,
                status = status.as_u16(),
                took_us,
                principal,
                code,
                trace_id = format_args!("{:032x}", own.trace_id),
                span_id = format_args!("{:016x}", own.span_id),
                command_id = command_id.map(display),
                position,
                "request"
            )
        };
    }
    if WATCHERS.contains(&route) && status.is_success() {
        line!(tracing::Level::DEBUG);
    } else {
        line!(tracing::Level::INFO);
    }
    if let Some(span) = span.as_mut().filter(|span| span.is_kept()) {
        span.call(format!("{method} {route}"));
        span.say("http.request.method", method.to_string());
        span.say("http.route", route.to_owned());
        span.say("http.response.status_code", i64::from(status.as_u16()));
        if let Some(code) = code {
            span.say("daybook.code", code);
        }
        if status.is_server_error() {
            span.failed(code.unwrap_or_default());
        }
    }
    response
}

fn traceparent(headers: &HeaderMap) -> Option<Traceparent> {
    headers.get("traceparent")?.to_str().ok()?.parse().ok()
}

/// A method as it is counted: others than those of the table would be whatever a client makes up.
fn counted(method: &Method) -> &str {
    if method == Method::HEAD { "GET" } else { method.as_str() }
}
