//! An order's page out of events alone, folded as its rows are.

use std::collections::BTreeMap;

use domain::{
    AggregateType, AnyEvent, order, payment,
    value::{OrderId, PaymentId},
};
use serde::de::DeserializeOwned;
use store::{
    follow::ApplyError,
    log::{Position, Recorded},
};

use super::{
    Invoiced, Order,
    fold::{Placed, Row, apply},
};
use crate::{
    batch::{At, Step, Versioned, fold, steps},
    payments,
};

/// A page, and the first event of those that count which cannot be applied: everything from there on is left out of its
/// stream, as in the read model that sets it aside.
pub(crate) struct Told {
    pub order: Option<Order>,
    pub stale_since: Option<Position>,
}

/// The page of an order from its own events and those of its payments, as far as they count.
///
/// # Errors
/// When a document that the fold wrote cannot be read.
pub(crate) fn told(
    id: &OrderId,
    (own, payments): (&[Recorded], &[Recorded]),
    counts: impl Fn(&Recorded) -> bool,
) -> Result<Told, ApplyError> {
    let counted = &counts;
    let (mut orders, stale) = rows((AggregateType::Order, own), counted, of_order, apply);
    let (paid, paid_stale) = rows((AggregateType::Payment, payments), counted, of_payment, payments::apply);
    let order = orders.remove(id.as_str()).map(|row| order_of(id, row, &paid)).transpose()?;
    Ok(Told { order, stale_since: stale.into_iter().chain(paid_stale).min() })
}

const fn of_order(event: &AnyEvent) -> Option<&order::Event> {
    match event {
        AnyEvent::Order(event) => Some(event),
        _ => None,
    }
}

const fn of_payment(event: &AnyEvent) -> Option<&payment::Event> {
    match event {
        AnyEvent::Payment(event) => Some(event),
        _ => None,
    }
}

/// The rows after the events that count. One that does not count and stands before others of its stream that do is as if it
/// meant nothing; what cannot be applied for want of such a one is passed over as well.
fn rows<'e, E: 'e, R: Versioned + Clone>(
    (aggregate_type, events): (AggregateType, &'e [Recorded]),
    counts: &impl Fn(&Recorded) -> bool,
    its: impl Fn(&'e AnyEvent) -> Option<&'e E> + Copy,
    apply: impl Fn(Option<R>, &E, At) -> Result<R, ApplyError> + Copy,
) -> (BTreeMap<String, R>, Option<Position>) {
    let (mut rows, mut stale_since) = (BTreeMap::new(), None);
    for stream in events.chunk_by(|one, next| one.stream == next.stream) {
        let last = stream.iter().rposition(counts).map_or(0, |last| last + 1);
        let mut with_holes = false;
        for recorded in stream.iter().take(last) {
            let counted = counts(recorded);
            with_holes |= !counted;
            let id = &*recorded.stream.id;
            let before = rows.get(id).cloned();
            let steps = steps(&[recorded], aggregate_type, its);
            let applied =
                if counted { fold(&mut rows, &steps, apply) } else { nothing(&mut rows, &steps, apply) };
            if applied.is_ok() {
                continue;
            }
            rows.remove(id);
            rows.extend(before.map(|row| (id.to_owned(), row)));
            if !with_holes {
                stale_since = stale_since.into_iter().chain([recorded.position]).min();
                break;
            }
            // Where even the place does not follow, the row stays as it is.
            let _ = nothing(&mut rows, &steps, apply);
        }
    }
    (rows, stale_since)
}

/// Moves the row's version on, whatever the event says.
fn nothing<E, R: Versioned>(
    rows: &mut BTreeMap<String, R>,
    steps: &[Step<'_, E>],
    apply: impl Fn(Option<R>, &E, At) -> Result<R, ApplyError>,
) -> Result<(), ApplyError> {
    match steps.first() {
        Some(Step { id, at, .. }) => fold(rows, &[Step { id, event: None, at: *at }], apply),
        None => Ok(()),
    }
}

/// What a query makes of the rows.
fn order_of(id: &OrderId, row: Row, payments: &BTreeMap<String, payments::Row>) -> Result<Order, ApplyError> {
    let Some(placed) = row.placed else {
        return Err(ApplyError::Poison("the order was never placed".to_owned()));
    };
    let Placed { payment, .. } = &*placed;
    let of_this = payments.iter().filter(|(name, paid)| {
        paid.order == *id && payment.as_ref().is_none_or(|payment| payment.as_str() == name.as_str())
    });
    // The payment that the order names, or else the newest one that names the order.
    let paid = of_this.max_by_key(|(_, paid)| paid.opened_at);
    let payment = match (placed.payment, paid) {
        (Some(payment), _) => Some(payment),
        (None, Some((name, _))) => {
            Some(PaymentId::new(name.as_str()).map_err(|error| ApplyError::poison(&error))?)
        }
        (None, None) => None,
    };
    Ok(Order {
        id: id.clone(),
        kind: placed.kind,
        status: row.status,
        customer: placed.customer,
        source: placed.source,
        credits: placed.credits,
        placed_at: placed.placed_at,
        total: placed.total,
        units: placed.units,
        lines: read(&placed.lines)?,
        progress: row.fulfilment.progress.lines(),
        charges: read(&placed.charges)?,
        payment,
        payment_status: paid.map_or(payments::Status::None, |(_, paid)| paid.status),
        disputes: paid.map(|(_, paid)| paid.disputes.clone()).unwrap_or_default(),
        country: placed.country,
        delivery: placed.delivery.as_deref().map(read).transpose()?,
        cancel_reason: row.cancel_reason,
        cancel_note: row.cancel_note,
        held: row.fulfilment.progress.held,
        shipments: row.fulfilment.shipments,
        returns: row.fulfilment.returns,
        edit: row.fulfilment.progress.edit,
        invoice: row.fulfilment.progress.invoice.map(Invoiced::from),
        version: row.version,
        position: paid.map_or(row.position, |(_, paid)| row.position.max(paid.position)),
    })
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T, ApplyError> {
    serde_json::from_str(text).map_err(|error| ApplyError::poison(&error))
}
