//! What happens because of what happened to a cart: merges are carried to the other cart, and carts expire.

use super::{Command, Event};
use crate::{
    AggregateType::Cart,
    AnyEvent,
    process::{Fact, Issue, Policy},
    value::{CartId, Time},
};

/// Timers that are due within the same hour become one.
const EXPIRY_STEP_MS: i64 = 60 * 60 * 1_000;

/// A guest's lines travel to the customer's cart, and stay where they were if that one declines.
pub const MERGE: Policy =
    Policy { name: "cart_merge", issues: merge, wants: &[(Cart, "TakeLines"), (Cart, "UndoMerge")] };

/// A cart is ended when its time has come.
pub const EXPIRY: Policy = Policy { name: "cart_expiry", issues: expiry, wants: &[] };

fn merge(fact: Fact<'_>) -> Vec<Issue> {
    let (AnyEvent::Cart(event), Ok(cart)) = (fact.event, CartId::new(fact.id)) else {
        return vec![];
    };
    match event {
        Event::MergedInto { into, customer, currency, lines, expires_at } => {
            let take = Command::TakeLines {
                from: cart,
                customer: customer.clone(),
                currency: *currency,
                lines: lines.clone(),
                expires_at: *expires_at,
            };
            vec![Issue::command(into.as_str(), take)]
        }
        Event::LinesDeclined { from, .. } => {
            vec![Issue::command(from.as_str(), Command::UndoMerge { into: cart })]
        }
        Event::Opened { .. }
        | Event::LineAdded { .. }
        | Event::QuantitySet { .. }
        | Event::LineRemoved { .. }
        | Event::PricesAccepted { .. }
        | Event::CheckedOut { .. }
        | Event::Expired {}
        | Event::LinesTaken { .. }
        | Event::MergeUndone { .. } => vec![],
    }
}

fn expiry(fact: Fact<'_>) -> Vec<Issue> {
    let AnyEvent::Cart(event) = fact.event else {
        return vec![];
    };
    let timer = |at: Time| {
        let due = at.rounded_up(EXPIRY_STEP_MS);
        Issue::timer(due, fact.id, Command::Expire { now: due })
    };
    ends(event).map(timer).into_iter().collect()
}

/// When the cart ends since this event. What ends it for good needs no timer.
pub(super) const fn ends(event: &Event) -> Option<Time> {
    match event {
        Event::Opened { expires_at, .. }
        | Event::LineAdded { expires_at, .. }
        | Event::QuantitySet { expires_at, .. }
        | Event::LinesTaken { expires_at, .. }
        | Event::MergeUndone { expires_at, .. } => *expires_at,
        Event::LineRemoved { .. }
        | Event::PricesAccepted { .. }
        | Event::CheckedOut { .. }
        | Event::Expired {}
        | Event::MergedInto { .. }
        | Event::LinesDeclined { .. } => None,
    }
}
