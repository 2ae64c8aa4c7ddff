//! Answers that go on: events and an order as they change, left and taken up again.

use std::time::Duration;

use axum::{
    body::Body,
    http::{Request, StatusCode},
};
use futures::{StreamExt as _, stream::BoxStream};
use serde_json::{Value, json};

use crate::support::{Api, fresh_key, get, post};

/// What is told, one message after another.
struct Listener {
    kind: String,
    parts: BoxStream<'static, String>,
    text: String,
}

/// A message of Server-Sent Events, or a line.
#[derive(Debug)]
struct Message {
    id: String,
    name: String,
    data: Value,
}

impl Listener {
    async fn listen(api: &Api, path: &str, headers: &[(&str, &str)]) -> Self {
        let mut request = Request::builder().uri(path).header("authorization", api.bearer());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = api.front.answer(request.body(Body::empty()).unwrap()).await;
        assert_eq!(response.status(), StatusCode::OK);
        let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
        let parts = response.into_body().into_data_stream();
        let parts = parts.map(|part| String::from_utf8(part.unwrap().to_vec()).unwrap()).boxed();
        Self { kind, parts, text: String::new() }
    }

    async fn sse(api: &Api, path: &str) -> Self {
        Self::listen(api, path, &[("accept", "text/event-stream")]).await
    }

    /// The next message that says something; `None` when there will be none.
    async fn next(&mut self) -> Option<Message> {
        let end = if self.kind == "text/event-stream" { "\n\n" } else { "\n" };
        loop {
            while let Some((message, rest)) = self.text.split_once(end) {
                let (message, rest) = (message.to_owned(), rest.to_owned());
                self.text = rest;
                if let Some(message) = self.read(&message) {
                    return Some(message);
                }
            }
            let part = tokio::time::timeout(Duration::from_secs(30), self.parts.next());
            self.text.push_str(&part.await.expect("something within half a minute")?);
        }
    }

    fn read(&self, text: &str) -> Option<Message> {
        if self.kind != "text/event-stream" {
            let data: Value = serde_json::from_str(text).ok()?;
            let (id, name) = (data["position"].to_string(), data["event_type"].as_str()?.to_owned());
            return Some(Message { id, name, data });
        }
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let data = serde_json::from_str(&field("data: ")?).unwrap();
        Some(Message { id: field("id: ").unwrap(), name: field("event: ").unwrap(), data })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_told_as_they_happen_and_taken_up_where_they_were_left() {
    let api = Api::start().await;
    let receive = |quantity: u32| post("/v1/inventory/A/receive", &json!({ "quantity": quantity }));
    api.send(receive(1)).await.expect(200);
    let mut listener = Listener::sse(&api, "/v1/events?from=1").await;
    assert_eq!(listener.kind, "text/event-stream");
    let first = listener.next().await.unwrap();
    assert_eq!((first.name.as_str(), &first.data["position"]), ("Received", &json!(1)));
    assert_eq!(first.data["payload"]["Received"]["quantity"], 1);
    let second = api.send(receive(2)).await.expect(200);
    let told = listener.next().await.unwrap();
    assert_eq!((told.id.as_str(), &told.data["position"]), (second.header("daybook-position"), &json!(2)));
    drop(listener);
    api.send(receive(3)).await.expect(200);
    let again = [("accept", "text/event-stream"), ("last-event-id", told.id.as_str())];
    let mut listener = Listener::listen(&api, "/v1/events?from=1", &again).await;
    assert_eq!(listener.next().await.unwrap().data["position"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_was_asked_for_is_told_as_lines_too() {
    let api = Api::start().await;
    for sku in ["A", "B", "A", "B"] {
        let path = format!("/v1/inventory/{sku}/receive");
        api.send(post(&path, &json!({ "quantity": 1 }))).await.expect(200);
    }
    api.send(post("/v1/carts", &json!({ "currency": "GBP" }))).await.expect(201);
    let path = "/v1/events?follow=true&aggregate_type=inventory_item&aggregate_id=B&type=Received,Adjusted";
    let mut listener = Listener::listen(&api, path, &[]).await;
    assert_eq!(listener.kind, "application/x-ndjson");
    let mut told = Vec::new();
    for _ in 0..2 {
        told.push(listener.next().await.unwrap().id);
    }
    assert_eq!(told, ["2", "4"]);
    let page = api.send(get("/v1/events?aggregate_type=cart")).await.expect(200);
    assert_eq!(page.text.lines().count(), 1);
    assert_eq!(page.header("daybook-next"), "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_names_what_cannot_be_is_told() {
    let api = Api::start().await;
    let ask = |id: &str| get("/v1/events").header("accept", "text/event-stream").header("last-event-id", id);
    api.send(ask("seven")).await.expect_problem(400, "position.malformed");
    let other = format!("{}:7", uuid::Uuid::nil());
    api.send(ask(&other)).await.expect_problem(412, "position.other_log");
    api.send(get("/v1/events?typo=Received")).await.expect_problem(422, "request.invalid");
    api.send(get("/v1/orders/none/live")).await.expect_problem(404, "order.not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_told_from_where_it_stands_until_it_is_confirmed() {
    let api = Api::start().await;
    api.list("A", 900).await;
    api.send(post("/v1/inventory/A/receive", &json!({ "quantity": 5 }))).await.expect(200);
    let cart = api.cart(&[("A", 1)]).await;
    let placed = api.check_out(&cart, "card").await.expect(201);
    let order = placed.text_of("order");
    api.send(get(&format!("/v1/orders/{order}")).after(&placed)).await.expect(200);
    let mut listener = Listener::sse(&api, &format!("/v1/orders/{order}/live")).await;
    let first = listener.next().await.unwrap();
    assert_eq!((first.name.as_str(), &first.data["id"]), ("order", &json!(order)));
    assert_ne!(first.data["status"], "confirmed");
    let path = format!("/v1/payments/{}/authorize", placed.text_of("payment"));
    api.send(post(&path, &json!({ "token": "tok_approve" })).key(&fresh_key())).await.expect(200);
    let mut last = first;
    while last.data["status"] != "confirmed" {
        let next = listener.next().await.unwrap();
        assert_ne!(next.data, last.data, "only what changed is told");
        last = next;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_on_ends_with_the_process() {
    let api = Api::start().await;
    let mut events = Listener::sse(&api, "/v1/events").await;
    api.ingress.drain();
    assert!(events.next().await.is_none());
}
