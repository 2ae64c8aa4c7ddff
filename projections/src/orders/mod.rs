//! Orders and credit notes: how each stands, and what it was placed with.

mod fold;
mod fulfilment;
pub(crate) mod past;
mod query;
mod recent;
mod write;

use async_trait::async_trait;
use domain::{
    AggregateType, AnyEvent,
    cart::Delivery,
    order::{self, CancelReason, Charge, Invoice, Line, Source},
    value::{CustomerId, Money, OrderId, PaymentId, Text, Time},
};
use serde::Serialize;
use sqlx::PgConnection;
use store::{
    follow::{ApplyError, Projection, ReadTable},
    log::{Position, Recorded, Sequence},
};

use crate::{batch::steps, payments, rows::words};

pub use fulfilment::{Edit, LineProgress, Return, ReturnStatus, Shipment};
pub use recent::recent;

/// The follower's name.
pub const NAME: &str = "orders";

words! {
    /// What an entry is.
    #[cfg_attr(feature = "openapi", schema(as = OrderKind))]
    Kind {
        /// Somebody buys.
        Sale = "sale",
        /// Something goes back to a buyer.
        CreditNote = "credit_note",
    }
}

words! {
    /// How far an order has come.
    #[cfg_attr(feature = "openapi", schema(as = OrderStatus))]
    Status {
        /// Placed, not yet certain.
        Placed = "placed",
        /// Placed, and held until somebody has looked at it.
        Held = "held",
        /// Going to be fulfilled.
        Confirmed = "confirmed",
        /// Some of it has left the house.
        PartiallyShipped = "partially_shipped",
        /// All of it has left the house.
        Shipped = "shipped",
        /// All of it has left the house, and some of it has arrived.
        PartiallyDelivered = "partially_delivered",
        /// All of it has arrived.
        Delivered = "delivered",
        /// All that was shipped came back.
        Returned = "returned",
        /// Called off.
        Cancelled = "cancelled",
        /// A credit note, issued.
        Credited = "credited",
    }
}

impl From<order::Status> for Status {
    fn from(status: order::Status) -> Self {
        match status {
            order::Status::Placed => Self::Placed,
            order::Status::Held => Self::Held,
            order::Status::Confirmed => Self::Confirmed,
            order::Status::PartiallyShipped => Self::PartiallyShipped,
            order::Status::Shipped => Self::Shipped,
            order::Status::PartiallyDelivered => Self::PartiallyDelivered,
            order::Status::Delivered => Self::Delivered,
            order::Status::Returned => Self::Returned,
            order::Status::Cancelled => Self::Cancelled,
            order::Status::CreditNote => Self::Credited,
        }
    }
}

/// An order or a credit note.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
    /// Goods; after an applied edit, those of now.
    pub lines: Vec<Line>,
    /// What became of their units, for the lines of which any did.
    pub progress: Vec<LineProgress>,
    /// Everything else on the bill.
    pub charges: Vec<Charge>,
    /// The intent that pays it.
    pub payment: Option<PaymentId>,
    /// How far that payment has come.
    pub payment_status: payments::Status,
    /// What the buyer wanted back of it from their bank, oldest first.
    pub disputes: Vec<payments::Dispute>,
    /// Country name or code as the source gave it.
    pub country: Option<Text>,
    /// Who gets it and where, sealed as the log holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(ignore))]
    pub delivery: Option<Delivery>,
    /// Why it was called off.
    pub cancel_reason: Option<CancelReason>,
    /// What was said about that.
    pub cancel_note: Option<Text>,
    /// Why it is held for review, if it is.
    pub held: Option<Text>,
    /// What left the house, in that order.
    pub shipments: Vec<Shipment>,
    /// What was to come back, in the order of asking.
    pub returns: Vec<Return>,
    /// The edit that is not over.
    pub edit: Option<Edit>,
    /// Its number in the invoice book.
    pub invoice: Option<Invoiced>,
    /// The version of the order's own stream.
    pub version: Sequence,
    /// The last event that changed the order or its payment.
    pub position: Position,
}

/// A number in the invoice book of a year.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invoiced {
    /// Whose book.
    pub year: u16,
    /// The number.
    pub number: u64,
    /// When it was issued, in business time.
    #[serde(with = "store::rfc3339")]
    pub issued_at: Time,
}

impl From<Invoice> for Invoiced {
    fn from(Invoice { year, number, issued_at }: Invoice) -> Self {
        Self { year, number, issued_at }
    }
}

/// An order in a list: everything but its contents, which may be thousands of lines.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = OrderSummary))]
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

    fn follows(&self) -> &'static [AggregateType] {
        &[AggregateType::Order, AggregateType::Payment]
    }

    fn tables(&self) -> &'static [ReadTable] {
        &[ReadTable { name: "orders", key: &["id"] }, ReadTable { name: "payments", key: &["id"] }]
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Recorded]) -> Result<(), ApplyError> {
        let orders = steps(events, AggregateType::Order, |event| match event {
            AnyEvent::Order(event) => Some(event),
            _ => None,
        });
        let payments = steps(events, AggregateType::Payment, |event| match event {
            AnyEvent::Payment(event) => Some(event),
            _ => None,
        });
        write::write(connection, &orders).await?;
        payments::write(connection, &payments).await
    }
}
