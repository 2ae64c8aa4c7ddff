//! An order's page as it was at a moment.

use std::collections::BTreeSet;

use domain::{
    AggregateType, AnyEvent, order,
    value::{OrderId, PaymentId},
};
use store::{
    executor::Token,
    follow::ApplyError,
    history::Moment,
    log::{Head, Log, LogError, Recorded, StreamId},
};

use crate::{
    Fresh, QueryError, ReadModels,
    orders::{Order, past},
};

/// Why it cannot be told how an order was.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The read model does not say which payments there are.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// What the events come to cannot be written.
    #[error("an order's page cannot be folded: {0:?}")]
    Fold(ApplyError),
}

impl ReadModels {
    /// An order or credit note as it was at a moment of a log that stands at `head`; `None` when there was none of that id.
    ///
    /// Its streams are read from the log and folded as their rows are. Payments that the order does not name itself are
    /// looked up in the read model: which order a payment is for never changes.
    ///
    /// # Errors
    /// When the log or the read model cannot be read.
    pub async fn order_as_of(
        &self,
        log: &dyn Log,
        id: &OrderId,
        (moment, head): (Moment, &Head),
    ) -> Result<Fresh<Option<Order>>, PastError> {
        let own = log.recorded(&StreamId::new(AggregateType::Order, id.as_str()), 0).await?;
        let mut names: BTreeSet<String> =
            own.iter().flat_map(named).map(|payment| payment.to_string()).collect();
        if !own.is_empty() {
            names.extend(self.payments_of(id).await?);
        }
        let mut payments = Vec::new();
        for name in names {
            payments.extend(log.recorded(&StreamId::new(AggregateType::Payment, &name), 0).await?);
        }
        let told = past::told(id, (&own, &payments), |recorded| moment.counts(recorded));
        let past::Told { order, stale_since } = told.map_err(PastError::Fold)?;
        let position = match moment {
            Moment::Position(position) => position.min(head.position),
            Moment::Now | Moment::Time(_) | Moment::Sequence(_) => head.position,
        };
        // As beside a row whose stream was set aside: nothing is claimed from there on.
        let position = stale_since.map_or(position, |since| position.min(since - 1));
        let reflects = Token { incarnation: head.incarnation, position };
        Ok(Fresh { value: order, reflects, stale_since })
    }
}

fn named(recorded: &Recorded) -> impl Iterator<Item = PaymentId> {
    recorded.events.iter().filter_map(|event| match event {
        AnyEvent::Order(order::Event::Placed(placed)) => {
            placed.payment.as_ref().map(|terms| terms.payment.clone())
        }
        AnyEvent::Order(order::Event::EditCommitted { payment, .. }) => payment.clone(),
        _ => None,
    })
}
