//! The built `daybook serve` as a process with a sample catalogue, its log, and a buyer.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value as Json, json};
use store::testing::{Ground, eventually, master_key};

/// Whom nobody reads of in a log.
pub const PERSON: [&str; 5] =
    ["Ada Lovelace", "ada.lovelace@example.com", "+44 20 7946 0958", "12 Ledger Lane", "E1 6AN"];

/// A ground with all tables and the sample catalogue.
pub async fn stocked() -> Ground {
    let ground = laid().await;
    let engine = ground.engine().await;
    daybook::sample::load(&engine).await.unwrap();
    engine.stop().await;
    ground
}

/// A ground with all tables.
pub async fn laid() -> Ground {
    let ground = Ground::new().await;
    ground.lay(&store::schema::analysis_tables()).await;
    ground.lay(&projections::tables()).await;
    ground.lay(&api::edge::tables()).await;
    ground
}

/// A subcommand with the settings of that ground.
pub fn daybook(ground: &Ground, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
    command
        .args(args)
        .env("DATABASE_URL", &ground.app_url)
        .env("NATS_URL", &ground.nats_url)
        .env("DAYBOOK_SCHEMA", &ground.prefix)
        .env("DAYBOOK_NATS_PREFIX", &ground.prefix)
        // Many shops share one broker.
        .env("DAYBOOK_NATS_MB", "16")
        .env("DAYBOOK_MASTER_KEY", master_key().to_text())
        .env("DAYBOOK_INDEX_DIR", std::env::temp_dir().join(format!("daybook-{}.index", ground.prefix)));
    command
}

/// A process that serves.
pub struct Shop {
    child: Child,
    pub url: String,
    http: reqwest::Client,
    log: Arc<Mutex<String>>,
    reading: Option<JoinHandle<()>>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{self:?}"))
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

impl Shop {
    /// Starts it with further settings, and waits until everybody follows.
    pub async fn open(ground: &Ground, settings: &[(&str, &str)]) -> Self {
        let mut child = daybook(ground, &["serve", "--listen", "127.0.0.1:0"])
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (mut told, into) = (child.stderr.take().unwrap(), Arc::clone(&log));
        let reading = std::thread::spawn(move || {
            let mut piece = [0; 8_192];
            while let Ok(length @ 1..) = told.read(&mut piece) {
                into.lock().unwrap().push_str(&String::from_utf8_lossy(&piece[..length]));
            }
        });
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let url = first.trim().strip_prefix("listening on ").map(str::to_owned);
        let url = url.unwrap_or_else(|| panic!("it did not start: {}", log.lock().unwrap()));
        let http = reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
        let shop = Self { child, url, http, log, reading: Some(reading) };
        eventually("the catalogue is there", || async {
            let page = shop.get("/v1/products/stoneware-mug").await;
            (page.status == 200).then_some(())
        })
        .await;
        shop
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    pub async fn post(&self, path: &str, body: &Json, headers: &[(&str, &str)]) -> Answer {
        let mut ask = self.http.post(format!("{}{path}", self.url));
        for (name, value) in headers {
            ask = ask.header(*name, *value);
        }
        self.send(ask.header("content-type", "application/json").body(body.to_string())).await
    }

    async fn send(&self, ask: reqwest::RequestBuilder) -> Answer {
        let answer = ask.send().await.unwrap_or_else(|error| panic!("{error}: {}", self.log()));
        Answer { status: answer.status().as_u16(), text: answer.text().await.unwrap() }
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A guest's token, as a header.
    pub async fn guest(&self) -> String {
        let token = self.post("/v1/auth/guest", &json!({}), &[]).await.expect(201).json();
        format!("Bearer {}", token["access_token"].as_str().unwrap())
    }

    /// A cart of two mugs.
    pub async fn cart(&self, guest: &str) -> String {
        let me = [("authorization", guest)];
        let cart = self.post("/v1/carts", &json!({"currency": "GBP"}), &me).await.expect(201).json();
        let cart = cart["id"].as_str().unwrap().to_owned();
        let line = json!({"sku": "MUG-SEA", "quantity": 2});
        self.post(&format!("/v1/carts/{cart}/items"), &line, &me).await.expect(200);
        cart
    }

    /// Checks a cart out, in that trace.
    pub async fn check_out(&self, guest: &str, cart: &str, traceparent: &str) -> Answer {
        let [name, email, phone, line, postcode] = PERSON;
        let body = json!({
            "cart": cart, "method": "card",
            "contact": {"name": name, "email": email, "phone": phone},
            "address": {"lines": [line], "city": "London", "postcode": postcode, "country": "GB"},
        });
        let key = format!("check-out-{cart}");
        let headers = [("authorization", guest), ("idempotency-key", &key), ("traceparent", traceparent)];
        self.post("/v1/checkouts", &body, &headers).await
    }

    /// Tells it to end, waits until it has, and says what it had logged.
    pub fn end(mut self) -> String {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{}", self.log());
        self.reading.take().unwrap().join().unwrap();
        self.log()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // One that has ended already is not there to be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
