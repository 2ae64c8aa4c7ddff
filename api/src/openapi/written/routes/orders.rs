//! Orders, their reviews and their shipments.

use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    answer::Receipt,
    events::Event,
    openapi::written::operation::{Operation, get, list_of, post},
    orders::{self, Opened, invoice, live, review, shipping},
};
use projections::orders::{Order, Summary};

/// An order that is not there, or that nothing more happens to.
pub const GONE: &[&str] = &["order.not_placed", "order.cancelled", "order.is_credit_note"];
/// The same where it has to be confirmed, and may have been through too much.
pub const CONFIRMED: &[&str] = &[
    "order.not_placed",
    "order.cancelled",
    "order.is_credit_note",
    "order.not_confirmed",
    "order.too_many_steps",
];
/// Lines that are not on the order, or not so many units of them.
pub const UNITS: &[&str] = &["order.empty", "order.no_such_line", "order.too_many_units"];

/// An order's page: the read model's, with its delivery opened.
fn shown(operation: &mut Operation) -> Value {
    let (order, delivery) = (operation.schemas.of::<Order>(), operation.schemas.of::<Opened>());
    let delivery =
        json!({ "oneOf": [{ "type": "null" }, delivery], "description": "Who gets it and where." });
    json!({ "allOf": [order, { "type": "object", "required": ["delivery"], "properties": { "delivery": delivery } }] })
}

/// A message of Server-Sent Events.
pub fn told(event: &str, data: &str) -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string", "description": "Where to go on: `Last-Event-ID`." },
            "event": { "type": "string", "description": format!("`{event}`; not there when nothing is new.") },
            "data": { "type": "string", "contentMediaType": "application/json", "description": data },
        },
    })
}

fn with<T>(mut operation: Operation, schema: impl FnOnce(&mut Operation) -> T) -> (Operation, T) {
    let schema = schema(&mut operation);
    (operation, schema)
}

fn of<T: ToSchema>(operation: &mut Operation) -> Value {
    operation.schemas.of::<T>()
}

pub fn operations() -> Vec<Operation> {
    let (show, page) = with(get("/v1/orders/{id}", orders::show, "Show an order"), shown);
    let (events, event) = with(get("/v1/orders/{id}/events", orders::events, "Audit an order"), of::<Event>);
    let (follow, _) = with(get("/v1/orders/{id}/live", live::follow, "Follow an order"), of::<Event>);
    let (bill, document) =
        with(get("/v1/orders/{id}/invoice", invoice::show, "Show an invoice"), of::<invoice::Document>);
    vec![
        get("/v1/orders", orders::history, "List orders")
            .more("One's own; the staff says whose. The newest first.")
            .list::<Summary>("A page of orders.")
            .refuses(&["auth.forbidden"]),
        show.more("As it is, or with `as_of` as it was: the same page, folded from the log. What has been forgotten since is forgotten in the past too. A time that lies at most a minute ahead is taken for now.")
            .page_with("The order, and whom it goes to.", page)
            .refuses(&["order.not_found", "as_of.malformed", "as_of.ahead"]),
        events
            .more("All that happened to the order, its payments and the managers that looked after it, in the order of the log.")
            .queried_with("Every event.", list_of(&event))
            .refuses(&["order.not_found"]),
        follow
            .more("Server-Sent Events: the order's page at once, and whenever something on it is another. An `id` without data every 15 seconds; ends after 15 minutes.")
            .with_headers(&["LastEventId"])
            .answers_in(200, "The order as it changes.", &["CacheControl"], json!({ "text/event-stream": { "schema": told("order", "The order's page.") } }))
            .refuses(&["order.not_found", "position.malformed", "position.other_log", "read_model.behind", "read_model.parked"]),
        bill.more("Worked out from the order's own events; what is credited has an invoice of its own.")
            .with_headers(&["AcceptInvoice"])
            .answers_in(200, "The document, as JSON or as a page to print.", &["CacheControl"], json!({
                "application/json": { "schema": document },
                "text/html": { "schema": { "type": "string" } },
            }))
            .refuses(&["order.not_found", "order.not_invoiced"]),
        post("/v1/orders/{id}/hold", review::hold, "Hold an order for review")
            .example(json!({ "reason": "the address is new" }))
            .done::<Receipt>(200, "It is held.")
            .refuses(GONE)
            .refuses(&["order.already_confirmed"]),
        post("/v1/orders/{id}/release", review::release, "Let an order go on after its review")
            .example(json!({ "note": "called the buyer" }))
            .done::<Receipt>(200, "It goes on.")
            .refuses(GONE),
        post("/v1/orders/{id}/reject", review::reject, "Call an order off after its review")
            .example(json!({ "note": "a stolen card" }))
            .done::<Receipt>(200, "It is called off.")
            .refuses(GONE)
            .refuses(&["order.not_held", "order.already_confirmed"]),
        post("/v1/orders/{id}/cancel", orders::cancel, "Cancel an order")
            .more("As long as nothing has shipped. What was paid is given back.")
            .example(json!({ "reason": "customer_request" }))
            .done::<Receipt>(200, "It is cancelled.")
            .refuses(&["auth.forbidden", "order.not_placed", "order.is_credit_note", "order.already_shipped"]),
        post("/v1/orders/{id}/cancel-lines", shipping::cancel_lines, "Cancel units of an order")
            .keyed()
            .example(json!({ "lines": [{ "line": 0, "quantity": 1 }] }))
            .done::<Receipt>(200, "They are cancelled.")
            .refuses(CONFIRMED)
            .refuses(UNITS)
            .refuses(&["order.cancellation_exists", "order.edit_committed"]),
        post("/v1/orders/{id}/shipments", shipping::ship, "Ship units of an order")
            .keyed()
            .example(json!({ "carrier": "Royal Mail", "tracking": "AB123456789GB", "lines": [{ "line": 0, "quantity": 1 }] }))
            .done::<Receipt>(201, "They have left the house; `id` is the shipment's.")
            .refuses(CONFIRMED)
            .refuses(UNITS)
            .refuses(&["order.shipment_exists", "order.edit_open", "order.edit_committed"]),
        post("/v1/orders/{id}/shipments/{shipment}/tracking", shipping::change_tracking, "Change what a shipment travels under")
            .example(json!({ "carrier": "DHL", "tracking": "00340434161094042557" }))
            .done::<Receipt>(200, "It travels under that.")
            .refuses(CONFIRMED)
            .refuses(&["order.no_such_shipment"]),
        post("/v1/orders/{id}/shipments/{shipment}/deliver", shipping::deliver, "Note that a shipment has arrived")
            .example(json!({}))
            .done::<Receipt>(200, "It has arrived.")
            .refuses(CONFIRMED)
            .refuses(&["order.no_such_shipment"]),
    ]
}
