//! Commands in bulk: each line has its own answer, and its own key.

#![expect(clippy::unwrap_used, reason = "a test whose shop does not answer cannot go on")]

use serde_json::{Value, json};

use crate::support::{Api, Ask, Reply};

fn line(key: &str, id: &str, command: &Value) -> String {
    json!({ "key": key, "aggregate_type": "inventory_item", "aggregate_id": id, "command": command })
        .to_string()
}

fn receive(key: &str, quantity: u32) -> String {
    line(key, "MUG", &json!({ "Receive": { "quantity": quantity } }))
}

async fn send(api: &Api, lines: &[String]) -> Reply {
    api.send(Ask::new(axum::http::Method::POST, "/v1/commands").raw("application/x-ndjson", lines.join("\n")))
        .await
}

fn answers(reply: &Reply) -> Vec<Value> {
    reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_is_answered_for_itself_and_in_order() {
    let api = Api::start().await;
    let lines = [
        receive("a", 5),
        line("b", "MUG", &json!({ "Adjust": { "delta": -9, "reason": "count" } })),
        "{\"key\": \"c\"".to_owned(),
        line("d", "MUG", &json!({ "Recieve": { "quantity": 1 } })),
        json!({"key": "e", "aggregate_type": "teapot", "aggregate_id": "1", "command": {}}).to_string(),
        json!({"key": "f", "aggregate_type": "payment", "aggregate_id": "p",
               "command": {"RecordVoid": {"outcome": "done"}}})
        .to_string(),
        receive("g", 2),
    ];
    let reply = send(&api, &lines).await.expect(207);
    let told: Vec<(u64, u64, String)> = answers(&reply)
        .iter()
        .map(|answer| {
            let code = answer["code"].as_str().unwrap_or("done").to_owned();
            (answer["line"].as_u64().unwrap(), answer["status"].as_u64().unwrap(), code)
        })
        .collect();
    let expected = [
        (1, 200, "done"),
        (2, 409, "inventory.below_reserved"),
        (3, 400, "request.malformed"),
        (4, 422, "request.invalid"),
        (5, 422, "request.invalid"),
    ];
    let expected: Vec<_> = expected.map(|(line, status, code)| (line, status, code.to_owned())).to_vec();
    assert_eq!(told[..5], expected);
    assert!(matches!(told[5].1, 403 | 422), "{:?}", told[5]);
    assert_eq!(answers(&reply)[1]["values"]["reserved"], 0);
    assert_eq!(answers(&reply)[6]["version"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_good_for_one_command_on_one_aggregate() {
    let api = Api::start().await;
    send(&api, &[receive("a", 5)]).await.expect(207);
    let other = line("a", "CUP", &json!({ "Receive": { "quantity": 5 } }));
    let again = answers(&send(&api, &[receive("a", 5), other]).await);
    assert_eq!(again[0]["replayed"], true);
    assert_eq!((&again[1]["status"], &again[1]["replayed"]), (&json!(200), &json!(false)));
    let changed = answers(&send(&api, &[receive("a", 6)]).await);
    assert_eq!(changed[0]["code"], "idempotency.key_reused");
    assert_eq!(api.events().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_commands_fit_and_one_more_is_too_many() {
    let api = Api::start().await;
    let lines: Vec<String> = (0..10_001).map(|nth| receive(&nth.to_string(), 1)).collect();
    send(&api, &lines).await.expect_problem(413, "request.too_large");
    let told = answers(&send(&api, &lines[1..]).await.expect(207));
    assert_eq!(told.len(), 10_000);
    assert!(told.iter().all(|answer| answer["status"] == 200));
    assert!(told.iter().zip(1..).all(|(answer, version)| answer["version"] == version), "in their order");
    let log = api.engine.log.head().await.unwrap();
    assert_eq!(log.position, 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_shop_tells_itself_is_not_for_clients_to_say() {
    let api = Api::start().await;
    let of_cart = |key: &str, command: Value| {
        json!({ "key": key, "aggregate_type": "cart", "aggregate_id": "C1", "command": command }).to_string()
    };
    let lines = [
        of_cart("a", json!({ "Expire": { "now": 0 } })),
        of_cart("b", json!({ "UndoMerge": { "into": "C2" } })),
        of_cart(
            "c",
            json!({ "TakeLines": { "from": "C2", "customer": "ada", "currency": "GBP", "lines": [] } }),
        ),
        line("d", "MUG", &json!({ "Expire": { "now": 0 } })),
        line("e", "MUG", &json!({ "PutBack": { "reservation": "O1", "quantity": 1 } })),
    ];
    for answer in answers(&send(&api, &lines).await.expect(207)) {
        assert_eq!(answer["code"], "command.not_for_clients", "{answer}");
        assert_eq!(answer["status"], 403, "{answer}");
    }
    assert!(api.events().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_the_units_of_another_by_naming_a_later_time() {
    let api = Api::start().await;
    let now = api.engine.clock.now().millis();
    let reserve = |key: &str, reservation: &str, now: i64| {
        let hold =
            json!({ "reservation": reservation, "quantity": 1, "expires_at": now + 60_000, "now": now });
        line(key, "MUG", &json!({ "Reserve": hold }))
    };
    let late = now + 365 * 86_400_000;
    let lines = [receive("a", 1), reserve("b", "R1", now), reserve("c", "R2", late)];
    let told = answers(&send(&api, &lines).await.expect(207));
    assert_eq!(told[1]["status"], 200, "{}", told[1]);
    assert_eq!(told[2]["code"], "inventory.insufficient", "{}", told[2]);
}
