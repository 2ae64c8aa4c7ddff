//! Webhooks to endpoints that somebody has registered, verified by the reference library of Standard Webhooks.

use std::{collections::BTreeSet, time::Duration};

use api::outbound::{
    OutboundSettings,
    webhooks::{Allowed, SendSettings},
};
use axum::http::Method;
use serde_json::{Value, json};
use store::testing::eventually;

use super::receivers::{Receiver, patient, soon, to_webhooks};
use crate::support::{Api, Ask, Reply, delete, fresh_key, get, post, put};

fn patch(path: &str, body: &Value) -> Ask {
    Ask::new(Method::PATCH, path).json(body)
}

/// Registers an endpoint, and lets the receiver know its secret.
async fn registered(api: &Api, receiver: &Receiver, types: &[&str]) -> String {
    let body = json!({ "url": receiver.url(), "types": types, "description": "a test" });
    let reply = api.send(post("/v1/webhook-endpoints", &body)).await.expect(201);
    receiver.knows("secret", &reply.text_of("secret"));
    reply.text_of("id")
}

fn of_type(kind: &str) -> impl Fn(&Value) -> bool {
    move |got| got["verified"]["type"] == kind
}

async fn deliveries(api: &Api, endpoint: &str, state: &str) -> Vec<Value> {
    let path = format!("/v1/webhook-deliveries?endpoint={endpoint}&state={state}&limit=100");
    api.send(get(&path)).await.expect(200).json()["data"].as_array().unwrap().clone()
}

async fn endpoint(api: &Api, id: &str) -> Reply {
    api.send(get(&format!("/v1/webhook-endpoints/{id}"))).await.expect(200)
}

/// A lamp of which few are left, so often as it is asked for.
async fn low(api: &Api, sku: &str) {
    api.stock(sku, 900, 4).await;
    api.send(put(&format!("/v1/inventory/{sku}/reorder-point"), &json!({ "units": 3 }))).await.expect(200);
    let path = format!("/v1/inventory/{sku}/adjust");
    let body = json!({ "delta": -2, "reason": "damaged" });
    api.send(post(&path, &body).key(&fresh_key())).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_told_what_happens_signed_and_without_personal_data() {
    let receiver = Receiver::of_webhooks();
    let api = Api::start_telling(to_webhooks(soon())).await;
    let id = registered(&api, &receiver, &[]).await;
    api.stock("MUG", 1_250, 10).await;
    let (order, payment) = api.order("MUG", 2).await;
    api.authorize(&payment, "tok_approve").await.expect(200);
    let placed = receiver.gets("the order", of_type("order.placed")).await;
    let confirmed = receiver.gets("the confirmation", of_type("order.confirmed")).await;
    let captured = receiver.gets("the capture", of_type("payment.captured")).await;
    let data = &confirmed["verified"]["data"];
    assert_eq!((&data["order"], &data["status"]), (&json!(order), &json!("confirmed")));
    assert_eq!(data["total"], json!({ "amount": 2_500, "currency": "GBP" }));
    assert_eq!(captured["verified"]["data"]["payment"], json!(payment));
    assert!(data["position"].as_i64().unwrap() > placed["verified"]["data"]["position"].as_i64().unwrap());
    let body = json!({ "carrier": "DHL", "tracking": "D1", "lines": [{ "line": 0, "quantity": 2 }] });
    let path = format!("/v1/orders/{order}/shipments");
    let shipment = api.send(post(&path, &body).key(&fresh_key())).await.expect(201).text_of("id");
    receiver.gets("the shipment", of_type("order.shipped")).await;
    api.send(post(&format!("{path}/{shipment}/deliver"), &json!({}))).await.expect(200);
    receiver.gets("the delivery", of_type("order.delivered")).await;
    eventually("all are done", || async { deliveries(&api, &id, "waiting").await.is_empty().then_some(()) })
        .await;
    let got = receiver.got();
    let ids: BTreeSet<_> = got.iter().map(|got| got["headers"]["webhook-id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), got.len(), "each is told once");
    for got in &got {
        assert!(got["refused"].is_null(), "{got}");
        let body = got["body"].as_str().unwrap();
        assert!(
            !body.contains("Lovelace") && !body.contains("example.com") && !body.contains("sealed"),
            "{body}"
        );
    }
    assert_eq!(deliveries(&api, &id, "done").await.len(), got.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_hears_what_it_has_asked_for_and_its_secret_is_shown_once() {
    let receiver = Receiver::of_webhooks();
    let api = Api::start_telling(to_webhooks(soon())).await;
    let body = json!({ "url": receiver.url(), "types": ["inventory.low"] });
    let key = fresh_key();
    let first = api.send(post("/v1/webhook-endpoints", &body).key(&key)).await.expect(201);
    let (id, secret) = (first.text_of("id"), first.text_of("secret"));
    assert!(secret.starts_with("whsec_"));
    assert_eq!(first.header("location"), format!("/v1/webhook-endpoints/{id}"));
    let again = api.send(post("/v1/webhook-endpoints", &body).key(&key)).await.expect(201);
    assert_eq!((again.text_of("id"), again.header("idempotency-replayed")), (id.clone(), "true"));
    assert!(again.json()["secret"].is_null());
    let other = json!({ "url": receiver.url(), "types": [] });
    api.send(post("/v1/webhook-endpoints", &other).key(&key))
        .await
        .expect_problem(422, "idempotency.key_reused");
    assert!(endpoint(&api, &id).await.json()["secret"].is_null());
    let listed = api.send(get("/v1/webhook-endpoints")).await.expect(200);
    assert_eq!(listed.json()["data"].as_array().unwrap().len(), 1);
    assert!(!listed.text.contains("whsec_"));
    // Nor does it lie open in the table.
    let rows: Vec<String> = sqlx::query_scalar("SELECT e::text FROM webhook_endpoints e")
        .fetch_all(&api.edge().await)
        .await
        .unwrap();
    assert!(!rows[0].contains("whsec_") && !rows[0].contains(&secret[6..]));

    receiver.knows("secret", &secret);
    api.stock("MUG", 1_250, 10).await;
    api.order("MUG", 1).await;
    low(&api, "LAMP").await;
    let told = receiver.gets("low stock", of_type("inventory.low")).await;
    let data = &told["verified"]["data"];
    assert_eq!(
        (&data["sku"], &data["available"], &data["reorder_point"]),
        (&json!("LAMP"), &json!(2), &json!(3))
    );
    assert_eq!(receiver.got().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_secrets_sign_while_one_takes_the_place_of_the_other() {
    let receiver = Receiver::of_webhooks();
    let api = Api::start_telling(to_webhooks(soon())).await;
    let id = registered(&api, &receiver, &["inventory.low"]).await;
    let path = format!("/v1/webhook-endpoints/{id}/rotate-secret");
    let rotated = api.send(post(&path, &json!({}))).await.expect(200);
    assert!(rotated.json()["previous_secret_until"].is_string());
    low(&api, "OLD").await;
    let told = receiver.gets("what the old secret verifies", of_type("inventory.low")).await;
    let signatures = told["headers"]["webhook-signature"].as_str().unwrap();
    assert_eq!(signatures.split(' ').count(), 2, "{signatures}");
    receiver.knows("secret", &rotated.text_of("secret"));
    low(&api, "NEW").await;
    receiver.gets("what the new secret verifies", |got| got["verified"]["data"]["sku"] == "NEW").await;
    // A day later the old one signs no more.
    sqlx::query("UPDATE webhook_endpoints SET previous_until = now() - interval '1 second'")
        .execute(&api.edge().await)
        .await
        .unwrap();
    low(&api, "LATER").await;
    let told = receiver.gets("what is told later", |got| got["verified"]["data"]["sku"] == "LATER").await;
    assert!(!told["headers"]["webhook-signature"].as_str().unwrap().contains(' '));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_endpoint_holds_up_nobody_and_its_dead_letters_can_be_sent_again() {
    let (good, bad) = (Receiver::of_webhooks(), Receiver::of_webhooks());
    bad.answers(Some("500"));
    let api = Api::start_telling(to_webhooks(soon())).await;
    let (good_id, bad_id) =
        (registered(&api, &good, &["inventory.low"]).await, registered(&api, &bad, &["inventory.low"]).await);
    for sku in ["A", "B", "C"] {
        low(&api, sku).await;
    }
    eventually("the good one hears all", || async {
        (deliveries(&api, &good_id, "done").await.len() == 3).then_some(())
    })
    .await;
    let dead = eventually("the bad one's are given up", || async {
        let dead = deliveries(&api, &bad_id, "dead").await;
        (dead.len() == 3).then_some(dead)
    })
    .await;
    for letter in &dead {
        assert_eq!((&letter["attempts"], &letter["reason"]), (&json!(4), &json!("it answered 500")));
    }
    assert!(endpoint(&api, &bad_id).await.json()["failing_since"].is_string());
    let tried: BTreeSet<_> =
        bad.got().iter().map(|got| got["headers"]["webhook-id"].as_str().unwrap().to_owned()).collect();
    assert_eq!((tried.len(), bad.got().len()), (3, 12), "each comes again under the same name");

    let metrics = api.send(get("/metrics")).await.expect(200).text;
    for line in [
        "daybook_messages_sent_total{channel=\"webhook\"} 3",
        "daybook_messages_failed_total{channel=\"webhook\"} 12",
        "daybook_messages_waiting{channel=\"webhook\"} 0",
        "daybook_messages_oldest_seconds{channel=\"webhook\"} 0.000",
        "daybook_messages_dead{channel=\"webhook\"} 3",
        "daybook_messages_dead{channel=\"mail\"} 0",
    ] {
        assert!(metrics.lines().any(|known| known == line), "{line} in {metrics}");
    }

    bad.answers(None);
    let one = dead[0]["id"].as_str().unwrap();
    let path = format!("/v1/webhook-deliveries/{one}");
    api.send(post(&format!("{path}/replay"), &json!({}))).await.expect(202);
    api.until(&path, "state", "done").await;
    assert_eq!(deliveries(&api, &bad_id, "dead").await.len(), 2);
    let range = json!({ "from": dead[2]["created_at"], "to": "2100-01-01T00:00:00Z" });
    let all = api.send(post(&format!("/v1/webhook-endpoints/{bad_id}/replay"), &range)).await.expect(202);
    assert_eq!(all.json()["replayed"], 2);
    eventually("all are done", || async {
        (deliveries(&api, &bad_id, "done").await.len() == 3).then_some(())
    })
    .await;
    assert!(endpoint(&api, &bad_id).await.json()["failing_since"].is_null());
    api.send(post("/v1/webhook-deliveries/00000000-0000-0000-0000-000000000000/replay", &json!({})))
        .await
        .expect_problem(404, "notice.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_for_days_is_disabled_and_told_nothing_until_somebody_enables_it() {
    let receiver = Receiver::of_webhooks();
    receiver.answers(Some("503"));
    let mut settings = to_webhooks(patient());
    settings.webhooks.disable_after = Duration::from_millis(600);
    let api = Api::start_telling(settings).await;
    let id = registered(&api, &receiver, &["inventory.low"]).await;
    low(&api, "A").await;
    let path = format!("/v1/webhook-endpoints/{id}");
    let disabled = api.until(&path, "enabled", false).await;
    assert_eq!(disabled["note"], "every delivery has failed for too long");
    eventually("nothing waits", || async { deliveries(&api, &id, "waiting").await.is_empty().then_some(()) })
        .await;
    low(&api, "B").await;
    let dead = eventually("what comes later is kept for a replay", || async {
        let dead = deliveries(&api, &id, "dead").await;
        (dead.len() == 2).then_some(dead)
    })
    .await;
    let one = dead[0]["id"].as_str().unwrap();
    api.send(post(&format!("/v1/webhook-deliveries/{one}/replay"), &json!({})))
        .await
        .expect_problem(409, "webhook.endpoint_disabled");
    receiver.answers(None);
    let enabled = api.send(patch(&path, &json!({ "enabled": true }))).await.expect(200).json();
    assert_eq!((&enabled["note"], &enabled["failing_since"]), (&Value::Null, &Value::Null));
    let range = json!({ "from": "2020-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z" });
    api.send(post(&format!("{path}/replay"), &range)).await.expect(202);
    receiver.gets("B", |got| got["verified"]["data"]["sku"] == "B").await;
    receiver.gets("A", |got| got["verified"]["data"]["sku"] == "A").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_is_disabled_at_once_and_a_redirect_is_not_followed() {
    let receiver = Receiver::of_webhooks();
    let api = Api::start_telling(to_webhooks(soon())).await;
    let id = registered(&api, &receiver, &["inventory.low"]).await;
    receiver.answers(Some(&format!("302 http://127.0.0.1:{}/elsewhere", receiver.port)));
    low(&api, "A").await;
    let dead =
        eventually("it is given up", || async { deliveries(&api, &id, "dead").await.first().cloned() }).await;
    assert_eq!(dead["reason"], "it answered 302");
    assert_eq!(receiver.noted("followed"), None);
    receiver.answers(Some("410"));
    low(&api, "B").await;
    let path = format!("/v1/webhook-endpoints/{id}");
    assert_eq!(api.until(&path, "enabled", false).await["note"], "it answered 410 Gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_go_nowhere_near_the_shops_own_machines() {
    let receiver = Receiver::of_webhooks();
    let api = Api::start_telling(OutboundSettings::default()).await;
    for url in [
        receiver.url(),
        "https://127.0.0.1/hook".into(),
        "https://localhost/hook".into(),
        "https://169.254.169.254/latest/meta-data".into(),
        "https://[::1]/hook".into(),
        "http://shop.example/hook".into(),
        "https://user:password@shop.example/hook".into(),
        "nonsense".into(),
    ] {
        let body = json!({ "url": url });
        api.send(post("/v1/webhook-endpoints", &body)).await.expect_problem(422, "webhook.url_refused");
    }
    let body = json!({ "url": "https://shop.example/hook" });
    let id = api.send(post("/v1/webhook-endpoints", &body)).await.expect(201).text_of("id");
    let path = format!("/v1/webhook-endpoints/{id}");
    api.send(patch(&path, &json!({ "url": receiver.url() })))
        .await
        .expect_problem(422, "webhook.url_refused");

    // An address that was let in once is refused when it is no longer allowed.
    let sql = "UPDATE webhook_endpoints SET url = $1";
    sqlx::query(sql).bind(receiver.url()).execute(&api.edge().await).await.unwrap();
    low(&api, "A").await;
    let failed = eventually("it fails", || async {
        deliveries(&api, &id, "waiting").await.into_iter().find(|waiting| !waiting["reason"].is_null())
    })
    .await;
    assert_eq!(failed["reason"], "the address is not allowed");
    assert!(receiver.got().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_makes_no_sense_about_an_endpoint_is_refused() {
    let allowed = Allowed { private: true };
    let webhooks = SendSettings { allowed, ..SendSettings::default() };
    let api = Api::start_telling(OutboundSettings { webhooks, ..OutboundSettings::default() }).await;
    let url = "https://shop.example/hook";
    for body in [
        json!({ "url": url, "types": ["order.eaten"] }),
        json!({ "url": url, "types": vec!["order.placed"; 40] }),
        json!({ "url": url, "secret": "whsec_mine" }),
        json!({ "types": [] }),
        json!({ "url": url, "description": "d".repeat(1_001) }),
    ] {
        api.send(post("/v1/webhook-endpoints", &body)).await.expect_problem(422, "request.invalid");
    }
    for path in
        ["/v1/webhook-endpoints/nobody", "/v1/webhook-deliveries/nobody", "/v1/webhook-deliveries?state=odd"]
    {
        api.send(get(path)).await.expect_problem(422, "request.invalid");
    }
    let nobody = "/v1/webhook-endpoints/00000000-0000-0000-0000-000000000000";
    for ask in [
        get(nobody),
        delete(nobody),
        patch(nobody, &json!({})),
        post(&format!("{nobody}/rotate-secret"), &json!({})),
    ] {
        api.send(ask).await.expect_problem(404, "webhook.endpoint_not_found");
    }
    let id = api.send(post("/v1/webhook-endpoints", &json!({ "url": url }))).await.expect(201).text_of("id");
    let path = format!("/v1/webhook-endpoints/{id}");
    let changed =
        api.send(patch(&path, &json!({ "description": "mine", "enabled": false }))).await.expect(200).json();
    assert_eq!((&changed["description"], &changed["note"]), (&json!("mine"), &json!("disabled by hand")));
    let changed =
        api.send(patch(&path, &json!({ "description": null, "types": ["order.placed"] }))).await.expect(200);
    assert_eq!((&changed.json()["description"], &changed.json()["enabled"]), (&Value::Null, &json!(false)));
    let range = json!({ "from": "2100-01-01T00:00:00Z", "to": "2020-01-01T00:00:00Z" });
    let replay = format!("{path}/replay");
    api.send(post(&replay, &range)).await.expect_problem(409, "webhook.endpoint_disabled");
    api.send(patch(&path, &json!({ "enabled": true }))).await.expect(200);
    api.send(post(&replay, &range)).await.expect_problem(422, "request.invalid");
    api.send(delete(&path)).await.expect(204);
    api.send(get(&path)).await.expect_problem(404, "webhook.endpoint_not_found");
    for _ in 0..50 {
        api.send(post("/v1/webhook-endpoints", &json!({ "url": url }))).await.expect(201);
    }
    let one_more = post("/v1/webhook-endpoints", &json!({ "url": url }));
    api.send(one_more).await.expect_problem(409, "webhook.too_many_endpoints");
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_deliveries_come_in_pages() {
    let receiver = Receiver::of_webhooks();
    let api = Api::start_telling(to_webhooks(soon())).await;
    let id = registered(&api, &receiver, &["inventory.low"]).await;
    for sku in ["A", "B", "C", "D", "E"] {
        low(&api, sku).await;
    }
    eventually("five are done", || async { (deliveries(&api, &id, "done").await.len() == 5).then_some(()) })
        .await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/webhook-deliveries?endpoint={id}&limit=2{cursor}");
        let page = api.send(get(&path)).await.expect(200).json();
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= 2);
        seen.extend(data.iter().map(|delivery| delivery["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((seen.len(), seen.iter().collect::<BTreeSet<_>>().len()), (5, 5));
    api.send(get("/v1/webhook-deliveries?cursor=%21")).await.expect_problem(422, "request.invalid");
}
