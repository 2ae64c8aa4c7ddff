//! What carriers tell of parcels, signed, and what becomes of the orders.

use std::collections::BTreeMap;

use api::{
    Settings,
    carriers::{CarrierName, Carriers},
    outbound::OutboundSettings,
    standard_webhooks::{ID, SIGNATURE, Secret, TIMESTAMP, signature},
};
use serde_json::{Value, json};
use store::testing::eventually;

use super::receivers::{Receiver, soon, to_webhooks};
use crate::support::{Api, Ask, fresh_key, get, post};

fn secret(byte: u8) -> Secret {
    Secret::of(vec![byte; 32]).unwrap()
}

/// A shop that believes the Royal Mail, which is about to get another secret.
fn settings() -> Settings {
    let name = CarrierName::new("Royal Mail").unwrap();
    let carriers = Carriers::new(BTreeMap::from([(name, vec![secret(1), secret(2)])]));
    Settings { carriers, ..Settings::default() }
}

async fn shop(outbound: OutboundSettings) -> Api {
    let api = Api::start_set(settings(), outbound).await;
    api.stock("MUG", 1_250, 10).await;
    api
}

/// An order that left the house in one parcel: its id and its shipment's.
async fn shipped(api: &Api, tracking: &str) -> (String, String) {
    let (order, payment) = api.order("MUG", 1).await;
    api.authorize(&payment, "tok_approve").await.expect(200);
    api.until(&format!("/v1/orders/{order}"), "status", "confirmed").await;
    let shipment = ship(api, &order, tracking).await;
    (order, shipment)
}

async fn ship(api: &Api, order: &str, tracking: &str) -> String {
    let body =
        json!({ "carrier": "Royal Mail", "tracking": tracking, "lines": [{ "line": 0, "quantity": 1 }] });
    let path = format!("/v1/orders/{order}/shipments");
    api.send(post(&path, &body).key(&fresh_key())).await.expect(201).text_of("id")
}

fn word(kind: &str, tracking: &str) -> Value {
    json!({ "type": kind, "timestamp": "2026-01-01T00:00:00Z", "data": { "tracking": tracking, "depot": "N1" } })
}

fn now_s(api: &Api) -> i64 {
    api.engine.clock.now().millis() / 1_000
}

fn signed(id: &str, seconds: i64, secrets: &[Secret], body: &str) -> Ask {
    Ask::new(axum::http::Method::POST, "/v1/webhooks/carriers/royal-mail")
        .raw("application/json", body)
        .header(ID, id)
        .header(TIMESTAMP, &seconds.to_string())
        .header(SIGNATURE, &signature(secrets, id, seconds, body.as_bytes()))
}

async fn tell(api: &Api, id: &str, word: &Value, status: u16, said: &str) {
    let ask = signed(id, now_s(api), &[secret(2)], &word.to_string());
    let reply = api.send(ask).await.expect(status);
    assert_eq!(reply.json()["status"], said);
}

async fn known(api: &Api, tracking: &str) {
    eventually("the parcel is known", || async {
        let sql = "SELECT EXISTS (SELECT FROM parcels WHERE tracking = $1)";
        let known: bool = sqlx::query_scalar(sql).bind(tracking).fetch_one(&api.edge().await).await.unwrap();
        known.then_some(())
    })
    .await;
}

fn of_type(events: &[Value], kind: &str) -> usize {
    events.iter().filter(|event| event["event_type"] == kind).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_moves_a_shipment_until_it_has_arrived_and_each_word_counts_once() {
    let receiver = Receiver::of_webhooks();
    let api = shop(to_webhooks(soon())).await;
    let body =
        json!({ "url": receiver.url(), "types": ["order.in_transit", "order.exception", "order.delivered"] });
    let secret = api.send(post("/v1/webhook-endpoints", &body)).await.expect(201).text_of("secret");
    receiver.knows("secret", &secret);
    let (order, shipment) = shipped(&api, "RM 123 gb").await;
    known(&api, "RM123GB").await;
    tell(&api, "e1", &word("shipment.in_transit", "RM123GB"), 200, "taken").await;
    tell(&api, "e2", &word("shipment.exception", "rm123gb"), 200, "taken").await;
    let path = format!("/v1/orders/{order}");
    let reads = |transit: &'static str| {
        let (api, path, shipment) = (&api, &path, &shipment);
        async move {
            eventually("the order shows it", || async {
                let page = api.send(get(path)).await.json();
                let found = &page["shipments"][0];
                (found["transit"] == transit && found["id"] == json!(shipment)).then_some(())
            })
            .await;
        }
    };
    reads("exception").await;
    // The carrier has not heard the answer, and tells the first again.
    tell(&api, "e1", &word("shipment.in_transit", "RM123GB"), 200, "taken").await;
    tell(&api, "e3", &word("shipment.delivered", "RM123GB"), 200, "taken").await;
    api.until(&path, "status", "delivered").await;
    tell(&api, "e4", &word("shipment.in_transit", "RM123GB"), 200, "taken").await;
    let events = api.events().await;
    assert_eq!((of_type(&events, "TransitNoted"), of_type(&events, "Delivered")), (2, 1));
    let delivered = events.iter().find(|event| event["event_type"] == "Delivered").unwrap();
    assert!(delivered.to_string().contains("carrier:royal-mail"), "{delivered}");
    for kind in ["order.in_transit", "order.exception", "order.delivered"] {
        receiver.gets(kind, |got| got["verified"]["type"] == kind).await;
    }
    tell(&api, "e5", &word("shipment.label_printed", "RM123GB"), 200, "ignored").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_is_faster_than_the_shop_is_kept_waiting_and_not_forgotten() {
    let api = shop(OutboundSettings::default()).await;
    tell(&api, "early", &word("shipment.delivered", "RM9"), 202, "kept").await;
    tell(&api, "early", &word("shipment.delivered", "RM9"), 202, "kept").await;
    let waiting = api.send(get("/v1/notices?channel=carrier&state=waiting")).await.expect(200).json();
    assert_eq!(waiting["data"].as_array().unwrap().len(), 1);
    assert_eq!(waiting["data"][0]["reason"], "no shipment has this number yet");
    let (order, _) = shipped(&api, "RM9").await;
    known(&api, "RM9").await;
    let id = waiting["data"][0]["id"].as_str().unwrap();
    // Nobody waits ten seconds here.
    api.send(post(&format!("/v1/notices/{id}/replay"), &json!({}))).await.expect(202);
    api.until(&format!("/v1/orders/{order}"), "status", "delivered").await;
    tell(&api, "early", &word("shipment.delivered", "RM9"), 200, "taken").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parcel_that_goes_by_another_number_is_no_longer_known_by_the_first() {
    let api = shop(OutboundSettings::default()).await;
    let (order, shipment) = shipped(&api, "FIRST").await;
    known(&api, "FIRST").await;
    let path = format!("/v1/orders/{order}/shipments/{shipment}/tracking");
    let body = json!({ "carrier": "Royal Mail", "tracking": "SECOND" });
    api.send(post(&path, &body)).await.expect(200);
    known(&api, "SECOND").await;
    tell(&api, "e1", &word("shipment.delivered", "FIRST"), 202, "kept").await;
    tell(&api, "e2", &word("shipment.delivered", "SECOND"), 200, "taken").await;
    // The Royal Mail uses the number again, for somebody else's parcel.
    let (other, _) = shipped(&api, "SECOND").await;
    eventually("the newer parcel has the number", || async {
        let sql = "SELECT order_id FROM parcels WHERE tracking = 'SECOND'";
        let found: String = sqlx::query_scalar(sql).fetch_one(&api.edge().await).await.unwrap();
        (found == other).then_some(())
    })
    .await;
    tell(&api, "e3", &word("shipment.delivered", "SECOND"), 200, "taken").await;
    api.until(&format!("/v1/orders/{other}"), "status", "delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_believed_and_nothing_that_was_changed_or_kept() {
    let api = shop(OutboundSettings::default()).await;
    let body = word("shipment.delivered", "RM1").to_string();
    let now = now_s(&api);
    let refused = [
        signed("e1", now, &[secret(3)], &body),
        signed("e1", now - 301, &[secret(1)], &body),
        signed("e1", now + 301, &[secret(1)], &body),
        signed("e1", now, &[secret(1)], &body).raw("application/json", body.replace("RM1", "RM2")),
        signed("e1", now, &[], &body),
        post("/v1/webhooks/carriers/royal-mail", &word("shipment.delivered", "RM1")),
    ];
    for ask in refused {
        api.send(ask).await.expect_problem(401, "webhook.not_believed");
    }
    for carrier in ["dhl", "Royal%20Mail", "ROYAL-MAIL"] {
        let ask = post(&format!("/v1/webhooks/carriers/{carrier}"), &json!({}));
        api.send(ask).await.expect_problem(404, "carrier.unknown");
    }
    for (body, status, code) in [
        ("{".to_owned(), 400, "request.malformed"),
        (json!({ "kind": "x" }).to_string(), 422, "request.invalid"),
        (json!({ "type": "shipment.delivered" }).to_string(), 422, "request.invalid"),
        (json!({ "type": "shipment.delivered", "data": {} }).to_string(), 422, "request.invalid"),
        (word("shipment.delivered", &"1".repeat(201)).to_string(), 422, "request.invalid"),
        (word("shipment.delivered", &"1".repeat(70_000)).to_string(), 413, "request.too_large"),
    ] {
        api.send(signed("e2", now, &[secret(1)], &body)).await.expect_problem(status, code);
    }
    let kept = api.send(get("/v1/notices")).await.expect(200).json();
    assert_eq!(kept["data"], json!([]));
}
