//! The rows of reservations: one a hold, as long as it lasts.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    inventory_item::Event,
    value::{Quantity, ReservationId, Time},
};
use sqlx::{PgConnection, Row as _};
use store::{follow::ApplyError, log::Position};

use super::few;
use crate::batch::{Step, column};

/// A reservation's row without its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    quantity: Quantity,
    short: u32,
    promised_at: Option<Time>,
    committed: bool,
    expires_at: Option<Time>,
    position: Position,
}

impl Held {
    /// Without some of its units, of which `short` were still to come; nothing when none are left.
    fn without(self, quantity: Quantity, short: u32) -> Option<Self> {
        let left = self.quantity.get().saturating_sub(quantity.get());
        let short = self.short.saturating_sub(short);
        let promised_at = self.promised_at.filter(|_| short > 0);
        Quantity::new(left).ok().map(|quantity| Self { quantity, short, promised_at, ..self })
    }
}

/// By SKU and name.
type Names<'e> = (&'e str, &'e str);

/// Holds that a batch leaves behind, and those that it ends.
type Holds<'e> = BTreeMap<Names<'e>, Option<Held>>;

/// Applies a batch to the table.
pub(super) async fn write(
    connection: &mut PgConnection,
    steps: &[Step<'_, Event>],
) -> Result<(), ApplyError> {
    let mut holds = load(connection, &changed(steps)).await?;
    for Step { id, event, at } in steps {
        if let Some(event) = event {
            apply(&mut holds, id, event, at.position)?;
        }
    }
    let (mut kept, mut ended) = (Vec::new(), Vec::new());
    for (names, held) in holds {
        match held {
            Some(held) => kept.push((names, held)),
            None => ended.push(names),
        }
    }
    delete(connection, &ended).await?;
    insert(connection, &kept).await?;
    Ok(())
}

/// Holds that are changed and were begun before the batch.
fn changed<'e>(steps: &[Step<'e, Event>]) -> BTreeSet<Names<'e>> {
    let (mut begun, mut changed) = (BTreeSet::new(), BTreeSet::new());
    for Step { id, event, .. } in steps {
        let Some(event) = event else { continue };
        match event {
            Event::Reserved { reservation, .. } | Event::Backordered { reservation, .. } => {
                begun.insert((*id, reservation.as_str()));
            }
            Event::BackorderFilled { reservation, .. }
            | Event::Extended { reservation, .. }
            | Event::Committed { reservation }
            | Event::Released { reservation, .. } => {
                let names = (*id, reservation.as_str());
                if !begun.contains(&names) {
                    changed.insert(names);
                }
            }
            Event::Received { .. }
            | Event::Adjusted { .. }
            | Event::Counted { .. }
            | Event::Transferred { .. }
            | Event::Expired { .. }
            | Event::Allocated { .. }
            | Event::PolicySet { .. }
            | Event::ReorderPointSet { .. }
            | Event::LowStock { .. } => {}
        }
    }
    changed
}

fn apply<'e>(
    holds: &mut Holds<'e>,
    id: &'e str,
    event: &'e Event,
    position: Position,
) -> Result<(), ApplyError> {
    let mut change = |name: &'e ReservationId, change: &dyn Fn(Held) -> Held| {
        let Some(Some(held)) = holds.get_mut(&(id, name.as_str())) else {
            return Err(ApplyError::Poison(format!("nothing is held as {name}")));
        };
        *held = Held { position, ..change(*held) };
        Ok(())
    };
    let (name, held) = match event {
        Event::Reserved { reservation, quantity, expires_at } => (
            reservation,
            Some(Held {
                quantity: *quantity,
                short: 0,
                promised_at: None,
                committed: false,
                expires_at: *expires_at,
                position,
            }),
        ),
        Event::Backordered { reservation, quantity, short, promised_at, expires_at } => (
            reservation,
            Some(Held {
                quantity: *quantity,
                short: short.get(),
                promised_at: *promised_at,
                committed: false,
                expires_at: *expires_at,
                position,
            }),
        ),
        Event::BackorderFilled { reservation, quantity } => {
            return change(reservation, &|held| {
                let short = held.short.saturating_sub(quantity.get());
                Held { short, promised_at: held.promised_at.filter(|_| short > 0), ..held }
            });
        }
        Event::Extended { reservation, expires_at } => {
            return change(reservation, &|held| Held { expires_at: Some(*expires_at), ..held });
        }
        Event::Committed { reservation } => {
            return change(reservation, &|held| Held { committed: true, expires_at: None, ..held });
        }
        // A part of it, or all.
        Event::Released { reservation, quantity, short } => {
            let held = holds.get(&(id, reservation.as_str())).copied().flatten();
            (reservation, held.and_then(|held| Held { position, ..held }.without(*quantity, *short)))
        }
        Event::Expired { reservation, .. } | Event::Allocated { reservation, .. } => (reservation, None),
        Event::Received { .. }
        | Event::Adjusted { .. }
        | Event::Counted { .. }
        | Event::Transferred { .. }
        | Event::PolicySet { .. }
        | Event::ReorderPointSet { .. }
        | Event::LowStock { .. } => return Ok(()),
    };
    holds.insert((id, name.as_str()), held);
    Ok(())
}

async fn load<'e>(
    connection: &mut PgConnection,
    names: &BTreeSet<Names<'e>>,
) -> Result<Holds<'e>, sqlx::Error> {
    if names.is_empty() {
        return Ok(Holds::new());
    }
    let wanted: Vec<_> = names.iter().copied().collect();
    let rows = sqlx::query(
        "SELECT wanted.nth, quantity, short, promised_at_ms, committed, expires_at_ms, position \
         FROM UNNEST($1::text[], $2::text[]) WITH ORDINALITY AS wanted (sku, reservation, nth) \
              JOIN reservations USING (sku, reservation) ORDER BY 1",
    )
    .bind(column(&wanted, |(sku, _)| *sku))
    .bind(column(&wanted, |(_, name)| *name))
    .fetch_all(connection)
    .await?;
    let mut holds = Holds::new();
    for row in &rows {
        let nth: i64 = row.try_get("nth")?;
        let quantity = Quantity::new(few(row.try_get("quantity")?)?);
        let held = Held {
            quantity: quantity.map_err(|error| sqlx::Error::Decode(error.into()))?,
            short: few(row.try_get("short")?)?,
            promised_at: row.try_get::<Option<i64>, _>("promised_at_ms")?.map(Time::from_millis),
            committed: row.try_get("committed")?,
            expires_at: row.try_get::<Option<i64>, _>("expires_at_ms")?.map(Time::from_millis),
            position: row.try_get("position")?,
        };
        if let Some(names) = usize::try_from(nth - 1).ok().and_then(|place| wanted.get(place)) {
            holds.insert(*names, Some(held));
        }
    }
    Ok(holds)
}

async fn delete(connection: &mut PgConnection, ended: &[Names<'_>]) -> Result<(), sqlx::Error> {
    if ended.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "DELETE FROM reservations USING UNNEST($1::text[], $2::text[]) AS ended (sku, reservation) \
         WHERE reservations.sku = ended.sku AND reservations.reservation = ended.reservation",
    )
    .bind(column(ended, |(sku, _)| *sku))
    .bind(column(ended, |(_, name)| *name))
    .execute(connection)
    .await?;
    Ok(())
}

async fn insert(connection: &mut PgConnection, kept: &[(Names<'_>, Held)]) -> Result<(), sqlx::Error> {
    if kept.is_empty() {
        return Ok(());
    }
    // A name may be held again after it was let go of in the same batch.
    sqlx::query(
        "INSERT INTO reservations (sku, reservation, quantity, short, promised_at_ms, committed, expires_at_ms, \
                                   position) \
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::boolean[], \
                              $7::bigint[], $8::bigint[]) \
         ON CONFLICT (sku, reservation) DO UPDATE SET quantity = EXCLUDED.quantity, short = EXCLUDED.short, \
             promised_at_ms = EXCLUDED.promised_at_ms, committed = EXCLUDED.committed, \
             expires_at_ms = EXCLUDED.expires_at_ms, position = EXCLUDED.position",
    )
    .bind(column(kept, |((sku, _), _)| *sku))
    .bind(column(kept, |((_, name), _)| *name))
    .bind(column(kept, |(_, held)| i64::from(held.quantity.get())))
    .bind(column(kept, |(_, held)| i64::from(held.short)))
    .bind(column(kept, |(_, held)| held.promised_at.map(Time::millis)))
    .bind(column(kept, |(_, held)| held.committed))
    .bind(column(kept, |(_, held)| held.expires_at.map(Time::millis)))
    .bind(column(kept, |(_, held)| held.position))
    .execute(connection)
    .await?;
    Ok(())
}
