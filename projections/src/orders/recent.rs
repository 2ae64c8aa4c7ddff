//! The page of an order of late, made of events in memory: nobody waits for its rows.

use domain::{
    AggregateType, AnyEvent,
    order::Event,
    value::{OrderId, PaymentId},
};
use store::log::{Recorded, StreamId};

use super::{
    Order,
    past::{Told, told},
};
use crate::{
    Fresh,
    hot::{Based, Newest},
};

/// The page, if everything that ever happened to the order and to its payment is among the newest events. Which payment that
/// is, the order says; where it does not, its read model knows.
#[must_use]
pub fn recent(newest: &Newest<'_>, id: &OrderId) -> Option<Based<Option<Order>>> {
    let order = StreamId::new(AggregateType::Order, id.as_str());
    let own = newest.whole(&order)?;
    let payment = StreamId::new(AggregateType::Payment, own.iter().find_map(payment)?.as_str());
    let payments = newest.whole(&payment)?;
    let Told { order: page, stale_since } = told(id, (&own, &payments), |_| true).ok()?;
    let page = page.filter(|_| stale_since.is_none())?;
    Some(Based {
        fresh: Fresh::seen(Some(page), &newest.seen()),
        basis: Some(newest.basis(vec![order, payment])),
    })
}

fn payment(recorded: &Recorded) -> Option<&PaymentId> {
    recorded.events.iter().find_map(|event| match event {
        AnyEvent::Order(Event::Placed(placed)) => placed.payment.as_ref().map(|terms| &terms.payment),
        _ => None,
    })
}
