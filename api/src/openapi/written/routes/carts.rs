//! Carts, quotes and the checkout.

use serde_json::{Value, json};

use crate::{
    answer::Receipt,
    carts::{self, merge::Merged},
    checkouts,
    openapi::written::operation::{Operation, delete, get, post, put},
    quotes,
};
use projections::carts::Cart;

/// A cart that takes no changes any more.
const CLOSED: &[&str] = &["cart.not_open", "cart.already_checked_out", "cart.expired", "cart.merged"];
/// What keeps units out of a cart.
const UNITS: &[&str] = &["cart.too_many_units", "cart.purchase_limit", "cart.bad_total"];
/// What keeps a line out of a cart.
const LINE: &[&str] = &["product.unknown_sku", "cart.currency_mismatch", "cart.too_many_lines"];
/// What cannot be shipped, or not there.
const SHIPPING: &[&str] = &["checkout.no_tables", "checkout.not_shipped_there", "checkout.too_much_to_ship"];

pub fn operations() -> Vec<Operation> {
    vec![
        post("/v1/carts", carts::open, "Open a cart")
            .more("A guest's or customer's own; the staff says whose.")
            .example(json!({ "currency": "GBP" }))
            .done::<Receipt>(201, "The cart is open.")
            .refuses(&["auth.forbidden", "cart.already_open"]),
        get("/v1/carts/{id}", carts::show, "Show a cart")
            .page::<Cart>("The cart with its lines and what they cost.")
            .refuses(&["cart.not_found"]),
        post("/v1/carts/{id}/items", carts::add, "Put units into a cart")
            .more("At the catalogue's price of now. Units of a SKU that is there already are added to its line.")
            .example(json!({ "sku": "MUG-SEA", "quantity": 2 }))
            .done::<Receipt>(200, "They are in the cart.")
            .refuses(CLOSED)
            .refuses(UNITS)
            .refuses(LINE),
        put("/v1/carts/{id}/items/{sku}", carts::set, "Set how many units of a SKU a cart holds")
            .more("A SKU that is not in the cart is put there.")
            .example(json!({ "quantity": 3 }))
            .done::<Receipt>(200, "The cart holds so many.")
            .refuses(CLOSED)
            .refuses(UNITS)
            .refuses(LINE),
        delete("/v1/carts/{id}/items/{sku}", carts::remove, "Take a SKU out of a cart")
            .done::<Receipt>(200, "The cart holds none of it.")
            .refuses(CLOSED),
        post("/v1/carts/{id}/accept-prices", carts::accept_prices, "Accept the prices of now")
            .more("After `cart.price_changed`: the lines get the catalogue's prices.")
            .example(json!({}))
            .done::<Receipt>(200, "The lines have the prices of now.")
            .refuses(CLOSED)
            .refuses(&["cart.currency_mismatch", "cart.bad_total"]),
        post("/v1/carts/{id}/quote", quotes::show, "Quote tax and shipping")
            .more("Changes nothing.")
            .example(json!({ "country": "GB", "shipping": "standard" }))
            .queried::<quotes::Answer>("What the cart comes to.")
            .refuses(&["cart.not_open", "cart.bad_total"])
            .refuses(SHIPPING),
        post("/v1/carts/{id}/merge", carts::merge, "Put a guest's cart into a customer's")
            .more("By the customer, with the token that they had as a guest; or by the staff, who say whose it is.")
            .example(json!({ "into": "0192f1a0-7c1e-7a54-9b0e-6a1de0d0a001", "guest_token": "eyJ…" }))
            .done::<Merged>(200, "The other cart took what it had room for.")
            .done::<Receipt>(202, "The other cart has not answered yet; its page tells.")
            .refuses(CLOSED)
            .refuses(&[
                "auth.forbidden",
                "auth.guest_token",
                "cart.not_found",
                "cart.not_a_guest_cart",
                "cart.merge_declined",
            ]),
    ]
}

fn buyer() -> Value {
    json!({
        "cart": "0192f1a0-7c1e-7a54-9b0e-6a1de0d0a001",
        "contact": { "name": "Ada Lovelace", "email": "ada@example.com" },
        "address": { "lines": ["12 St James's Square"], "city": "London", "postcode": "SW1Y 4JH", "country": "GB" },
        "method": "card",
    })
}

pub fn checkout() -> Vec<Operation> {
    let create = post("/v1/checkouts", checkouts::create, "Check a cart out")
        .more("Waits until the stock is reserved, two seconds or as long as `Prefer: wait=` says.")
        .keyed()
        .example(buyer())
        .done::<checkouts::Answer>(
            201,
            "Everything is reserved; the payment is to be authorized, where there is one.",
        )
        .done::<checkouts::Answer>(202, "Not decided yet; the order's page tells.")
        .refuses(CLOSED)
        .refuses(SHIPPING)
        .refuses(&[
            "auth.forbidden",
            "cart.not_found",
            "cart.empty",
            "cart.price_changed",
            "cart.too_many_units",
            "cart.purchase_limit",
            "cart.bad_quote",
            "cart.bad_total",
            "cart.total_changed",
            "checkout.failed",
            "inventory.insufficient",
            "order.cancelled",
            "payment.method_unavailable",
            "subject.forgotten",
        ]);
    vec![create]
}
