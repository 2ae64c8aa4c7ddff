//! One buyer's way through the shop: cart, line, address and shipping, checkout, payment, confirmed.

use std::time::{Duration, Instant};

use hyper::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::load::{Client, Extra};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Confirmed,
    /// Refused in order: there was nothing left.
    SoldOut,
}

/// A buyer who has filled a cart.
pub struct Buyer<'a> {
    pub client: &'a mut Client,
    cart: String,
}

/// A name of its own for each order's keys.
fn key() -> String {
    let mut bytes = [0; 16];
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    bytes.copy_from_slice(&now.to_be_bytes());
    Uuid::new_v5(
        &Uuid::from_bytes(bytes),
        &COUNTED.fetch_add(1, std::sync::atomic::Ordering::Relaxed).to_be_bytes(),
    )
    .to_string()
}

static COUNTED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

impl<'a> Buyer<'a> {
    /// A new guest with one unit in the cart.
    pub async fn new(client: &'a mut Client, sku: &str) -> Self {
        client.token = None;
        let guest = client.post("guest", "/v1/auth/guest", &json!({})).await;
        assert!(guest.status.is_success(), "{}", String::from_utf8_lossy(&guest.body));
        client.token = Some(guest.text("access_token"));
        let opened = client.post("cart", "/v1/carts", &json!({ "currency": "GBP" })).await.expect(201);
        let cart = opened.text("id");
        let line = json!({ "sku": sku, "quantity": 1 });
        client.post("line", &format!("/v1/carts/{cart}/items"), &line).await.expect(200);
        Self { client, cart }
    }

    /// Where it goes and what that costs, where the shop has tables for it.
    pub async fn quote(&mut self) {
        let quote = json!({ "country": "GB", "shipping": "standard" });
        self.client.post("quote", &format!("/v1/carts/{}/quote", self.cart), &quote).await.expect(200);
    }

    /// Checks out, pays, and waits until the order is confirmed.
    pub async fn buy(self) -> End {
        let Self { client, cart } = self;
        let checkout = json!({
            "cart": cart,
            "method": "card",
            "shipping": "standard",
            "contact": { "name": "Ada Lovelace", "email": "ada@example.com" },
            "address": { "lines": ["12 Ledger Lane"], "city": "London", "postcode": "E1 6AN", "country": "GB" },
        });
        let (key, body) = (key(), checkout.to_string());
        let extra = Extra { body: &body, key: Some(&key), ..Extra::default() };
        let placed = client.send("checkout", ("POST", "/v1/checkouts"), extra).await;
        if placed.status == StatusCode::CONFLICT {
            assert_eq!(placed.text("code"), "inventory.insufficient");
            return End::SoldOut;
        }
        let placed = placed.expect(201);
        let (order, payment) = (placed.text("order"), placed.text("payment"));
        let path = format!("/v1/payments/{payment}/authorize");
        let body = json!({ "token": "tok_approve" }).to_string();
        let extra = Extra { body: &body, key: Some(&key), ..Extra::default() };
        let paid = client.send("authorize", ("POST", &path), extra).await.expect(200);
        let (path, begun) = (format!("/v1/orders/{order}"), Instant::now());
        loop {
            let extra = Extra { after: paid.position.as_deref(), ..Extra::default() };
            let shown = client.send("order", ("GET", &path), extra).await.expect(200);
            match shown.text("status").as_str() {
                "confirmed" => return End::Confirmed,
                other => assert!(begun.elapsed() < Duration::from_secs(20), "{order} is {other}"),
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}
