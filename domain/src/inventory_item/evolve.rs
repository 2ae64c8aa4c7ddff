//! What each event makes of a SKU's stock.

use super::{Event, InventoryItem, Reservation, Short, state::Transfer};
use crate::value::{LocationId, Quantity, ReservationId, Time};

impl InventoryItem {
    pub(super) fn evolve_event(self, event: Event) -> Self {
        match event {
            Event::Received { .. } | Event::Adjusted { .. } | Event::Counted { .. } => self.moved(&event),
            Event::Transferred { .. } => self.transferred(event),
            Event::Reserved { reservation, quantity, expires_at } => {
                self.held(reservation, Reservation { quantity, expires_at, extended: false, short: None })
            }
            Event::Backordered { reservation, quantity, short, promised_at, expires_at } => {
                let turn = self.next_turn;
                let short = Short { units: short.min(quantity), promised_at, committed: false, turn };
                let held = Reservation { quantity, expires_at, extended: false, short: Some(short) };
                self.held(reservation, held)
            }
            Event::BackorderFilled { reservation, quantity } => self.filled(&reservation, quantity),
            Event::Extended { reservation, expires_at } => self.changed(&reservation, |held| Reservation {
                expires_at: Some(expires_at),
                extended: true,
                ..held
            }),
            Event::Committed { reservation } => self.changed(&reservation, |held| match held.short {
                Some(short) => {
                    Reservation { expires_at: None, short: Some(Short { committed: true, ..short }), ..held }
                }
                None => held,
            }),
            Event::Released { reservation, quantity, short } => self.reduced(&reservation, quantity, short),
            Event::Expired { reservation, .. } => self.let_go(&reservation),
            Event::Allocated { ref reservation, .. } => {
                if self.reservations.contains_key(reservation) {
                    self.moved(&event).let_go(reservation)
                } else {
                    self
                }
            }
            Event::PolicySet { policy } => Self { policy, ..self },
            Event::ReorderPointSet { units } => Self { reorder_point: units, ..self },
            Event::LowStock { .. } => self,
        }
    }

    fn transferred(self, event: Event) -> Self {
        let mut item = self.moved(&event);
        if let Event::Transferred { transfer, from, to, quantity } = event {
            item.transfers.remember(transfer, Transfer { from, to, quantity });
        }
        item
    }

    fn moved(mut self, event: &Event) -> Self {
        for (location, delta) in event.moves() {
            self.on_hand = self.on_hand.saturating_add(delta);
            self.put(location, delta);
        }
        self
    }

    fn put(&mut self, location: &LocationId, delta: i64) {
        let there = self.on_hand_at(location).saturating_add(delta);
        if there == 0 {
            self.locations.remove(location);
        } else if let Some(known) = self.locations.get_mut(location) {
            *known = there;
        } else {
            self.locations.insert(location.clone(), there);
        }
    }

    fn held(mut self, id: ReservationId, held: Reservation) -> Self {
        if self.reservations.contains_key(&id) {
            return self;
        }
        self.count(&held, 1);
        if let Some(expires_at) = held.expires_at {
            self.expiring.insert((expires_at, id.clone()));
        }
        if let Some(Short { turn, .. }) = held.short {
            self.waiting.insert(turn, id.clone());
            self.next_turn = self.next_turn.max(turn.saturating_add(1));
        }
        self.reservations.insert(id, held);
        self
    }

    fn let_go(mut self, id: &ReservationId) -> Self {
        let Some((id, held)) = self.reservations.remove_entry(id) else {
            return self;
        };
        self.count(&held, -1);
        if let Some(Short { turn, .. }) = held.short {
            self.waiting.remove(&turn);
        }
        if let Some(expires_at) = held.expires_at {
            self.expiring.remove(&(expires_at, id));
        }
        self
    }

    /// The hold without some of its units, of which `short` were still to come.
    fn reduced(self, id: &ReservationId, quantity: Quantity, short: u32) -> Self {
        let left =
            self.reservations.get(id).map_or(0, |held| held.quantity.get().saturating_sub(quantity.get()));
        let Ok(left) = Quantity::new(left) else {
            return self.let_go(id);
        };
        self.changed(id, |held| {
            let still_short = held.short().saturating_sub(short);
            let units = Quantity::new(still_short.min(left.get())).ok();
            let short = held.short.and_then(|short| units.map(|units| Short { units, ..short }));
            Reservation { quantity: left, short, ..held }
        })
    }

    fn filled(self, id: &ReservationId, quantity: Quantity) -> Self {
        self.changed(id, |held| {
            let short = held.short.and_then(|short| {
                let left = short.units.get().saturating_sub(quantity.get());
                Quantity::new(left).ok().map(|units| Short { units, ..short })
            });
            Reservation { short, ..held }
        })
    }

    /// Another hold under the same name, with everything that is counted or looked up by it. The turn stays.
    fn changed(mut self, id: &ReservationId, change: impl FnOnce(Reservation) -> Reservation) -> Self {
        let Some((id, held)) = self.reservations.remove_entry(id) else {
            return self;
        };
        self.count(&held, -1);
        let (expired_at, turn) = (held.expires_at, held.short.as_ref().map(|short| short.turn));
        let held = change(held);
        self.count(&held, 1);
        self.due_at(&id, expired_at, held.expires_at);
        if let (Some(turn), None) = (turn, &held.short) {
            self.waiting.remove(&turn);
        }
        self.reservations.insert(id, held);
        self
    }

    fn due_at(&mut self, id: &ReservationId, was: Option<Time>, is: Option<Time>) {
        if was == is {
            return;
        }
        if let Some(was) = was {
            self.expiring.remove(&(was, id.clone()));
        }
        if let Some(is) = is {
            self.expiring.insert((is, id.clone()));
        }
    }

    fn count(&mut self, held: &Reservation, times: i64) {
        self.reserved = self.reserved.saturating_add(times.saturating_mul(held.held()));
        self.backordered = self.backordered.saturating_add(times.saturating_mul(i64::from(held.short())));
    }
}
