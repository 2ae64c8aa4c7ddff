//! What is known of a SKU's stock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::{StockPolicy, TRANSFERS_KEPT, event::units};
use crate::value::{LocationId, Quantity, ReservationId, Text, Time};

/// Units held for somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// How many, those that are still to come included.
    pub quantity: Quantity,
    /// Until when, if not for good.
    pub expires_at: Option<Time>,
    /// Whether its time was extended.
    pub extended: bool,
    /// What is still to come; nothing, when all units are there.
    pub short: Option<Short>,
}

/// Units that a reservation waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Short {
    /// How many.
    pub units: Quantity,
    /// When they were promised for.
    pub promised_at: Option<Time>,
    /// Whether they go to their order as soon as they are there.
    pub committed: bool,
    /// Its place in the queue.
    pub(super) turn: u64,
}

/// The state of a SKU's stock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InventoryItem {
    pub(super) on_hand: i64,
    pub(super) reserved: i64,
    pub(super) backordered: i64,
    /// Places where something lies.
    pub(super) locations: BTreeMap<LocationId, i64>,
    pub(super) reservations: BTreeMap<ReservationId, Reservation>,
    /// Holds by the end of their time: a sold-out SKU is asked often, and must not look at every hold each time.
    pub(super) expiring: BTreeSet<(Time, ReservationId)>,
    /// Holds that are short, first come first.
    pub(super) waiting: BTreeMap<u64, ReservationId>,
    pub(super) next_turn: u64,
    pub(super) transfers: Transfers,
    pub(super) policy: StockPolicy,
    pub(super) reorder_point: Option<u32>,
}

/// The last transfers by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Transfers {
    order: VecDeque<Text>,
    known: BTreeMap<Text, Transfer>,
}

/// Units that moved from one place to another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Transfer {
    pub(super) from: LocationId,
    pub(super) to: LocationId,
    pub(super) quantity: Quantity,
}

impl Transfers {
    pub(super) fn get(&self, name: &Text) -> Option<&Transfer> {
        self.known.get(name)
    }

    pub(super) fn remember(&mut self, name: Text, transfer: Transfer) {
        if self.known.insert(name.clone(), transfer).is_some() {
            return;
        }
        self.order.push_back(name);
        if self.order.len() > TRANSFERS_KEPT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

impl Reservation {
    /// How many of its units are still to come.
    #[must_use]
    pub fn short(&self) -> u32 {
        self.short.as_ref().map_or(0, |short| short.units.get())
    }

    /// How many of its units are there.
    #[must_use]
    pub fn held(&self) -> i64 {
        units(self.quantity).saturating_sub(i64::from(self.short()))
    }
}

impl InventoryItem {
    /// Units in the house, reserved ones included.
    #[must_use]
    pub const fn on_hand(&self) -> i64 {
        self.on_hand
    }

    /// Units held for somebody, as far as they are there.
    #[must_use]
    pub const fn reserved(&self) -> i64 {
        self.reserved
    }

    /// Units promised to somebody and not there yet.
    #[must_use]
    pub const fn backordered(&self) -> i64 {
        self.backordered
    }

    /// Units that can still be reserved.
    #[must_use]
    pub const fn available(&self) -> i64 {
        self.on_hand.saturating_sub(self.reserved)
    }

    /// Units at a place.
    #[must_use]
    pub fn on_hand_at(&self, location: &LocationId) -> i64 {
        self.locations.get(location).copied().unwrap_or(0)
    }

    /// Every place where something lies.
    #[must_use]
    pub const fn locations(&self) -> &BTreeMap<LocationId, i64> {
        &self.locations
    }

    /// What happens when more is asked for than is available.
    #[must_use]
    pub const fn policy(&self) -> &StockPolicy {
        &self.policy
    }

    /// How few available units are few.
    #[must_use]
    pub const fn reorder_point(&self) -> Option<u32> {
        self.reorder_point
    }

    /// What is held under a name.
    #[must_use]
    pub fn reservation(&self, id: &ReservationId) -> Option<&Reservation> {
        self.reservations.get(id)
    }

    /// Everything that is held.
    pub fn reservations(&self) -> impl Iterator<Item = (&ReservationId, &Reservation)> {
        self.reservations.iter()
    }

    /// Holds whose time is over, the earliest first.
    pub(super) fn due(&self, now: Time) -> impl Iterator<Item = (&ReservationId, &Reservation)> {
        let due = self.expiring.iter().take_while(move |(expires_at, _)| *expires_at <= now);
        due.filter_map(|(_, id)| self.reservations.get_key_value(id))
    }
}
