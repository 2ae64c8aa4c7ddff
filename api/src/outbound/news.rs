//! What is told of an event to whoever listens by webhook: names, places and amounts, and nothing that is personal.

use domain::{
    AnyEvent, inventory_item,
    order::{self, CancelReason, Transit},
    payment,
    value::Money,
};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::{
    executor::derived_id,
    log::{Meant, Position, Sequence},
    rfc3339,
};
use uuid::Uuid;

/// Everything that a webhook can be about, with a sentence that says when it is sent.
pub const TYPES: &[(&str, &str)] = &[
    ("order.placed", "An order was placed; its stock is not reserved yet."),
    ("order.held", "An order is held until somebody has looked at it."),
    ("order.confirmed", "An order is going to be fulfilled."),
    ("order.shipped", "Units of an order left the house."),
    ("order.in_transit", "The carrier moves a shipment."),
    ("order.exception", "The carrier met a difficulty with a shipment."),
    ("order.delivered", "A shipment arrived."),
    ("order.lines_cancelled", "Units of an order were called off."),
    ("order.cancelled", "An order was called off."),
    ("order.returned", "Units came back."),
    ("payment.authorized", "The gateway holds the amount of a payment."),
    ("payment.declined", "The gateway does not hold it."),
    ("payment.captured", "Money was taken."),
    ("payment.refunded", "Money was given back."),
    ("payment.disputed", "A buyer wants money back from their bank."),
    ("payment.dispute_won", "The shop keeps what was disputed."),
    ("payment.dispute_lost", "The buyer keeps what was disputed."),
    ("inventory.low", "Fewer units are available than the reorder point."),
];

/// What is told of an event.
#[derive(Clone, Debug, PartialEq)]
pub struct News {
    /// One of [`TYPES`].
    pub kind: &'static str,
    /// What it says beside where it comes from.
    pub told: Map<String, Value>,
}

/// A webhook's body.
#[derive(Serialize)]
struct Payload<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    timestamp: String,
    data: Value,
}

/// Where the events that people hear of come from that another system wrote.
const IMPORTED: &str = "import:";

/// Whether an event was brought from another system: it happened long ago, and nobody is told of it.
#[must_use]
pub fn is_imported(meant: Meant<'_>) -> bool {
    meant.recorded.metadata.actor.starts_with(IMPORTED)
}

/// What a receiver knows the message about an event by.
#[must_use]
pub fn message_id(meant: Meant<'_>, kind: &str) -> Uuid {
    derived_id(meant.id(), kind, 0)
}

impl News {
    /// What is told of an event, if anything is.
    #[must_use]
    pub fn of(meant: Meant<'_>) -> Option<Self> {
        let id = &meant.recorded.stream.id;
        let (kind, of, told) = match meant.event {
            AnyEvent::Order(event) => {
                let (kind, told) = of_order(event)?;
                (kind, json!({ "order": id }), told)
            }
            AnyEvent::Payment(event) => {
                let (kind, told) = of_payment(event)?;
                (kind, json!({ "payment": id }), told)
            }
            AnyEvent::InventoryItem(inventory_item::Event::LowStock { available, reorder_point }) => {
                let told = json!({ "available": available, "reorder_point": reorder_point });
                ("inventory.low", json!({ "sku": id }), told)
            }
            _ => return None,
        };
        let mut all = Map::new();
        for part in [of, told] {
            if let Value::Object(part) = part {
                all.extend(part.into_iter().filter(|(_, value)| !value.is_null()));
            }
        }
        Some(Self { kind, told: all })
    }

    /// The body of the webhook: the same text each time it is sent.
    #[must_use]
    pub fn payload(&self, meant: Meant<'_>) -> String {
        #[derive(Serialize)]
        struct Place {
            position: Position,
            version: Sequence,
        }
        let mut data = self.told.clone();
        let place = Place { position: meant.recorded.position, version: meant.recorded.sequence };
        data.insert("position".into(), place.position.into());
        data.insert("version".into(), place.version.into());
        let timestamp = rfc3339::format(meant.recorded.metadata.occurred_at);
        json_of(&Payload { kind: self.kind, timestamp, data: data.into() })
    }
}

fn json_of(payload: &Payload<'_>) -> String {
    // Texts, numbers and maps with text keys always are JSON.
    serde_json::to_string(payload).unwrap_or_default()
}

fn of_order(event: &order::Event) -> Option<(&'static str, Value)> {
    use order::Event as E;
    Some(match event {
        E::Placed(placed) => {
            let told = json!({
                "status": "placed", "total": placed.total,
                "payment": placed.payment.as_ref().map(|terms| &terms.payment),
                "lines": placed.lines.len(),
            });
            ("order.placed", told)
        }
        E::HeldForReview { .. } => ("order.held", json!({ "status": "held" })),
        E::Confirmed { terms, total, .. } => {
            let payment = terms.as_ref().map(|terms| &terms.payment);
            ("order.confirmed", json!({ "status": "confirmed", "total": total, "payment": payment }))
        }
        E::Shipped { shipment, value, complete, lines, .. } => {
            let status = if *complete { "shipped" } else { "partially_shipped" };
            (
                "order.shipped",
                json!({ "status": status, "shipment": shipment, "value": value, "lines": lines }),
            )
        }
        E::TransitNoted { shipment, transit } => {
            let kind = match transit {
                Transit::InTransit => "order.in_transit",
                Transit::Exception => "order.exception",
            };
            (kind, json!({ "shipment": shipment }))
        }
        E::Delivered { shipment, value, complete, .. } => {
            let status = if *complete { "delivered" } else { "partially_delivered" };
            ("order.delivered", json!({ "status": status, "shipment": shipment, "value": value }))
        }
        E::LinesCancelled { cancellation, lines, value, .. } => {
            ("order.lines_cancelled", json!({ "cancellation": cancellation, "lines": lines, "value": value }))
        }
        E::Cancelled { reason, value, .. } => (
            "order.cancelled",
            json!({ "status": "cancelled", "reason": reason_of(*reason), "value": value }),
        ),
        E::ReturnReceived { return_id, lines, value, .. } => {
            ("order.returned", json!({ "return": return_id, "lines": lines, "value": value }))
        }
        _ => return None,
    })
}

fn reason_of(reason: CancelReason) -> Value {
    serde_json::to_value(reason).unwrap_or(Value::Null)
}

fn of_payment(event: &payment::Event) -> Option<(&'static str, Value)> {
    use payment::Event as E;
    let about = |order: &domain::value::OrderId, amount: &Money| json!({ "order": order, "amount": amount });
    Some(match event {
        E::Authorized { order, amount, .. } => ("payment.authorized", about(order, amount)),
        E::Declined { order, .. } => ("payment.declined", json!({ "order": order })),
        E::Captured { order, capture, amount } => {
            ("payment.captured", json!({ "order": order, "amount": amount, "capture": capture }))
        }
        E::Refunded { order, refund, amount } => {
            ("payment.refunded", json!({ "order": order, "amount": amount, "refund": refund }))
        }
        E::DisputeOpened { order, dispute, amount, reason } => (
            "payment.disputed",
            json!({ "order": order, "amount": amount, "dispute": dispute, "reason": reason }),
        ),
        E::DisputeWon { order, dispute, amount } => {
            ("payment.dispute_won", json!({ "order": order, "amount": amount, "dispute": dispute }))
        }
        E::DisputeLost { order, dispute, amount } => {
            ("payment.dispute_lost", json!({ "order": order, "amount": amount, "dispute": dispute }))
        }
        _ => return None,
    })
}
