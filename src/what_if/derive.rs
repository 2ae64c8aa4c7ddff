//! Which command on a SKU's stock led to its events, where those tell it.

use domain::{
    Aggregate as _,
    inventory_item::{Command, Event, InventoryItem},
    value::Time,
};

/// The command that leads from a state to exactly these events, if there is one.
pub fn command(was: &InventoryItem, events: &[Event], at: Time) -> Option<Command> {
    // Holds whose time was over give way first. Until when they lasted tells how late it was at least.
    let lapsed = events.iter().map_while(|event| match event {
        Event::Expired { reservation, .. } => was.reservation(reservation)?.expires_at,
        _ => None,
    });
    let (count, latest) =
        lapsed.fold((0, None), |(count, latest), until| (count + 1, latest.max(Some(until))));
    let causes = events.get(count..).unwrap_or_default();
    [Some(at), latest].into_iter().flatten().find_map(|now| {
        let command = guess(was, causes, now, count > 0)?;
        (was.decide(command.clone()).as_deref() == Ok(events)).then_some(command)
    })
}

fn guess(was: &InventoryItem, causes: &[Event], now: Time, expired: bool) -> Option<Command> {
    let Some(cause) = causes.first() else { return expired.then_some(Command::Expire { now }) };
    Some(match cause.clone() {
        Event::Received { location, quantity, reference } => {
            Command::Receive { quantity, location: Some(location), reference }
        }
        Event::Adjusted { location, delta, reason, reference } => {
            Command::Adjust { delta, reason, location: Some(location), reference }
        }
        Event::Counted { location, counted, reference, .. } => {
            Command::Count { location: Some(location), counted, expected: None, reference }
        }
        Event::Transferred { transfer, from, to, quantity } => {
            Command::Transfer { transfer, from, to, quantity }
        }
        Event::Reserved { reservation, quantity, expires_at }
        | Event::Backordered { reservation, quantity, expires_at, .. } => {
            Command::Reserve { reservation, quantity, expires_at, in_stock: false, now }
        }
        Event::Extended { reservation, expires_at } => Command::Extend { reservation, expires_at, now },
        Event::Released { reservation, quantity, .. } => {
            match was.reservation(&reservation).is_some_and(|held| held.quantity == quantity) {
                true => Command::Release { reservation },
                false => Command::PutBack { reservation, quantity, reference: None },
            }
        }
        Event::Committed { reservation } | Event::Allocated { reservation, .. } => {
            Command::Allocate { reservation, now }
        }
        Event::PolicySet { policy } => Command::SetPolicy { policy },
        Event::ReorderPointSet { units } => Command::SetReorderPoint { units },
        // Units that come free with holds that end go to who waits.
        Event::BackorderFilled { .. } | Event::LowStock { .. } if expired => Command::Expire { now },
        Event::BackorderFilled { .. } | Event::LowStock { .. } | Event::Expired { .. } => return None,
    })
}
