//! Edits of orders, and returns.

use serde_json::json;

use super::orders::{CONFIRMED, UNITS};
use crate::{
    answer::Receipt,
    openapi::written::operation::{Operation, post},
    orders::{edits, returns},
};

pub fn operations() -> Vec<Operation> {
    vec![
        post("/v1/orders/{id}/edits", edits::begin, "Begin to edit an order")
            .keyed()
            .example(json!({}))
            .done::<Receipt>(201, "The edit is open; `id` is its own.")
            .refuses(CONFIRMED)
            .refuses(&["order.edit_open", "order.edit_committed", "order.already_shipped", "order.no_terms"]),
        post("/v1/orders/{id}/edits/{edit}/stage", edits::stage, "Say what is to change")
            .more("All of it, each time: what was said before is replaced. Lines are counted from 0.")
            .example(json!({ "changes": [{ "set_quantity": { "line": 0, "quantity": 3 } }, { "add_line": { "sku": "MUG-SEA", "quantity": 1 } }] }))
            .done::<Receipt>(200, "It is staged.")
            .refuses(CONFIRMED)
            .refuses(&[
                "order.no_such_edit",
                "order.edit_ended",
                "order.edit_committed",
                "order.no_such_line",
                "order.empty",
                "order.too_many_lines",
                "order.bad_total",
                "product.unknown_sku",
            ]),
        post("/v1/orders/{id}/edits/{edit}/commit", edits::commit, "Make the changes")
            .more("Stock and payment are asked; where the order gets dearer, a further payment is opened.")
            .example(json!({}))
            .done::<Receipt>(200, "It is being made; the order's page tells when it is.")
            .refuses(CONFIRMED)
            .refuses(&[
                "order.no_such_edit",
                "order.edit_ended",
                "order.nothing_to_edit",
                "order.no_such_line",
                "order.empty",
                "order.too_many_lines",
                "order.bad_total",
                "order.no_terms",
            ]),
        post("/v1/orders/{id}/edits/{edit}/abandon", edits::abandon, "Abandon an edit")
            .example(json!({}))
            .done::<Receipt>(200, "The order stays as it is.")
            .refuses(CONFIRMED)
            .refuses(&["order.no_such_edit", "order.edit_ended", "order.edit_committed"]),
        post("/v1/orders/{id}/returns", returns::request, "Ask to send units back")
            .keyed()
            .example(json!({ "lines": [{ "line": 0, "quantity": 1 }], "reason": "it arrived broken" }))
            .done::<Receipt>(201, "It is asked for; `id` is the return's.")
            .refuses(CONFIRMED)
            .refuses(UNITS)
            .refuses(&["order.return_exists"]),
        post("/v1/orders/{id}/returns/{return}/approve", returns::approve, "Approve a return")
            .example(json!({}))
            .done::<Receipt>(200, "The units may come.")
            .refuses(CONFIRMED)
            .refuses(&["order.no_such_return", "order.return_rejected"]),
        post("/v1/orders/{id}/returns/{return}/reject", returns::reject, "Reject a return")
            .example(json!({ "note": "later than 30 days" }))
            .done::<Receipt>(200, "The units may not come.")
            .refuses(CONFIRMED)
            .refuses(&["order.no_such_return", "order.return_received"]),
        post("/v1/orders/{id}/returns/{return}/receive", returns::receive, "Note what came back")
            .more("A credit note is issued, and the money given back.")
            .example(json!({ "lines": [{ "line": 0, "quantity": 1, "disposition": "restock" }] }))
            .done::<Receipt>(200, "The units came.")
            .refuses(CONFIRMED)
            .refuses(UNITS)
            .refuses(&[
                "order.no_such_return",
                "order.return_not_approved",
                "order.return_rejected",
                "order.return_received",
            ]),
    ]
}
