//! A decision on its way: its events so far, and the figures after them.
//!
//! Whatever a command does, what follows from it is the same: units that are free go to those who wait, and few
//! available units are told.

use std::collections::{BTreeMap, BTreeSet};

use super::{At, Event, FILLED_MAX, InventoryItem, event::units};
use crate::value::{LocationId, Quantity, ReservationId};

pub(super) struct Draft<'a> {
    item: &'a InventoryItem,
    events: Vec<Event>,
    on_hand: i64,
    reserved: i64,
    reorder_point: Option<u32>,
    /// What the events move at each place.
    moved: BTreeMap<LocationId, i64>,
    /// Holds that the events end.
    ended: BTreeSet<ReservationId>,
}

impl<'a> Draft<'a> {
    pub(super) const fn new(item: &'a InventoryItem) -> Self {
        Self {
            item,
            events: vec![],
            on_hand: item.on_hand,
            reserved: item.reserved,
            reorder_point: item.reorder_point,
            moved: BTreeMap::new(),
            ended: BTreeSet::new(),
        }
    }

    pub(super) fn with(mut self, event: Event) -> Self {
        self.push(event);
        self
    }

    pub(super) fn push(&mut self, event: Event) {
        let change = event.change();
        self.on_hand = self.on_hand.saturating_add(change.on_hand);
        self.reserved = self.reserved.saturating_add(change.reserved);
        for (location, delta) in event.moves() {
            let moved = self.moved.entry(location.clone()).or_default();
            *moved = moved.saturating_add(delta);
        }
        match &event {
            Event::Released { reservation, .. }
            | Event::Expired { reservation, .. }
            | Event::Allocated { reservation, .. } => {
                self.ended.insert(reservation.clone());
            }
            Event::ReorderPointSet { units } => self.reorder_point = *units,
            Event::Received { .. }
            | Event::Adjusted { .. }
            | Event::Counted { .. }
            | Event::Transferred { .. }
            | Event::Reserved { .. }
            | Event::Backordered { .. }
            | Event::BackorderFilled { .. }
            | Event::Extended { .. }
            | Event::Committed { .. }
            | Event::PolicySet { .. }
            | Event::LowStock { .. } => {}
        }
        self.events.push(event);
    }

    /// Hands held units over: from the main place as far as they are there, then from the others in their order.
    pub(super) fn allocate(&mut self, reservation: &ReservationId, quantity: Quantity) {
        let from = self.taken(quantity);
        self.push(Event::Allocated { reservation: reservation.clone(), quantity, from });
    }

    /// Everything that the command causes. A command that does nothing causes nothing.
    pub(super) fn finish(mut self) -> Vec<Event> {
        if self.events.is_empty() {
            return vec![];
        }
        self.fill();
        if let Some(reorder_point) = self.reorder_point {
            let few = i64::from(reorder_point);
            let was_low = self.item.reorder_point.is_some_and(|few| self.item.available() <= i64::from(few));
            let available = self.available();
            if available <= few && !was_low {
                self.events.push(Event::LowStock { available, reorder_point });
            }
        }
        self.events
    }

    const fn available(&self) -> i64 {
        self.on_hand.saturating_sub(self.reserved)
    }

    /// First come, first served.
    fn fill(&mut self) {
        let item = self.item;
        let mut filled = 0;
        for id in item.waiting.values() {
            if self.available() <= 0 || filled == FILLED_MAX {
                return;
            }
            let Some(held) = item.reservations.get(id).filter(|_| !self.ended.contains(id)) else {
                continue;
            };
            let Some(short) = &held.short else { continue };
            let given = u32::try_from(self.available()).unwrap_or(u32::MAX).min(short.units.get());
            let Ok(quantity) = Quantity::new(given) else { return };
            filled += 1;
            self.push(Event::BackorderFilled { reservation: id.clone(), quantity });
            if short.committed && quantity == short.units {
                self.allocate(id, held.quantity);
            }
        }
    }

    fn taken(&self, quantity: Quantity) -> Vec<At> {
        let main = LocationId::main();
        let new = self.moved.keys().filter(|place| !self.item.locations.contains_key(place));
        let others = self.item.locations.keys().chain(new).filter(|place| **place != main);
        let mut left = units(quantity);
        let mut from = vec![];
        for location in std::iter::once(&main).chain(others) {
            if left == 0 {
                break;
            }
            let there = self.on_hand_at(location).clamp(0, left);
            left -= there;
            if let Some(quantity) = u32::try_from(there).ok().and_then(|there| Quantity::new(there).ok()) {
                from.push(At { location: location.clone(), quantity });
            }
        }
        from
    }

    fn on_hand_at(&self, location: &LocationId) -> i64 {
        let moved = self.moved.get(location).copied().unwrap_or(0);
        self.item.on_hand_at(location).saturating_add(moved)
    }
}
