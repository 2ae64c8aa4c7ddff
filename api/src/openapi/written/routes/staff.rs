//! Accounts of the staff, and forgetting people.

use serde_json::json;

use crate::{
    answer::Receipt,
    identity::{
        Account,
        staff::{self, Page},
    },
    openapi::written::operation::{Operation, get, patch, post},
    subjects,
};

pub fn operations() -> Vec<Operation> {
    vec![
        get("/v1/accounts", staff::list, "List accounts of the staff")
            .more("Customers are nobody's list.")
            .answers::<Page>(200, "A page of accounts."),
        post("/v1/accounts", staff::create, "Make an account for somebody who works here")
            .example(json!({
                "email": "grace@example.com", "password": "correct horse battery", "role": "staff",
                "permissions": ["orders", "payments"],
            }))
            .done_with_location::<Account>("The account.")
            .refuses(&["auth.busy", "account.email_taken", "account.not_found"]),
        patch("/v1/accounts/{account}", staff::change, "Change what an account may do")
            .more("Ends its sessions.")
            .example(json!({ "permissions": ["orders"] }))
            .answers::<Account>(200, "The account as it is now.")
            .refuses(&["account.not_found", "account.last_admin"]),
    ]
}

pub fn personal_data() -> Vec<Operation> {
    vec![
        post("/v1/subjects/{subject}/forget", subjects::forget, "Forget a person")
            .more("Destroys the key that their personal data is sealed under: nobody can read it any more, wherever it lies. Staff and admins are forgotten by admins, and the last admin never.")
            .example(json!({ "reason": "asked for it in writing" }))
            .done::<Receipt>(200, "Nothing of theirs opens any more.")
            .done::<Receipt>(202, "It is still under way.")
            .refuses(&[
                "auth.password_required",
                "auth.invalid_credentials",
                "auth.throttled",
                "auth.busy",
                "account.not_found",
                "account.last_admin",
            ]),
    ]
}
