//! What a SKU's stock answers to each command.

use std::num::NonZeroI32;

use super::{
    AdjustReason, Command, EXPIRED_MAX, Event, InventoryItem, LOCATIONS_MAX, ON_HAND_MAX, Refusal,
    Reservation, StockPolicy, draft::Draft, event::units,
};
use crate::value::{LocationId, Quantity, ReservationId, Text, Time};

type Decision = Result<Vec<Event>, Refusal>;

/// What somebody wants held.
struct Wish {
    reservation: ReservationId,
    quantity: Quantity,
    expires_at: Option<Time>,
    /// Whether units that are still to come do not count.
    in_stock: bool,
}

impl InventoryItem {
    pub(super) fn decide_command(&self, command: Command) -> Decision {
        let place = |location: Option<LocationId>| location.unwrap_or_else(LocationId::main);
        match command {
            Command::Receive { quantity, location, reference } => {
                self.receive(quantity, place(location), reference)
            }
            Command::Adjust { delta, reason, location, reference } => {
                self.adjust(delta, reason, place(location), reference)
            }
            Command::Count { location, counted, expected, reference } => {
                self.count_at(place(location), counted, expected, reference)
            }
            Command::Transfer { transfer, from, to, quantity } => self.transfer(transfer, from, to, quantity),
            Command::Reserve { reservation, quantity, expires_at, in_stock, now } => {
                self.reserve(Wish { reservation, quantity, expires_at, in_stock }, now)
            }
            Command::Extend { reservation, expires_at, now } => self.extend(reservation, expires_at, now),
            Command::Release { reservation } => Ok(self.release(reservation)),
            Command::Allocate { reservation, now: _ } => self.allocate(reservation),
            Command::Expire { now } => Ok(self.expire(now)),
            Command::PutBack { reservation, quantity, reference } => {
                self.put_back(reservation, quantity, reference)
            }
            Command::SetPolicy { policy } => Ok(self.set_policy(policy)),
            Command::SetReorderPoint { units } => Ok(self.set_reorder_point(units)),
        }
    }

    fn receive(&self, quantity: Quantity, location: LocationId, reference: Option<Text>) -> Decision {
        self.on_hand_after(units(quantity))?;
        self.room_at(&location)?;
        Ok(self.so(Event::Received { location, quantity, reference }))
    }

    fn adjust(
        &self,
        delta: NonZeroI32,
        reason: AdjustReason,
        location: LocationId,
        reference: Option<Text>,
    ) -> Decision {
        self.corrected(&location, i64::from(delta.get()))?;
        Ok(self.so(Event::Adjusted { location, delta, reason, reference }))
    }

    fn count_at(
        &self,
        location: LocationId,
        counted: u32,
        expected: Option<i64>,
        reference: Option<Text>,
    ) -> Decision {
        let was = self.on_hand_at(&location);
        if was == i64::from(counted) {
            return Ok(vec![]);
        }
        if let Some(expected) = expected.filter(|expected| *expected != was) {
            return Err(Refusal::CountChanged { expected, on_hand: was });
        }
        self.corrected(&location, i64::from(counted).saturating_sub(was))?;
        Ok(self.so(Event::Counted { location, was, counted, reference }))
    }

    fn transfer(&self, transfer: Text, from: LocationId, to: LocationId, quantity: Quantity) -> Decision {
        if from == to {
            return Err(Refusal::SameLocation);
        }
        if let Some(known) = self.transfers.get(&transfer) {
            let same = (&known.from, &known.to, known.quantity) == (&from, &to, quantity);
            return if same { Ok(vec![]) } else { Err(Refusal::TransferExists { transfer }) };
        }
        let on_hand = self.on_hand_at(&from);
        if on_hand < units(quantity) {
            return Err(Refusal::InsufficientAt { location: from, on_hand, requested: quantity });
        }
        self.room_at(&to)?;
        Ok(self.so(Event::Transferred { transfer, from, to, quantity }))
    }

    /// Holds whose time is over give way only when their units are wanted. Whoever waits for units goes first: what is
    /// free is what nobody holds or was promised.
    fn reserve(&self, wish: Wish, now: Time) -> Decision {
        let Wish { reservation, quantity, .. } = &wish;
        if let Some(held) = self.reservations.get(reservation) {
            return if held.quantity == *quantity {
                Ok(vec![])
            } else {
                let (reservation, quantity) = (reservation.clone(), held.quantity);
                Err(Refusal::ReservationExists { reservation, quantity })
            };
        }
        let wanted = units(*quantity);
        let mut free = self.available().saturating_sub(self.backordered);
        let mut backordered = self.backordered;
        let mut draft = Draft::new(self);
        if free < wanted {
            for (id, due) in self.due(now).take(EXPIRED_MAX) {
                free = free.saturating_add(units(due.quantity));
                backordered = backordered.saturating_sub(i64::from(due.short()));
                draft.push(expired(id, due));
            }
        }
        draft.push(self.granted(wish, free, backordered)?);
        Ok(draft.finish())
    }

    /// What of the wish is granted: all of it, or all of it with some units to come.
    fn granted(&self, wish: Wish, free: i64, backordered: i64) -> Result<Event, Refusal> {
        let Wish { reservation, quantity, expires_at, in_stock } = wish;
        let free = free.max(0);
        let short = u32::try_from(units(quantity).saturating_sub(free)).unwrap_or(0);
        let Ok(short) = Quantity::new(short) else {
            return Ok(Event::Reserved { reservation, quantity, expires_at });
        };
        let (limit, promised_at) = match &self.policy {
            _ if in_stock => (Some(0), None),
            StockPolicy::Deny => (Some(0), None),
            StockPolicy::Backorder { limit, promised_at } => (*limit, *promised_at),
            StockPolicy::Preorder { limit, available_from } => (*limit, Some(*available_from)),
        };
        let promisable = limit.map_or(ON_HAND_MAX, i64::from).saturating_sub(backordered).max(0);
        if units(short) > promisable {
            let available = free.saturating_add(promisable);
            return Err(Refusal::Insufficient { requested: quantity, available });
        }
        Ok(Event::Backordered { reservation, quantity, short, promised_at, expires_at })
    }

    fn extend(&self, reservation: ReservationId, expires_at: Time, now: Time) -> Decision {
        let Some(held) = self.reservations.get(&reservation) else {
            return Err(Refusal::ReservationMissing { reservation });
        };
        match held.expires_at {
            None => Ok(vec![]),
            Some(until) if until >= expires_at => Ok(vec![]),
            Some(expired_at) if expired_at <= now => Err(Refusal::ReservationExpired { expired_at }),
            Some(_) if held.extended => Err(Refusal::AlreadyExtended),
            Some(_) => Ok(self.so(Event::Extended { reservation, expires_at })),
        }
    }

    fn release(&self, reservation: ReservationId) -> Vec<Event> {
        match self.reservations.get(&reservation) {
            Some(held) => {
                let (quantity, short) = (held.quantity, held.short());
                self.so(Event::Released { reservation, quantity, short })
            }
            None => vec![],
        }
    }

    /// A hold past its time still counts as long as nobody else took the units.
    fn allocate(&self, reservation: ReservationId) -> Decision {
        let Some(held) = self.reservations.get(&reservation) else {
            return Err(Refusal::ReservationMissing { reservation });
        };
        match &held.short {
            Some(short) if short.committed => Ok(vec![]),
            Some(_) => Ok(self.so(Event::Committed { reservation })),
            None => {
                let mut draft = Draft::new(self);
                draft.allocate(&reservation, held.quantity);
                Ok(draft.finish())
            }
        }
    }

    fn expire(&self, now: Time) -> Vec<Event> {
        let mut draft = Draft::new(self);
        for (id, due) in self.due(now).take(EXPIRED_MAX) {
            draft.push(expired(id, due));
        }
        draft.finish()
    }

    fn put_back(&self, reservation: ReservationId, quantity: Quantity, reference: Option<Text>) -> Decision {
        if let Some(held) = self.reservations.get(&reservation) {
            return Ok(self.give_up(reservation, held, quantity));
        }
        let delta = i32::try_from(quantity.get()).ok().and_then(NonZeroI32::new);
        let delta = delta.ok_or(Refusal::TooMuch { max: i64::from(i32::MAX) })?;
        self.adjust(delta, AdjustReason::Returned, LocationId::main(), reference)
    }

    /// Some units of a hold are no longer wanted: first those that are still to come. A hold that lacked nothing but
    /// these is handed over, if that was all it waited for.
    fn give_up(&self, reservation: ReservationId, held: &Reservation, unwanted: Quantity) -> Vec<Event> {
        let Some(left) =
            held.quantity.get().checked_sub(unwanted.get()).and_then(|left| Quantity::new(left).ok())
        else {
            return self.release(reservation);
        };
        let short = held.short().min(unwanted.get());
        let complete = short == held.short() && held.short.as_ref().is_some_and(|short| short.committed);
        let released = Event::Released { reservation: reservation.clone(), quantity: unwanted, short };
        let mut draft = Draft::new(self).with(released);
        if complete {
            draft.allocate(&reservation, left);
        }
        draft.finish()
    }

    fn set_policy(&self, policy: StockPolicy) -> Vec<Event> {
        if self.policy == policy { vec![] } else { self.so(Event::PolicySet { policy }) }
    }

    fn set_reorder_point(&self, units: Option<u32>) -> Vec<Event> {
        if self.reorder_point == units { vec![] } else { self.so(Event::ReorderPointSet { units }) }
    }

    /// The event and what follows from it.
    fn so(&self, event: Event) -> Vec<Event> {
        Draft::new(self).with(event).finish()
    }

    /// Too little in all is told before too little at the place: where there is one place, it is what it always was.
    fn corrected(&self, location: &LocationId, delta: i64) -> Result<(), Refusal> {
        if self.on_hand_after(delta)? < self.reserved {
            return Err(Refusal::BelowReserved { delta, on_hand: self.on_hand, reserved: self.reserved });
        }
        let there = self.on_hand_at(location);
        if there.saturating_add(delta) < 0 {
            return Err(Refusal::BelowZero { location: location.clone(), on_hand: there });
        }
        self.room_at(location)
    }

    fn on_hand_after(&self, delta: i64) -> Result<i64, Refusal> {
        match self.on_hand.checked_add(delta) {
            Some(count) if count <= ON_HAND_MAX => Ok(count),
            _ => Err(Refusal::TooMuch { max: ON_HAND_MAX }),
        }
    }

    fn room_at(&self, location: &LocationId) -> Result<(), Refusal> {
        if self.locations.len() < LOCATIONS_MAX || self.locations.contains_key(location) {
            Ok(())
        } else {
            Err(Refusal::TooManyLocations { max: LOCATIONS_MAX })
        }
    }
}

fn expired(id: &ReservationId, due: &Reservation) -> Event {
    Event::Expired { reservation: id.clone(), quantity: due.quantity, short: due.short() }
}
