//! The one table from codes to HTTP statuses. Codes are part of the API and never change their meaning.

use axum::http::StatusCode;

/// What a code means to HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Code {
    /// The stable dotted code.
    pub code: &'static str,
    /// The status that carries it.
    pub status: StatusCode,
    /// A short sentence that is the same for every occurrence.
    pub title: &'static str,
}

const fn row(code: &'static str, status: StatusCode, title: &'static str) -> Code {
    Code { code, status, title }
}

/// Every code there is, refusals of the domain first.
pub const CODES: &[Code] = &[
    row(
        "cart.not_open",
        StatusCode::NOT_FOUND,
        "The cart was never opened",
    ),
    row(
        "cart.already_open",
        StatusCode::CONFLICT,
        "The cart is open for somebody else",
    ),
    row(
        "cart.already_checked_out",
        StatusCode::CONFLICT,
        "The cart became an order",
    ),
    row("cart.empty", StatusCode::CONFLICT, "The cart is empty"),
    row(
        "cart.no_such_line",
        StatusCode::NOT_FOUND,
        "The cart has no such line",
    ),
    row(
        "cart.too_many_lines",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The cart takes no more lines",
    ),
    row(
        "cart.too_many_units",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The line takes no more units",
    ),
    row(
        "cart.currency_mismatch",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The cart is in another currency",
    ),
    row(
        "cart.bad_total",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The prices do not add up",
    ),
    row(
        "cart.total_changed",
        StatusCode::CONFLICT,
        "The total is another one now",
    ),
    row(
        "order.not_placed",
        StatusCode::NOT_FOUND,
        "The order was never placed",
    ),
    row(
        "order.already_placed",
        StatusCode::CONFLICT,
        "The id is another order's",
    ),
    row("order.cancelled", StatusCode::CONFLICT, "The order was cancelled"),
    row(
        "order.is_credit_note",
        StatusCode::CONFLICT,
        "This is a credit note",
    ),
    row(
        "order.empty",
        StatusCode::UNPROCESSABLE_ENTITY,
        "Nothing is on the order",
    ),
    row(
        "order.too_many_lines",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The order takes no more lines",
    ),
    row(
        "order.bad_total",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The prices do not add up",
    ),
    row(
        "payment.not_opened",
        StatusCode::NOT_FOUND,
        "No intent was opened",
    ),
    row(
        "payment.already_opened",
        StatusCode::CONFLICT,
        "The id is another intent's",
    ),
    row(
        "payment.bad_amount",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The amount must be above zero",
    ),
    row(
        "payment.needs_no_authorization",
        StatusCode::CONFLICT,
        "Cash is not authorized",
    ),
    row(
        "payment.in_progress",
        StatusCode::CONFLICT,
        "An attempt is in progress",
    ),
    row(
        "payment.already_authorized",
        StatusCode::CONFLICT,
        "The payment is authorized already",
    ),
    row(
        "payment.not_authorized",
        StatusCode::CONFLICT,
        "The payment is not authorized",
    ),
    row("payment.voided", StatusCode::CONFLICT, "The payment was voided"),
    row(
        "payment.already_captured",
        StatusCode::CONFLICT,
        "The payment was captured",
    ),
    row(
        "payment.awaiting_gateway",
        StatusCode::CONFLICT,
        "The gateway has not answered yet",
    ),
    row(
        "payment.exceeds_authorized",
        StatusCode::CONFLICT,
        "More than can be captured",
    ),
    row(
        "payment.exceeds_captured",
        StatusCode::CONFLICT,
        "More than can be refunded",
    ),
    row(
        "payment.refund_exists",
        StatusCode::CONFLICT,
        "The refund has another amount",
    ),
    row(
        "payment.too_many_tries",
        StatusCode::CONFLICT,
        "The payment takes no more tries",
    ),
    row(
        "product.already_listed",
        StatusCode::CONFLICT,
        "The id is another product's",
    ),
    row(
        "product.not_listed",
        StatusCode::NOT_FOUND,
        "The product is not listed",
    ),
    row(
        "product.unknown_variant",
        StatusCode::NOT_FOUND,
        "The product has no such variant",
    ),
    row(
        "product.duplicate_sku",
        StatusCode::UNPROCESSABLE_ENTITY,
        "A SKU stands twice",
    ),
    row(
        "product.no_variants",
        StatusCode::UNPROCESSABLE_ENTITY,
        "There is nothing to buy",
    ),
    row(
        "product.negative_price",
        StatusCode::UNPROCESSABLE_ENTITY,
        "A price is below zero",
    ),
    row(
        "product.too_large",
        StatusCode::UNPROCESSABLE_ENTITY,
        "A part of the listing is too large",
    ),
    row(
        "product.bad_image_address",
        StatusCode::UNPROCESSABLE_ENTITY,
        "An image is not on the web",
    ),
    row(
        "inventory.insufficient",
        StatusCode::CONFLICT,
        "Fewer units are available",
    ),
    row(
        "inventory.below_reserved",
        StatusCode::CONFLICT,
        "Less would be left than is reserved",
    ),
    row(
        "inventory.reservation_exists",
        StatusCode::CONFLICT,
        "The reservation holds another quantity",
    ),
    row(
        "inventory.reservation_missing",
        StatusCode::NOT_FOUND,
        "The reservation holds nothing",
    ),
    row(
        "inventory.too_much",
        StatusCode::CONFLICT,
        "More than can be counted",
    ),
    row(
        "product.unknown_sku",
        StatusCode::UNPROCESSABLE_ENTITY,
        "No product has that SKU",
    ),
    row(
        "product.not_found",
        StatusCode::NOT_FOUND,
        "There is no such product",
    ),
    row("cart.not_found", StatusCode::NOT_FOUND, "There is no such cart"),
    row("order.not_found", StatusCode::NOT_FOUND, "There is no such order"),
    row(
        "payment.not_found",
        StatusCode::NOT_FOUND,
        "There is no such payment",
    ),
    row(
        "inventory.not_found",
        StatusCode::NOT_FOUND,
        "Nothing was ever stocked under that SKU",
    ),
    row("checkout.failed", StatusCode::CONFLICT, "The checkout was undone"),
    row("payment.declined", StatusCode::CONFLICT, "The gateway declined"),
    row(
        "payment.timed_out",
        StatusCode::CONFLICT,
        "The gateway did not answer in time",
    ),
    row(
        "payment.gateway_failed",
        StatusCode::CONFLICT,
        "The gateway did not do it",
    ),
    row(
        "idempotency.key_missing",
        StatusCode::BAD_REQUEST,
        "An Idempotency-Key is required",
    ),
    row(
        "idempotency.key_invalid",
        StatusCode::BAD_REQUEST,
        "The Idempotency-Key is malformed",
    ),
    row(
        "idempotency.key_reused",
        StatusCode::UNPROCESSABLE_ENTITY,
        "The key belongs to another request",
    ),
    row(
        "idempotency.in_flight",
        StatusCode::CONFLICT,
        "The same request is being executed",
    ),
    row(
        "precondition.malformed",
        StatusCode::BAD_REQUEST,
        "If-Match is malformed",
    ),
    row(
        "precondition.failed",
        StatusCode::PRECONDITION_FAILED,
        "It has changed since you read it",
    ),
    row(
        "position.malformed",
        StatusCode::BAD_REQUEST,
        "Daybook-Min-Position is malformed",
    ),
    row(
        "position.other_log",
        StatusCode::PRECONDITION_FAILED,
        "The position is of another log",
    ),
    row(
        "read_model.behind",
        StatusCode::SERVICE_UNAVAILABLE,
        "The read model has not come that far",
    ),
    row(
        "read_model.parked",
        StatusCode::SERVICE_UNAVAILABLE,
        "A part of the read model is set aside",
    ),
    row(
        "request.malformed",
        StatusCode::BAD_REQUEST,
        "The request cannot be read",
    ),
    row(
        "request.invalid",
        StatusCode::UNPROCESSABLE_ENTITY,
        "A value is not acceptable",
    ),
    row(
        "request.unsupported_media_type",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "The body must be JSON",
    ),
    row(
        "request.too_large",
        StatusCode::PAYLOAD_TOO_LARGE,
        "The body is too large",
    ),
    row(
        "route.unknown",
        StatusCode::NOT_FOUND,
        "There is nothing at this path",
    ),
    row(
        "route.method_not_allowed",
        StatusCode::METHOD_NOT_ALLOWED,
        "The path does not take that method",
    ),
    row(
        "store.overloaded",
        StatusCode::SERVICE_UNAVAILABLE,
        "Too much is waiting; nothing was done",
    ),
    row(
        "store.unavailable",
        StatusCode::SERVICE_UNAVAILABLE,
        "The store cannot be reached",
    ),
    row(
        "internal",
        StatusCode::INTERNAL_SERVER_ERROR,
        "Something is broken here",
    ),
];

/// The row of a code. A code outside the table is a state of affairs all the same, so it is a conflict.
#[must_use]
pub fn of(code: &'static str) -> Code {
    let known = CODES.iter().find(|known| known.code == code);
    known
        .copied()
        .unwrap_or(row(code, StatusCode::CONFLICT, "It was refused"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::{cart, inventory_item, order, payment, product};
    use serde::de::DeserializeOwned;

    use super::*;

    /// Serde lists every name that it knows when it is given one that it does not.
    fn codes_of<R: DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
        let error = serde_json::from_str::<R>(r#"{"code":"?"}"#)
            .unwrap_err()
            .to_string();
        let names: Vec<_> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
        assert!(
            names.len() > 3 && names.iter().all(|name| name.contains('.')),
            "{error}"
        );
        names
    }

    #[test]
    fn every_refusal_of_the_domain_stands_in_the_table() {
        let refusals = [
            codes_of::<cart::Refusal>(),
            codes_of::<order::Refusal>(),
            codes_of::<payment::Refusal>(),
            codes_of::<product::Refusal>(),
            codes_of::<inventory_item::Refusal>(),
        ];
        let known: BTreeSet<_> = CODES.iter().map(|known| known.code).collect();
        let missing: Vec<_> = refusals
            .iter()
            .flatten()
            .filter(|code| !known.contains(code.as_str()))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn no_code_stands_twice() {
        let distinct: BTreeSet<_> = CODES.iter().map(|known| known.code).collect();
        assert_eq!(distinct.len(), CODES.len());
    }

    #[test]
    fn the_table_in_the_documentation_is_this_table() {
        let page = include_str!("../../docs/ERRORS.md");
        let documented: Vec<(String, String)> = page
            .lines()
            .filter(|line| line.starts_with("| `"))
            .map(|line| {
                let mut cells = line.split('|').map(str::trim).skip(1);
                let code = cells.next().unwrap_or_default().trim_matches('`').to_owned();
                (code, cells.next().unwrap_or_default().to_owned())
            })
            .collect();
        let table: Vec<_> = CODES
            .iter()
            .map(|known| (known.code.to_owned(), known.status.as_str().to_owned()))
            .collect();
        assert_eq!(documented, table);
    }
}
