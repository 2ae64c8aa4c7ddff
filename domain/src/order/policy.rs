//! Units that an order no longer wants go back to where they came from.

use std::num::NonZeroI32;

use super::{Event, SkuUnits};
use crate::{
    AggregateType::InventoryItem,
    AnyEvent,
    inventory_item::{AdjustReason, Command},
    process::{Fact, Issue, Policy},
    value::{ReservationId, Text},
};

/// The policy `restock`: of cancelled lines, of a cancelled order, of a return.
pub const RESTOCK: Policy =
    Policy { name: "restock", issues, wants: &[(InventoryItem, "PutBack"), (InventoryItem, "Adjust")] };

fn issues(Fact { id, event, .. }: Fact<'_>) -> Vec<Issue> {
    let AnyEvent::Order(event) = event else {
        return vec![];
    };
    match event {
        Event::LinesCancelled { units, .. } | Event::Cancelled { units, confirmed: true, .. } => {
            units.iter().filter_map(|units| put_back(id, units)).collect()
        }
        Event::ReturnReceived { return_id, restock, .. } => {
            restock.iter().filter_map(|units| came_back(return_id.as_str(), units)).collect()
        }
        _ => vec![],
    }
}

fn put_back(order: &str, units: &SkuUnits) -> Option<Issue> {
    let reservation = ReservationId::new(order).ok()?;
    let reference = Text::new(order).ok();
    let put_back = Command::PutBack { reservation, quantity: units.quantity, reference };
    Some(Issue::command(units.sku.as_str(), put_back))
}

fn came_back(return_id: &str, units: &SkuUnits) -> Option<Issue> {
    let delta = NonZeroI32::new(i32::try_from(units.quantity.get()).ok()?)?;
    let reference = Text::new(return_id).ok();
    let adjust = Command::Adjust { delta, reason: AdjustReason::Returned, location: None, reference };
    Some(Issue::command(units.sku.as_str(), adjust))
}
