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
async fn what_the_shop_tells_itself_and_what_carries_prices_is_not_for_clients_to_say() {
    let api = Api::start().await;
    let gbp = |amount| json!({ "amount": amount, "currency": "GBP" });
    let line_of =
        json!({ "sku": "MUG", "product": "P1", "title": "Mug", "quantity": 3, "unit_price": gbp(1) });
    let commands = [
        ("cart", "C1", json!({ "Expire": { "now": 0 } })),
        ("cart", "C1", json!({ "UndoMerge": { "into": "C2" } })),
        (
            "cart",
            "C1",
            json!({ "TakeLines": { "from": "C2", "customer": "ada", "currency": "GBP", "lines": [] } }),
        ),
        ("cart", "C1", json!({ "AddLine": { "line": line_of } })),
        ("inventory_item", "MUG", json!({ "Expire": { "now": 0 } })),
        ("inventory_item", "MUG", json!({ "PutBack": { "reservation": "O1", "quantity": 1 } })),
        ("order", "O1", json!({ "Confirm": {} })),
        ("order", "O1", json!({ "ApplyEdit": { "edit": "E1" } })),
        ("order", "O1", json!({ "RecordInvoice": { "year": 2026, "number": 1, "issued_at": 0 } })),
        ("order", "O1", json!({ "RecordReturnRefunded": { "return_id": "R1", "amount": gbp(1) } })),
        ("payment", "P1", json!({ "RecordCapture": { "capture": "K1", "outcome": "done" } })),
        (
            "payment",
            "P1",
            json!({ "OpenIntent": { "order": "O1", "amount": gbp(1), "method": "card", "capture": "at_once" } }),
        ),
        ("allowance", "ada:MUG", json!({ "GiveBack": { "order": "O1" } })),
        (
            "invoice_book",
            "2026",
            json!({ "Issue": { "document": "invoice", "order": "O1", "total": gbp(1), "issued_at": 0 } }),
        ),
    ];
    let lines: Vec<String> = commands
        .iter()
        .enumerate()
        .map(|(key, (kind, id, command))| {
            json!({ "key": key.to_string(), "aggregate_type": kind, "aggregate_id": id, "command": command })
                .to_string()
        })
        .collect();
    let told = answers(&send(&api, &lines).await.expect(207));
    assert_eq!(told.len(), lines.len());
    for (answer, line) in told.iter().zip(&lines) {
        assert_eq!(
            (&answer["code"], &answer["status"]),
            (&json!("command.not_for_clients"), &json!(403)),
            "{line} {answer}"
        );
    }
    assert!(api.events().await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_gets_an_id_that_no_list_could_show() {
    let api = Api::start().await;
    let long = "x".repeat(65);
    let ids = [
        ("inventory_item", long.as_str()),
        ("inventory_item", " lead"),
        ("inventory_item", "a\nb"),
        ("inventory_item", ""),
        ("cart", "a b"),
        ("order", "é"),
        ("payment", "a/b"),
        ("product", "p\u{0}"),
        ("subject", "ada"),
    ];
    let lines: Vec<String> = ids
        .iter()
        .map(|(kind, id)| {
            let command = json!({ "Receive": { "quantity": 1 } });
            json!({ "key": "k", "aggregate_type": kind, "aggregate_id": id, "command": command }).to_string()
        })
        .collect();
    for answer in answers(&send(&api, &lines).await.expect(207)) {
        assert_eq!(
            (&answer["code"], &answer["status"]),
            (&json!("request.invalid"), &json!(422)),
            "{answer}"
        );
        assert!(answer["detail"].as_str().is_some_and(|detail| detail.contains("is not a")), "{answer}");
    }
    assert!(api.events().await.is_empty());
    api.send(crate::support::get("/v1/inventory")).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_request_takes_is_a_problem_like_any_other() {
    let api = Api::start().await;
    let lines = vec![" ".repeat(1 << 20); 17];
    send(&api, &lines).await.expect_problem(413, "request.too_large");
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
