//! Commands on a SKU's stock, decided again.

use domain::{
    Aggregate as _, AnyCommand, AnyEvent, Refusal as _,
    inventory_item::{AdjustReason, Command, Event, InventoryItem},
    value::Sku,
};

use super::{
    derive,
    replay::{Group, Replay, Wanted, again},
    told::Difference,
    twin::Twin,
};

impl Replay<'_> {
    pub(super) fn stock(&mut self, group: &Group) {
        self.refused_before(&group.stream, group.sequence);
        let events: Vec<Event> = group
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                AnyEvent::InventoryItem(event) => Some(event.clone()),
                _ => None,
            })
            .collect();
        let sku = &*group.stream.id;
        let mut twin = self.stock.remove(sku).unwrap_or_default();
        let wanted = self.wanted_by(group);
        let order = wanted.as_ref().map(|wanted| wanted.order.clone());
        match wanted {
            Some(Wanted { order, first, was: AnyCommand::InventoryItem(was), then })
                if twin.was.decide(was.clone()).as_deref() == Ok(&events) =>
            {
                let then = match then {
                    Some(AnyCommand::InventoryItem(then)) => then,
                    _ => was.clone(),
                };
                let same = was == then;
                if first && self.is_asked(&order) {
                    self.report.again.reservations += 1;
                    let told = again(&mut twin, same, Some(then), &events, was);
                    self.answered(&order, &group.stream, told.err().map(domain::AnyRefusal::from), false);
                } else if !first && self.follows(&order) {
                    self.report.again.others += 1;
                    let allocates = matches!(was, Command::Allocate { .. });
                    if again(&mut twin, same, Some(then), &events, was).is_err() && allocates {
                        self.gone_when_paid(&order, group);
                    }
                } else {
                    twin.either(&events, &[]);
                }
            }
            _ => match derive::command(&twin.was, &events, group.at) {
                Some(command) => self.other(&mut twin, group, &events, command),
                None => {
                    self.as_it_was("commands on stock that their events do not tell");
                    twin.both(&events);
                }
            },
        }
        self.stock.insert(sku.into(), twin);
        if let Some(order) = order {
            self.let_go(&order);
        }
    }

    /// A command of somebody else than a checkout.
    fn other(&mut self, twin: &mut Twin<InventoryItem>, group: &Group, events: &[Event], command: Command) {
        match &command {
            Command::Reserve { .. } => self.report.again.reservations += 1,
            _ => self.report.again.others += 1,
        }
        if self.is_for_nobody(group, &command) {
            return twin.either(events, &[]);
        }
        let Err(refusal) = again(twin, true, None, events, command.clone()) else { return };
        let decision = match command {
            Command::Reserve { reservation, .. } => {
                self.lost_holds.insert((group.stream.id.clone(), reservation));
                "reservation"
            }
            // Whoever holds nothing can do nothing with it: that was told when the hold was refused.
            Command::Extend { .. } | Command::Release { .. } | Command::Allocate { .. } => return,
            Command::Receive { .. }
            | Command::Adjust { .. }
            | Command::Count { .. }
            | Command::Transfer { .. }
            | Command::Expire { .. }
            | Command::PutBack { .. }
            | Command::SetPolicy { .. }
            | Command::SetReorderPoint { .. } => "stock",
        };
        self.differs(Difference {
            position: group.position,
            at: group.at,
            decision,
            order: None,
            sku: Sku::new(&*group.stream.id).ok(),
            was: "accepted".to_owned(),
            then: refusal.code().to_owned(),
            total_was: None,
            total_then: None,
        });
    }

    /// Whether it was done for an order, or with a hold, that would not have been.
    fn is_for_nobody(&self, group: &Group, command: &Command) -> bool {
        let (reservation, reference) = match command {
            Command::Extend { reservation, .. }
            | Command::Release { reservation }
            | Command::Allocate { reservation, .. }
            | Command::PutBack { reservation, .. } => (Some(reservation), None),
            Command::Adjust { reason: AdjustReason::Returned, reference, .. } => (None, reference.as_ref()),
            Command::Receive { .. }
            | Command::Adjust { .. }
            | Command::Count { .. }
            | Command::Transfer { .. }
            | Command::Reserve { .. }
            | Command::Expire { .. }
            | Command::SetPolicy { .. }
            | Command::SetReorderPoint { .. } => (None, None),
        };
        let hold = reservation.is_some_and(|name| {
            self.lost.contains(name.as_str())
                || self.lost_holds.contains(&(group.stream.id.clone(), name.clone()))
        });
        hold || reference.is_some_and(|order| self.lost.contains(order.as_str()))
    }
}
