//! Payments: authorized with the buyer's token, captured, voided, refunded.
//!
//! The gateway answers elsewhere. A request waits for that answer and says 202 when the wait is over before it came.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::{
    Aggregate, AggregateType, AnyEvent,
    payment::{Command, Event, Method, Payment},
    value::{AttemptId, CaptureId, Money, PaymentId, RefundId, Text},
};
use serde::{Deserialize, Serialize};
use store::log::{Meant, StreamId};

use crate::{
    Shop,
    answer::{Done, Receipt, located},
    awaiting::{Deadline, Watch, read},
    extract::{Json, OptionalJson, Path},
    freshness::{self, Freshness, Wait},
    idempotency::Call,
    outbound::stripe::Stripe,
    paying::{Authorize, paying},
    problem::Problem,
    tags::Conditions,
    text::Short,
};

/// How long an authorization that was given waits for what the order makes of it.
const ORDER_MOVES_WITHIN: Duration = Duration::from_millis(500);

/// How much to capture; the rest when it does not say.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = CapturePayment))]
#[serde(deny_unknown_fields)]
pub struct Capture {
    #[serde(default)]
    amount: Option<Money>,
}

/// How much to give back, everything when it does not say, and why.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = RefundPayment))]
#[serde(deny_unknown_fields)]
pub struct Refund {
    #[serde(default)]
    amount: Option<Money>,
    reason: Short,
}

/// A void takes no values.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = VoidPayment))]
#[serde(deny_unknown_fields)]
pub struct Void {}

/// How far the payment has come by this request.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = PaymentRequestStatus))]
#[serde(rename_all = "snake_case")]
enum Status {
    Pending,
    Authorized,
    Captured,
    Voided,
    Refunded,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = PaymentAnswer))]
pub(crate) struct Answer {
    #[serde(flatten)]
    receipt: Receipt,
    status: Status,
}

/// What the gateway said: done, or why not.
type Verdict = Result<Status, Problem>;

/// `GET /v1/payments/{id}`
pub async fn show(
    State(shop): State<Arc<Shop>>,
    Path(id): Path<PaymentId>,
    Freshness(freshness): Freshness,
    conditions: Conditions,
) -> Result<Response, Problem> {
    let payment = shop.read.payment(&id, freshness).await?;
    freshness::found(&payment, |payment| payment.version, "payment.not_found", &conditions)
}

/// `POST /v1/payments/{id}/authorize`
pub async fn authorize(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<PaymentId>,
    Wait(wait): Wait,
    Json(body): Json<Authorize>,
) -> Result<Response, Problem> {
    let run = call.keyed(&shop, &body)?;
    let attempt = AttemptId::from(run.new_id(&shop, "attempt"));
    let mut watch = Watch::new(&shop, AggregateType::Payment, id.as_str());
    let deadline = Deadline::after(&shop, wait);
    let (token, keep_for) = paying(&shop, (call.principal(), &run), &id, body).await?;
    let command = Command::Authorize { attempt: attempt.clone(), token, keep_for };
    let done = run.execute(&shop, id.as_str(), command).await?;
    let order = done.events.iter().find_map(|event| match event {
        AnyEvent::Payment(Event::AuthorizationRequested { order, .. }) => Some(order),
        _ => None,
    });
    let order = order.map(|order| Watch::of_late(&shop, AggregateType::Order, order.as_str()));
    let (mut done, status) =
        settled(&shop, &mut watch, done, deadline, |event| authorization(event, &attempt)).await?;
    if let (Status::Authorized, Some(mut order)) = (status, order) {
        let authorized = done.token.position;
        let since = (0, done.replayed);
        let later = |meant: Meant<'_>| (meant.recorded.position > authorized).then_some(());
        if let Some((recorded, ())) =
            order.first(&shop, since, deadline.within(&shop, ORDER_MOVES_WITHIN), later).await?
        {
            done.token.position = recorded.position;
        }
    }
    Ok(answer(&id, &done, status))
}

/// `POST /v1/payments/{id}/capture`
pub async fn capture(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<PaymentId>,
    Wait(wait): Wait,
    OptionalJson(body): OptionalJson<Capture>,
) -> Result<Response, Problem> {
    let run = call.keyed(&shop, &body)?;
    let mut watch = Watch::new(&shop, AggregateType::Payment, id.as_str());
    let ours = CaptureId::from(run.new_id(&shop, "capture"));
    let command = Command::Capture { capture: ours.clone(), amount: body.amount };
    let done = run.execute(&shop, id.as_str(), command).await?;
    if done.events.is_empty() {
        return Ok(answer(&id, &done, Status::Captured));
    }
    settle(&shop, &mut watch, &id, done, wait, |event| match event {
        Event::Captured { capture, .. } if *capture == ours => Some(Ok(Status::Captured)),
        Event::CaptureFailed { capture, reason, .. } if *capture == ours => {
            Some(Err(failed("capture", reason)))
        }
        _ => None,
    })
    .await
}

/// `POST /v1/payments/{id}/void`
pub async fn void(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<PaymentId>,
    Wait(wait): Wait,
    OptionalJson(body): OptionalJson<Void>,
) -> Result<Response, Problem> {
    let run = call.keyed(&shop, &body)?;
    let mut watch = Watch::new(&shop, AggregateType::Payment, id.as_str());
    let done = run.execute(&shop, id.as_str(), Command::Void {}).await?;
    let voided = |payment: &Payment| matches!(payment, Payment::Voided { .. } | Payment::Released { .. });
    if done.events.is_empty() && voided(&payment(&shop, &id).await?) {
        return Ok(answer(&id, &done, Status::Voided));
    }
    settle(&shop, &mut watch, &id, done, wait, |event| match event {
        Event::Voided { .. } => Some(Ok(Status::Voided)),
        Event::VoidFailed { reason, .. } => Some(Err(failed("void", reason))),
        _ => None,
    })
    .await
}

/// `POST /v1/payments/{id}/refund`
pub async fn refund(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<PaymentId>,
    Wait(wait): Wait,
    Json(body): Json<Refund>,
) -> Result<Response, Problem> {
    let run = call.keyed(&shop, &body)?;
    let ours = RefundId::from(run.new_id(&shop, "refund"));
    let mut watch = Watch::new(&shop, AggregateType::Payment, id.as_str());
    let command = Command::Refund { refund: ours.clone(), amount: body.amount, reason: body.reason.into() };
    let done = run.execute(&shop, id.as_str(), command).await?;
    let refunded = |payment: &Payment| payment.ledger().is_some_and(|ledger| ledger.is_refunded(&ours));
    if done.events.is_empty() && refunded(&payment(&shop, &id).await?) {
        return Ok(answer(&id, &done, Status::Refunded));
    }
    settle(&shop, &mut watch, &id, done, wait, |event| match event {
        Event::Refunded { refund, .. } if *refund == ours => Some(Ok(Status::Refunded)),
        Event::RefundFailed { refund, reason, .. } if *refund == ours => Some(Err(failed("refund", reason))),
        _ => None,
    })
    .await
}

/// Refuses what the gateway does not take, before anybody is asked anything.
pub fn takes(shop: &Shop, method: Method) -> Result<(), Problem> {
    if shop.stripe.is_none() || Stripe::takes(method) {
        return Ok(());
    }
    let all = [Method::Card, Method::Wallet, Method::Upi, Method::CashOnDelivery];
    let methods: Vec<_> = all.into_iter().filter(|method| Stripe::takes(*method)).collect();
    Err(Problem::new("payment.method_unavailable", "the shop's gateway does not take payments that way")
        .with("methods", methods))
}

fn authorization(event: &Event, ours: &AttemptId) -> Option<Verdict> {
    match event {
        Event::Authorized { attempt, .. } if attempt == ours => Some(Ok(Status::Authorized)),
        Event::Declined { attempt, reason, .. } if attempt == ours => {
            Some(Err(Problem::new("payment.declined", "the gateway does not hold the amount")
                .with("reason", reason)))
        }
        Event::AuthorizationTimedOut { attempt, .. } if attempt == ours => Some(Err(Problem::new(
            "payment.timed_out",
            "should the gateway approve it after all, it pays the order if that still waits, and is released otherwise",
        ))),
        _ => None,
    }
}

fn failed(request: &'static str, reason: &Text) -> Problem {
    Problem::new("payment.gateway_failed", format!("the gateway refused the {request}"))
        .with("request", request)
        .with("reason", reason)
}

/// What the payment is now: a void or refund that changes nothing leaves open whether the gateway has done it already.
async fn payment(shop: &Shop, id: &PaymentId) -> Result<Payment, Problem> {
    let stream = StreamId::new(AggregateType::Payment, id.as_str());
    let recorded = read(shop, &stream, 0).await?;
    let events = recorded.into_iter().flat_map(|recorded| recorded.events);
    Ok(events.fold(Payment::default(), |payment, event| match event {
        AnyEvent::Payment(event) => payment.evolve(event),
        _ => payment,
    }))
}

/// Answers once the gateway has.
async fn settle(
    shop: &Shop,
    watch: &mut Watch,
    id: &PaymentId,
    done: Done,
    wait: Duration,
    look: impl Fn(&Event) -> Option<Verdict>,
) -> Result<Response, Problem> {
    let (done, status) = settled(shop, watch, done, Deadline::after(shop, wait), look).await?;
    Ok(answer(id, &done, status))
}

/// Waits until `look` finds the gateway's answer, in the command's own events or in what follows them.
async fn settled(
    shop: &Shop,
    watch: &mut Watch,
    done: Done,
    deadline: Deadline,
    look: impl Fn(&Event) -> Option<Verdict>,
) -> Result<(Done, Status), Problem> {
    let look = |event: &AnyEvent| match event {
        AnyEvent::Payment(event) => look(event),
        _ => None,
    };
    if let Some(verdict) = done.events.iter().find_map(&look) {
        return verdict.map(|status| (done, status));
    }
    let since = (done.version, done.replayed);
    let found = watch.first(shop, since, deadline, |meant| look(meant.event)).await?;
    let Some((recorded, verdict)) = found else {
        return Ok((done, Status::Pending));
    };
    let done = done.then(&recorded);
    match verdict {
        Ok(status) => Ok((done, status)),
        Err(problem) => Err(done.problem(problem)),
    }
}

fn answer(id: &PaymentId, done: &Done, status: Status) -> Response {
    let receipt = done.receipt(id.as_str());
    match status {
        Status::Pending => located(
            done.respond(StatusCode::ACCEPTED, Answer { receipt, status }),
            &format!("/v1/payments/{id}"),
        ),
        Status::Authorized | Status::Captured | Status::Voided | Status::Refunded => {
            done.respond(StatusCode::OK, Answer { receipt, status }).into_response()
        }
    }
}
