//! Stands between the shop and localstripe: records every request, keeps what Stripe documents and localstripe lacks, and
//! fails where a test says so.

mod books;
mod faults;
mod keys;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode},
    response::Response,
};
use serde_json::{Value, json};
use store::ports::{Ids as _, Machine};
use tokio::{net::TcpListener, sync::mpsc};

pub use books::Books;
pub use faults::{Fault, Faults};
use keys::{Keys, Seen};

/// A request that came.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: Method,
    pub path: String,
    pub fields: BTreeMap<String, String>,
    pub key: Option<String>,
    pub version: Option<String>,
    pub authorized: Option<String>,
    /// Whether localstripe got to see it.
    pub forwarded: bool,
}

impl Asked {
    /// Whether it is a POST of a path that ends so.
    pub fn is(&self, end: &str) -> bool {
        self.method == Method::POST && self.path.ends_with(end)
    }

    pub fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

/// A webhook that Stripe would send now.
pub struct Told {
    pub body: String,
    /// Dropped once it was delivered, when the answer waits for that.
    pub delivered: Option<tokio::sync::oneshot::Sender<()>>,
}

/// The proxy, cheap to clone.
#[derive(Clone)]
pub struct Proxy {
    pub url: String,
    inner: Arc<Inner>,
}

struct Inner {
    upstream: &'static str,
    http: reqwest::Client,
    asked: Mutex<Vec<Asked>>,
    keys: Keys,
    faults: Faults,
    books: Books,
    webhooks: Mutex<Option<mpsc::UnboundedSender<Told>>>,
}

/// An answer of localstripe's.
#[derive(Clone, Debug)]
pub struct Answered {
    pub status: u16,
    pub body: Value,
}

impl Proxy {
    pub async fn start() -> Self {
        let upstream = tokio::task::spawn_blocking(stack::testing::stripe).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            upstream,
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            asked: Mutex::default(),
            keys: Keys::default(),
            faults: Faults::default(),
            books: Books::default(),
            webhooks: Mutex::default(),
        });
        let app = Router::new().fallback(handle).with_state(Arc::clone(&inner));
        tokio::spawn(axum::serve(listener, app).into_future());
        Self { url, inner }
    }

    pub fn faults(&self) -> &Faults {
        &self.inner.faults
    }

    pub fn books(&self) -> &Books {
        &self.inner.books
    }

    /// Everything that was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().unwrap().clone()
    }

    /// The POSTs of paths that end so.
    pub fn posts(&self, end: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.is(end)).collect()
    }

    /// What Stripe would tell from now on.
    pub fn webhooks(&self) -> mpsc::UnboundedReceiver<Told> {
        let (told, webhooks) = mpsc::unbounded_channel();
        *self.inner.webhooks.lock().unwrap() = Some(told);
        webhooks
    }

    /// Stripe forgets every key, as it does after a day.
    pub fn forget_keys(&self) {
        self.inner.keys.forget();
    }

    /// What localstripe itself says, past everything that the proxy does.
    pub async fn real(&self, path: &str) -> Value {
        self.inner.ask(Method::GET, path, Bytes::new()).await.body
    }

    /// Asks localstripe itself for something.
    pub async fn really(&self, path: &str, fields: &[(&str, &str)]) -> Answered {
        let mut body = reqwest::Url::parse("http://h/").unwrap();
        body.query_pairs_mut().extend_pairs(fields);
        let body = body.query().unwrap_or_default().to_owned();
        self.inner.ask(Method::POST, path, body.into()).await
    }

    /// The PaymentIntents of an order at localstripe.
    pub async fn intents_of(&self, order: &str) -> Vec<Value> {
        let all = self.real("/v1/payment_intents?limit=100000").await;
        let all = all["data"].as_array().unwrap().clone();
        all.into_iter().filter(|intent| intent["metadata"]["order"] == order).collect()
    }
}

impl Inner {
    async fn ask(&self, method: Method, path: &str, body: Bytes) -> Answered {
        let response = self
            .http
            .request(method, format!("{}{path}", self.upstream))
            .bearer_auth("sk_test_proxy")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        Answered { status, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    /// Lets localstripe do it, with what it lacks added.
    async fn forward(&self, asked: &Asked) -> Answered {
        if let Some(answer) = self.books.instead(self, asked).await {
            return answer;
        }
        let known = asked.fields.iter().filter(|(name, _)| !books::is_lacking(name));
        let mut url = reqwest::Url::parse("http://h/").unwrap();
        url.query_pairs_mut().extend_pairs(known);
        let form = url.query().unwrap_or_default().to_owned();
        let mut answer = if asked.method == Method::GET {
            self.ask(Method::GET, &format!("{}?{form}", asked.path), Bytes::new()).await
        } else {
            self.ask(asked.method.clone(), &asked.path, form.into()).await
        };
        self.books.completed(asked, &mut answer);
        self.books.attached(self, asked, &answer).await;
        for (kind, object) in self.books.events(self, asked, &answer).await {
            self.tell(asked, kind, object).await;
        }
        answer
    }

    /// Sends a webhook, and waits until it was delivered where a test wants the answer to come second.
    async fn tell(&self, asked: &Asked, kind: &str, object: Value) {
        let Some(told) = self.webhooks.lock().unwrap().clone() else { return };
        let event = json!({
            "id": format!("evt_{}", Machine.next().simple()),
            "object": "event",
            "type": kind,
            "data": { "object": object },
        });
        let (delivered, wait) = tokio::sync::oneshot::channel();
        let second = self.faults.is_second(asked);
        let told = told.send(Told { body: event.to_string(), delivered: second.then_some(delivered) });
        if second && told.is_ok() {
            // An error means that it was dropped, which is how it is told.
            let _ = wait.await;
        }
    }

    fn note(&self, asked: &Asked) {
        self.asked.lock().unwrap().push(asked.clone());
    }
}

async fn handle(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let text =
        if parts.method == Method::GET { parts.uri.query().unwrap_or_default().as_bytes() } else { &body };
    let header = |name: &str, headers: &HeaderMap| {
        headers.get(name).map(|value| value.to_str().unwrap_or_default().to_owned())
    };
    let mut asked = Asked {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        fields: fields(text),
        key: header("idempotency-key", &parts.headers),
        version: header("stripe-version", &parts.headers),
        authorized: header("authorization", &parts.headers),
        forwarded: false,
    };
    let fault = inner.faults.next(&asked);
    if let Some(Fault::Refuse(status)) = fault {
        inner.note(&asked);
        return plain(status, &json!({ "error": { "type": "api_error" } }));
    }
    if let Some(Fault::Answer(status, error)) = fault {
        inner.note(&asked);
        return plain(status, &json!({ "error": error }));
    }
    let (answer, replayed) = match inner.keys.seen(&asked) {
        Seen::Never => {
            asked.forwarded = true;
            inner.note(&asked);
            let mut answer = inner.forward(&asked).await;
            if let Some(Fault::Keep(status)) = fault {
                answer = Answered { status, body: json!({ "error": { "type": "api_error" } }) };
            }
            inner.keys.answered(&asked, &answer);
            (answer, false)
        }
        Seen::Now => {
            inner.note(&asked);
            let error = json!({ "error": { "type": "idempotency_error", "code": "idempotency_key_in_use" } });
            (Answered { status: 409, body: error }, false)
        }
        Seen::Otherwise => {
            inner.note(&asked);
            (Answered { status: 400, body: json!({ "error": { "type": "idempotency_error" } }) }, false)
        }
        Seen::Before(answer) => {
            inner.note(&asked);
            (answer, true)
        }
    };
    match fault {
        Some(Fault::Cut) => cut(answer.status),
        Some(Fault::Hold(gate)) => {
            gate.notified().await;
            respond(&answer, replayed)
        }
        Some(Fault::Change(change)) => {
            let mut answer = answer;
            change(&mut answer.body);
            respond(&answer, replayed)
        }
        Some(Fault::Keep(_) | Fault::Refuse(_) | Fault::Answer(..)) | None => respond(&answer, replayed),
    }
}

fn fields(text: &[u8]) -> BTreeMap<String, String> {
    let mut url = reqwest::Url::parse("http://h/").unwrap();
    url.set_query(Some(std::str::from_utf8(text).unwrap()));
    url.query_pairs().into_owned().collect()
}

fn plain(status: u16, body: &Value) -> Response {
    respond(&Answered { status, body: body.clone() }, false)
}

fn respond(answer: &Answered, replayed: bool) -> Response {
    let mut response = Response::builder()
        .status(StatusCode::from_u16(answer.status).unwrap())
        .header("content-type", "application/json")
        .header("request-id", "req_proxy");
    if replayed {
        response = response.header("idempotent-replayed", "true");
    }
    response.body(Body::from(answer.body.to_string())).unwrap()
}

/// An answer that breaks off, as a connection does.
fn cut(status: u16) -> Response {
    let broken = futures::stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("cut"))]);
    Response::builder().status(StatusCode::from_u16(status).unwrap()).body(Body::from_stream(broken)).unwrap()
}
