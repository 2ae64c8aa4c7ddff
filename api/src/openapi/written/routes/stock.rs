//! Stock, its places and its reservations.

use serde_json::json;

use crate::{
    answer::Receipt,
    inventory::{self, reservations, shelves},
    openapi::written::operation::{Operation, delete, get, post, put},
};
use projections::stock::{Reservation, Stock};

/// What keeps a count from being corrected.
const CORRECTED: &[&str] = &[
    "inventory.too_much",
    "inventory.below_reserved",
    "inventory.below_zero",
    "inventory.too_many_locations",
];

pub fn operations() -> Vec<Operation> {
    vec![
        get("/v1/inventory", inventory::list, "List the stock").list::<Stock>("A page of the stock."),
        get("/v1/inventory/{sku}", inventory::show, "Show the stock of a SKU")
            .page::<Stock>("What is there, held and available.")
            .refuses(&["inventory.not_found"]),
        post("/v1/inventory/{sku}/receive", inventory::receive, "Receive goods")
            .more("Without an `Idempotency-Key` every request is another delivery.")
            .example(json!({ "quantity": 40, "location": "main", "reference": "PO-1042" }))
            .done::<Receipt>(200, "They are on hand.")
            .refuses(&["inventory.too_much", "inventory.too_many_locations"]),
        post("/v1/inventory/{sku}/adjust", inventory::adjust, "Correct the stock by so many units")
            .keyed()
            .example(json!({ "delta": -2, "reason": "damaged", "reference": "shelf 4" }))
            .done::<Receipt>(200, "It is corrected.")
            .refuses(CORRECTED),
        post("/v1/inventory/{sku}/count", shelves::count, "Correct the stock to what was counted")
            .keyed()
            .example(json!({ "counted": 38, "expected": 40 }))
            .done::<Receipt>(200, "So many are on hand there.")
            .refuses(CORRECTED)
            .refuses(&["inventory.count_changed"]),
        post("/v1/inventory/{sku}/transfer", shelves::transfer, "Move units to another place")
            .example(json!({ "from": "main", "to": "shop-floor", "quantity": 5 }))
            .done::<Receipt>(200, "They lie there.")
            .refuses(&[
                "inventory.same_location",
                "inventory.transfer_exists",
                "inventory.insufficient_at",
                "inventory.too_many_locations",
            ]),
        put("/v1/inventory/{sku}/policy", shelves::set_policy, "Say what happens when units run out")
            .example(json!({ "kind": "backorder", "limit": 20, "promised_at": "2030-01-15T00:00:00Z" }))
            .done::<Receipt>(200, "That happens from now on."),
        put("/v1/inventory/{sku}/reorder-point", shelves::set_reorder_point, "Say how few units are few")
            .example(json!({ "units": 10 }))
            .done::<Receipt>(200, "So few are few."),
        get("/v1/inventory/{sku}/reservations", reservations::list, "List what is held of a SKU")
            .list::<Reservation>("A page of reservations."),
        post("/v1/inventory/{sku}/reservations", reservations::reserve, "Hold units")
            .example(json!({ "quantity": 2, "ttl_seconds": 600 }))
            .done::<Receipt>(201, "They are held; `id` is the reservation's.")
            .refuses(&["inventory.insufficient", "inventory.reservation_exists"]),
        delete("/v1/inventory/{sku}/reservations/{id}", reservations::release, "Give held units back")
            .done::<Receipt>(200, "Nothing is held under that name."),
        post(
            "/v1/inventory/{sku}/reservations/{id}/extend",
            reservations::extend,
            "Hold units for longer, once",
        )
        .example(json!({ "ttl_seconds": 600 }))
        .done::<Receipt>(200, "They are held until then.")
        .refuses(&[
            "inventory.reservation_missing",
            "inventory.reservation_expired",
            "inventory.already_extended",
        ]),
        post(
            "/v1/inventory/{sku}/reservations/{id}/allocate",
            reservations::allocate,
            "Hand held units over",
        )
        .done::<Receipt>(200, "They have left the stock, or will as soon as they are there.")
        .refuses(&["inventory.reservation_missing"]),
    ]
}
