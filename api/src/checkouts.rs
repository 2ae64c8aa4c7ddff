//! Checkouts: a cart becomes an order once everything on it is reserved.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use domain::{
    AggregateType, AnyEvent,
    cart::{self, Delivery},
    checkout::{self, Plan},
    payment::{self, CaptureWhen, Method},
    value::{CartId, CustomerId, Money, OrderId, PaymentId, Sealed, SubjectId, Text},
};
use serde::{Deserialize, Serialize};
use store::{
    executor::ExecuteError,
    log::{Meant, Recorded},
};

use crate::{
    Permission, Shop,
    access::{self, Kind},
    answer::{Done, located},
    awaiting::{Deadline, Watch},
    carts,
    extract::Json,
    freshness::Freshness,
    idempotency::{Call, Run},
    payments,
    problem::Problem,
    quotes,
    text::{Country, Email, Short},
};

/// Lines of an address.
pub(crate) const ADDRESS_LINES_MAX: usize = 6;

/// What a cart is checked out with.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CheckOut {
    cart: CartId,
    contact: Contact,
    address: Address,
    method: Method,
    /// The total that the buyer was shown: compared, never used.
    #[serde(default)]
    expected_total: Option<Money>,
    /// The code of a shipping method, where the shop has set any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shipping: Option<Short>,
}

/// Who buys. Reaches the log sealed.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
struct Contact {
    name: Short,
    email: Email,
    #[serde(default)]
    phone: Option<Short>,
}

/// Where it goes. Reaches the log sealed, the country excepted.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Address {
    lines: AddressLines,
    city: Short,
    #[serde(default)]
    postcode: Option<Short>,
    country: Country,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Vec<Short>", into = "Vec<Short>")]
pub(crate) struct AddressLines(Vec<Short>);

#[derive(Debug, thiserror::Error)]
#[error("an address has 1 to {ADDRESS_LINES_MAX} lines")]
pub(crate) struct WrongAddressLines;

impl TryFrom<Vec<Short>> for AddressLines {
    type Error = WrongAddressLines;

    fn try_from(lines: Vec<Short>) -> Result<Self, WrongAddressLines> {
        if (1..=ADDRESS_LINES_MAX).contains(&lines.len()) { Ok(Self(lines)) } else { Err(WrongAddressLines) }
    }
}

impl From<AddressLines> for Vec<Short> {
    fn from(lines: AddressLines) -> Self {
        lines.0
    }
}

/// How far a checkout has come.
#[derive(Clone, Copy, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = CheckoutStatus))]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Not decided yet; the order's page tells.
    Pending,
    /// Reserved; the buyer is to authorize the payment.
    AwaitingPayment,
    /// Reserved, and nothing is to be authorized.
    Accepted,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = CheckoutAnswer))]
pub(crate) struct Answer {
    order: OrderId,
    /// `None` when there is nothing to pay.
    payment: Option<PaymentId>,
    status: Status,
    total: Money,
    #[serde(with = "store::rfc3339")]
    pay_by: domain::value::Time,
}

/// `POST /v1/checkouts`
pub async fn create(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Freshness(freshness): Freshness,
    Json(body): Json<CheckOut>,
) -> Result<Response, Problem> {
    let run = call.keyed(&shop, &body)?;
    access::owned(&shop, call.principal(), Kind::Cart, body.cart.as_str(), Permission::Orders).await?;
    payments::takes(&shop, body.method)?;
    let names = Names {
        order: OrderId::from(run.new_id_from(&shop, "order", body.cart.as_str())),
        payment: PaymentId::from(run.new_id_from(&shop, "payment", body.cart.as_str())),
    };
    let mut watches = Watches {
        checkout: Watch::new(&shop, AggregateType::Checkout, names.order.as_str()),
        payment: Watch::new(&shop, AggregateType::Payment, names.payment.as_str()),
    };
    let deadline = Deadline::after(&shop, freshness.wait);
    let (mut done, owner) = match checked_out_recent(&shop, &run, &body, &names, freshness).await? {
        Some(done) => done,
        None => {
            let history = carts::history(&shop, &body.cart).await?;
            let command = command(&shop, &body, &names, &history, freshness).await?;
            (run.execute(&shop, body.cart.as_str(), command).await?, carts::owner(&history))
        }
    };
    shop.owners.remember(AggregateType::Order, names.order.as_str(), owner.clone());
    shop.owners.remember(AggregateType::Payment, names.payment.as_str(), owner);
    if done.events.is_empty() {
        // The first answer is forgotten by now; what it told of stands in the cart's stream.
        let history = carts::history(&shop, &body.cart).await?;
        done.events.extend(history.into_iter().flat_map(|recorded| recorded.events));
        done.replayed = true;
    }
    watches.answer(&shop, deadline, done).await
}

/// What a checkout makes.
struct Names {
    order: OrderId,
    payment: PaymentId,
}

/// Checks out the cart as it is in memory, and whose it is; `None` where it is not there, or not as it is in the log: then
/// the log is read.
async fn checked_out_recent(
    shop: &Shop,
    run: &Run,
    body: &CheckOut,
    names: &Names,
    freshness: projections::Freshness,
) -> Result<Option<(Done, Option<CustomerId>)>, Problem> {
    if run.expected().names_versions() {
        return Ok(None);
    }
    let Some((history, _)) = carts::recent(shop, &body.cart, freshness.at_least).await else {
        return Ok(None);
    };
    let Some(version) = history.last().map(|last| last.sequence) else { return Ok(None) };
    // What cannot be, as it looks from here, may be so because the cart is another one by now.
    let Ok(command) = command(shop, body, names, &history, freshness).await else { return Ok(None) };
    match run.on(version).execute(shop, body.cart.as_str(), command).await {
        Ok(done) => Ok(Some((done, carts::owner(&history)))),
        Err(ExecuteError::VersionMismatch { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The command for a cart of that history.
async fn command(
    shop: &Shop,
    body: &CheckOut,
    names: &Names,
    history: &[Recorded],
    freshness: projections::Freshness,
) -> Result<cart::Command, Problem> {
    let owner = carts::owner(history);
    let cart = carts::folded(history);
    let prices = carts::current_prices(shop, &cart, freshness).await?;
    let shipping = body.shipping.clone().map(Text::from);
    let quote = quotes::quoted(shop, &cart, &Text::from(body.address.country.clone()), shipping.as_ref())?;
    let total = quote.as_ref().map(|quote| quote.total).or_else(|| cart.total());
    let now = shop.clock.now();
    Ok(cart::Command::CheckOut {
        order: names.order.clone(),
        payment: names.payment.clone(),
        method: body.method,
        delivery: seal(shop, body, history, owner.as_ref()).await?,
        expected_total: body.expected_total,
        pay_by: now.plus_millis(shop.settings.payment_window_ms),
        now: Some(now),
        prices,
        quote,
        capture: CaptureWhen::AtOnce,
        attempts_max: Some(shop.settings.payment_attempts_max),
        review: review(shop, total)?,
    })
}

/// Why somebody has to look at an order of that total, if anybody has to.
fn review(shop: &Shop, total: Option<Money>) -> Result<Option<Text>, Problem> {
    let (Some(from), Some(total)) = (shop.settings.review_from, total) else {
        return Ok(None);
    };
    if from.currency != total.currency || total.amount < from.amount {
        return Ok(None);
    }
    let reason = format!("the total is {} {} or more", from.decimal(), from.currency);
    Ok(Some(Text::new(reason)?))
}

/// Closes who buys and where it goes under the key of the customer, or of a cart that is nobody's.
async fn seal(
    shop: &Shop,
    body: &CheckOut,
    history: &[Recorded],
    owner: Option<&CustomerId>,
) -> Result<Delivery, Problem> {
    if history.is_empty() {
        return Err(Problem::refused(&cart::Refusal::NotOpen.into()));
    }
    let subject = owner.map_or_else(|| SubjectId::from(&body.cart), SubjectId::from);
    Ok(Delivery {
        contact: sealed(shop, &subject, &body.contact).await?,
        address: sealed(shop, &subject, &body.address).await?,
        country: Text::from(body.address.country.clone()),
    })
}

async fn sealed(shop: &Shop, subject: &SubjectId, personal: &impl Serialize) -> Result<Sealed, Problem> {
    let json = serde_json::to_vec(personal).map_err(|error| Problem::internal(&error))?;
    Ok(shop.vault.seal(subject.as_str(), &json).await?)
}

/// The streams that tell how a checkout ends.
struct Watches {
    checkout: Watch,
    payment: Watch,
}

impl Watches {
    /// Waits until the stock is reserved and the payment can be authorized, or until it is clear that it will not be.
    async fn answer(&mut self, shop: &Shop, deadline: Deadline, mut done: Done) -> Result<Response, Problem> {
        let Some(mut answer) = done.events.iter().find_map(pending) else {
            let error = ExecuteError::Unavailable("a checkout without its event".into());
            return Err(error.into());
        };
        let since = (0, done.replayed);
        let mut plan = None;
        let decided = self.checkout.first(shop, since, deadline, |meant| decision(meant.event, &mut plan));
        let (Some((recorded, verdict)), plan) = (decided.await?, plan) else {
            return Ok(respond(&done, answer));
        };
        done.token.position = recorded.position;
        verdict.map_err(|problem| done.problem(problem))?;
        let Some(plan) = plan else {
            return Ok(respond(&done, answer));
        };
        if plan.needs_payment() {
            // Reserved is concluded before the intent is opened: who is told of the payment must be able to use it.
            let opened = self.payment.first(shop, since, deadline, opened).await?;
            let Some((recorded, ())) = opened else {
                return Ok(respond(&done, answer));
            };
            done.token.position = done.token.position.max(recorded.position);
        } else {
            answer.payment = None;
        }
        answer.status = if plan.needs_authorization() { Status::AwaitingPayment } else { Status::Accepted };
        Ok(respond(&done, answer))
    }
}

fn pending(event: &AnyEvent) -> Option<Answer> {
    let AnyEvent::Cart(cart::Event::CheckedOut { order, payment, total, pay_by, .. }) = event else {
        return None;
    };
    Some(Answer {
        order: order.clone(),
        payment: Some(payment.clone()),
        status: Status::Pending,
        total: *total,
        pay_by: *pay_by,
    })
}

fn decision(event: &AnyEvent, plan: &mut Option<Plan>) -> Option<Result<(), Problem>> {
    use checkout::Event;
    let AnyEvent::Checkout(event) = event else {
        return None;
    };
    match event {
        Event::Started(started) => {
            *plan = Some(started.clone());
            None
        }
        Event::Reserved {} => Some(Ok(())),
        Event::ReservationFailed { shortages, refusals } if shortages.is_empty() => {
            Some(Err(Problem::new("checkout.failed", "the order could not be placed; nothing is reserved")
                .with("refusals", refusals)))
        }
        Event::ReservationFailed { shortages, .. } => Some(Err(Problem::new(
            "inventory.insufficient",
            "fewer units are available than the cart holds; nothing is reserved",
        )
        .with("shortages", shortages))),
        Event::GivenUp { reason } => Some(Err(Problem::new(
            "order.cancelled",
            "the order was cancelled before everything was reserved",
        )
        .with("reason", reason))),
        _ => None,
    }
}

fn opened(meant: Meant<'_>) -> Option<()> {
    matches!(meant.event, AnyEvent::Payment(payment::Event::IntentOpened { .. })).then_some(())
}

fn respond(done: &Done, answer: Answer) -> Response {
    let location = format!("/v1/orders/{}", answer.order);
    let status = match answer.status {
        Status::Pending => StatusCode::ACCEPTED,
        Status::AwaitingPayment | Status::Accepted => StatusCode::CREATED,
    };
    located(done.respond(status, answer), &location)
}
