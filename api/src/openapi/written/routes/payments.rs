//! Payments.

use serde_json::json;

use crate::{
    openapi::written::operation::{Operation, get, post},
    payments::{self, Answer},
};
use projections::payments::Payment;

const WAITS: &str = "Waits for the gateway's answer, two seconds or as long as `Prefer: wait=` says.";
const PENDING: &str = "The gateway has not answered yet; the payment's page tells.";

pub fn operations() -> Vec<Operation> {
    vec![
        get("/v1/payments/{id}", payments::show, "Show a payment")
            .page::<Payment>("The payment.")
            .refuses(&["payment.not_found"]),
        post("/v1/payments/{id}/authorize", payments::authorize, "Pay")
            .more(
                "With the gateway's token for the buyer's card, wallet or account, never with a card's number; or with what \
                 the customer keeps: `{\"saved\": \"<id>\"}`. A customer who is logged in and says `\"save\": true` keeps it.",
            )
            .keyed()
            .example(json!({ "token": "tok_approve" }))
            .done::<Answer>(200, "The gateway holds the amount.")
            .done::<Answer>(202, PENDING)
            .refuses(&[
                "payment.not_found",
                "payment.not_opened",
                "payment.needs_no_authorization",
                "payment.too_many_tries",
                "payment.in_progress",
                "payment.already_authorized",
                "payment.voided",
                "payment.declined",
                "payment.timed_out",
                "payment_method.not_found",
                "payment_method.needs_account",
                "payment_method.too_many",
                "subject.forgotten",
            ]),
        post("/v1/payments/{id}/capture", payments::capture, "Take money that is held")
            .more(WAITS)
            .keyed()
            .example(json!({ "amount": { "amount": 1250, "currency": "GBP" } }))
            .done::<Answer>(200, "It is taken.")
            .done::<Answer>(202, PENDING)
            .refuses(&[
                "payment.not_opened",
                "payment.not_authorized",
                "payment.awaiting_gateway",
                "payment.voided",
                "payment.capture_exists",
                "payment.bad_amount",
                "payment.exceeds_authorized",
                "payment.too_many_tries",
                "payment.gateway_failed",
            ]),
        post("/v1/payments/{id}/void", payments::void, "Let go of what is held")
            .more(WAITS)
            .keyed()
            .example(json!({}))
            .done::<Answer>(200, "Nothing is held any more.")
            .done::<Answer>(202, PENDING)
            .refuses(&[
                "payment.not_opened",
                "payment.awaiting_gateway",
                "payment.already_captured",
                "payment.gateway_failed",
            ]),
        post("/v1/payments/{id}/refund", payments::refund, "Give money back")
            .more(WAITS)
            .keyed()
            .example(json!({ "amount": { "amount": 500, "currency": "GBP" }, "reason": "goodwill" }))
            .done::<Answer>(200, "It is given back.")
            .done::<Answer>(202, PENDING)
            .refuses(&[
                "payment.not_opened",
                "payment.not_authorized",
                "payment.voided",
                "payment.refund_exists",
                "payment.bad_amount",
                "payment.disputed",
                "payment.exceeds_captured",
                "payment.too_many_tries",
                "payment.gateway_failed",
            ]),
    ]
}
