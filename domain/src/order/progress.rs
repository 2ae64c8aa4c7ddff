//! How far the units of an order have come, and what that is called.

use serde::{Deserialize, Serialize};

/// How far an order has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Placed, not yet certain.
    Placed,
    /// Placed, and held until somebody has looked at it.
    Held,
    /// Going to be fulfilled.
    Confirmed,
    /// Some of it has left the house.
    PartiallyShipped,
    /// All of it has left the house.
    Shipped,
    /// All of it has left the house, and some of it has arrived.
    PartiallyDelivered,
    /// All of it has arrived.
    Delivered,
    /// All that was shipped came back.
    Returned,
    /// Called off.
    Cancelled,
    /// A credit note, issued.
    CreditNote,
}

/// What became of the units of one line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Called off before they were shipped.
    pub cancelled: u32,
    /// Shipped, whatever became of them then.
    pub shipped: u32,
    /// Delivered, of those shipped.
    pub delivered: u32,
    /// Come back, of those shipped.
    pub returned: u32,
}

/// What became of all units of a confirmed order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Units on its lines, those cancelled since included.
    pub ordered: u64,
    /// Called off before they were shipped.
    pub cancelled: u64,
    /// Shipped.
    pub shipped: u64,
    /// Delivered, of those shipped.
    pub delivered: u64,
    /// Come back, of those shipped.
    pub returned: u64,
}

impl Progress {
    /// That of an order with so many units, by its lines' counts.
    #[must_use]
    pub fn of(ordered: u64, counts: impl IntoIterator<Item = Count>) -> Self {
        let nothing = Self { ordered, ..Self::default() };
        counts.into_iter().fold(nothing, |sum, count| Self {
            ordered,
            cancelled: sum.cancelled.saturating_add(count.cancelled.into()),
            shipped: sum.shipped.saturating_add(count.shipped.into()),
            delivered: sum.delivered.saturating_add(count.delivered.into()),
            returned: sum.returned.saturating_add(count.returned.into()),
        })
    }

    /// Units still to be shipped.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.ordered.saturating_sub(self.cancelled).saturating_sub(self.shipped)
    }

    /// What that is called, for an order that was confirmed and not called off.
    #[must_use]
    pub const fn status(&self) -> Status {
        match (self.shipped, self.left()) {
            (0, _) => Status::Confirmed,
            (_, 1..) => Status::PartiallyShipped,
            (shipped, 0) if self.returned >= shipped => Status::Returned,
            (shipped, 0) if self.delivered >= shipped => Status::Delivered,
            (_, 0) if self.delivered > 0 => Status::PartiallyDelivered,
            (_, 0) => Status::Shipped,
        }
    }
}
