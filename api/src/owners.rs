//! Whose a cart, an order or a payment is: the first event of its stream says it, and no later one changes it.

use std::sync::Arc;

use domain::{AggregateType, AnyEvent, cart, order, payment, value::CustomerId};
use quick_cache::sync::Cache;
use store::log::{Recorded, StreamId};

use crate::{Shop, access::Kind, awaiting::read, problem::Problem};

/// Streams whose owner is kept; each takes some 200 bytes.
const KEPT_MAX: usize = 100_000;

/// The owners that this process knows; cheap to clone.
#[derive(Clone)]
pub struct Owners(Arc<Cache<StreamId, Option<CustomerId>>>);

impl Default for Owners {
    fn default() -> Self {
        Self(Arc::new(Cache::new(KEPT_MAX)))
    }
}

impl Owners {
    /// Whose it is: `None` where there is no such thing, `Some(None)` where it is nobody's, as carts once were.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub async fn of(&self, shop: &Shop, kind: Kind, id: &str) -> Result<Option<Option<CustomerId>>, Problem> {
        let aggregate_type = match kind {
            Kind::Cart => AggregateType::Cart,
            Kind::Order => AggregateType::Order,
            Kind::Payment => AggregateType::Payment,
            Kind::Subject => return Ok(None),
        };
        let stream = StreamId::new(aggregate_type, id);
        if let Some(owner) = self.0.get(&stream) {
            return Ok(Some(owner));
        }
        let owner = match said(&read(shop, &stream, 0).await?) {
            None => return Ok(None),
            Some(Said::Owner(owner)) => owner,
            Some(Said::OfOrder(order)) => {
                let stream = StreamId::new(AggregateType::Order, order.as_str());
                match said(&read(shop, &stream, 0).await?) {
                    Some(Said::Owner(owner)) => owner,
                    Some(Said::OfOrder(_)) | None => return Ok(None),
                }
            }
        };
        self.0.insert(stream, owner.clone());
        Ok(Some(owner))
    }

    /// Keeps the owner of what this process has made.
    pub fn remember(&self, aggregate_type: AggregateType, id: &str, owner: Option<CustomerId>) {
        self.0.insert(StreamId::new(aggregate_type, id), owner);
    }
}

/// Whose an order is, by the events of its stream; `None` where they do not say, or it is nobody's.
pub fn owner_of_order(recorded: &[Recorded]) -> Option<CustomerId> {
    match said(recorded) {
        Some(Said::Owner(owner)) => owner,
        Some(Said::OfOrder(_)) | None => None,
    }
}

enum Said {
    Owner(Option<CustomerId>),
    OfOrder(domain::value::OrderId),
}

/// What the events of a stream say about its owner.
fn said(recorded: &[Recorded]) -> Option<Said> {
    recorded.iter().flat_map(|recorded| &recorded.events).find_map(|event| match event {
        AnyEvent::Cart(cart::Event::Opened { customer, .. }) => Some(Said::Owner(customer.clone())),
        AnyEvent::Order(order::Event::Placed(placed)) => Some(Said::Owner(placed.customer.clone())),
        AnyEvent::Order(order::Event::CreditNoteIssued(issued)) => Some(Said::Owner(issued.customer.clone())),
        AnyEvent::Payment(payment::Event::IntentOpened { order, .. }) => Some(Said::OfOrder(order.clone())),
        _ => None,
    })
}
