//! How many units of a limited SKU one customer has bought, over all their orders.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    value::{CustomerId, OrderId, Quantity, Sku},
};

/// What may be asked of an allowance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Command {
    /// Count an order's units, if with them the customer has no more than `limit`.
    Claim { order: OrderId, quantity: Quantity, limit: Quantity },
    /// Stop counting some of an order's units; all that still count, where no quantity is given or it is more.
    GiveBack {
        order: OrderId,
        #[serde(default)]
        quantity: Option<Quantity>,
    },
}

/// What happened to an allowance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Event {
    /// An order's units count.
    Claimed { order: OrderId, quantity: Quantity },
    /// So many of an order's units count no longer.
    GivenBack { order: OrderId, quantity: Quantity },
}

/// Why an allowance may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Refusal {
    /// The customer would have more than they may.
    #[error("one customer may buy {limit}; {used} are bought, {requested} more were asked for")]
    #[serde(rename = "allowance.exceeded")]
    Exceeded { limit: Quantity, used: u64, requested: Quantity },
    /// The order has claimed another quantity.
    #[error("the order has claimed {quantity} already")]
    #[serde(rename = "allowance.already_claimed")]
    AlreadyClaimed { quantity: Quantity },
}

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] = &[("Claimed", "1"), ("GivenBack", "1")];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Claimed { .. } => "Claimed",
            Self::GivenBack { .. } => "GivenBack",
        }
    }
}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &["allowance.exceeded", "allowance.already_claimed"];

    fn code(&self) -> &'static str {
        match self {
            Self::Exceeded { .. } => "allowance.exceeded",
            Self::AlreadyClaimed { .. } => "allowance.already_claimed",
        }
    }
}

/// The state of an allowance: what each order has claimed of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Allowance {
    claims: BTreeMap<OrderId, Claim>,
    used: u64,
}

/// What one order has claimed. A claim that was given back is remembered: it is not made again by a repeat.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Claim {
    quantity: Quantity,
    /// How much of it still counts.
    counts: u32,
}

/// The id of the allowance that a customer has of a SKU. A customer's id holds no colon, so no two share one.
#[must_use]
pub fn id(customer: &CustomerId, sku: &Sku) -> String {
    format!("{customer}:{sku}")
}

impl Aggregate for Allowance {
    const TYPE: &'static str = "allowance";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Claim { order, quantity, limit } => self.claim(order, quantity, limit),
            Command::GiveBack { order, quantity } => Ok(self.give_back(order, quantity)),
        }
    }

    fn evolve(mut self, event: Event) -> Self {
        match event {
            Event::Claimed { order, quantity } => {
                self.claims.entry(order).or_insert_with(|| {
                    self.used = self.used.saturating_add(quantity.get().into());
                    Claim { quantity, counts: quantity.get() }
                });
            }
            Event::GivenBack { order, quantity } => {
                if let Some(claim) = self.claims.get_mut(&order) {
                    let back = claim.counts.min(quantity.get());
                    claim.counts -= back;
                    self.used = self.used.saturating_sub(back.into());
                }
            }
        }
        self
    }

    /// Never: there is always another use of it.
    fn is_closed(&self) -> bool {
        false
    }
}

impl Allowance {
    /// Units that count.
    #[must_use]
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// Units of an order that count.
    #[must_use]
    pub fn claimed(&self, order: &OrderId) -> u32 {
        self.claims.get(order).map_or(0, |claim| claim.counts)
    }

    fn claim(&self, order: OrderId, quantity: Quantity, limit: Quantity) -> Result<Vec<Event>, Refusal> {
        match self.claims.get(&order) {
            Some(claim) if claim.quantity == quantity => Ok(vec![]),
            Some(claim) => Err(Refusal::AlreadyClaimed { quantity: claim.quantity }),
            None if self.used.saturating_add(quantity.get().into()) > limit.get().into() => {
                Err(Refusal::Exceeded { limit, used: self.used, requested: quantity })
            }
            None => Ok(vec![Event::Claimed { order, quantity }]),
        }
    }

    fn give_back(&self, order: OrderId, quantity: Option<Quantity>) -> Vec<Event> {
        let counts = self.claimed(&order);
        let back = quantity.map_or(counts, |quantity| quantity.get().min(counts));
        Quantity::new(back).map(|quantity| Event::GivenBack { order, quantity }).into_iter().collect()
    }
}
