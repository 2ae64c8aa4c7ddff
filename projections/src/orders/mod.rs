//! Orders and credit notes: how each stands, and what it was placed with.

mod fold;
mod query;
mod write;

use async_trait::async_trait;
use domain::{
    AnyEvent,
    cart::Delivery,
    order::{CancelReason, Charge, Line, Source},
    value::{CustomerId, Money, OrderId, PaymentId, Text, Time},
};
use serde::Serialize;
use sqlx::PgConnection;
use store::{
    follow::{ApplyError, Projection},
    log::{Position, Recorded, Sequence},
};

use crate::{
    batch::{At, Step},
    payments,
    rows::words,
};

/// The follower's name.
pub const NAME: &str = "orders";

words! {
    /// What an entry is.
    Kind {
        /// Somebody buys.
        Sale = "sale",
        /// Something goes back to a buyer.
        CreditNote = "credit_note",
    }
}

words! {
    /// How far an order has come.
    Status {
        /// Placed, not yet certain.
        Placed = "placed",
        /// Going to be fulfilled.
        Confirmed = "confirmed",
        /// Called off.
        Cancelled = "cancelled",
        /// A credit note, issued.
        Credited = "credited",
    }
}

/// An order or a credit note.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Order {
    /// Its id.
    pub id: OrderId,
    /// Which of the two.
    pub kind: Kind,
    /// How far it has come.
    pub status: Status,
    /// Who buys, unless a guest.
    pub customer: Option<CustomerId>,
    /// Where it came from.
    pub source: Source,
    /// The order that a credit note credits, where it is known.
    pub credits: Option<OrderId>,
    /// When it was placed or issued, in business time.
    #[serde(with = "store::rfc3339")]
    pub placed_at: Time,
    /// The sum of its lines and charges; on a credit note, what the buyer gets.
    pub total: Money,
    /// The sum of the quantities of its lines and charges.
    pub units: i64,
    /// Goods.
    pub lines: Vec<Line>,
    /// Everything else on the bill.
    pub charges: Vec<Charge>,
    /// The intent that pays it.
    pub payment: Option<PaymentId>,
    /// How far that payment has come.
    pub payment_status: payments::Status,
    /// Country name or code as the source gave it.
    pub country: Option<Text>,
    /// Who gets it and where, sealed as the log holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// Why it was called off.
    pub cancel_reason: Option<CancelReason>,
    /// What was said about that.
    pub cancel_note: Option<Text>,
    /// The version of the order's own stream.
    pub version: Sequence,
    /// The last event that changed the order or its payment.
    pub position: Position,
}

/// An order in a list: everything but its contents, which may be thousands of lines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Its id.
    pub id: OrderId,
    /// Sale or credit note.
    pub kind: Kind,
    /// How far it has come.
    pub status: Status,
    /// Who buys, unless a guest.
    pub customer: Option<CustomerId>,
    /// Where it came from.
    pub source: Source,
    /// When it was placed or issued, in business time.
    #[serde(with = "store::rfc3339")]
    pub placed_at: Time,
    /// The sum of its lines and charges; on a credit note, what the buyer gets.
    pub total: Money,
    /// The sum of the quantities of its lines and charges.
    pub units: i64,
    /// How many lines it has.
    pub line_count: i64,
    /// The intent that pays it.
    pub payment: Option<PaymentId>,
    /// How far that payment has come.
    pub payment_status: payments::Status,
    /// Why it was called off.
    pub cancel_reason: Option<CancelReason>,
    /// The version of the order's own stream.
    pub version: Sequence,
    /// The last event that changed the order or its payment.
    pub position: Position,
}

/// Follows orders and payments.
#[derive(Clone, Copy, Debug, Default)]
pub struct Orders;

#[async_trait]
impl Projection for Orders {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError> {
        let (mut orders, mut payments) = (Vec::new(), Vec::new());
        for recorded in events {
            let (id, at) = (&*recorded.stream.id, At::of(recorded));
            match &recorded.event {
                AnyEvent::Order(event) => orders.push(Step { id, event, at }),
                AnyEvent::Payment(event) => payments.push(Step { id, event, at }),
                AnyEvent::Allowance(_)
                | AnyEvent::Cart(_)
                | AnyEvent::Checkout(_)
                | AnyEvent::InventoryItem(_)
                | AnyEvent::Product(_) => {}
            }
        }
        write::write(connection, &orders).await?;
        payments::write(connection, &payments).await
    }

    async fn clear(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM orders").execute(&mut *connection).await?;
        sqlx::query("DELETE FROM payments").execute(connection).await?;
        Ok(())
    }
}
