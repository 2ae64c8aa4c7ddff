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

macro_rules! codes {
    ($($code:literal $status:ident $title:literal,)+) => {
        /// Every code there is, refusals of the domain first.
        pub const CODES: &[Code] = &[$(Code { code: $code, status: StatusCode::$status, title: $title }),+];
    };
}

codes! {
    "allowance.exceeded" CONFLICT "The customer has bought what they may",
    "allowance.already_claimed" CONFLICT "The order has claimed another quantity",
    "cart.not_open" NOT_FOUND "The cart was never opened",
    "cart.already_open" CONFLICT "The cart is open for somebody else",
    "cart.already_checked_out" CONFLICT "The cart became an order",
    "cart.expired" CONFLICT "The cart has expired",
    "cart.merged" CONFLICT "The cart went into another",
    "cart.not_a_guest_cart" CONFLICT "The cart belongs to a customer",
    "cart.empty" CONFLICT "The cart is empty",
    "cart.no_such_line" NOT_FOUND "The cart has no such line",
    "cart.too_many_lines" UNPROCESSABLE_ENTITY "The cart takes no more lines",
    "cart.too_many_units" UNPROCESSABLE_ENTITY "The line takes no more units",
    "cart.purchase_limit" UNPROCESSABLE_ENTITY "One customer may not buy so many",
    "cart.currency_mismatch" UNPROCESSABLE_ENTITY "The cart is in another currency",
    "cart.bad_total" UNPROCESSABLE_ENTITY "The prices do not add up",
    "cart.price_changed" CONFLICT "Prices have changed",
    "cart.bad_quote" UNPROCESSABLE_ENTITY "The quote is not for this cart",
    "cart.total_changed" CONFLICT "The total is another one now",
    "order.not_placed" NOT_FOUND "The order was never placed",
    "order.already_placed" CONFLICT "The id is another order's",
    "order.cancelled" CONFLICT "The order was cancelled",
    "order.is_credit_note" CONFLICT "This is a credit note",
    "order.empty" UNPROCESSABLE_ENTITY "Nothing is on the order",
    "order.too_many_lines" UNPROCESSABLE_ENTITY "The order takes no more lines",
    "order.bad_total" UNPROCESSABLE_ENTITY "The prices do not add up",
    "order.held_for_review" CONFLICT "The order is held for review",
    "order.not_held" CONFLICT "The order is not held for review",
    "order.not_confirmed" CONFLICT "The order is not confirmed",
    "order.already_confirmed" CONFLICT "The order is confirmed",
    "order.already_shipped" CONFLICT "A part of it was shipped",
    "order.no_such_line" UNPROCESSABLE_ENTITY "The order has no such line",
    "order.too_many_units" CONFLICT "Fewer units are left",
    "order.cancellation_exists" CONFLICT "The cancellation is of other units",
    "order.shipment_exists" CONFLICT "The shipment is another one",
    "order.no_such_shipment" NOT_FOUND "There is no such shipment",
    "order.no_terms" CONFLICT "Nobody pays the order",
    "order.edit_open" CONFLICT "The order is being edited",
    "order.edit_committed" CONFLICT "The edit is being made",
    "order.edit_not_committed" CONFLICT "The edit is not committed",
    "order.edit_ended" CONFLICT "The edit is over",
    "order.no_such_edit" NOT_FOUND "There is no such edit",
    "order.nothing_to_edit" CONFLICT "The edit changes nothing",
    "order.return_exists" CONFLICT "The return is another one",
    "order.no_such_return" NOT_FOUND "There is no such return",
    "order.return_not_approved" CONFLICT "The return is not approved",
    "order.return_received" CONFLICT "The return was received",
    "order.return_rejected" CONFLICT "The return was rejected",
    "order.return_not_received" CONFLICT "The return was not received",
    "order.return_refunded" CONFLICT "The return was refunded",
    "order.already_invoiced" CONFLICT "It has another number",
    "order.too_many_steps" CONFLICT "The order takes no more steps",
    "payment.not_opened" NOT_FOUND "No intent was opened",
    "payment.already_opened" CONFLICT "The id is another intent's",
    "payment.bad_amount" UNPROCESSABLE_ENTITY "The amount must be above zero",
    "payment.needs_no_authorization" CONFLICT "Cash is not authorized",
    "payment.in_progress" CONFLICT "An attempt is in progress",
    "payment.already_authorized" CONFLICT "The payment is authorized already",
    "payment.not_authorized" CONFLICT "The payment is not authorized",
    "payment.voided" CONFLICT "The payment was voided",
    "payment.already_captured" CONFLICT "The payment was captured",
    "payment.awaiting_gateway" CONFLICT "The gateway has not answered yet",
    "payment.exceeds_authorized" CONFLICT "More than can be captured",
    "payment.exceeds_captured" CONFLICT "More than can be refunded",
    "payment.capture_exists" CONFLICT "The capture has another amount",
    "payment.refund_exists" CONFLICT "The refund has another amount",
    "payment.disputed" CONFLICT "A dispute is not decided",
    "payment.too_many_tries" CONFLICT "The payment takes no more tries",
    "product.already_listed" CONFLICT "The id is another product's",
    "product.not_listed" NOT_FOUND "The product is not listed",
    "product.unknown_variant" NOT_FOUND "The product has no such variant",
    "product.duplicate_sku" UNPROCESSABLE_ENTITY "A SKU stands twice",
    "product.no_variants" UNPROCESSABLE_ENTITY "There is nothing to buy",
    "product.negative_price" UNPROCESSABLE_ENTITY "A price is below zero",
    "product.too_large" UNPROCESSABLE_ENTITY "A part of the listing is too large",
    "product.bad_image_address" UNPROCESSABLE_ENTITY "An image is not on the web",
    "inventory.insufficient" CONFLICT "Fewer units are available",
    "inventory.below_reserved" CONFLICT "Less would be left than is reserved",
    "inventory.below_zero" CONFLICT "Less is there than would leave",
    "inventory.count_changed" CONFLICT "Something has moved since the count",
    "inventory.insufficient_at" CONFLICT "Fewer units are at that place",
    "inventory.same_location" UNPROCESSABLE_ENTITY "Both places are the same",
    "inventory.transfer_exists" CONFLICT "The transfer's name is taken",
    "inventory.too_many_locations" CONFLICT "The units lie in too many places",
    "inventory.reservation_exists" CONFLICT "The reservation holds another quantity",
    "inventory.reservation_missing" NOT_FOUND "The reservation holds nothing",
    "inventory.already_extended" CONFLICT "The reservation was extended before",
    "inventory.reservation_expired" CONFLICT "The reservation's time is over",
    "inventory.too_much" CONFLICT "More than can be counted",
    "invoice.book_full" CONFLICT "The invoice book is full",
    "product.unknown_sku" UNPROCESSABLE_ENTITY "No product has that SKU",
    "product.not_found" NOT_FOUND "There is no such product",
    "cart.not_found" NOT_FOUND "There is no such cart",
    "cart.merge_declined" CONFLICT "The other cart declined",
    "order.not_invoiced" NOT_FOUND "There is no invoice yet",
    "order.not_found" NOT_FOUND "There is no such order",
    "payment.not_found" NOT_FOUND "There is no such payment",
    "inventory.not_found" NOT_FOUND "Nothing was ever stocked under that SKU",
    "checkout.no_tables" CONFLICT "The shop has set no tax or shipping",
    "checkout.not_shipped_there" UNPROCESSABLE_ENTITY "That shipping does not go there",
    "checkout.too_much_to_ship" UNPROCESSABLE_ENTITY "That shipping does not take so much",
    "checkout.failed" CONFLICT "The checkout was undone",
    "payment.declined" CONFLICT "The gateway declined",
    "payment.timed_out" CONFLICT "The gateway did not answer in time",
    "payment.gateway_failed" CONFLICT "The gateway did not do it",
    "payment.card_number" UNPROCESSABLE_ENTITY "The body holds a card's number",
    "payment.method_unavailable" UNPROCESSABLE_ENTITY "Nothing is paid that way here",
    "payment_method.not_found" NOT_FOUND "There is no such payment method",
    "payment_method.needs_account" UNPROCESSABLE_ENTITY "It takes an account to keep it",
    "payment_method.too_many" CONFLICT "The customer keeps no more payment methods",
    "gateway.unavailable" SERVICE_UNAVAILABLE "The gateway cannot be asked",
    "webhook.bad_signature" BAD_REQUEST "The webhook is not believed",
    "idempotency.key_missing" BAD_REQUEST "An Idempotency-Key is required",
    "idempotency.key_invalid" BAD_REQUEST "The Idempotency-Key is malformed",
    "idempotency.key_reused" UNPROCESSABLE_ENTITY "The key belongs to another request",
    "idempotency.in_flight" CONFLICT "The same request is being executed",
    "command.not_for_clients" FORBIDDEN "Clients do not send this command",
    "subject.forgotten" GONE "The person is forgotten",
    "auth.required" UNAUTHORIZED "A token is required",
    "auth.malformed" BAD_REQUEST "The Authorization header is malformed",
    "auth.invalid_token" UNAUTHORIZED "The token is not good",
    "auth.forbidden" FORBIDDEN "This is for others",
    "auth.invalid_credentials" UNAUTHORIZED "The e-mail, password or code is wrong",
    "auth.password_required" FORBIDDEN "The password is required as well",
    "auth.second_factor_required" UNAUTHORIZED "A code is required as well",
    "auth.second_factor_wrong" UNAUTHORIZED "The code is wrong",
    "auth.second_factor_exists" CONFLICT "There is a second factor",
    "auth.no_second_factor" CONFLICT "There is no second factor",
    "auth.account_disabled" FORBIDDEN "The account is disabled",
    "auth.throttled" TOO_MANY_REQUESTS "Too many tries",
    "auth.busy" SERVICE_UNAVAILABLE "Too many passwords are being checked",
    "auth.refresh_invalid" UNAUTHORIZED "The refresh token is not good",
    "auth.refresh_reused" UNAUTHORIZED "The refresh token was used before",
    "auth.token_spent" CONFLICT "The token is not good any more",
    "auth.guest_token" UNPROCESSABLE_ENTITY "The guest's token proves nothing",
    "account.not_found" NOT_FOUND "There is no such account",
    "account.email_taken" CONFLICT "An account has that e-mail",
    "account.last_admin" CONFLICT "Somebody must see to accounts",
    "account.too_many_addresses" CONFLICT "The account keeps no more addresses",
    "account.address_not_found" NOT_FOUND "There is no such address",
    "webhook.endpoint_not_found" NOT_FOUND "There is no such endpoint",
    "webhook.endpoint_disabled" CONFLICT "The endpoint is disabled",
    "webhook.too_many_endpoints" CONFLICT "The shop takes no more endpoints",
    "webhook.url_refused" UNPROCESSABLE_ENTITY "Webhooks do not go there",
    "webhook.not_believed" UNAUTHORIZED "Nobody known has signed the message",
    "carrier.unknown" NOT_FOUND "Nobody knows this carrier",
    "notice.not_found" NOT_FOUND "There is no such notice",
    "precondition.malformed" BAD_REQUEST "If-Match is malformed",
    "precondition.failed" PRECONDITION_FAILED "It has changed since you read it",
    "position.malformed" BAD_REQUEST "Daybook-Min-Position is malformed",
    "as_of.malformed" BAD_REQUEST "That is no moment",
    "as_of.ahead" BAD_REQUEST "The log has not come to that moment",
    "position.other_log" PRECONDITION_FAILED "The position is of another log",
    "read_model.behind" SERVICE_UNAVAILABLE "The read model has not come that far",
    "read_model.parked" SERVICE_UNAVAILABLE "A part of the read model is set aside",
    "search.unavailable" SERVICE_UNAVAILABLE "Products cannot be searched now",
    "request.malformed" BAD_REQUEST "The request cannot be read",
    "request.invalid" UNPROCESSABLE_ENTITY "A value is not acceptable",
    "request.unsupported_media_type" UNSUPPORTED_MEDIA_TYPE "The body must be JSON",
    "request.too_large" PAYLOAD_TOO_LARGE "The body is too large",
    "request.timeout" REQUEST_TIMEOUT "The body came too slowly",
    "rate.exceeded" TOO_MANY_REQUESTS "Too many requests",
    "edge.overloaded" SERVICE_UNAVAILABLE "Too many requests are at work",
    "edge.timeout" SERVICE_UNAVAILABLE "It took too long",
    "edge.draining" SERVICE_UNAVAILABLE "This process is about to end",
    "route.unknown" NOT_FOUND "There is nothing at this path",
    "route.method_not_allowed" METHOD_NOT_ALLOWED "The path does not take that method",
    "store.overloaded" SERVICE_UNAVAILABLE "Too much is waiting; nothing was done",
    "store.unavailable" SERVICE_UNAVAILABLE "The store cannot be reached",
    "internal" INTERNAL_SERVER_ERROR "Something is broken here",
}

/// The row of a code. A code outside the table is a state of affairs all the same, so it is a conflict.
#[must_use]
pub fn of(code: &'static str) -> Code {
    let known = CODES.iter().find(|known| known.code == code);
    known.copied().unwrap_or(Code { code, status: StatusCode::CONFLICT, title: "It was refused" })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use domain::AggregateType;

    use super::*;

    #[test]
    fn every_refusal_of_the_domain_stands_in_the_table() {
        let known: BTreeSet<_> = CODES.iter().map(|known| known.code).collect();
        let refusals = AggregateType::ALL.iter().flat_map(|aggregate_type| aggregate_type.refusal_codes());
        let missing: Vec<_> = refusals.filter(|code| !known.contains(*code)).collect();
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
        let table: Vec<_> =
            CODES.iter().map(|known| (known.code.to_owned(), known.status.as_str().to_owned())).collect();
        assert_eq!(documented, table);
    }
}
