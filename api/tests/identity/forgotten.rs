//! Whoever is forgotten is gone from the edge's tables as well, and stays gone when those are restored.

use serde_json::json;

use crate::{
    people::{
        PASSWORD, customer, fresh_email, guest, login, mails, member, refresh, register, shop_with_clock,
        staff, try_login,
    },
    staff::make,
    support::{Api, Ask, buyer, fresh_key, get, post},
};

/// Rows of each of the edge's tables that could hold somebody.
async fn rows(api: &Api) -> Vec<(String, i64)> {
    let pool = api.edge().await;
    let mut rows = vec![];
    for table in [
        "accounts",
        "addresses",
        "sessions",
        "refresh_tokens",
        "mailed_tokens",
        "earlier_mailed_tokens",
        "known_origins",
        "second_factors",
        "outgoing_mail",
    ] {
        let count =
            sqlx::query_scalar(&format!("SELECT count(*) FROM {table}")).fetch_one(&pool).await.unwrap();
        rows.push((table.to_owned(), count));
    }
    rows
}

#[tokio::test(flavor = "multi_thread")]
async fn forgetting_oneself_takes_the_account_with_it() {
    let api = Api::start().await;
    let (email, tokens) = member(&api).await;
    let (kept, _) = member(&api).await;
    let id = api.send(get("/v1/me").by(&tokens.access)).await.expect(200).text_of("id");
    let address = json!({ "address": { "lines": ["12 Ledger Lane"], "city": "London", "country": "GB" } });
    api.send(post("/v1/me/addresses", &address).by(&tokens.access)).await.expect(201);
    api.send(post("/v1/me/second-factor", &json!({ "password": PASSWORD })).by(&tokens.access))
        .await
        .expect(201);
    let path = format!("/v1/subjects/customer:{id}/forget");
    let (_, stranger) = customer(&api);
    api.send(post(&path, &json!({})).by(&stranger)).await.expect_problem(403, "auth.forbidden");
    api.send(post(&path, &json!({})).by(&tokens.access).patient()).await.expect(200);
    let rows = rows(&api).await;
    for (table, count) in rows {
        // What is left is the other one's.
        let others = match table.as_str() {
            "addresses" | "second_factors" | "earlier_mailed_tokens" | "known_origins" => 0,
            _ => 1,
        };
        assert_eq!(count, others, "{table}");
    }
    api.send(get("/v1/me").by(&tokens.access)).await.expect_problem(401, "auth.invalid_token");
    refresh(&api, &tokens.refresh).await.expect_problem(401, "auth.refresh_invalid");
    try_login(&api, &email, PASSWORD).await.expect_problem(401, "auth.invalid_credentials");
    try_login(&api, &kept, PASSWORD).await.expect(200);
    // The address is free again, for somebody new.
    register(&api, &email).await.expect(201);
    let me = try_login(&api, &email, PASSWORD).await.expect(200).text_of("access_token");
    assert_ne!(api.send(get("/v1/me").by(&me)).await.expect(200).text_of("id"), id);
    assert_eq!(mails(&api, &email).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_forgets_themselves_shows_the_password_or_has_just_logged_in() {
    let (api, clock) = shop_with_clock().await;
    let (_, tokens) = member(&api).await;
    let id = api.send(get("/v1/me").by(&tokens.access)).await.expect(200).text_of("id");
    let path = format!("/v1/subjects/customer:{id}/forget");
    let forget = |token: &str, body: serde_json::Value| post(&path, &body).by(token).patient();
    clock.by_s(5 * 60);
    api.send(forget(&tokens.access, json!({}))).await.expect_problem(403, "auth.password_required");
    let wrong = api.send(forget(&tokens.access, json!({ "password": "not the password" }))).await;
    wrong.expect_problem(401, "auth.invalid_credentials");
    // A refreshed token is no log-in.
    let next = refresh(&api, &tokens.refresh).await.expect(200).text_of("access_token");
    api.send(forget(&next, json!({}))).await.expect_problem(403, "auth.password_required");
    assert_eq!(rows(&api).await[0].1, 1);
    api.send(forget(&next, json!({ "password": PASSWORD }))).await.expect(200);
    assert_eq!(rows(&api).await[0].1, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_a_restore_brings_back_lets_nobody_in_and_is_removed_at_the_next_start() {
    let api = Api::start().await;
    let (email, tokens) = member(&api).await;
    let id = api.send(get("/v1/me").by(&tokens.access)).await.expect(200).text_of("id");
    let pool = api.edge().await;
    let row: serde_json::Value =
        sqlx::query_scalar("SELECT to_jsonb(accounts) FROM accounts").fetch_one(&pool).await.unwrap();
    let forget = json!({ "key": fresh_key(), "aggregate_type": "subject", "aggregate_id": format!("customer:{id}"),
        "command": { "Forget": {} } });
    let line = api.send(post("/v1/commands", &forget)).await.expect(207);
    assert_eq!(line.json()["status"], 200, "{line:?}");
    assert_eq!(rows(&api).await[0].1, 0, "a line of many forgets as well");
    let back = "INSERT INTO accounts SELECT * FROM jsonb_populate_record(NULL::accounts, $1)";
    sqlx::query(back).bind(&row).execute(&pool).await.unwrap();
    try_login(&api, &email, PASSWORD).await.expect_problem(401, "auth.invalid_credentials");
    api.another().await;
    assert_eq!(rows(&api).await[0].1, 0);
}

/// Forgetting an account, and what it is as a line of many.
fn forgetting(id: &str) -> (Ask, String) {
    let line = json!({ "key": fresh_key(), "aggregate_type": "subject", "aggregate_id": format!("customer:{id}"),
        "command": { "Forget": {} } });
    (post(&format!("/v1/subjects/customer:{id}/forget"), &json!({})).patient(), line.to_string())
}

/// The statuses of lines that were sent together.
async fn bulk(api: &Api, ask: Ask) -> Vec<u64> {
    let reply = api.send(ask).await.expect(207);
    let answers = reply.text.lines().map(|line| serde_json::from_str(line).unwrap());
    answers.map(|answer: serde_json::Value| answer["status"].as_u64().unwrap()).collect()
}

fn lines(lines: &[String]) -> Ask {
    Ask::new(axum::http::Method::POST, "/v1/commands").raw("application/x-ndjson", lines.join("\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_works_here_is_forgotten_by_admins_alone() {
    let api = Api::start().await;
    let clerk = staff(&api, &[api::Permission::PersonalData]);
    let (staff, admin, other) = (fresh_email(), fresh_email(), fresh_email());
    for (email, role) in [(&staff, "staff"), (&admin, "admin"), (&other, "admin")] {
        let id = make(&api, email, role, &[]).await.expect(201).text_of("id");
        let (ask, line) = forgetting(&id);
        let refused = api.send(ask.by(&clerk)).await.expect_problem(403, "auth.forbidden");
        assert_eq!(refused.json()["needed"], "admin");
        assert_eq!(bulk(&api, lines(&[line]).by(&clerk)).await, [403]);
        let own = login(&api, email).await;
        let id = api.send(get("/v1/me").by(&own.access)).await.expect(200).text_of("id");
        if role == "staff" {
            api.send(forgetting(&id).0.by(&own.access)).await.expect_problem(403, "auth.forbidden");
            api.send(forgetting(&id).0).await.expect(200);
            try_login(&api, email, PASSWORD).await.expect_problem(401, "auth.invalid_credentials");
        }
    }
    let (_, tokens) = member(&api).await;
    let id = api.send(get("/v1/me").by(&tokens.access)).await.expect(200).text_of("id");
    api.send(forgetting(&id).0.by(&clerk)).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_admin_is_not_forgotten_nor_the_last_two_at_once() {
    let api = Api::start().await;
    let mut ids = vec![];
    for _ in 0..2 {
        ids.push(make(&api, &fresh_email(), "admin", &[]).await.expect(201).text_of("id"));
    }
    let both: Vec<String> = ids.iter().map(|id| forgetting(id).1).collect();
    let mut statuses = bulk(&api, lines(&both)).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    let left = api.send(get("/v1/accounts")).await.expect(200).json();
    assert_eq!(left["data"].as_array().unwrap().len(), 1);
    let last = left["data"][0]["id"].as_str().unwrap();
    api.send(forgetting(last).0).await.expect_problem(409, "account.last_admin");
    make(&api, &fresh_email(), "admin", &[]).await.expect(201);
    api.send(forgetting(last).0).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_forgotten_by_their_own_id() {
    let api = Api::start().await;
    api.stock("MUG", 900, 5).await;
    let token = guest(&api).await;
    let cart =
        api.send(post("/v1/carts", &json!({ "currency": "GBP" })).by(&token)).await.expect(201).text_of("id");
    let add = post(&format!("/v1/carts/{cart}/items"), &json!({ "sku": "MUG", "quantity": 1 }));
    api.send(add.by(&token)).await.expect(200);
    let placed =
        api.send(post("/v1/checkouts", &buyer(&cart, "card")).key(&fresh_key()).by(&token).patient()).await;
    let placed = placed.expect(201);
    let order = format!("/v1/orders/{}", placed.text_of("order"));
    let shown = api.send(get(&order).by(&token).after(&placed)).await.expect(200).json();
    assert_eq!(shown["delivery"]["contact"]["name"], "Ada Lovelace");
    let subject = format!("/v1/subjects/customer:{}/forget", shown["customer"].as_str().unwrap());
    api.send(post(&subject, &json!({})).by(&token).patient()).await.expect(200);
    let shown = api.send(get(&order).by(&token)).await.expect(200).json();
    assert_eq!(shown["delivery"]["contact"], "forgotten");
}
