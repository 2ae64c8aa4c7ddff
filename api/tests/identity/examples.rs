//! A request for every route, to be sent by everybody.

use serde_json::{Value, json};

use crate::people::PASSWORD;

/// What a route's path and body name.
pub struct Names {
    pub cart: String,
    pub order: String,
    pub payment: String,
    pub subject: String,
}

/// A request that would be taken, or refused for what it says, from whoever may use the route.
pub struct Example {
    pub method: &'static str,
    /// As the access table has it.
    pub route: &'static str,
    pub body: Value,
}

impl Names {
    /// The path, with something in place of each parameter.
    pub fn path(&self, route: &str) -> String {
        let id = match route.split('/').nth(2) {
            Some("carts") => &self.cart,
            Some("orders") => &self.order,
            Some("payments") => &self.payment,
            _ => "some",
        };
        let path = route.replace("{id}", id).replace("{subject}", &self.subject).replace("{sku}", "MUG");
        let path = path.replace("{address}", NOBODY).replace("{account}", NOBODY).replace("{method}", NOBODY);
        let others = ["{shipment}", "{edit}", "{return}"];
        others.iter().fold(path, |path, parameter| path.replace(parameter, "some"))
    }
}

const NOBODY: &str = "01a20000-0000-7000-8000-000000000000";

fn of(method: &'static str, route: &'static str, body: Value) -> Example {
    Example { method, route, body }
}

/// One for every route; what ends something for good stands last.
pub fn all(names: &Names) -> Vec<Example> {
    let unit = json!({ "quantity": 1 });
    let lines = json!([{ "line": 0, "quantity": 1 }]);
    let address = json!({ "lines": ["12 Ledger Lane"], "city": "London", "country": "GB" });
    let nothing = || json!({});
    let email = "nobody@example.com";
    let login = json!({ "email": email, "password": PASSWORD });
    let token = json!({ "token": "some" });
    let check_out = crate::support::buyer(&names.cart, "card");
    let listing =
        json!({ "title": "A mug", "variants": [{ "sku": "MUG", "price": crate::support::gbp(900) }] });
    vec![
        of("GET", "/v1/products", nothing()),
        of("POST", "/v1/products", listing),
        of("GET", "/v1/products/suggest", nothing()),
        of("GET", "/v1/products/{id}", nothing()),
        of("PUT", "/v1/products/{id}/prices/{sku}", json!({ "price": crate::support::gbp(900) })),
        of("POST", "/v1/carts", json!({ "currency": "GBP" })),
        of("GET", "/v1/carts/{id}", nothing()),
        of("POST", "/v1/carts/{id}/items", json!({ "sku": "MUG", "quantity": 1 })),
        of("PUT", "/v1/carts/{id}/items/{sku}", unit.clone()),
        of("DELETE", "/v1/carts/{id}/items/{sku}", nothing()),
        of("POST", "/v1/carts/{id}/accept-prices", nothing()),
        of("POST", "/v1/carts/{id}/quote", json!({ "country": "GB" })),
        of("POST", "/v1/carts/{id}/merge", json!({ "into": "some" })),
        of("POST", "/v1/checkouts", check_out),
        of("GET", "/v1/orders", nothing()),
        of("GET", "/v1/orders/{id}", nothing()),
        of("GET", "/v1/orders/{id}/events", nothing()),
        of("GET", "/v1/orders/{id}/live", nothing()),
        of("GET", "/v1/orders/{id}/invoice", nothing()),
        of("POST", "/v1/orders/{id}/hold", json!({ "reason": "odd" })),
        of("POST", "/v1/orders/{id}/release", nothing()),
        of("POST", "/v1/orders/{id}/reject", nothing()),
        of("POST", "/v1/orders/{id}/edits", nothing()),
        of("POST", "/v1/orders/{id}/edits/{edit}/stage", json!({ "changes": [] })),
        of("POST", "/v1/orders/{id}/edits/{edit}/commit", nothing()),
        of("POST", "/v1/orders/{id}/edits/{edit}/abandon", nothing()),
        of("POST", "/v1/orders/{id}/shipments", json!({ "carrier": "post", "lines": lines })),
        of("POST", "/v1/orders/{id}/shipments/{shipment}/tracking", json!({ "carrier": "post" })),
        of("POST", "/v1/orders/{id}/shipments/{shipment}/deliver", nothing()),
        of("POST", "/v1/orders/{id}/returns", json!({ "lines": lines, "reason": "broken" })),
        of("POST", "/v1/orders/{id}/returns/{return}/approve", nothing()),
        of("POST", "/v1/orders/{id}/returns/{return}/reject", nothing()),
        of("POST", "/v1/orders/{id}/returns/{return}/receive", json!({ "lines": [] })),
        of("POST", "/v1/orders/{id}/cancel-lines", json!({ "lines": lines })),
        of("POST", "/v1/orders/{id}/cancel", nothing()),
        of("GET", "/v1/payments/{id}", nothing()),
        of("POST", "/v1/payments/{id}/authorize", json!({ "token": "tok_approve" })),
        of("POST", "/v1/payments/{id}/capture", nothing()),
        of("POST", "/v1/payments/{id}/void", nothing()),
        of("POST", "/v1/payments/{id}/refund", json!({ "reason": "kind" })),
        of("GET", "/v1/inventory", nothing()),
        of("GET", "/v1/inventory/{sku}", nothing()),
        of("POST", "/v1/inventory/{sku}/receive", unit.clone()),
        of("POST", "/v1/inventory/{sku}/adjust", json!({ "delta": 1, "reason": "found" })),
        of("POST", "/v1/inventory/{sku}/count", json!({ "counted": 5 })),
        of("POST", "/v1/inventory/{sku}/transfer", json!({ "from": "main", "to": "back", "quantity": 1 })),
        of("PUT", "/v1/inventory/{sku}/policy", json!({ "kind": "deny" })),
        of("PUT", "/v1/inventory/{sku}/reorder-point", json!({ "units": 1 })),
        of("GET", "/v1/inventory/{sku}/reservations", nothing()),
        of("POST", "/v1/inventory/{sku}/reservations", unit),
        of("POST", "/v1/inventory/{sku}/reservations/{id}/extend", json!({ "ttl_seconds": 60 })),
        of("POST", "/v1/inventory/{sku}/reservations/{id}/allocate", nothing()),
        of("DELETE", "/v1/inventory/{sku}/reservations/{id}", nothing()),
        of(
            "POST",
            "/v1/commands",
            json!({ "key": "k", "aggregate_type": "cart", "aggregate_id": "c", "command": {} }),
        ),
        of("GET", "/v1/events", nothing()),
        of("GET", "/v1/webhook-endpoints", nothing()),
        of("POST", "/v1/webhook-endpoints", json!({ "url": "https://receiver.example/hook" })),
        of("GET", "/v1/webhook-endpoints/{id}", nothing()),
        of("PATCH", "/v1/webhook-endpoints/{id}", nothing()),
        of("POST", "/v1/webhook-endpoints/{id}/rotate-secret", nothing()),
        of("POST", "/v1/webhook-endpoints/{id}/replay", nothing()),
        of("DELETE", "/v1/webhook-endpoints/{id}", nothing()),
        of("GET", "/v1/webhook-deliveries", nothing()),
        of("GET", "/v1/webhook-deliveries/{id}", nothing()),
        of("POST", "/v1/webhook-deliveries/{id}/replay", nothing()),
        of("GET", "/v1/notices", nothing()),
        of("GET", "/v1/notices/{id}", nothing()),
        of("POST", "/v1/notices/{id}/replay", nothing()),
        of("POST", "/v1/webhooks/carriers/{carrier}", nothing()),
        of("POST", "/v1/webhooks/stripe", nothing()),
        of("GET", "/healthz", nothing()),
        of("GET", "/readyz", nothing()),
        of("GET", "/metrics", nothing()),
        of("GET", "/openapi.json", nothing()),
        of("GET", "/asyncapi.json", nothing()),
        of("GET", "/docs", nothing()),
        of("GET", "/.well-known/jwks.json", nothing()),
        of("POST", "/v1/auth/register", json!({ "email": email, "password": "short" })),
        of("POST", "/v1/auth/login", login),
        of("POST", "/v1/auth/refresh", json!({ "refresh_token": "some" })),
        of("POST", "/v1/auth/guest", nothing()),
        of("POST", "/v1/auth/logout", nothing()),
        of("POST", "/v1/auth/logout-all", nothing()),
        of("POST", "/v1/auth/password/forgotten", json!({ "email": email })),
        of("POST", "/v1/auth/password/reset", json!({ "token": "some", "password": PASSWORD })),
        of("POST", "/v1/auth/email/verify", token),
        of("GET", "/v1/me", nothing()),
        of("PATCH", "/v1/me", nothing()),
        of("PUT", "/v1/me/password", json!({ "old": PASSWORD, "new": PASSWORD })),
        of("POST", "/v1/me/email/verification", nothing()),
        of("GET", "/v1/me/addresses", nothing()),
        of("POST", "/v1/me/addresses", json!({ "address": address })),
        of("PUT", "/v1/me/addresses/{address}", json!({ "address": address })),
        of("DELETE", "/v1/me/addresses/{address}", nothing()),
        of("GET", "/v1/me/payment-methods", nothing()),
        of("DELETE", "/v1/me/payment-methods/{method}", nothing()),
        of("POST", "/v1/me/second-factor", json!({ "password": PASSWORD })),
        of("POST", "/v1/me/second-factor/confirm", json!({ "code": "000000" })),
        of("POST", "/v1/me/second-factor/remove", json!({ "password": PASSWORD, "code": "000000" })),
        of("GET", "/v1/accounts", nothing()),
        of("POST", "/v1/accounts", json!({ "email": email, "password": "short", "role": "staff" })),
        of("PATCH", "/v1/accounts/{account}", nothing()),
        of("POST", "/v1/subjects/{subject}/forget", nothing()),
    ]
}
