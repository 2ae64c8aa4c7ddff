//! What a whole checkout leaves in the log of the process.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};
use store::testing::eventually;

use crate::shop::{PERSON, Shop, stocked};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn lines(log: &str) -> Vec<Json> {
    let read = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    log.lines().map(read).collect()
}

/// The lines of requests to a route.
fn requests<'a>(lines: &'a [Json], route: &str) -> Vec<&'a Json> {
    let fields = lines.iter().map(|line| &line["fields"]);
    fields.filter(|fields| fields["message"] == "request" && fields["route"] == route).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_can_be_followed_by_its_ids_and_nobody_reads_who_bought() {
    let ground = stocked().await;
    // More than anybody logs in earnest: whatever is not personal at this level is not at a quieter one.
    let log = "info,api=debug,store=debug,projections=debug,daybook=debug";
    let shop = Shop::open(&ground, &[("DAYBOOK_LOG", log)]).await;
    let guest = shop.guest().await;
    let cart = shop.cart(&guest).await;
    let traceparent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let order = shop.check_out(&guest, &cart, &traceparent).await.expect(201).json();
    let payment = order["payment"].as_str().unwrap().to_owned();
    let path = format!("/v1/payments/{payment}/authorize");
    let me = [("authorization", guest.as_str()), ("idempotency-key", "pay-me-once")];
    shop.post(&path, &json!({"token": "tok_approve"}), &me).await.expect(200);
    // Where nobody should have to look for them: paths, queries and bodies that make no sense.
    let card = "4242424242424242";
    shop.get(&format!("/v1/nothing/{}/{card}", PERSON[1])).await.expect(404);
    shop.get(&format!("/v1/products?q={card}&nonsense={}", PERSON[1])).await;
    let login = json!({"email": PERSON[1], "password": "correct horse battery staple"});
    let refused = shop.post("/v1/auth/login", &login, &[("traceparent", &traceparent)]).await;
    assert_eq!(refused.json()["trace_id"], TRACE, "{refused:?}");
    shop.post("/v1/auth/register", &login, &[]).await.expect(201);
    let own = shop.get("/v1/orders/none").await.expect(401).json();

    let log = shop.end();
    let lines = lines(&log);
    let [checkout] = requests(&lines, "/v1/checkouts")[..] else { panic!("one line a request: {log}") };
    assert_eq!(
        (&checkout["method"], &checkout["status"], &checkout["principal"], &checkout["trace_id"]),
        (&json!("POST"), &json!(201), &json!("guest"), &json!(TRACE))
    );
    for (field, length) in [("command_id", 36), ("span_id", 16)] {
        assert_eq!(checkout[field].as_str().map(str::len), Some(length), "{checkout}");
    }
    let position = checkout["position"].as_str().and_then(|token| token.rsplit_once(':')).unwrap().1;
    assert!(position.parse::<i64>().unwrap() > 0 && checkout["took_us"].as_i64().unwrap() > 0, "{checkout}");
    let [login] = requests(&lines, "/v1/auth/login")[..] else { panic!("{log}") };
    assert_eq!((&login["trace_id"], &login["code"]), (&json!(TRACE), &json!("auth.invalid_credentials")));
    let [refused] = requests(&lines, "/v1/orders/{id}")[..] else { panic!("{log}") };
    assert_eq!((&refused["trace_id"], &refused["status"]), (&own["trace_id"], &json!(401)));
    let [nothing] = requests(&lines, "none")[..] else { panic!("{log}") };
    assert_eq!(nothing["status"], 404);
    // Every request has an id of its own, within one trace too.
    let spans: Vec<_> = lines.iter().filter_map(|line| line["fields"]["span_id"].as_str()).collect();
    assert_eq!(spans.iter().collect::<BTreeSet<_>>().len(), spans.len());

    let token = guest.strip_prefix("Bearer ").unwrap();
    let secrets = [token, "tok_approve", "correct horse battery staple", card, "pay-me-once"];
    for secret in PERSON.iter().chain(&secrets) {
        let found = log.lines().find(|line| line.contains(secret));
        assert_eq!(found, None, "{secret} stands in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_watches_over_the_process_fills_no_log() {
    let ground = stocked().await;
    let shop = Shop::open(&ground, &[]).await;
    for path in ["/healthz", "/metrics"] {
        shop.get(path).await.expect(200);
    }
    eventually("it is ready", || async { (shop.get("/readyz").await.status == 200).then_some(()) }).await;
    let log = shop.end();
    assert!(!log.contains("/healthz") && !log.contains("/metrics"), "{log}");
    assert!(log.contains("/v1/products/{id}"), "{log}");
}
