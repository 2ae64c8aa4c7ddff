//! What customers keep to pay with again: theirs alone, never shown, and gone when they say so.

#![expect(clippy::unwrap_used, reason = "a test whose shop does not answer cannot go on")]

use domain::payment::Command;
use serde_json::{Value, json};
use store::testing::eventually;

use crate::support::{Api, Ask, Reply, delete, fresh_key, get, post};

const METHODS: &str = "/v1/me/payment-methods";

fn authorize(payment: &str, token: &str, body: &Value) -> Ask {
    post(&format!("/v1/payments/{payment}/authorize"), body).by(token).key(&fresh_key()).patient()
}

async fn pay(api: &Api, token: &str, body: &Value) -> Reply {
    let (_, payment) = api.order_by(token, "A").await;
    api.send(authorize(&payment, token, body)).await
}

async fn list(api: &Api, token: &str) -> Vec<Value> {
    let list = api.send(get(METHODS).by(token)).await.expect(200).json();
    list["data"].as_array().cloned().unwrap_or_default()
}

async fn kept(api: &Api, token: &str) -> Value {
    eventually("a method is kept", || async { list(api, token).await.into_iter().next() }).await
}

async fn shop() -> Api {
    let api = Api::start().await;
    api.stock("A", 250, 99).await;
    api
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_customer_keeps_pays_a_later_order_and_stands_nowhere_in_clear() {
    let api = shop().await;
    let (_, ada) = api.customer();
    pay(&api, &ada, &json!({ "token": "tok_approve", "save": true })).await.expect(200);
    let method = kept(&api, &ada).await;
    let members: Vec<_> = method.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["brand", "expires", "id", "kind", "last4", "saved_at"]);
    pay(&api, &ada, &json!({ "saved": method["id"] })).await.expect(200);
    let log = serde_json::to_string(&api.events().await).unwrap();
    assert!(!log.contains("tok_approve"), "{log}");
    let rows: Vec<(String, Vec<u8>)> = sqlx::query_as("SELECT shown, token FROM payment_methods")
        .fetch_all(&api.edge().await)
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
    assert!(!rows[0].0.contains("\"last4\"") && !rows[0].1.windows(4).any(|bytes| bytes == b"tok_"));
    // The same card is kept once.
    pay(&api, &ada, &json!({ "token": "tok_approve", "save": true })).await.expect(200);
    pay(&api, &ada, &json!({ "token": "tok_capture_fails", "save": true })).await.expect(200);
    let both = eventually("the other card is kept", || async {
        Some(list(&api, &ada).await).filter(|methods| methods.len() > 1)
    });
    assert_eq!(both.await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_to_be_kept_is_not() {
    let api = shop().await;
    let (_, ada) = api.customer();
    pay(&api, &ada, &json!({ "token": "tok_approve" })).await.expect(200);
    pay(&api, &ada, &json!({ "token": "tok_decline", "save": true }))
        .await
        .expect_problem(409, "payment.declined");
    pay(&api, &ada, &json!({ "token": "tok_refund_fails", "save": true })).await.expect(200);
    kept(&api, &ada).await;
    assert_eq!(list(&api, &ada).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_pays_with_what_another_keeps() {
    let api = shop().await;
    let ((_, ada), (_, eve)) = (api.customer(), api.customer());
    pay(&api, &ada, &json!({ "token": "tok_approve", "save": true })).await.expect(200);
    let id = kept(&api, &ada).await["id"].clone();
    let body = json!({ "saved": id });
    pay(&api, &eve, &body).await.expect_problem(404, "payment_method.not_found");
    let path = format!("{METHODS}/{}", id.as_str().unwrap());
    api.send(delete(&path).by(&eve)).await.expect(204);
    assert!(list(&api, &eve).await.is_empty());
    // Nor does the staff, on the customer's behalf.
    let (_, payment) = api.order_by(&ada, "A").await;
    let by_staff = authorize(&payment, &api.bearer()[7..], &body);
    api.send(by_staff).await.expect_problem(404, "payment_method.not_found");
    let line = json!({
        "key": "k", "aggregate_type": "payment", "aggregate_id": payment,
        "command": { "Authorize": { "attempt": "a", "token": format!("saved:{}", id.as_str().unwrap()) } },
    });
    let bulk = post("/v1/commands", &json!({})).raw("application/x-ndjson", line.to_string());
    let told = api.send(bulk).await.expect(207).text;
    assert!(told.contains("command.not_for_clients"), "{told}");
    api.send(authorize(&payment, &ada, &body)).await.expect(200);
}

/// As if the route had let it pass.
#[tokio::test(flavor = "multi_thread")]
async fn what_another_keeps_is_not_paid_with_whoever_wrote_it_into_the_log() {
    let api = shop().await;
    let ((_, ada), (_, eve)) = (api.customer(), api.customer());
    pay(&api, &ada, &json!({ "token": "tok_approve", "save": true })).await.expect(200);
    let id = kept(&api, &ada).await["id"].clone();
    let token = format!("saved:{}", id.as_str().unwrap()).parse().unwrap();
    let authorize = Command::Authorize { attempt: "a-1".parse().unwrap(), token, keep_for: None };
    for (buyer, event_type) in [(&eve, "Declined"), (&ada, "Authorized")] {
        let (_, payment) = api.order_by(buyer, "A").await;
        let request = store::testing::request(&payment, authorize.clone());
        api.engine.executor.execute(request).await.unwrap();
        let answer = eventually("the gateway, or whoever asks it, has answered", || async {
            let events = api.events().await;
            let answered = |event: &&Value| {
                event["aggregate_id"] == payment.as_str()
                    && ["Declined", "Authorized"].contains(&event["event_type"].as_str().unwrap())
            };
            events.iter().find(answered).map(|event| event["event_type"].clone())
        });
        assert_eq!(answer.await, event_type);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_removed_pays_nothing_more_and_repeats_still_get_their_answer() {
    let api = shop().await;
    let (_, ada) = api.customer();
    pay(&api, &ada, &json!({ "token": "tok_approve", "save": true })).await.expect(200);
    let id = kept(&api, &ada).await["id"].clone();
    let (_, payment) = api.order_by(&ada, "A").await;
    let path = format!("/v1/payments/{payment}/authorize");
    let again = || post(&path, &json!({ "saved": id })).by(&ada).key("once").patient();
    api.send(again()).await.expect(200);
    let remove = format!("{METHODS}/{}", id.as_str().unwrap());
    api.send(delete(&remove).by(&ada)).await.expect(204);
    api.send(delete(&remove).by(&ada)).await.expect(204);
    assert!(list(&api, &ada).await.is_empty());
    let repeated = api.send(again()).await.expect(200);
    assert_eq!(repeated.header("idempotency-replayed"), "true");
    pay(&api, &ada, &json!({ "saved": id })).await.expect_problem(404, "payment_method.not_found");
    until_let_go_of(&api).await;
}

/// Waits until the gateway has let go of everything.
async fn until_let_go_of(api: &Api) {
    eventually("the gateway has let go of it", || async {
        let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM payment_methods");
        (left.fetch_one(&api.edge().await).await.unwrap() == 0).then_some(())
    })
    .await;
}

/// Lets the follower begin again, and waits until it has told everything once more.
async fn tell_again(api: &Api) {
    let owner = api.owner().await;
    let head = api.engine.log.head().await.unwrap().position;
    let rewind = "UPDATE followers SET position = 0, link = NULL, link_position = NULL, fence = fence + 1, \
                  lease_expires_at = '-infinity' WHERE name = 'saved_methods'";
    assert_eq!(sqlx::query(rewind).execute(&owner).await.unwrap().rows_affected(), 1);
    eventually("everything is told again", || async {
        let position = "SELECT position FROM followers WHERE name = 'saved_methods'";
        let position: i64 = sqlx::query_scalar(position).fetch_one(&owner).await.unwrap();
        (position >= head).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_does_not_come_back_when_it_is_told_again() {
    let api = shop().await;
    let (_, ada) = api.customer();
    let body = json!({ "token": "tok_approve", "save": true });
    pay(&api, &ada, &body).await.expect(200);
    let first = kept(&api, &ada).await["id"].clone();
    api.send(delete(&format!("{METHODS}/{}", first.as_str().unwrap())).by(&ada)).await.expect(204);
    tell_again(&api).await;
    assert!(list(&api, &ada).await.is_empty());
    until_let_go_of(&api).await;
    tell_again(&api).await;
    assert!(list(&api, &ada).await.is_empty());
    // Whoever pays with it once more, and says so, keeps it.
    pay(&api, &ada, &body).await.expect(200);
    assert_ne!(kept(&api, &ada).await["id"], first);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_an_account_of_ones_own_to_keep_something() {
    let api = shop().await;
    let body = json!({ "token": "tok_approve", "save": true });
    let guest = api.send(post("/v1/auth/guest", &json!({})).by_nobody()).await.expect(201);
    let guest = guest.text_of("access_token");
    let (_, payment) = api.order_by(&guest, "A").await;
    for token in [&guest, &api.bearer()[7..].to_owned()] {
        let reply = api.send(authorize(&payment, token, &body)).await;
        reply.expect_problem(422, "payment_method.needs_account");
    }
    api.send(get(METHODS).by(&guest)).await.expect_problem(403, "auth.forbidden");
    api.send(authorize(&payment, &guest, &json!({ "token": "tok_approve", "save": false })))
        .await
        .expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_says_one_thing() {
    let api = shop().await;
    let (_, ada) = api.customer();
    let (_, payment) = api.order_by(&ada, "A").await;
    let id = "01a20000-0000-7000-8000-000000000000";
    let bodies = [
        json!({}),
        json!({ "token": "tok_approve", "saved": id }),
        json!({ "saved": id, "save": true }),
        json!({ "saved": "mine" }),
        json!({ "token": "tok_approve", "save": "yes" }),
    ];
    for body in bodies {
        api.send(authorize(&payment, &ada, &body)).await.expect_problem(422, "request.invalid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_are_kept_and_no_more() {
    let api = shop().await;
    let (ada, token) = api.customer();
    sqlx::query(
        "INSERT INTO payment_methods (id, customer, name, token, shown, saved_at, gateway) \
         SELECT gen_random_uuid(), $1, convert_to(n::text, 'UTF8'), '', '', now(), 'simulator' \
         FROM generate_series(1, 20) AS n",
    )
    .bind(&ada)
    .execute(&api.edge().await)
    .await
    .unwrap();
    let body = json!({ "token": "tok_approve", "save": true });
    pay(&api, &token, &body).await.expect_problem(409, "payment_method.too_many");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_in_dispute_shows_it_gives_nothing_back_and_ends_as_it_was_decided() {
    let mut api = shop().await;
    let (_, ada) = api.customer();
    let mut payments = vec![];
    for token in ["tok_disputed", "tok_dispute_won", "tok_dispute_lost"] {
        let (order, payment) = api.order_by(&ada, "A").await;
        let paid = api.send(authorize(&payment, &ada, &json!({ "token": token }))).await.expect(200);
        payments.push((order, payment, paid));
    }
    api.deliver_late_answers();
    for ((order, payment, paid), status) in payments.iter().zip(["open", "won", "lost"]) {
        let dispute = eventually("the dispute stands so", || async {
            let ask = get(&format!("/v1/payments/{payment}")).by(&ada).after(paid);
            let page = api.send(ask).await.expect(200).json();
            Some(page["disputes"][0].clone()).filter(|dispute| dispute["status"] == status)
        })
        .await;
        assert_eq!((&dispute["amount"]["amount"], &dispute["reason"]), (&json!(250), &json!("fraudulent")));
        let page = api.send(get(&format!("/v1/orders/{order}")).by(&ada)).await.expect(200).json();
        assert_eq!(page["disputes"], json!([dispute]));
    }
    let refund = |payment: &str| {
        let path = format!("/v1/payments/{payment}/refund");
        api.send(
            post(&path, &json!({ "reason": "kind", "amount": crate::support::gbp(100) }))
                .key(&fresh_key())
                .patient(),
        )
    };
    refund(&payments[0].1).await.expect_problem(409, "payment.disputed");
    refund(&payments[1].1).await.expect(200);
    refund(&payments[2].1).await.expect_problem(409, "payment.exceeds_captured");
}
