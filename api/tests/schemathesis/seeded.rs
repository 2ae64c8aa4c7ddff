//! A shop on a port with something of everything in it, whose names requests are made with.

use std::{fmt::Write as _, net::SocketAddr};

use api::{
    Member, Principal, Settings,
    carriers::{CarrierName, Carriers},
    ingress::{IngressSettings, listener},
};
use domain::value::CustomerId;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use uuid::Uuid;

use crate::support::{Api, buyer, fresh_key, get, post};

/// None that an example in the description names: it would be changed.
const PASSWORD: &str = "a battery, stapled";
const CARRIER: &str = "royal-mail";
/// Log-outs that a run may try.
const SPENDABLE: usize = 2_000;
/// Of each kind: enough that what is used up leaves something.
const CARTS: usize = 30;
const ORDERS: usize = 6;

/// Names of what there is, by the word that the configuration has for it.
#[derive(Default)]
struct Names(Vec<(&'static str, Vec<String>)>);

impl Names {
    fn add(&mut self, kind: &'static str, name: String) {
        match self.0.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, names)) => names.push(name),
            None => self.0.push((kind, vec![name])),
        }
    }
}

/// The shop.
pub struct Seeded {
    api: Api,
    address: SocketAddr,
    _stop: watch::Sender<bool>,
    _served: JoinHandle<()>,
    pub admin: String,
    pub customer: String,
    /// One that has been seen.
    pub position: String,
    names: Names,
}

impl Seeded {
    pub async fn start() -> Self {
        let ingress =
            IngressSettings { per_address: None, per_principal: None, ..IngressSettings::default() };
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let carriers = Carriers::new([(CarrierName::new(CARRIER).unwrap(), vec![secret])].into());
        let api = Api::start_with(Settings { ingress, carriers, ..Settings::default() }).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, told) = watch::channel(false);
        let served = tokio::spawn(listener::serve(listener, api.router.clone(), None, told));
        // An admin without an account of their own, so that none of the requests can take their rights away.
        let admin = api.bearer().trim_start_matches("Bearer ").to_owned();
        let customer = registered(&api).await;
        let mut shop = Self {
            api,
            address,
            _stop: stop,
            _served: served,
            admin,
            customer,
            position: String::new(),
            names: Names::default(),
        };
        shop.fill().await;
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

    async fn fill(&mut self) {
        for sku in ["MUG-SEA", "TEA-1.5", "BOWL"] {
            self.api.stock(sku, 1_250, 10_000).await;
            self.names.add("skus", sku.to_owned());
        }
        let listed = self.api.send(get("/v1/products?limit=3")).await.expect(200).json();
        for product in listed["data"].as_array().unwrap() {
            self.names.add("products", product["id"].as_str().unwrap().to_owned());
        }
        for token in [self.admin.clone(), self.customer.clone()] {
            for _ in 0..CARTS {
                let cart = self.cart(&token).await;
                self.names.add("carts", cart);
            }
            for nth in 0..ORDERS {
                self.order(&token, nth).await;
            }
        }
        let held =
            post("/v1/inventory/MUG-SEA/reservations", &json!({ "reservation": "held", "quantity": 3 }));
        self.api.send(held).await.expect(201);
        self.names.add("reservations", "held".to_owned());
        let hook = post("/v1/webhook-endpoints", &json!({ "url": "https://93.184.216.34/hook" }));
        self.names.add("endpoints", self.api.send(hook).await.expect(201).text_of("id"));
        let address = json!({ "address": { "lines": ["1 Way"], "city": "Leeds", "country": "GB" } });
        let kept = self.api.send(post("/v1/me/addresses", &address).by(&self.customer)).await.expect(201);
        self.names.add("addresses", kept.text_of("id"));
        let seen = self.api.send(get("/v1/inventory/BOWL")).await.expect(200);
        self.position = seen.header("daybook-position").to_owned();
        let account = json!({ "email": "third@example.com", "password": PASSWORD, "role": "staff" });
        self.names
            .add("accounts", self.api.send(post("/v1/accounts", &account)).await.expect(201).text_of("id"));
        self.names.add("carriers", CARRIER.to_owned());
        self.names.add("subjects", "cart:nobodys".to_owned());
    }

    async fn cart(&self, token: &str) -> String {
        let opened =
            self.api.send(post("/v1/carts", &json!({ "currency": "GBP" })).by(token)).await.expect(201);
        let cart = opened.text_of("id");
        let add = post(&format!("/v1/carts/{cart}/items"), &json!({ "sku": "MUG-SEA", "quantity": 2 }));
        self.api.send(add.by(token)).await.expect(200);
        cart
    }

    /// An order that has come a part of its way: the later ones further.
    async fn order(&mut self, token: &str, nth: usize) {
        let cart = self.cart(token).await;
        let checked_out = post("/v1/checkouts", &buyer(&cart, "card")).by(token).key(&fresh_key()).patient();
        let reply = self.api.send(checked_out).await.expect(201);
        let (order, payment) = (reply.text_of("order"), reply.text_of("payment"));
        self.names.add("payments", payment.clone());
        self.names.add("orders", order.clone());
        if nth == 0 {
            return;
        }
        self.api.authorize(&payment, "tok_approve").await.expect(200);
        self.api.until(&format!("/v1/orders/{order}"), "status", "confirmed").await;
        let act = |what: &str, body: &Value| {
            self.api.send(post(&format!("/v1/orders/{order}/{what}"), body).key(&fresh_key()))
        };
        let one = json!([{ "line": 0, "quantity": 1 }]);
        match nth {
            1 => {
                let edit = act("edits", &json!({})).await.expect(201).text_of("id");
                self.names.add("edits", edit);
            }
            2 => {}
            _ => {
                let shipped = json!({ "carrier": "Royal Mail", "lines": one });
                let shipment = act("shipments", &shipped).await.expect(201).text_of("id");
                let back = act("returns", &json!({ "lines": one, "reason": "broken" })).await.expect(201);
                self.names.add("shipments", shipment);
                self.names.add("returns", back.text_of("id"));
            }
        }
    }

    /// How Schemathesis is set up: with the names of what there is, beside what is always so.
    pub fn config(&self) -> String {
        let mut text = include_str!("schemathesis.toml").to_owned();
        for (kind, names) in &self.names.0 {
            let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
            write!(text, "\n[dictionaries.{kind}]\nvalues = [{}]\n", names.join(", ")).unwrap();
        }
        text
    }
}

/// The token of somebody with an account.
async fn registered(api: &Api) -> String {
    let who = json!({ "email": "customer@example.com", "password": PASSWORD });
    api.send(post("/v1/auth/register", &who)).await.expect(201);
    api.send(post("/v1/auth/login", &who).by_nobody()).await.expect(200).text_of("access_token")
}
