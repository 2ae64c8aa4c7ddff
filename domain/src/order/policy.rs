//! Units that an order no longer wants go back to where they came from.

use std::num::NonZeroI32;

use super::{Event, SkuUnits};
use crate::{
    AggregateType::{self, InventoryItem},
    AnyEvent, allowance,
    inventory_item::{AdjustReason, Command},
    process::{Fact, Issue, Policy},
    value::{OrderId, ReservationId, Text},
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

/// The policy `allowances`: units that a customer no longer buys, or has given back, count no longer against what one
/// customer may buy. Where nothing is limited, nothing was claimed, and nothing happens.
pub const ALLOWANCES: Policy =
    Policy { name: "allowances", issues: allowances, wants: &[(AggregateType::Allowance, "GiveBack")] };

fn allowances(Fact { id, event, .. }: Fact<'_>) -> Vec<Issue> {
    let AnyEvent::Order(event) = event else {
        return vec![];
    };
    let (customer, units): (_, Vec<_>) = match event {
        Event::LinesCancelled { customer, units, .. } => {
            (customer, units.iter().map(|units| (&units.sku, units.quantity)).collect())
        }
        Event::ReturnReceived { credit, .. } => {
            (&credit.customer, credit.lines.iter().map(|line| (&line.sku, line.quantity)).collect())
        }
        _ => return vec![],
    };
    let (Some(customer), Ok(order)) = (customer, OrderId::new(id)) else {
        return vec![];
    };
    let give_back = |(sku, quantity)| {
        let command = allowance::Command::GiveBack { order: order.clone(), quantity: Some(quantity) };
        Issue::command(&allowance::id(customer, sku), command)
    };
    units.into_iter().map(give_back).collect()
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
