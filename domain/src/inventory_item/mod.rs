//! The stock of one SKU: what is on hand and where, what is reserved, and who holds it or waits for it.
//!
//! Units are on hand, at some location, until they are allocated to an order. Reservations are on the SKU as a whole:
//! available = on hand − reserved, never below zero, so that moving units between locations disturbs nobody.
//!
//! Where the policy allows it, a reservation may be short: units that are not there yet are backordered. Whoever waits
//! is served in the order of coming, as soon as units arrive or come free.

mod decide;
mod draft;
mod event;
mod evolve;
pub mod policy;
mod refusal;
mod state;
#[cfg(test)]
mod tests;

use std::num::NonZeroI32;

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    value::{LocationId, Quantity, ReservationId, Text, Time},
};

pub use event::{At, Change, Event};
pub use refusal::Refusal;
pub use state::{InventoryItem, Reservation, Short};

/// On hand never exceeds this, so that sums fit everywhere.
pub const ON_HAND_MAX: i64 = 1_000_000_000_000;

/// At most so many holds expire because of one command; the rest at the next `Expire` or `Reserve`.
pub const EXPIRED_MAX: usize = 1_000;

/// At most so many backorders are filled because of one command. The rest waits, still in its turn, for the next
/// command that causes any event.
pub const FILLED_MAX: usize = 1_000;

/// So many transfers are remembered; the repeat of an older one is another transfer.
pub const TRANSFERS_KEPT: usize = 1_000;

/// Units of a SKU lie in at most so many places at once.
pub const LOCATIONS_MAX: usize = 1_000;

/// Why a count was corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum AdjustReason {
    /// Stock that was there before the log began.
    Opening,
    /// A count found another number.
    Count,
    /// Broken, spoilt or thrown away.
    Damaged,
    /// Gone, nobody knows where.
    Lost,
    /// Turned up again.
    Found,
    /// Came back from a buyer.
    Returned,
    /// Anything else; the reference says what.
    Other,
}

/// What happens when more units are asked for than are available.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum StockPolicy {
    /// It is refused.
    #[default]
    Deny,
    /// Up to `limit` units may be promised that are still to come.
    Backorder {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        promised_at: Option<Time>,
    },
    /// The SKU is not out yet: up to `limit` units may be promised for the day when it is.
    Preorder {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
        available_from: Time,
    },
}

/// What may be asked of a SKU's stock. Where a location may be left out, it is [`LocationId::MAIN`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Command {
    /// Goods came in.
    Receive {
        quantity: Quantity,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<LocationId>,
        #[serde(default)]
        reference: Option<Text>,
    },
    /// The count is corrected.
    Adjust {
        delta: NonZeroI32,
        reason: AdjustReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<LocationId>,
        #[serde(default)]
        reference: Option<Text>,
    },
    /// A place was counted; with `expected`, the count only holds while nothing has moved since. What it finds may leave
    /// at once for somebody who waits, so a repeat is told by its id alone.
    Count {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        location: Option<LocationId>,
        counted: u32,
        #[serde(default)]
        expected: Option<i64>,
        #[serde(default)]
        reference: Option<Text>,
    },
    /// Units move from one place to another. The same transfer again is the same move.
    Transfer { transfer: Text, from: LocationId, to: LocationId, quantity: Quantity },
    /// Hold units for somebody until `expires_at`; without it, until released or allocated.
    Reserve {
        reservation: ReservationId,
        quantity: Quantity,
        #[serde(default)]
        expires_at: Option<Time>,
        /// Only units that are there, whatever the policy promises.
        #[serde(default)]
        in_stock: bool,
        now: Time,
    },
    /// Hold them for longer, once.
    Extend { reservation: ReservationId, expires_at: Time, now: Time },
    /// Give held units back. Nothing happens when they are not held.
    Release { reservation: ReservationId },
    /// Hand held units over to their order: now, or as soon as all of them are there.
    Allocate { reservation: ReservationId, now: Time },
    /// End every hold whose time is over.
    Expire { now: Time },
    /// Undo an allocation, whatever came of it: what is still held is released, what has left comes back. Each time it
    /// is asked for, so whoever asks does so under an id that is its own.
    PutBack {
        reservation: ReservationId,
        quantity: Quantity,
        #[serde(default)]
        reference: Option<Text>,
    },
    /// Decide what happens when more is asked for than is available.
    SetPolicy { policy: StockPolicy },
    /// Be told when so few units are available; never, without a number.
    SetReorderPoint {
        #[serde(default)]
        units: Option<u32>,
    },
}

impl Aggregate for InventoryItem {
    const TYPE: &'static str = "inventory_item";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        self.decide_command(command)
    }

    fn evolve(self, event: Event) -> Self {
        self.evolve_event(event)
    }

    /// Never: there is always another use of it.
    fn is_closed(&self) -> bool {
        false
    }
}
