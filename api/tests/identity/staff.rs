//! Who works here: made, changed and disabled by admins.

use serde_json::{Value, json};

use crate::{
    people::{PASSWORD, fresh_email, login, member, refresh, try_login},
    support::{Api, Reply, get, patch, post},
};

pub async fn make(api: &Api, email: &str, role: &str, permissions: &[&str]) -> Reply {
    let body = json!({ "email": email, "password": PASSWORD, "role": role, "permissions": permissions });
    api.send(post("/v1/accounts", &body)).await
}

async fn change(api: &Api, id: &str, body: Value) -> Reply {
    api.send(patch(&format!("/v1/accounts/{id}"), &body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_makes_staff_who_may_do_what_they_are_allowed() {
    let api = Api::start().await;
    let email = fresh_email();
    let made = make(&api, &email, "staff", &["inventory"]).await.expect(201);
    let tokens = login(&api, &email).await;
    let receive = || post("/v1/inventory/MUG/receive", &json!({ "quantity": 1 }));
    api.send(receive().by(&tokens.access)).await.expect(200);
    api.send(get("/v1/events").by(&tokens.access)).await.expect_problem(403, "auth.forbidden");
    let events = api.events().await;
    assert_eq!(events[0]["metadata"]["actor"], format!("staff:{}", made.text_of("id")));
    make(&api, &email, "staff", &[]).await.expect_problem(409, "account.email_taken");
    make(&api, &fresh_email(), "guest", &[]).await.expect_problem(422, "request.invalid");
    make(&api, &fresh_email(), "staff", &["everything"]).await.expect_problem(422, "request.invalid");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_permissions_take_effect_with_the_next_log_in_and_end_the_sessions_of_now() {
    let api = Api::start().await;
    let email = fresh_email();
    let id = make(&api, &email, "staff", &["inventory"]).await.expect(201).text_of("id");
    let before = login(&api, &email).await;
    change(&api, &id, json!({ "permissions": ["analytics"] })).await.expect(200);
    api.send(get("/v1/events").by(&before.access)).await.expect_problem(401, "auth.invalid_token");
    refresh(&api, &before.refresh).await.expect_problem(401, "auth.refresh_invalid");
    let after = login(&api, &email).await;
    api.send(get("/v1/events").by(&after.access)).await.expect(200);
    api.send(get("/v1/inventory").by(&after.access)).await.expect_problem(403, "auth.forbidden");
    change(&api, &id, json!({ "disabled": true })).await.expect(200);
    try_login(&api, &email, PASSWORD).await.expect_problem(403, "auth.account_disabled");
    change(&api, &id, json!({ "disabled": false })).await.expect(200);
    try_login(&api, &email, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_always_an_admin_who_can_log_in() {
    let api = Api::start().await;
    let only = make(&api, &fresh_email(), "admin", &[]).await.expect(201).text_of("id");
    for body in [json!({ "role": "staff" }), json!({ "disabled": true })] {
        change(&api, &only, body).await.expect_problem(409, "account.last_admin");
    }
    let other = make(&api, &fresh_email(), "admin", &[]).await.expect(201).text_of("id");
    let (one, two) = tokio::join!(
        change(&api, &only, json!({ "role": "staff" })),
        change(&api, &other, json!({ "disabled": true }))
    );
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    change(&api, &uuid::Uuid::now_v7().to_string(), json!({})).await.expect_problem(404, "account.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_of_staff_and_comes_in_pages() {
    let api = Api::start().await;
    member(&api).await;
    let mut made = vec![];
    for _ in 0..3 {
        made.push(make(&api, &fresh_email(), "staff", &[]).await.expect(201).text_of("id"));
    }
    let mut seen = vec![];
    let mut path = "/v1/accounts?limit=2".to_owned();
    loop {
        let page = api.send(get(&path)).await.expect(200).json();
        let ids = page["data"].as_array().unwrap().iter();
        seen.extend(ids.map(|account| account["id"].as_str().unwrap().to_owned()));
        if page["has_more"] == false {
            break;
        }
        path = format!("/v1/accounts?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    }
    assert_eq!(seen, made);
}
