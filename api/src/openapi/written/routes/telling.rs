//! Webhooks in both directions, and notices.

use serde_json::{Value, json};

use crate::{
    carriers,
    notices::{deliveries, endpoints},
    openapi::written::operation::{Operation, delete, get, patch, post},
    outbound::{errands::Listed, webhooks::Endpoint},
    webhooks,
};

/// An endpoint together with the secret that it is told once.
fn with_secret(operation: &mut Operation) -> Value {
    let endpoint = operation.schemas.of::<Endpoint>();
    let secret =
        json!({ "type": "string", "pattern": "^whsec_", "description": "What signs; it is told this once." });
    json!({ "allOf": [endpoint, { "type": "object", "properties": { "secret": secret } }] })
}

pub fn operations() -> Vec<Operation> {
    let mut register = post("/v1/webhook-endpoints", endpoints::register, "Register an endpoint").example(
        json!({ "url": "https://receiver.example/hook", "types": ["order.confirmed", "order.shipped"] }),
    );
    let told = with_secret(&mut register);
    let mut rotate = post(
        "/v1/webhook-endpoints/{id}/rotate-secret",
        endpoints::rotate,
        "Give an endpoint another secret",
    );
    let _ = with_secret(&mut rotate);
    let replayed = json!({
        "type": "object",
        "required": ["id", "replayed", "has_more", "next_from"],
        "properties": {
            "id": { "type": "string", "format": "uuid" },
            "replayed": { "type": "integer", "minimum": 0, "description": "How many are sent again." },
            "has_more": { "type": "boolean", "description": "Whether there are more: ask again from `next_from`." },
            "next_from": { "type": ["string", "null"], "format": "date-time" },
        },
    });
    vec![
        get("/v1/webhook-endpoints", endpoints::list, "List endpoints")
            .plain_list::<Endpoint>("All of them."),
        register
            .created_with("The endpoint, with its secret unless this is a repeat.", told.clone())
            .refuses(&["webhook.url_refused", "webhook.too_many_endpoints", "subject.forgotten"]),
        get("/v1/webhook-endpoints/{id}", endpoints::show, "Show an endpoint")
            .answers::<Endpoint>(200, "The endpoint.")
            .refuses(&["webhook.endpoint_not_found"]),
        patch("/v1/webhook-endpoints/{id}", endpoints::change, "Change an endpoint")
            .more("What is not named stays.")
            .example(json!({ "enabled": true }))
            .answers::<Endpoint>(200, "The endpoint as it is now.")
            .refuses(&["webhook.endpoint_not_found", "webhook.url_refused"]),
        delete("/v1/webhook-endpoints/{id}", endpoints::remove, "Remove an endpoint")
            .answers_nothing(204, "It is told nothing any more.")
            .refuses(&["webhook.endpoint_not_found"]),
        rotate
            .more("The one before signs as well for a day.")
            .example(json!({}))
            .answers_with(200, "The endpoint, with its new secret.", told)
            .refuses(&["webhook.endpoint_not_found"]),
        post(
            "/v1/webhook-endpoints/{id}/replay",
            deliveries::replay_all,
            "Send an endpoint's deliveries again",
        )
        .example(json!({ "from": "2030-01-01T00:00:00Z", "to": "2030-01-02T00:00:00Z" }))
        .answers_with(202, "They are sent again.", replayed)
        .refuses(&["webhook.endpoint_not_found", "webhook.endpoint_disabled"]),
        get("/v1/webhook-deliveries", deliveries::list_webhooks, "List deliveries")
            .plain_list::<Listed>("A page of deliveries, the newest first."),
        get("/v1/webhook-deliveries/{id}", deliveries::show_webhook, "Show a delivery")
            .answers::<Listed>(200, "The delivery.")
            .refuses(&["notice.not_found"]),
        post("/v1/webhook-deliveries/{id}/replay", deliveries::replay_webhook, "Send a delivery again")
            .example(json!({}))
            .answers::<Listed>(202, "It is sent again.")
            .refuses(&["notice.not_found", "webhook.endpoint_not_found", "webhook.endpoint_disabled"]),
    ]
}

pub fn notices() -> Vec<Operation> {
    vec![
        get("/v1/notices", deliveries::list_notices, "List notices")
            .plain_list::<Listed>("A page of notices, the newest first."),
        get("/v1/notices/{id}", deliveries::show_notice, "Show a notice")
            .answers::<Listed>(200, "The notice.")
            .refuses(&["notice.not_found"]),
        post("/v1/notices/{id}/replay", deliveries::replay_notice, "Send a notice again")
            .example(json!({}))
            .answers::<Listed>(202, "It is sent again.")
            .refuses(&["notice.not_found"]),
    ]
}

pub fn incoming() -> Vec<Operation> {
    let parcel = json!({
        "type": "object",
        "required": ["type"],
        "properties": {
            "type": { "type": "string", "description": "`shipment.in_transit`, `shipment.exception` or `shipment.delivered`; others are ignored." },
            "data": {
                "type": "object",
                "properties": { "tracking": { "type": "string", "minLength": 1, "maxLength": 200 } },
            },
        },
    });
    let example = json!({ "type": "shipment.delivered", "data": { "tracking": "AB123456789GB" } });
    let said = json!({ "type": "object", "required": ["status"], "properties": { "status": { "enum": ["taken", "kept", "ignored"] } } });
    vec![
        post("/v1/webhooks/carriers/{carrier}", carriers::webhook::take, "A carrier tells of a parcel")
            .more("Signed as Standard Webhooks says, and taken once however often it comes.")
            .with_headers(&["WebhookId", "WebhookTimestamp", "WebhookSignature"])
            .body("application/json", parcel, example)
            .answers_with(200, "It was taken, or is of no interest.", said.clone())
            .answers_with(202, "It is kept until the parcel is known.", said)
            .refuses(&["carrier.unknown", "webhook.not_believed", "request.invalid", "payment.card_number"]),
        post("/v1/webhooks/stripe", webhooks::stripe, "Stripe tells of a payment")
            .more("Only where Stripe is the gateway.")
            .with_headers(&["StripeSignature"])
            .body(
                "application/json",
                json!({ "type": "object" }),
                json!({ "id": "evt_1", "type": "payment_intent.succeeded", "data": { "object": {} } }),
            )
            .answers_nothing(200, "It was taken.")
            .refuses(&["route.unknown", "webhook.bad_signature", "gateway.unavailable"]),
    ]
}
