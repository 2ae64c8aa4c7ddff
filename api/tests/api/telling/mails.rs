//! Mails to buyers and to the shop, through a real mail server.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use store::testing::eventually;

use super::receivers::{Receiver, patient, soon, to_mails};
use crate::support::{Api, Reply, buyer, fresh_key, get, post, put};

fn header(mail: &Value, name: &str) -> String {
    let headers = mail["headers"].as_array().unwrap();
    let mut found = headers.iter().filter(|header| header[0].as_str().unwrap().eq_ignore_ascii_case(name));
    let value = found.next().map(|header| header[1].as_str().unwrap().to_owned()).unwrap_or_default();
    assert!(found.next().is_none(), "{name} stands once in {mail}");
    value
}

fn about(what: &str) -> impl Fn(&Value) -> bool {
    move |mail| header(mail, "subject").contains(what)
}

/// Checks out as somebody else than usual, and pays.
async fn bought(api: &Api, sku: &str, contact: Value) -> String {
    let cart = api.cart(&[(sku, 1)]).await;
    let mut body = buyer(&cart, "card");
    body["contact"] = contact;
    let reply = api.send(post("/v1/checkouts", &body).key(&fresh_key()).patient()).await.expect(201);
    api.authorize(&reply.text_of("payment"), "tok_approve").await.expect(200);
    let order = reply.text_of("order");
    api.until(&format!("/v1/orders/{order}"), "status", "confirmed").await;
    order
}

async fn bought_by_ada(api: &Api, sku: &str) -> String {
    bought(api, sku, json!({ "name": "Ada Lovelace", "email": "ada@example.com" })).await
}

async fn shipped(api: &Api, order: &str) -> Reply {
    let body =
        json!({ "carrier": "Royal Mail", "tracking": "RM123", "lines": [{ "line": 0, "quantity": 1 }] });
    api.send(post(&format!("/v1/orders/{order}/shipments"), &body).key(&fresh_key())).await.expect(201)
}

/// The notices that are in that state.
async fn notices(api: &Api, state: &str) -> Vec<Value> {
    let reply = api.send(get(&format!("/v1/notices?channel=mail&state={state}"))).await.expect(200);
    reply.json()["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_buyer_is_told_of_the_order_from_the_confirmation_to_the_refund() {
    let server = Receiver::of_mails();
    let api = Api::start_telling(to_mails(&server, soon())).await;
    api.stock("MUG", 1_250, 10).await;
    let order = bought_by_ada(&api, "MUG").await;
    let confirmed = server.gets("the confirmation", about(&format!("your order {order} is confirmed"))).await;
    assert_eq!(confirmed["to"], json!(["ada@example.com"]));
    assert_eq!(confirmed["kind"], "multipart/alternative");
    for kind in ["text/plain", "text/html"] {
        let part = confirmed["parts"][kind].as_str().unwrap();
        for word in ["Ada Lovelace", &order, "1 × The MUG", "12.50 GBP"] {
            assert!(part.contains(word), "{word} in {part}");
        }
    }
    assert_eq!(header(&confirmed, "from"), "The Shop <orders@shop.example>");
    assert_eq!(header(&confirmed, "reply-to"), "help@shop.example");
    assert_eq!(header(&confirmed, "to"), "Ada Lovelace <ada@example.com>");
    assert_eq!(header(&confirmed, "auto-submitted"), "auto-generated");
    let id = header(&confirmed, "x-daybook-id").replace('-', "");
    assert_eq!(header(&confirmed, "message-id"), format!("<{id}@shop.example>"));

    shipped(&api, &order).await;
    let sent = server.gets("word of the parcel", about("is on its way")).await;
    let text = sent["parts"]["text/plain"].as_str().unwrap();
    assert!(text.contains("RM123") && text.contains("Royal Mail"), "{text}");

    let payment = api.send(get(&format!("/v1/orders/{order}"))).await.text_of("payment");
    let refund = json!({ "amount": { "amount": 250, "currency": "GBP" }, "reason": "a scratch" });
    api.send(post(&format!("/v1/payments/{payment}/refund"), &refund).key(&fresh_key())).await.expect(200);
    server.gets("word of the refund", about("2.50 GBP for your order")).await;

    let other = bought_by_ada(&api, "MUG").await;
    api.cancel(&other).await.expect(200);
    let cancelled = server.gets("the cancellation", about(&format!("{other} is cancelled"))).await;
    assert!(cancelled["parts"]["text/plain"].as_str().unwrap().contains("you asked for it"));
    // The money went back as well.
    server.gets("word of the other refund", about(&format!("12.50 GBP for your order {other}"))).await;
    eventually("everything is sent", || async { notices(&api, "waiting").await.is_empty().then_some(()) })
        .await;
    let ids: BTreeSet<_> = server.got().iter().map(|mail| header(mail, "message-id")).collect();
    assert_eq!((ids.len(), server.got().len()), (6, 6), "each is sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shop_is_told_that_stock_is_low() {
    let server = Receiver::of_mails();
    let api = Api::start_telling(to_mails(&server, soon())).await;
    api.stock("LAMP", 900, 4).await;
    api.send(put("/v1/inventory/LAMP/reorder-point", &json!({ "units": 3 }))).await.expect(200);
    api.order("LAMP", 2).await;
    let low = server.gets("word of low stock", about("LAMP is low on stock")).await;
    assert_eq!(low["to"], json!(["stock@shop.example"]));
    assert!(low["parts"]["text/plain"].as_str().unwrap().contains("2 available"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_cannot_write_headers_or_html() {
    let server = Receiver::of_mails();
    let api = Api::start_telling(to_mails(&server, soon())).await;
    api.stock("MUG", 1_250, 10).await;
    let name = "Eve\r\nBcc: all@example.com <script>alert(1)</script>";
    bought(&api, "MUG", json!({ "name": name, "email": "eve@example.com" })).await;
    let mail = server.gets("the confirmation", about("is confirmed")).await;
    assert_eq!(mail["to"], json!(["eve@example.com"]));
    assert_eq!(header(&mail, "bcc"), "");
    let html = mail["parts"]["text/html"].as_str().unwrap();
    assert!(!html.contains("<script"), "{html}");
    assert!(html.contains("&#60;script&#62;"), "{html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_reached_ever_holds_up_nobody_and_can_be_tried_again() {
    let server = Receiver::of_mails();
    server.answers(Some("lost 550 5.1.1 <lost@example.com> no such user"));
    let api = Api::start_telling(to_mails(&server, patient())).await;
    api.stock("MUG", 1_250, 10).await;
    bought(&api, "MUG", json!({ "name": "Lost", "email": "lost@example.com" })).await;
    let broken = json!({ "name": "Broken", "email": "not\r\nan-address@example.com" });
    bought(&api, "MUG", broken).await;
    bought_by_ada(&api, "MUG").await;
    let mail = server.gets("Ada's confirmation", about("is confirmed")).await;
    assert_eq!(mail["to"], json!(["ada@example.com"]));
    let dead = eventually("two are given up", || async {
        let dead = notices(&api, "dead").await;
        (dead.len() == 2).then_some(dead)
    })
    .await;
    let reasons: BTreeSet<_> = dead.iter().map(|notice| notice["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, BTreeSet::from(["the address is not one", "the mail server answered 550"]));
    assert!(dead.iter().all(|notice| notice["attempts"] == 1));
    // Nothing of the person stands in what is kept.
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT e::text FROM errands e").fetch_all(&api.edge().await).await.unwrap();
    assert!(kept.iter().all(|row| !row.contains("example.com") && !row.contains("Ada Lovelace")), "{kept:?}");

    server.answers(None);
    let lost = dead.iter().find(|notice| notice["reason"] == "the mail server answered 550").unwrap();
    let path = format!("/v1/notices/{}", lost["id"].as_str().unwrap());
    api.send(post(&format!("{path}/replay"), &json!({}))).await.expect(202);
    server.gets("the mail to who was lost", |mail| mail["to"] == json!(["lost@example.com"])).await;
    api.until(&path, "state", "done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_now_is_tried_again_under_the_same_name() {
    let mut server = Receiver::of_mails();
    server.answers(Some("ada 451 4.3.0 try again later"));
    let api = Api::start_telling(to_mails(&server, patient())).await;
    api.stock("MUG", 1_250, 10).await;
    bought_by_ada(&api, "MUG").await;
    eventually("it was tried twice", || async {
        let refused = server.noted("refused")?;
        (refused.lines().count() >= 2).then_some(())
    })
    .await;
    server.stop();
    let waiting = eventually("the server is not reached", || async {
        let waiting = notices(&api, "waiting").await;
        (waiting.first()?["reason"] == "the mail server cannot be reached").then_some(waiting)
    })
    .await;
    server.answers(None);
    server.restart();
    let mail = server.gets("the confirmation", about("is confirmed")).await;
    assert_eq!(header(&mail, "x-daybook-id"), waiting[0]["id"].as_str().unwrap());
    let path = format!("/v1/notices/{}", waiting[0]["id"].as_str().unwrap());
    api.until(&path, "state", "done").await;
    assert_eq!(server.got().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_leaves_its_mails_to_the_next_and_nothing_is_told_under_two_names() {
    let server = Receiver::of_mails();
    server.answers(Some("ada 451 not yet"));
    let mut api = Api::start_telling(to_mails(&server, patient())).await;
    api.stock("MUG", 1_250, 10).await;
    let mut orders = BTreeSet::new();
    for _ in 0..3 {
        orders.insert(bought_by_ada(&api, "MUG").await);
    }
    eventually("they are being tried", || async {
        (notices(&api, "waiting").await.len() == 3).then_some(())
    })
    .await;
    api.stop_telling().await;
    // Whoever takes a mail has it for two minutes; nobody waits so long here.
    sqlx::query("UPDATE errands SET next_at = created_at").execute(&api.edge().await).await.unwrap();
    server.answers(None);
    let next = api.another_telling(to_mails(&server, patient())).await;
    eventually("the next process sends them", || async {
        (notices(&next, "done").await.len() == 3).then_some(())
    })
    .await;
    let ids: BTreeSet<_> = server.got().iter().map(|mail| header(mail, "x-daybook-id")).collect();
    assert_eq!(ids.len(), 3);
    let kept: BTreeSet<_> =
        notices(&next, "done").await.iter().map(|notice| notice["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, kept);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_forgotten_gets_nothing_and_nothing_waits_for_them() {
    let server = Receiver::of_mails();
    server.answers(Some("ada 451 not yet"));
    let api = Api::start_telling(to_mails(&server, patient())).await;
    api.stock("MUG", 1_250, 10).await;
    let order = bought_by_ada(&api, "MUG").await;
    eventually("it was tried", || async { server.noted("refused") }).await;
    let placed = api.events().await.into_iter().find(|event| event["event_type"] == "Placed").unwrap();
    let subject = subject_of(&placed).expect("the contact is somebody's");
    api.send(post(&format!("/v1/subjects/{subject}/forget"), &json!({})).patient()).await.expect(200);
    // The server goes on refusing until then: a mail that was on its way before may still come to it.
    let void = eventually("it is let go of", || async { notices(&api, "void").await.first().cloned() }).await;
    assert_eq!(void["reason"], "the person is forgotten");
    server.answers(None);
    shipped(&api, &order).await;
    eventually("the next one too", || async { (notices(&api, "void").await.len() == 2).then_some(()) }).await;
    assert!(server.got().is_empty());
    let aside: i64 =
        sqlx::query_scalar("SELECT count(*) FROM waiting_events").fetch_one(&api.engine.pool).await.unwrap();
    assert_eq!(aside, 0);
}

/// Whose contact an event holds, wherever it stands in it.
fn subject_of(value: &Value) -> Option<String> {
    match value {
        Value::Object(members) => members
            .get("subject")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| members.values().find_map(subject_of)),
        Value::Array(values) => values.iter().find_map(subject_of),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shop_that_begins_to_send_mails_says_nothing_of_what_happened_before() {
    let server = Receiver::of_mails();
    let silent = Api::start().await;
    silent.stock("MUG", 1_250, 10).await;
    let before = bought_by_ada(&silent, "MUG").await;
    let api = silent.another_telling(to_mails(&server, soon())).await;
    eventually("it follows", || async {
        let sql = "SELECT position FROM followers WHERE name = 'notices' AND incarnation IS NOT NULL";
        let begun: Option<i64> = sqlx::query_scalar(sql).fetch_optional(&api.engine.pool).await.unwrap();
        begun
    })
    .await;
    let after = bought_by_ada(&api, "MUG").await;
    server.gets("the later confirmation", about(&after)).await;
    assert!(server.got().iter().all(|mail| !header(mail, "subject").contains(&before)));
}

/// A mail about an account, as the edge writes it down.
async fn written(api: &Api, kind: &str, subject: &str, values: &Value) {
    let vault = &api.engine.vault;
    let recipient = vault.seal(subject, b"grace@example.com").await.unwrap();
    let payload = vault.seal(subject, values.to_string().as_bytes()).await.unwrap();
    sqlx::query(
        "INSERT INTO outgoing_mail (id, kind, subject, recipient, payload, created_at, next_at) \
         VALUES (gen_random_uuid(), $1, $2, $3, $4, now(), now())",
    )
    .bind(kind)
    .bind(subject)
    .bind(&*recipient.sealed)
    .bind(&*payload.sealed)
    .execute(&api.edge().await)
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_about_accounts_are_sent_and_nothing_of_them_lies_open() {
    let server = Receiver::of_mails();
    let api = Api::start_telling(to_mails(&server, patient())).await;
    let values = json!({ "token": "tok-1", "expires_at": "2100-01-01T00:00:00Z" });
    written(&api, "account.reset_password", "customer:grace", &values).await;
    let mail = server.gets("the link", about("choose a new password")).await;
    assert_eq!(mail["to"], json!(["grace@example.com"]));
    for kind in ["text/plain", "text/html"] {
        let part = mail["parts"][kind].as_str().unwrap();
        assert!(part.contains("https://shop.example/reset-password?token=tok-1"), "{part}");
    }
    let done = eventually("it is done", || async { notices(&api, "done").await.first().cloned() }).await;
    assert_eq!(header(&mail, "x-daybook-id"), done["id"].as_str().unwrap());
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT e::text FROM errands e").fetch_all(&api.edge().await).await.unwrap();
    assert!(kept.iter().all(|row| !row.contains("tok-1") && !row.contains("grace@")), "{kept:?}");

    let old = json!({ "token": "tok-2", "expires_at": "2020-01-01T00:00:00Z" });
    written(&api, "account.verify_email", "customer:grace", &old).await;
    let void =
        eventually("the other is let go of", || async { notices(&api, "void").await.first().cloned() }).await;
    assert_eq!(void["reason"], "its token is of no use any more");
    assert_eq!(server.got().len(), 1);
    let left: i64 =
        sqlx::query_scalar("SELECT count(*) FROM outgoing_mail").fetch_one(&api.edge().await).await.unwrap();
    assert_eq!(left, 0);
}
