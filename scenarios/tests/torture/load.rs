//! Clients that send without pause: hot stock, carts of their own, whole checkouts, and refusals on purpose.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::SystemTime,
};

use hyper::Method;
use serde_json::{Value as Json, json};

use crate::{
    chance::Chance,
    http::{Ask, Connection},
    record::{Answer, Sent, Told, complete_lines},
};

/// Clients at once.
pub const CLIENTS: u64 = 32;
/// Hot SKUs at once.
const SKUS: u64 = 10;
/// Commands that a cart sees before its client opens another.
const CART_COMMANDS: u32 = 12;

/// What all clients of a round share.
#[derive(Default)]
pub struct Load {
    /// No further request.
    pub stop: AtomicBool,
    /// Commands that were sent and have no answer yet.
    pub unanswered: AtomicI64,
}

struct Cart {
    id: String,
    /// As far as its client knows.
    version: Option<i64>,
    commands: u32,
}

/// One client in one round.
pub struct Client {
    chance: Chance,
    name: String,
    keys: u32,
    skus: Vec<String>,
    holds: Vec<(String, String)>,
    cart: Option<Cart>,
    product: Option<String>,
    sent: Vec<Sent>,
    load: Arc<Load>,
}

/// The hot SKUs of an era: an era ends before a SKU's history is so long that reading it takes the test's time.
pub fn skus(era: u64) -> Vec<String> {
    (0..SKUS).map(|nth| format!("HOT {era}.{nth}")).collect()
}

/// What a SKU is listed as and stocked with before anybody wants it.
pub fn stocking(era: u64) -> Vec<Sent> {
    let each = |sku: String| {
        let price = json!({ "amount": 250, "currency": "GBP" });
        let listing = json!({ "title": format!("The {sku}"), "variants": [{ "sku": sku, "price": price }] });
        let receive = json!({ "Receive": { "quantity": 60 } });
        [
            Sent::request("/v1/products", None, &format!("list-{}", sku.replace(' ', "-")), &listing, false),
            Sent::line("inventory_item", &sku, "first", &receive, None),
        ]
    };
    skus(era).into_iter().flat_map(each).collect()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

impl Client {
    pub fn new(seed: u64, round: u64, number: u64, era: u64, load: &Arc<Load>) -> Self {
        Self {
            chance: Chance::of(seed, round, number + 1),
            name: format!("r{round}c{number}"),
            keys: 0,
            skus: skus(era),
            holds: vec![],
            cart: None,
            product: None,
            sent: vec![],
            load: Arc::clone(load),
        }
    }

    /// Sends until told to stop or cut off; what it sent and was told.
    pub async fn run(mut self, address: SocketAddr) -> Vec<Sent> {
        let Some(mut connection) = Connection::open(address).await else { return self.sent };
        while !self.load.stop.load(Ordering::Relaxed) {
            let went_on = if self.chance.one_in(12) {
                self.check_out(&mut connection).await.is_some()
            } else {
                self.bulk(&mut connection).await
            };
            if !went_on {
                break;
            }
        }
        self.sent
    }

    fn key(&mut self) -> String {
        self.keys += 1;
        format!("{}-{}", self.name, self.keys)
    }

    /// A request of some lines; whether its answer came to its end.
    async fn bulk(&mut self, connection: &mut Connection) -> bool {
        let first = self.sent.len();
        for _ in 0..self.chance.between(1, 6) {
            let command = match self.chance.below(100) {
                0 => self.nonsense(),
                1..=5 => self.product_command(),
                6..=27 => self.cart_command(),
                _ => self.stock_command(),
            };
            self.sent.push(command);
        }
        let count = i64::try_from(self.sent.len() - first).unwrap();
        self.load.unanswered.fetch_add(count, Ordering::Relaxed);
        let (answers, whole) = send_lines(connection, &self.sent[first..]).await;
        self.load.unanswered.fetch_sub(i64::try_from(answers.len()).unwrap(), Ordering::Relaxed);
        for (sent, answer) in self.sent[first..].iter_mut().zip(answers) {
            if let (Some(cart), Some(receipt), Some(("cart", id))) =
                (&mut self.cart, &answer.receipt, &sent.stream)
                && cart.id == *id
            {
                cart.version = Some(receipt.version);
            }
            sent.answer = Some(answer);
        }
        whole
    }

    fn nonsense(&mut self) -> Sent {
        let (key, sku) = (self.key(), self.chance.pick(&self.skus).clone());
        Sent::line("inventory_item", &sku, &key, &json!({ "Recieve": { "quantity": 1 } }), None)
    }

    /// A product of this client's own is listed, or its price changes.
    fn product_command(&mut self) -> Sent {
        let (key, price) =
            (self.key(), json!({ "amount": self.chance.between(100, 900), "currency": "GBP" }));
        match &self.product {
            Some(id) if !self.chance.one_in(3) => {
                let change = json!({ "ChangePrice": { "sku": id, "price": price } });
                Sent::line("product", id, &key, &change, None)
            }
            _ => {
                let id = format!("own-{key}");
                let listing = json!({ "List": { "title": id, "variants": [{ "sku": id, "price": price }] } });
                self.product = Some(id.clone());
                Sent::line("product", &id, &key, &listing, None)
            }
        }
    }

    fn stock_command(&mut self) -> Sent {
        let key = self.key();
        let mut sku = self.chance.pick(&self.skus).clone();
        // A guess at a hot SKU's version is nearly always wrong.
        let expected = self.chance.one_in(40).then(|| i64::try_from(self.chance.below(50)).unwrap());
        let command = match self.chance.below(100) {
            0..=35 => self.reserve(&key, &sku),
            36..=63 => {
                if let Some(held) = self.held() {
                    sku = held.0;
                    let allocate = self.chance.one_in(2);
                    if allocate {
                        json!({ "Allocate": { "reservation": held.1, "now": 0 } })
                    } else {
                        json!({ "Release": { "reservation": held.1 } })
                    }
                } else {
                    json!({ "Release": { "reservation": "nobodys" } })
                }
            }
            64..=81 => json!({ "Receive": { "quantity": self.chance.between(1, 4), "reference": key } }),
            82..=91 => {
                let (from, to) = *self.chance.pick(&[("main", "back"), ("back", "main"), ("main", "main")]);
                // Names come again, now and then for another move.
                let transfer = format!("T{}", self.chance.below(400));
                let quantity = self.chance.between(1, 3);
                json!({ "Transfer": { "transfer": transfer, "from": from, "to": to, "quantity": quantity } })
            }
            92..=96 => {
                let expected = self.chance.one_in(3).then(|| self.chance.below(20));
                let counted = self.chance.below(20);
                json!({ "Count": { "location": "back", "counted": counted, "expected": expected } })
            }
            _ => json!({ "Adjust": { "delta": -100_000, "reason": "lost" } }),
        };
        Sent::line("inventory_item", &sku, &key, &command, expected)
    }

    /// A hold under a new name, or one that is there already, perhaps for another quantity.
    fn reserve(&mut self, key: &str, sku: &str) -> Json {
        let known = if self.chance.one_in(12) {
            self.holds.iter().rev().find(|(of, _)| of == sku).map(|(_, hold)| hold.clone())
        } else {
            None
        };
        let reservation = known.unwrap_or_else(|| {
            self.holds.push((sku.to_owned(), key.to_owned()));
            key.to_owned()
        });
        let quantity = if self.chance.one_in(25) { 100_000 } else { self.chance.between(1, 3) };
        let expires_at = self.chance.one_in(2).then(|| now_ms() + self.chance.between(200, 5_000));
        json!({ "Reserve": {
            "reservation": reservation, "quantity": quantity, "expires_at": expires_at, "now": 0,
        } })
    }

    /// A hold of this client, which mostly knows it no more afterwards.
    fn held(&mut self) -> Option<(String, String)> {
        if self.holds.is_empty() {
            return None;
        }
        let index = usize::try_from(self.chance.below(self.holds.len() as u64)).unwrap();
        if self.chance.one_in(5) {
            return Some(self.holds[index].clone());
        }
        Some(self.holds.swap_remove(index))
    }

    fn cart_command(&mut self) -> Sent {
        let key = self.key();
        let sku = self.chance.pick(&self.skus[..4]).clone();
        let open = json!({ "Open": { "currency": "GBP" } });
        let Some(cart) = self.cart.as_mut().filter(|cart| cart.commands < CART_COMMANDS) else {
            let id = format!("cart-{key}");
            self.cart = Some(Cart { id: id.clone(), version: Some(0), commands: 0 });
            return Sent::line("cart", &id, &key, &open, None);
        };
        cart.commands += 1;
        let expected = if self.chance.one_in(4) { cart.version } else { None };
        let quantity = self.chance.between(1, 5);
        let command = match self.chance.below(10) {
            0 => open,
            // Lines come with their prices over the cart's own route: these are refused, and stay refused.
            1..=5 => json!({ "SetQuantity": { "sku": sku, "quantity": quantity } }),
            _ => json!({ "RemoveLine": { "sku": sku } }),
        };
        Sent::line("cart", &cart.id, &key, &command, expected)
    }

    /// A whole order over the shop's own routes; `None` once the connection is of no more use.
    async fn check_out(&mut self, connection: &mut Connection) -> Option<()> {
        let opened = self.ask(connection, "/v1/carts", None, &json!({ "currency": "GBP" }), false).await?;
        let Some(cart) = opened["id"].as_str().map(str::to_owned) else { return Some(()) };
        for _ in 0..self.chance.between(1, 2) {
            let sku = self.chance.pick(&self.skus).clone();
            let item = json!({ "sku": sku, "quantity": self.chance.between(1, 2) });
            self.ask(connection, "/v1/carts/{id}/items", Some(&cart), &item, false).await?;
        }
        let order = json!({
            "cart": cart, "method": "card",
            "contact": { "name": "Ada Lovelace", "email": "ada@example.com" },
            "address": { "lines": ["12 St James's Square"], "city": "London", "country": "GB" },
        });
        let placed = self.ask(connection, "/v1/checkouts", None, &order, true).await?;
        let Some(payment) = placed["payment"].as_str().map(str::to_owned) else { return Some(()) };
        let token = json!({ "token": self.chance.pick(&["tok_approve", "tok_approve", "tok_decline"]) });
        self.ask(connection, "/v1/payments/{id}/authorize", Some(&payment), &token, true).await?;
        Some(())
    }

    async fn ask(
        &mut self,
        connection: &mut Connection,
        route: &str,
        id: Option<&str>,
        body: &Json,
        settles: bool,
    ) -> Option<Json> {
        let key = self.key();
        let sent = Sent::request(route, id, &key, body, settles);
        self.load.unanswered.fetch_add(1, Ordering::Relaxed);
        let (answer, json) = send_request(connection, &sent).await;
        let came = answer.is_some();
        self.sent.push(Sent { answer, ..sent });
        if !came {
            return None;
        }
        self.load.unanswered.fetch_sub(1, Ordering::Relaxed);
        Some(json)
    }
}

/// Sends lines in one request: the answers that came whole, and whether all did.
pub async fn send_lines(connection: &mut Connection, lines: &[Sent]) -> (Vec<Answer>, bool) {
    let mut body = String::new();
    for sent in lines {
        if let crate::record::Way::Line(line) = &sent.way {
            body.push_str(line);
            body.push('\n');
        }
    }
    let ask = Ask { method: Method::POST, path: "/v1/commands".to_owned(), key: None, body };
    let reply = connection.send(&ask).await;
    if reply.status == 0 {
        return (vec![], false);
    }
    assert_eq!(reply.status, 207, "{}", String::from_utf8_lossy(&reply.body));
    let answers: Vec<_> = complete_lines(&reply.body).iter().map(Answer::of_line).collect();
    let whole = reply.whole && answers.len() == lines.len();
    (answers, whole)
}

/// Sends a request of its own: its answer, if that came whole, and what it says.
pub async fn send_request(connection: &mut Connection, sent: &Sent) -> (Option<Answer>, Json) {
    let crate::record::Way::Request { ask, .. } = &sent.way else { return (None, Json::Null) };
    let reply = connection.send(ask).await;
    let body = serde_json::from_slice(&reply.body).unwrap_or(Json::Null);
    (Answer::of_reply(&reply), body)
}

/// Whether a command may be said to be acknowledged.
pub fn is_acknowledged(sent: &Sent) -> bool {
    sent.told() != Told::Nothing
}
