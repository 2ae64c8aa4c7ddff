//! What somebody might try who means harm: each attempt with its answer, and none of them changes anything.

use axum::http::Method;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    people::{PASSWORD, fresh_email, member, refresh, shop_with_clock, staff},
    support::{Api, Ask, buyer, fresh_key, gbp, get, patch, post, put},
};

/// An attempt: what it is, what is sent, and what comes back: a status, and the code of a problem where there is one.
type Attack = (&'static str, Ask, u16, &'static str);

/// What is said of a body that is not JSON as it is.
const KIND: &str = "request.unsupported_media_type";

/// Everything that an attacker knows.
struct Scene {
    /// Somebody else's, with an order that waits for its payment.
    cart: String,
    order: String,
    payment: String,
    customer: String,
    /// The key of somebody else's checkout.
    key: String,
    /// An order that is paid.
    paid: String,
    /// The attacker's own.
    own: String,
    own_cart: String,
    own_payment: String,
    own_refresh: String,
    /// A token of the attacker's that is over.
    expired: String,
    /// Of somebody who looks after the catalogue, and nothing else.
    catalogue: String,
    /// Of somebody who looks after payments.
    cashier: String,
    /// Of somebody who looks after operations.
    operator: String,
}

async fn open_cart(api: &Api, token: &str, units: u32) -> String {
    let cart = api.send(post("/v1/carts", &json!({ "currency": "GBP" })).by(token)).await.expect(201);
    let cart = cart.text_of("id");
    let line = json!({ "sku": "MUG", "quantity": units });
    api.send(post(&format!("/v1/carts/{cart}/items"), &line).by(token)).await.expect(200);
    cart
}

async fn scene() -> (Api, Scene) {
    let (api, clock) = shop_with_clock().await;
    api.stock("MUG", 900, 50).await;
    let (_, victim) = member(&api).await;
    let (_, attacker) = member(&api).await;
    let expired = attacker.access.clone();
    clock.by_s(3_600);
    let victim = crate::people::Tokens::of(&refresh(&api, &victim.refresh).await.expect(200));
    let attacker = crate::people::Tokens::of(&refresh(&api, &attacker.refresh).await.expect(200));
    let customer = api.send(get("/v1/me").by(&victim.access)).await.expect(200).text_of("id");
    let (cart, key) = (open_cart(&api, &victim.access, 2).await, fresh_key());
    let placed = post("/v1/checkouts", &buyer(&cart, "card")).by(&victim.access).key(&key).patient();
    let placed = api.send(placed).await.expect(201);
    let (order, payment) = (placed.text_of("order"), placed.text_of("payment"));
    let (bought, paid) = api.order("MUG", 1).await;
    api.authorize(&paid, "tok_approve").await.expect(200);
    api.until(&format!("/v1/orders/{bought}"), "status", "confirmed").await;
    let ordered = open_cart(&api, &attacker.access, 1).await;
    let ordered = post("/v1/checkouts", &buyer(&ordered, "card")).by(&attacker.access).key(&fresh_key());
    let own_payment = api.send(ordered.patient()).await.expect(201).text_of("payment");
    let own_cart = open_cart(&api, &attacker.access, 1).await;
    let scene = Scene {
        cart,
        order,
        payment,
        customer,
        key,
        paid,
        own: attacker.access,
        own_cart,
        own_payment,
        own_refresh: attacker.refresh,
        expired,
        catalogue: staff(&api, &[api::Permission::Catalogue]),
        cashier: staff(&api, &[api::Permission::Payments]),
        operator: staff(&api, &[api::Permission::Operations]),
    };
    (api, scene)
}

fn coded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token with another first part, or other claims, and whatever signature it had.
fn forged(token: &str, header: impl FnOnce(&mut Value), claims: impl FnOnce(&mut Value)) -> String {
    let parts: Vec<&str> = token.split('.').collect();
    let read = |part: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    let (mut first, mut second): (Value, Value) = (read(parts[0]), read(parts[1]));
    header(&mut first);
    claims(&mut second);
    format!("{}.{}.{}", coded(&first), coded(&second), parts[2])
}

impl Scene {
    /// With a token that is somebody else's, or no good.
    fn tokens(&self) -> Vec<Attack> {
        let me = |token: &str| get("/v1/me").by(token);
        let none = forged(&self.own, |header| header["alg"] = json!("none"), |_| {});
        let unsigned = format!("{}.", none.rsplit_once('.').unwrap().0);
        let symmetric = forged(&self.own, |header| header["alg"] = json!("HS256"), |_| {});
        let promoted = forged(&self.own, |_| {}, |claims| claims["role"] = json!("admin"));
        let own_key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" });
        let embedded = forged(&self.own, |header| header["jwk"] = own_key, |_| {});
        let elsewhere = forged(&self.own, |header| header["kid"] = json!("../../etc/passwd"), |_| {});
        let longer = forged(&self.own, |_| {}, |claims| claims["exp"] = json!(4_000_000_000_u32));
        let long = format!("{}{}", self.own, "A".repeat(8_000));
        let own = |ask: Ask| ask.by(&self.own);
        let path = |rest: &str| rest.replace("{order}", &self.order).replace("{payment}", &self.payment);
        let merge = json!({ "into": self.own_cart, "guest_token": self.own });
        vec![
            ("no token", get("/v1/orders").by_nobody(), 401, "auth.required"),
            ("algorithm none", me(&none), 401, "auth.invalid_token"),
            ("algorithm none, no signature", me(&unsigned), 401, "auth.invalid_token"),
            ("a symmetric algorithm", me(&symmetric), 401, "auth.invalid_token"),
            ("a role of one's own choice", me(&promoted), 401, "auth.invalid_token"),
            ("a key in the token", me(&embedded), 401, "auth.invalid_token"),
            ("a key that is a path", me(&elsewhere), 401, "auth.invalid_token"),
            ("a later end", me(&longer), 401, "auth.invalid_token"),
            ("a token that is over", me(&self.expired), 401, "auth.invalid_token"),
            ("a token without end", me(&long), 401, "auth.invalid_token"),
            ("a refresh token as an access token", me(&self.own_refresh), 401, "auth.invalid_token"),
            ("somebody else's cart", own(get(&format!("/v1/carts/{}", self.cart))), 404, "cart.not_found"),
            ("somebody else's order", own(get(&path("/v1/orders/{order}"))), 404, "order.not_found"),
            ("its events", own(get(&path("/v1/orders/{order}/events"))), 404, "order.not_found"),
            (
                "calling it off",
                own(post(&path("/v1/orders/{order}/cancel"), &json!({}))),
                404,
                "order.not_found",
            ),
            (
                "paying it with a token of one's own",
                own(post(&path("/v1/payments/{payment}/authorize"), &json!({ "token": "tok_approve" })))
                    .key(&fresh_key()),
                404,
                "payment.not_found",
            ),
            (
                "checking out somebody else's cart",
                own(post("/v1/checkouts", &buyer(&self.cart, "card"))).key(&fresh_key()),
                404,
                "cart.not_found",
            ),
            (
                "taking somebody else's lines",
                own(post(&format!("/v1/carts/{}/merge", self.cart), &merge)),
                422,
                "auth.guest_token",
            ),
            (
                "opening a cart in somebody else's name",
                own(post("/v1/carts", &json!({ "currency": "GBP", "customer": self.customer }))),
                403,
                "auth.forbidden",
            ),
            (
                "having somebody forgotten",
                own(post(&format!("/v1/subjects/{}/forget", self.customer), &json!({}))),
                403,
                "auth.forbidden",
            ),
            (
                "a buyer who takes stock in",
                own(post("/v1/inventory/MUG/receive", &json!({ "quantity": 9 }))),
                403,
                "auth.forbidden",
            ),
            ("a buyer who reads the log", own(get("/v1/events")), 403, "auth.forbidden"),
            ("a buyer's bulk commands", own(post("/v1/commands", &json!({}))), 403, "auth.forbidden"),
            (
                "a refund without the permission",
                post(&format!("/v1/payments/{}/refund", self.paid), &json!({ "reason": "mine" }))
                    .by(&self.catalogue)
                    .key(&fresh_key()),
                403,
                "auth.forbidden",
            ),
        ]
    }

    /// With values that a buyer has no say in, or that are none.
    fn values(&self) -> Vec<Attack> {
        let own = |ask: Ask| ask.by(&self.own);
        let items = format!("/v1/carts/{}/items", self.own_cart);
        let add = |line: Value| own(post(&items, &line));
        let units = |quantity: Value| add(json!({ "sku": "MUG", "quantity": quantity }));
        let refund = |amount: Value| {
            let body = json!({ "reason": "mine", "amount": amount });
            post(&format!("/v1/payments/{}/refund", self.paid), &body).by(&self.cashier).key(&fresh_key())
        };
        let mut cheap = buyer(&self.own_cart, "card");
        cheap["expected_total"] = gbp(1);
        let mut named = buyer(&self.own_cart, "card");
        named["total"] = gbp(1);
        let register = |more: (&str, Value)| {
            let mut body = json!({ "email": fresh_email(), "password": PASSWORD, "name": "Eve" });
            body[more.0] = more.1;
            post("/v1/auth/register", &body).by_nobody()
        };
        let check_out = |body: &Value| own(post("/v1/checkouts", body)).key(&fresh_key());
        let hook = |url: &str| post("/v1/webhook-endpoints", &json!({ "url": url })).by(&self.operator);
        let pay = |token: &str| {
            let path = format!("/v1/payments/{}/authorize", self.own_payment);
            own(post(&path, &json!({ "token": token }))).key(&fresh_key())
        };
        vec![
            ("a role at registration", register(("role", json!("admin"))), 422, "request.invalid"),
            (
                "a role in one's own profile",
                own(patch("/v1/me", &json!({ "role": "admin" }))),
                422,
                "request.invalid",
            ),
            (
                "a header in an address",
                register(("email", json!("eve@example.com\r\nBcc: all@example.com"))),
                422,
                "request.invalid",
            ),
            (
                "a password without end",
                register(("password", json!("x".repeat(5_000)))),
                422,
                "request.invalid",
            ),
            (
                "a price with the line",
                add(json!({ "sku": "MUG", "quantity": 1, "unit_price": gbp(1) })),
                422,
                "request.invalid",
            ),
            ("a total with the checkout", check_out(&named), 422, "request.invalid"),
            ("a total that was never shown", check_out(&cheap), 409, "cart.total_changed"),
            ("fewer than no units", units(json!(-1)), 422, "request.invalid"),
            ("no units", units(json!(0)), 422, "request.invalid"),
            ("more units than a number holds", units(json!(4_294_967_297_u64)), 422, "request.invalid"),
            ("units beyond every number", units(json!(1e300)), 422, "request.invalid"),
            ("units as text", units(json!("1")), 422, "request.invalid"),
            ("a refund below nothing", refund(gbp(-900)), 422, "payment.bad_amount"),
            ("a refund of more than was paid", refund(gbp(900_000)), 409, "payment.exceeds_captured"),
            (
                "a refund in another currency",
                refund(json!({ "amount": 900, "currency": "JPY" })),
                409,
                "payment.exceeds_captured",
            ),
            ("a card's number as a token", pay("4242424242424242"), 422, "payment.card_number"),
            (
                "a webhook to the cloud's own address",
                hook("http://169.254.169.254/latest"),
                422,
                "webhook.url_refused",
            ),
            (
                "a webhook to this very machine",
                hook("https://127.0.0.1:8080/v1/commands"),
                422,
                "webhook.url_refused",
            ),
            ("a webhook to a file", hook("file:///etc/passwd"), 422, "webhook.url_refused"),
        ]
    }

    /// With what stands round the values.
    fn wrappings(&self) -> Vec<Attack> {
        let own = |ask: Ask| ask.by(&self.own);
        let items = format!("/v1/carts/{}/items", self.own_cart);
        let raw = |kind: &str, body: String| own(Ask::new(Method::POST, &items).raw(kind, body));
        let deep = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
        let twice = r#"{"sku":"MUG","quantity":1,"quantity":50}"#.to_owned();
        let search = |query: &str| get(&format!("/v1/products?{query}")).by_nobody();
        vec![
            ("a path that climbs", own(get("/v1/orders/../../admin")), 404, "route.unknown"),
            ("the same in code", own(get("/v1/orders/%2e%2e%2f%2e%2e%2fadmin")), 422, "request.invalid"),
            ("a nothing in a path", own(get("/v1/orders/a%00b")), 422, "request.invalid"),
            ("a line's end in a path", own(get("/v1/orders/a%0d%0aSet-Cookie:%20x")), 422, "request.invalid"),
            (
                "another method in a header",
                own(get("/v1/me").header("x-http-method-override", "DELETE")),
                200,
                "",
            ),
            (
                "the key of somebody else's checkout",
                own(post("/v1/checkouts", &buyer(&self.cart, "card"))).key(&self.key),
                404,
                "cart.not_found",
            ),
            (
                "a key without end",
                own(post("/v1/checkouts", &buyer(&self.own_cart, "card"))).key(&"k".repeat(5_000)),
                400,
                "idempotency.key_invalid",
            ),
            ("a body without end", raw("application/json", "x".repeat(2 << 20)), 413, "request.too_large"),
            ("JSON without a ground", raw("application/json", deep), 422, "request.invalid"),
            ("a member that stands there twice", raw("application/json", twice), 422, "request.invalid"),
            (
                "JSON that says it is a form",
                raw("application/x-www-form-urlencoded", "sku=MUG".into()),
                415,
                KIND,
            ),
            (
                "a body that has to be blown up",
                own(post(&items, &json!({})).header("content-encoding", "gzip")),
                415,
                KIND,
            ),
            ("SQL in a search", search("q=%27%3B%20DROP%20TABLE%20events%3B--"), 200, ""),
            ("SQL in a filter", search("brand=x%27%20OR%20%271%27%3D%271"), 200, ""),
            ("a filter in a filter", search("category=a%22%20OR%20price%20%3E%200%20OR%20%22"), 200, ""),
            (
                "SQL in the order of a search",
                search("sort=price%3BDROP%20TABLE%20events"),
                422,
                "request.invalid",
            ),
            ("more than a page", search("limit=100000"), 200, ""),
            ("a page's mark of one's own", search("cursor=AAAAAAAAAAAA"), 422, "request.invalid"),
            (
                "a carrier's word without a signature",
                post("/v1/webhooks/carriers/post", &json!({ "type": "delivered" })).by_nobody(),
                404,
                "carrier.unknown",
            ),
            (
                "a price that a buyer sets",
                own(put("/v1/products/p/prices/MUG", &json!({ "price": gbp(1) }))),
                403,
                "auth.forbidden",
            ),
        ]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_are_answered_and_change_nothing() {
    let (api, scene) = scene().await;
    let attacks: Vec<Attack> =
        [scene.tokens(), scene.values(), scene.wrappings()].into_iter().flatten().collect();
    assert!(attacks.len() >= 40, "{}", attacks.len());
    let before = api.events().await.len();
    let mut wrong = Vec::new();
    for (what, ask, status, code) in attacks {
        let reply = api.send_raw(ask).await;
        let problem: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let said = problem["code"].as_str().unwrap_or_default();
        let told = String::from_utf8_lossy(&reply.body).into_owned();
        if (reply.status.as_u16(), said) != (status, code) {
            wrong.push(format!("{what}: {} {said}, not {status} {code}: {told:.300}", reply.status));
        }
        assert!(!told.contains("4242424242424242"), "{what}: a card's number is repeated");
        assert!(!reply.headers.contains_key("set-cookie"), "{what}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let events = api.events().await;
    let more: Vec<&Value> = events[before..].iter().collect();
    assert!(more.is_empty(), "something happened: {more:?}");
}
