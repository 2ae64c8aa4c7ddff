//! Accounts, sessions and second factors.

use serde_json::json;

use crate::{
    identity::{
        Account,
        addresses::{self, Shown},
        login::{self, GuestToken},
        mailed, me, payment_methods,
        second_factor::{self, Confirmed, Enrolled},
        sessions::Tokens,
    },
    openapi::written::operation::{Operation, delete, get, patch, post, put},
    outbound::saved,
};

/// What proving that one knows a password may come to.
const CONFIRMED: &[&str] = &["auth.throttled", "auth.busy", "auth.invalid_credentials", "account.not_found"];
const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "correct horse battery";

pub fn operations() -> Vec<Operation> {
    let address = json!({
        "label": "home", "name": "Ada Lovelace",
        "address": { "lines": ["12 St James's Square"], "city": "London", "postcode": "SW1Y 4JH", "country": "GB" },
    });
    vec![
        post("/v1/auth/register", login::register, "Register")
            .more("The answer is the same when somebody has that e-mail already: they are told by mail.")
            .example(json!({ "email": EMAIL, "password": PASSWORD, "name": "Ada Lovelace" }))
            .answers::<Account>(201, "The account that was asked for.")
            .refuses(&["auth.busy"]),
        post("/v1/auth/login", login::login, "Log in")
            .example(json!({ "email": EMAIL, "password": PASSWORD }))
            .answers::<Tokens>(200, "An access token, and one to refresh it.")
            .refuses(&[
                "auth.busy",
                "auth.invalid_credentials",
                "auth.account_disabled",
                "auth.second_factor_required",
                "auth.second_factor_wrong",
            ]),
        post("/v1/auth/refresh", login::refresh, "Exchange a refresh token")
            .more("Each is good once; one that comes again ends its session.")
            .example(json!({ "refresh_token": "c2Vzc2lvbg" }))
            .answers::<Tokens>(200, "New tokens.")
            .refuses(&["auth.refresh_invalid", "auth.refresh_reused", "auth.account_disabled"]),
        post("/v1/auth/guest", login::guest, "Be a guest")
            .more("A token for somebody without an account: enough to fill a cart and to buy.")
            .example(json!({}))
            .answers::<GuestToken>(201, "A token."),
        post("/v1/auth/logout", login::logout, "Log out")
            .more("With the access token, or with the refresh token alone, whether the access token has expired or not.")
            .example(json!({ "refresh_token": "c2Vzc2lvbg" }))
            .answers_nothing(204, "The session has ended.")
            .refuses(&["auth.required", "auth.invalid_token", "auth.malformed", "auth.forbidden"]),
        post("/v1/auth/logout-all", login::logout_all, "Log out everywhere")
            .answers_nothing(204, "All sessions of the account have ended."),
        post("/v1/auth/password/forgotten", mailed::forgotten, "Ask for a new password")
            .example(json!({ "email": EMAIL }))
            .answers_nothing(202, "A mail is on its way, if there is such an account."),
        post("/v1/auth/password/reset", mailed::reset, "Set a new password")
            .more("Ends all sessions.")
            .example(json!({ "token": "bWFpbGVk", "password": PASSWORD }))
            .answers_nothing(204, "The password is set.")
            .refuses(&["auth.busy", "auth.token_spent", "account.not_found"]),
        post("/v1/auth/email/verify", mailed::verify, "Show that mail arrives")
            .example(json!({ "token": "bWFpbGVk" }))
            .answers_nothing(204, "The e-mail is verified.")
            .refuses(&["auth.token_spent"]),
        get("/v1/me", me::show, "Show one's own account")
            .answers::<Account>(200, "The account.")
            .refuses(&["account.not_found"]),
        patch("/v1/me", me::change, "Change one's own account")
            .more("What is `null` is taken away, and what is left out stays.")
            .example(json!({ "name": "Ada King", "phone": null }))
            .answers::<Account>(200, "The account as it is now.")
            .refuses(&["account.not_found"]),
        put("/v1/me/password", me::change_password, "Change one's password")
            .more("Ends all other sessions.")
            .example(json!({ "old": PASSWORD, "new": "a better one altogether" }))
            .answers_nothing(204, "The password is changed.")
            .refuses(CONFIRMED),
        post("/v1/me/email/verification", mailed::ask_again, "Ask for the mail that verifies the e-mail")
            .answers_nothing(202, "A mail is on its way.")
            .refuses(&["auth.throttled", "account.not_found"]),
        get("/v1/me/addresses", addresses::list, "List one's addresses").plain_list::<Shown>("All of them."),
        post("/v1/me/addresses", addresses::add, "Keep an address")
            .example(address.clone())
            .done_with_location::<Shown>("It is kept.")
            .refuses(&["account.not_found", "account.too_many_addresses"]),
        put("/v1/me/addresses/{address}", addresses::replace, "Replace an address")
            .example(address)
            .answers::<Shown>(200, "It is replaced.")
            .refuses(&["account.address_not_found"]),
        delete("/v1/me/addresses/{address}", addresses::remove, "Forget an address")
            .answers_nothing(204, "There is no such address any more."),
        get("/v1/me/payment-methods", payment_methods::list, "List what one keeps to pay with")
            .more("It is saved by paying with it: `\"save\": true`.")
            .plain_list::<saved::Shown>("All of them."),
        delete("/v1/me/payment-methods/{method}", payment_methods::remove, "Keep it no longer")
            .more("The gateway lets go of it soon after.")
            .answers_nothing(204, "Nobody pays with it any more."),
    ]
}

pub fn second_factor() -> Vec<Operation> {
    vec![
        post("/v1/me/second-factor", second_factor::enrol, "Ask for a second factor")
            .more("It counts once it is confirmed.")
            .example(json!({ "password": PASSWORD }))
            .answers::<Enrolled>(201, "The secret for an authenticator app.")
            .refuses(CONFIRMED)
            .refuses(&["auth.second_factor_exists"]),
        post("/v1/me/second-factor/confirm", second_factor::confirm, "Confirm a second factor")
            .example(json!({ "code": "492039" }))
            .answers::<Confirmed>(200, "Codes for when the app is lost; they are told once.")
            .refuses(&[
                "auth.throttled",
                "auth.invalid_credentials",
                "auth.second_factor_exists",
                "auth.no_second_factor",
                "account.not_found",
            ]),
        post("/v1/me/second-factor/remove", second_factor::remove, "Remove a second factor")
            .example(json!({ "password": PASSWORD, "code": "492039" }))
            .answers_nothing(204, "Logging in takes no code any more.")
            .refuses(CONFIRMED),
    ]
}
