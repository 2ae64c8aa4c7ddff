//! Ends holds when their time is over, whether anybody else wants the units or not.

use super::{Command, Event};
use crate::{
    AnyEvent,
    process::{Fact, Issue, Policy},
    value::Time,
};

/// Holds of a SKU that end nearly together end together: one timer serves them all.
const STEP_MS: i64 = 10_000;

/// The policy `reservation_expiry`.
pub const RESERVATION_EXPIRY: Policy = Policy { name: "reservation_expiry", issues, wants: &[] };

/// One `Expire` ends a bounded number of holds, so each that has ended some is followed by another, a step later.
fn issues(Fact { id, event, at }: Fact<'_>) -> Vec<Issue> {
    let AnyEvent::InventoryItem(event) = event else {
        return vec![];
    };
    let due = match event {
        Event::Reserved { expires_at, .. } | Event::Backordered { expires_at, .. } => *expires_at,
        Event::Extended { expires_at, .. } => Some(*expires_at),
        Event::Expired { .. } => Some(at.plus_millis(1)),
        Event::Received { .. }
        | Event::Adjusted { .. }
        | Event::Counted { .. }
        | Event::Transferred { .. }
        | Event::BackorderFilled { .. }
        | Event::Committed { .. }
        | Event::Released { .. }
        | Event::Allocated { .. }
        | Event::PolicySet { .. }
        | Event::ReorderPointSet { .. }
        | Event::LowStock { .. } => None,
    };
    due.map(|due| expire(id, due.rounded_up(STEP_MS))).into_iter().collect()
}

fn expire(sku: &str, due: Time) -> Issue {
    Issue::timer(due, sku, Command::Expire { now: due })
}
