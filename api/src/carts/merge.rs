//! A guest's cart goes into a customer's; the answer tells what the other cart said.

use std::sync::Arc;

use axum::{extract::State, http::StatusCode, response::Response};
use domain::{
    AggregateType, AnyEvent,
    cart::{Command, Decline, Event, LeftOut, Line},
    value::{CartId, CustomerId},
};
use serde::{Deserialize, Serialize};
use store::log::{Meant, Recorded};
use uuid::Uuid;

use super::history;
use crate::{
    Permission, Principal, Shop,
    access::{self, Kind},
    answer::Done,
    awaiting::{Deadline, Watch},
    extract::{Json, Path},
    freshness::Wait,
    idempotency::Call,
    problem::Problem,
};

/// The cart that takes the lines, which is opened if need be, and the token of the guest whose cart gives them.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = MergeCart))]
#[serde(deny_unknown_fields)]
pub struct Merge {
    into: CartId,
    /// The guest's, as proof that the cart was one's own before one logged in; not needed of the staff.
    #[serde(default, skip_serializing)]
    guest_token: Option<String>,
    /// Whose the guest turned out to be: oneself, unless the staff asks.
    #[serde(default)]
    customer: Option<CustomerId>,
}

/// What the other cart took.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = MergedCart))]
pub(crate) struct Merged {
    /// The other cart.
    id: CartId,
    version: i64,
    /// The lines of the other cart that changed, as they are now.
    lines: Vec<Line>,
    /// What found no room there.
    left_out: Vec<LeftOut>,
}

/// What the other cart said.
enum Verdict {
    Taken { lines: Vec<Line>, left_out: Vec<LeftOut> },
    Declined(Decline),
}

/// `POST /v1/carts/{id}/merge`
pub async fn merge(
    State(shop): State<Arc<Shop>>,
    call: Call,
    Path(id): Path<CartId>,
    Wait(wait): Wait,
    Json(body): Json<Merge>,
) -> Result<Response, Problem> {
    let run = call.run(&shop, &body)?;
    let customer = allowed(&shop, call.principal(), &id, &body).await?;
    let into = body.into;
    let mut waiting = Waiting {
        guest: Watch::new(&shop, AggregateType::Cart, id.as_str()),
        other: Watch::new(&shop, AggregateType::Cart, into.as_str()),
        deadline: Deadline::after(&shop, wait),
        merger: run.correlation_id(),
        from: id,
        into,
    };
    let command = Command::MergeInto { into: waiting.into.clone(), customer };
    let done = run.execute(&shop, waiting.from.as_str(), command).await?;
    waiting.answer(&shop, done).await
}

/// Into whose cart the lines go, if whoever asks may take them from that cart.
async fn allowed(
    shop: &Shop,
    principal: &Principal,
    cart: &CartId,
    body: &Merge,
) -> Result<CustomerId, Problem> {
    let Principal::Customer(member) = principal else {
        access::needs(principal, Permission::Orders)?;
        return body
            .customer
            .clone()
            .ok_or_else(|| Problem::new("request.invalid", "say whose the guest is: customer"));
    };
    if body.customer.as_ref().is_some_and(|named| *named != member.customer) {
        return Err(access::forbidden(Permission::Orders.as_str()));
    }
    let token = body.guest_token.as_deref().unwrap_or_default();
    let guest = shop
        .identity
        .speaker(token)
        .map_err(|error| Problem::new("auth.guest_token", format!("guest_token proves nothing: {error}")))?;
    if !matches!(guest, Principal::Guest(_)) {
        return Err(Problem::new("auth.guest_token", "guest_token is not a guest's"));
    }
    access::owned(shop, &guest, Kind::Cart, cart.as_str(), Permission::Orders).await?;
    Ok(member.customer.clone())
}

/// The two streams that tell how a merge ends.
struct Waiting {
    guest: Watch,
    other: Watch,
    deadline: Deadline,
    /// What the events of this merge are known by, unlike those of an earlier one of the same carts.
    merger: Uuid,
    from: CartId,
    into: CartId,
}

impl Waiting {
    async fn answer(&mut self, shop: &Shop, done: Done) -> Result<Response, Problem> {
        let Some((recorded, verdict)) = self.verdict(shop, &done).await? else {
            return Ok(done.respond(StatusCode::ACCEPTED, done.receipt(self.from.as_str())));
        };
        match verdict {
            Verdict::Taken { lines, left_out } => {
                let done = done.then(&recorded);
                let merged = Merged { id: self.into.clone(), version: done.version, lines, left_out };
                Ok(done.respond(StatusCode::OK, merged))
            }
            Verdict::Declined(reason) => {
                let undone = self.undone(shop, &done).await?;
                let done = done.then(undone.as_ref().unwrap_or(&recorded));
                let problem = Problem::new("cart.merge_declined", "the other cart did not take the lines");
                Err(done.problem(problem.with("reason", reason)))
            }
        }
    }

    async fn verdict(&mut self, shop: &Shop, done: &Done) -> Result<Option<(Recorded, Verdict)>, Problem> {
        let look = |meant: Meant<'_>| {
            let ours = made_by(meant.recorded, done, self.merger);
            ours.then(|| verdict(meant.event, &self.from)).flatten()
        };
        if done.events.is_empty() {
            let told = history(shop, &self.into).await?;
            let last = told.into_iter().rev().find_map(|recorded| {
                let verdict = recorded.meant().rev().find_map(look);
                Some((verdict?, recorded))
            });
            if let Some((verdict, recorded)) = last {
                return Ok(Some((recorded, verdict)));
            }
        }
        self.other.first(shop, (0, done.replayed), self.deadline, look).await
    }

    /// Waits until the guest's cart is open again, so that whoever is told of it can use it.
    async fn undone(&mut self, shop: &Shop, done: &Done) -> Result<Option<Recorded>, Problem> {
        let look = |meant: Meant<'_>| {
            let undone = matches!(meant.event, AnyEvent::Cart(Event::MergeUndone { .. }));
            (undone && made_by(meant.recorded, done, self.merger)).then_some(())
        };
        let found = self.guest.first(shop, (0, done.replayed), self.deadline, look).await?;
        Ok(found.map(|(recorded, ())| recorded))
    }
}

/// Whether an event follows from this merge. Where the carts were merged before, by another request, any will do.
fn made_by(recorded: &Recorded, done: &Done, merger: Uuid) -> bool {
    done.events.is_empty() || recorded.metadata.correlation_id == merger
}

/// What an event of the other cart says about the lines of this one.
fn verdict(event: &AnyEvent, guest: &CartId) -> Option<Verdict> {
    let AnyEvent::Cart(event) = event else {
        return None;
    };
    match event {
        Event::LinesTaken { from, lines, left_out, .. } if from == guest => {
            Some(Verdict::Taken { lines: lines.clone(), left_out: left_out.clone() })
        }
        Event::LinesDeclined { from, reason } if from == guest => Some(Verdict::Declined(*reason)),
        _ => None,
    }
}
