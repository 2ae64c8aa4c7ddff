//! The stock of one SKU: what is on hand, what is reserved, and who holds it.
//!
//! Units are on hand until they are allocated to an order; available = on hand − reserved, never below zero.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroI32,
};

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    value::{Quantity, ReservationId, Text, Time},
};

/// On hand never exceeds this, so that sums fit everywhere.
pub const ON_HAND_MAX: i64 = 1_000_000_000_000;

/// Why a count was corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

/// What may be asked of a SKU's stock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Command {
    /// Goods came in.
    Receive {
        quantity: Quantity,
        #[serde(default)]
        reference: Option<Text>,
    },
    /// The count is corrected.
    Adjust {
        delta: NonZeroI32,
        reason: AdjustReason,
        #[serde(default)]
        reference: Option<Text>,
    },
    /// Hold units for somebody until `expires_at`; without it, until released or allocated.
    Reserve {
        reservation: ReservationId,
        quantity: Quantity,
        #[serde(default)]
        expires_at: Option<Time>,
        now: Time,
    },
    /// Give held units back. Nothing happens when they are not held.
    Release { reservation: ReservationId },
    /// Hand held units over to their order.
    Allocate { reservation: ReservationId, now: Time },
}

/// What happened to a SKU's stock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Event {
    /// Goods came in.
    Received {
        quantity: Quantity,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Text>,
    },
    /// The count was corrected.
    Adjusted {
        delta: NonZeroI32,
        reason: AdjustReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Text>,
    },
    /// Units are held.
    Reserved {
        reservation: ReservationId,
        quantity: Quantity,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Time>,
    },
    /// Held units were given back.
    Released { reservation: ReservationId, quantity: Quantity },
    /// A hold ran out before it was used.
    Expired { reservation: ReservationId, quantity: Quantity },
    /// Held units left for their order.
    Allocated { reservation: ReservationId, quantity: Quantity },
}

/// Why stock may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Refusal {
    /// Fewer units are available than were asked for.
    #[error("{requested} were asked for and {available} are available")]
    #[serde(rename = "inventory.insufficient")]
    Insufficient { requested: Quantity, available: i64 },
    /// The correction would leave less on hand than is reserved.
    #[error("a correction by {delta} would leave less than the {reserved} reserved of {on_hand} on hand")]
    #[serde(rename = "inventory.below_reserved")]
    BelowReserved { delta: NonZeroI32, on_hand: i64, reserved: i64 },
    /// The reservation's name is taken by another quantity.
    #[error("reservation {reservation} already holds {quantity}")]
    #[serde(rename = "inventory.reservation_exists")]
    ReservationExists { reservation: ReservationId, quantity: Quantity },
    /// Nothing is held under that name: it was never reserved, was released, or ran out.
    #[error("reservation {reservation} holds nothing")]
    #[serde(rename = "inventory.reservation_missing")]
    ReservationMissing { reservation: ReservationId },
    /// More on hand than can be counted.
    #[error("on hand would exceed {max}")]
    #[serde(rename = "inventory.too_much")]
    TooMuch { max: i64 },
}

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] = &[
        ("Received", "1"),
        ("Adjusted", "1"),
        ("Reserved", "1"),
        ("Released", "1"),
        ("Expired", "1"),
        ("Allocated", "1"),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Received { .. } => "Received",
            Self::Adjusted { .. } => "Adjusted",
            Self::Reserved { .. } => "Reserved",
            Self::Released { .. } => "Released",
            Self::Expired { .. } => "Expired",
            Self::Allocated { .. } => "Allocated",
        }
    }
}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &[
        "inventory.insufficient",
        "inventory.below_reserved",
        "inventory.reservation_exists",
        "inventory.reservation_missing",
        "inventory.too_much",
    ];

    fn code(&self) -> &'static str {
        match self {
            Self::Insufficient { .. } => "inventory.insufficient",
            Self::BelowReserved { .. } => "inventory.below_reserved",
            Self::ReservationExists { .. } => "inventory.reservation_exists",
            Self::ReservationMissing { .. } => "inventory.reservation_missing",
            Self::TooMuch { .. } => "inventory.too_much",
        }
    }
}

/// Units held for somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// How many.
    pub quantity: Quantity,
    /// Until when, if not for good.
    pub expires_at: Option<Time>,
}

/// The state of a SKU's stock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InventoryItem {
    on_hand: i64,
    reserved: i64,
    reservations: BTreeMap<ReservationId, Reservation>,
    /// Holds by the end of their time: a sold-out SKU is asked often, and must not look at every hold each time.
    expiring: BTreeSet<(Time, ReservationId)>,
}

impl Aggregate for InventoryItem {
    const TYPE: &'static str = "inventory_item";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Receive { quantity, reference } => self.receive(quantity, reference),
            Command::Adjust { delta, reason, reference } => self.adjust(delta, reason, reference),
            Command::Reserve { reservation, quantity, expires_at, now } => {
                self.reserve(reservation, quantity, expires_at, now)
            }
            Command::Release { reservation } => Ok(self.release(reservation)),
            Command::Allocate { reservation, now: _ } => self.allocate(reservation),
        }
    }

    fn evolve(self, event: Event) -> Self {
        match event {
            Event::Received { quantity, .. } => self.counted(i64::from(quantity.get())),
            Event::Adjusted { delta, .. } => self.counted(i64::from(delta.get())),
            Event::Reserved { reservation, quantity, expires_at } => {
                self.held(reservation, Reservation { quantity, expires_at })
            }
            Event::Released { reservation, .. } | Event::Expired { reservation, .. } => {
                self.let_go(&reservation).0
            }
            Event::Allocated { reservation, .. } => {
                let (item, quantity) = self.let_go(&reservation);
                item.counted(-quantity)
            }
        }
    }
}

impl InventoryItem {
    /// Units in the house, reserved ones included.
    #[must_use]
    pub const fn on_hand(&self) -> i64 {
        self.on_hand
    }

    /// Units held for somebody.
    #[must_use]
    pub const fn reserved(&self) -> i64 {
        self.reserved
    }

    /// Units that can still be reserved.
    #[must_use]
    pub const fn available(&self) -> i64 {
        self.on_hand.saturating_sub(self.reserved)
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

    fn receive(&self, quantity: Quantity, reference: Option<Text>) -> Result<Vec<Event>, Refusal> {
        self.count_after(i64::from(quantity.get()))?;
        Ok(vec![Event::Received { quantity, reference }])
    }

    fn adjust(
        &self,
        delta: NonZeroI32,
        reason: AdjustReason,
        reference: Option<Text>,
    ) -> Result<Vec<Event>, Refusal> {
        if self.count_after(i64::from(delta.get()))? < self.reserved {
            return Err(Refusal::BelowReserved { delta, on_hand: self.on_hand, reserved: self.reserved });
        }
        Ok(vec![Event::Adjusted { delta, reason, reference }])
    }

    fn reserve(
        &self,
        reservation: ReservationId,
        quantity: Quantity,
        expires_at: Option<Time>,
        now: Time,
    ) -> Result<Vec<Event>, Refusal> {
        if let Some(held) = self.reservations.get(&reservation) {
            return if held.quantity == quantity {
                Ok(vec![])
            } else {
                Err(Refusal::ReservationExists { reservation, quantity: held.quantity })
            };
        }
        let mut available = self.available();
        let mut events = vec![];
        if available < i64::from(quantity.get()) {
            for (id, due) in self.due(now) {
                available = available.saturating_add(i64::from(due.quantity.get()));
                events.push(Event::Expired { reservation: id.clone(), quantity: due.quantity });
            }
        }
        if available < i64::from(quantity.get()) {
            return Err(Refusal::Insufficient { requested: quantity, available });
        }
        events.push(Event::Reserved { reservation, quantity, expires_at });
        Ok(events)
    }

    fn release(&self, reservation: ReservationId) -> Vec<Event> {
        let held = self.reservations.get(&reservation).map(|held| held.quantity);
        held.map(|quantity| Event::Released { reservation, quantity }).into_iter().collect()
    }

    /// A hold past its time still counts as long as nobody else took the units.
    fn allocate(&self, reservation: ReservationId) -> Result<Vec<Event>, Refusal> {
        match self.reservations.get(&reservation) {
            Some(held) => Ok(vec![Event::Allocated { quantity: held.quantity, reservation }]),
            None => Err(Refusal::ReservationMissing { reservation }),
        }
    }

    fn count_after(&self, delta: i64) -> Result<i64, Refusal> {
        match self.on_hand.checked_add(delta) {
            Some(count) if count <= ON_HAND_MAX => Ok(count),
            _ => Err(Refusal::TooMuch { max: ON_HAND_MAX }),
        }
    }

    fn due(&self, now: Time) -> impl Iterator<Item = (&ReservationId, &Reservation)> {
        let due = self.expiring.iter().take_while(move |(expires_at, _)| *expires_at <= now);
        due.filter_map(|(_, id)| self.reservations.get_key_value(id))
    }

    fn counted(mut self, delta: i64) -> Self {
        if let Some(on_hand) = self.on_hand.checked_add(delta) {
            self.on_hand = on_hand;
        }
        self
    }

    fn held(mut self, id: ReservationId, held: Reservation) -> Self {
        if self.reservations.contains_key(&id) {
            return self;
        }
        let Some(reserved) = self.reserved.checked_add(i64::from(held.quantity.get())) else {
            return self;
        };
        self.reserved = reserved;
        if let Some(expires_at) = held.expires_at {
            self.expiring.insert((expires_at, id.clone()));
        }
        self.reservations.insert(id, held);
        self
    }

    /// Without that hold, and how many units it held.
    fn let_go(mut self, id: &ReservationId) -> (Self, i64) {
        let Some((id, held)) = self.reservations.remove_entry(id) else {
            return (self, 0);
        };
        if let Some(expires_at) = held.expires_at {
            self.expiring.remove(&(expires_at, id));
        }
        let quantity = i64::from(held.quantity.get());
        self.reserved = self.reserved.saturating_sub(quantity);
        (self, quantity)
    }
}
