//! A shop on a port with something of everything in it, whose names requests are made with.

use std::{fmt::Write as _, net::SocketAddr, sync::Arc, time::Duration};

use api::{
    Member, Principal, Settings,
    carriers::{CarrierName, Carriers},
    ingress::{IngressSettings, listener},
    outbound::{
        OutboundSettings,
        errands::Backoff,
        mail::MailSettings,
        webhooks::{Allowed, SendSettings},
    },
};
use domain::value::CustomerId;
use serde_json::{Map, Value, json};
use store::testing::eventually;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use uuid::Uuid;

use crate::support::{Api, buyer, fresh_key, get, post};

const CARRIER: &str = "royal-mail";
/// Log-outs that a run may try.
const SPENDABLE: usize = 2_000;
/// None that an example in the description names: it would be changed.
const PASSWORD: &str = "a battery, stapled";
/// Of each kind and owner: enough that what is used up leaves something.
const CARTS: usize = 40;
const ORDERS: usize = 20;

/// Names of what there is, by the word that the configuration has for it.
#[derive(Default)]
struct Names(Vec<(&'static str, Vec<String>)>);

impl Names {
    fn add(&mut self, kind: &'static str, name: &str) {
        match self.0.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, names)) => names.push(name.to_owned()),
            None => self.0.push((kind, vec![name.to_owned()])),
        }
    }

    fn written(&self, text: &mut String) {
        for (kind, names) in &self.0 {
            let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
            write!(text, "\n[dictionaries.{kind}]\nvalues = [{}]\n", names.join(", ")).unwrap();
        }
    }
}

/// Somebody who asks, and what is theirs.
#[derive(Default)]
pub struct Buyer {
    pub token: String,
    names: Names,
}

/// The shop.
pub struct Seeded {
    api: Api,
    address: SocketAddr,
    _stop: watch::Sender<bool>,
    _served: JoinHandle<()>,
    pub admin: Buyer,
    pub customer: Buyer,
    /// A position that has been seen.
    pub position: String,
    names: Names,
    /// What each thing is a part of.
    parts: Map<String, Value>,
}

/// Mails and webhooks that go nowhere: what is on its way stays there.
fn outbound() -> OutboundSettings {
    let backoff = Backoff::new(vec![Duration::from_secs(3_600)]);
    let mail = MailSettings {
        url: "smtp://127.0.0.1:9".into(),
        from: "The Shop <orders@shop.example>".parse().unwrap(),
        reply_to: None,
        shop: None,
        shop_name: "The Shop".into(),
        front: None,
        backoff: backoff.clone(),
    };
    let webhooks = SendSettings { allowed: Allowed { private: true }, backoff, ..SendSettings::default() };
    OutboundSettings { mail: Some(mail), webhooks, ..OutboundSettings::default() }
}

impl Seeded {
    pub async fn start() -> Self {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let settings = Settings {
            ingress: IngressSettings { per_address: None, per_principal: None, ..IngressSettings::default() },
            carriers: Carriers::new([(CarrierName::new(CARRIER).unwrap(), vec![secret])].into()),
            pricing: Some(Arc::new(
                serde_json::from_str(include_str!("../../../samples/pricing.json")).unwrap(),
            )),
            ..Settings::default()
        };
        let api = Api::start_set(settings, outbound()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, told) = watch::channel(false);
        let served = tokio::spawn(listener::serve(listener, api.front.clone(), None, told));
        // An admin without an account of their own, so that none of the requests can take their rights away.
        let admin =
            Buyer { token: api.bearer().trim_start_matches("Bearer ").to_owned(), ..Buyer::default() };
        let customer = Buyer { token: registered(&api).await, ..Buyer::default() };
        let mut shop = Self {
            api,
            address,
            _stop: stop,
            _served: served,
            admin: Buyer::default(),
            customer: Buyer::default(),
            position: String::new(),
            names: Names::default(),
            parts: Map::new(),
        };
        shop.fill().await;
        shop.admin = shop.sold_to(admin).await;
        shop.customer = shop.sold_to(customer).await;
        shop.told().await;
        shop
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Tokens of sessions that may end.
    pub fn spendable(&self) -> String {
        let token = |_| {
            let customer = CustomerId::from(Uuid::now_v7());
            let member = Member { account: Uuid::now_v7(), session: Uuid::now_v7(), customer };
            self.api.identity.token_for(&Principal::Customer(member), 3_600).unwrap().unwrap()
        };
        (0..SPENDABLE).map(token).collect::<Vec<_>>().join("\n")
    }

    /// What each thing is a part of: a shipment of an order, a SKU of a product.
    pub fn parts(&self) -> String {
        Value::Object(self.parts.clone()).to_string()
    }

    /// How Schemathesis is set up for somebody: with the names of what there is, beside what is always so.
    pub fn config(&self, of: &Buyer) -> String {
        let mut text = include_str!("schemathesis.toml").to_owned();
        self.names.written(&mut text);
        of.names.written(&mut text);
        text
    }

    async fn fill(&mut self) {
        for sku in ["MUG-SEA", "TEA-1.5", "BOWL"] {
            self.api.stock(sku, 1_250, 10_000).await;
            self.names.add("skus", sku);
        }
        let listed = self.api.send(get("/v1/products?limit=3")).await.expect(200).json();
        for product in listed["data"].as_array().unwrap() {
            let id = product["id"].as_str().unwrap();
            self.names.add("products", id);
            self.parts.insert(product["variants"][0]["sku"].as_str().unwrap().to_owned(), id.into());
        }
        let held = json!({ "reservation": "held", "quantity": 3, "ttl_seconds": 3_600 });
        self.api.send(post("/v1/inventory/MUG-SEA/reservations", &held)).await.expect(201);
        self.names.add("reservations", "held");
        self.parts.insert("held".into(), "MUG-SEA".into());
        let hook = post("/v1/webhook-endpoints", &json!({ "url": "http://127.0.0.1:9/hook" }));
        self.names.add("endpoints", &self.api.send(hook).await.expect(201).text_of("id"));
        let account = json!({ "email": "third@example.com", "password": PASSWORD, "role": "staff" });
        let made = self.api.send(post("/v1/accounts", &account)).await.expect(201);
        self.names.add("accounts", &made.text_of("id"));
        self.names.add("carriers", CARRIER);
        self.names.add("subjects", "cart:nobodys");
        for token in ["tok_approve", "tok_decline", "tok_capture_fails", "tok_refund_fails"] {
            self.names.add("tokens", token);
        }
        let guest = self.api.send(post("/v1/auth/guest", &json!({})).by_nobody()).await.expect(201);
        let token = guest.text_of("access_token");
        self.names.add("guest_tokens", &token);
        for _ in 0..CARTS {
            let cart = self.cart(&token).await;
            self.names.add("guest_carts", &cart);
        }
        let seen = self.api.send(get("/v1/inventory/BOWL")).await.expect(200);
        self.position = seen.header("daybook-position").to_owned();
    }

    /// What is on its way to others by now.
    async fn told(&mut self) {
        for (kind, path) in [("deliveries", "/v1/webhook-deliveries"), ("notices", "/v1/notices")] {
            let what = format!("{kind} are on their way");
            let data = eventually(&what, || async {
                let listed = self.api.send(get(path)).await.json();
                listed["data"].as_array().filter(|data| data.len() > 5).cloned()
            });
            for one in data.await {
                self.names.add(kind, one["id"].as_str().unwrap());
            }
        }
    }

    async fn cart(&self, token: &str) -> String {
        let opened =
            self.api.send(post("/v1/carts", &json!({ "currency": "GBP" })).by(token)).await.expect(201);
        let cart = opened.text_of("id");
        let add = post(&format!("/v1/carts/{cart}/items"), &json!({ "sku": "MUG-SEA", "quantity": 2 }));
        self.api.send(add.by(token)).await.expect(200);
        cart
    }

    /// Somebody with carts, orders and an address.
    async fn sold_to(&mut self, mut buyer: Buyer) -> Buyer {
        for _ in 0..CARTS {
            buyer.names.add("carts", &self.cart(&buyer.token).await);
        }
        for nth in 0..ORDERS {
            self.order(&mut buyer, nth).await;
        }
        let address = json!({ "address": { "lines": ["1 Way"], "city": "Leeds", "country": "GB" } });
        let kept = self.api.send(post("/v1/me/addresses", &address).by(&buyer.token)).await;
        // An admin without an account keeps none.
        let address = if kept.status == 201 { kept.text_of("id") } else { Uuid::nil().to_string() };
        buyer.names.add("addresses", &address);
        buyer
    }

    /// An order that has come a part of its way: the later ones further.
    async fn order(&mut self, of: &mut Buyer, nth: usize) {
        let cart = self.cart(&of.token).await;
        let checked_out =
            post("/v1/checkouts", &buyer(&cart, "card")).by(&of.token).key(&fresh_key()).patient();
        let reply = self.api.send(checked_out).await.expect(201);
        let (order, payment) = (reply.text_of("order"), reply.text_of("payment"));
        if nth < ORDERS / 4 {
            // Those that wait for their payment, and those that somebody may call off.
            let (orders, payments) = if nth.is_multiple_of(2) {
                ("waiting_orders", "waiting")
            } else {
                ("doomed_orders", "doomed")
            };
            of.names.add(orders, &order);
            of.names.add(payments, &payment);
            return;
        }
        of.names.add("payments", &payment);
        of.names.add("orders", &order);
        self.api.authorize(&payment, "tok_approve").await.expect(200);
        self.api.until(&format!("/v1/orders/{order}"), "status", "confirmed").await;
        let act = |what: &str, body: &Value| {
            self.api.send(post(&format!("/v1/orders/{order}/{what}"), body).key(&fresh_key()))
        };
        let one = json!([{ "line": 0, "quantity": 1 }]);
        let mut made = vec![];
        match nth % 4 {
            0 => made.push(("edits", act("edits", &json!({})).await.expect(201).text_of("id"))),
            1 => {}
            _ => {
                let shipped = json!({ "carrier": "Royal Mail", "lines": one });
                made.push(("shipments", act("shipments", &shipped).await.expect(201).text_of("id")));
                let back = act("returns", &json!({ "lines": one, "reason": "broken" })).await.expect(201);
                made.push(("returns", back.text_of("id")));
            }
        }
        for (kind, id) in made {
            of.names.add(kind, &id);
            self.parts.insert(id, order.clone().into());
        }
    }
}

/// The token of somebody with an account.
async fn registered(api: &Api) -> String {
    let who = json!({ "email": "customer@example.com", "password": PASSWORD });
    api.send(post("/v1/auth/register", &who)).await.expect(201);
    api.send(post("/v1/auth/login", &who).by_nobody()).await.expect(200).text_of("access_token")
}
