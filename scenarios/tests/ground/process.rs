//! The built `daybook serve` as a process, and what it answers.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use hyper::Method;
use serde_json::{Value, json};
use store::testing::{Ground, eventually, master_key};

use crate::{
    http::{Ask, Connection},
    keeper::admit,
};

/// The binary stands two folders above the tests that cargo built with it.
pub fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("daybook");
    assert!(program.exists(), "build the whole workspace first: cargo build");
    program
}

/// One process.
pub struct Serve {
    child: Child,
    address: SocketAddr,
    told: PathBuf,
    /// Where its search index lies.
    index: PathBuf,
}

/// What came back; status 0 when nothing did.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
    pub text: String,
}

impl Answer {
    /// Whether the store said that it cannot be used, for that reason.
    pub fn is_outage(&self, reason: &str) -> bool {
        self.status == 503 && self.body["code"] == "store.unavailable" && self.body["reason"] == reason
    }
}

impl Serve {
    /// Starts it with further settings, and waits for nothing.
    fn start(ground: &Ground, name: &str, settings: &[(&str, &str)]) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let told = std::env::temp_dir().join(format!("daybook-{}-{name}.log", ground.prefix));
        let index = told.with_extension("index");
        let child = Command::new(program())
            .args(["serve", "--listen", &address.to_string()])
            .env("DATABASE_URL", &ground.app_url)
            .env("NATS_URL", &ground.nats_url)
            .env("DAYBOOK_SCHEMA", &ground.prefix)
            .env("DAYBOOK_NATS_PREFIX", &ground.prefix)
            .env("DAYBOOK_MASTER_KEY", master_key().to_text())
            .env("DAYBOOK_INDEX_DIR", &index)
            .env("DAYBOOK_LOG", "warn")
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(File::create(&told).unwrap())
            .spawn()
            .unwrap();
        Self { child, address, told, index }
    }

    /// Starts it and waits until it answers.
    pub async fn up(ground: &Ground, name: &str) -> Self {
        Self::up_with(ground, name, &[]).await
    }

    /// The same with further settings.
    pub async fn up_with(ground: &Ground, name: &str, settings: &[(&str, &str)]) -> Self {
        let mut serve = Self::start(ground, name, settings);
        admit(ground, serve.address).await;
        eventually("the process answers", || async {
            (serve.get("/healthz").await.status == 200).then_some(())
        })
        .await;
        serve.is_running();
        serve
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// That it has not ended by itself.
    #[track_caller]
    pub fn is_running(&mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "it ended: {}", self.told());
    }

    /// Waits until it has ended by itself, with a failure.
    pub async fn has_ended(&mut self) {
        let status = eventually("the process ends", || {
            let status = self.child.try_wait().unwrap();
            async move { status }
        })
        .await;
        assert!(!status.success(), "{status}: {}", self.told());
    }

    /// Everything that it wrote to stderr.
    pub fn told(&self) -> String {
        fs::read_to_string(&self.told).unwrap()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, String::new()).await
    }

    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(key.to_owned()), body.to_string()).await
    }

    /// Puts one unit on the shelf.
    pub async fn receive(&self, sku: &str, key: &str) -> Answer {
        self.post(&format!("/v1/inventory/{sku}/receive"), key, &json!({"quantity": 1})).await
    }

    async fn send(&self, method: Method, path: &str, key: Option<String>, body: String) -> Answer {
        let ask = Ask { method, path: path.to_owned(), key, body };
        let Some(mut connection) = Connection::open(self.address).await else {
            return Answer { status: 0, body: Value::Null, text: String::new() };
        };
        let reply = connection.send(&ask).await;
        let text = String::from_utf8_lossy(&reply.body).into_owned();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: if reply.whole { reply.status } else { 0 }, body, text }
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("what serve said: {}", fs::read_to_string(&self.told).unwrap_or_default());
        }
        let _ = fs::remove_file(&self.told);
        let _ = fs::remove_dir_all(&self.index);
    }
}

/// A log with its read models, nobody serving yet.
pub async fn laid(ground: Ground) -> Ground {
    ground.lay(&projections::tables()).await;
    ground.lay(&api::edge::tables()).await;
    ground
}

/// What stands in the log under the key of a receipt: nothing, or the events and the answer, told apart.
pub async fn standing(ground: &Ground) -> Vec<(String, i64)> {
    sqlx::query_as(
        "SELECT aggregate_id, count(*) FROM events WHERE event_type = 'Received' GROUP BY 1 ORDER BY 1",
    )
    .fetch_all(&ground.owner_pool("").await)
    .await
    .unwrap()
}

/// That every command is wholly in the log or not at all, positions are dense, and the chain verifies.
pub async fn is_whole(ground: &Ground) {
    let pool = ground.owner_pool("").await;
    let (events, last, answered, of_answers): (i64, i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), COALESCE(max(position), 0), \
                count(DISTINCT metadata ->> 'command_id'), (SELECT count(*) FROM commands WHERE events > 0) \
         FROM events",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!((events, answered), (last, of_answers), "dense, and an answer for every command with events");
    let told = store::verify::verify(&pool, store::verify::Wanted::default(), &|_, _| {}).await.unwrap();
    assert!(told.ok, "{:?}", told.findings);
}
