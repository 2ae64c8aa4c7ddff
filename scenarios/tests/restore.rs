//! A base backup and its archive, recovered to a moment before events that are lost: the built binary goes on from there,
//! and nobody takes the log for the one before.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

#[path = "torture/keeper.rs"]
#[allow(dead_code, reason = "the crash test takes more from it")]
mod keeper;

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use axum::body::Body;
use http_body_util::BodyExt as _;
use hyper::{Method, Request, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use projections::all;
use serde_json::{Value as Json, json};
use sqlx::{Executor as _, PgPool};
use stack::Stack;
use store::{
    broker::{Broker as _, MessageId},
    log::{Log as _, PostgresLog},
    testing::{Ground, eventually, master_key},
};
use tokio::{net::TcpStream, task::JoinSet};

/// The place in the archive that is recovered to.
const MOMENT: &str = "before the accident";
const READ_MODELS: [&str; 9] =
    ["orders", "payments", "carts", "stock", "reservations", "products", "variants", "sold", "sales"];

/// The binary stands two folders above the tests that cargo built with it.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("daybook");
    assert!(program.exists(), "build the whole workspace first: cargo build");
    program
}

/// The shop as processes: its log on servers of its own, its read models on others, which no restore touches.
struct Shop {
    servers: Stack,
    ground: Ground,
    read: Ground,
    address: SocketAddr,
    serve: Option<Child>,
    told: PathBuf,
}

/// What came back.
struct Reply {
    status: u16,
    /// The token.
    position: String,
    replayed: bool,
    body: Json,
}

impl Reply {
    fn with(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

impl Shop {
    async fn open() -> Self {
        let servers = tokio::task::block_in_place(stack::testing::private);
        let ground = Ground::alone(&servers).await;
        let read = Ground { prefix: ground.prefix.clone(), ..Ground::new().await };
        read.lay(&projections::tables()).await;
        ground.lay(&api::edge::tables()).await;
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = free.local_addr().unwrap();
        keeper::admit(&ground, address).await;
        let told = std::env::temp_dir().join(format!("daybook-restore-{}.log", std::process::id()));
        Self { servers, ground, read, address, serve: None, told }
    }

    fn daybook(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program());
        command
            .args(args)
            .env("DATABASE_URL", &self.ground.app_url)
            .env("DAYBOOK_OWNER_DATABASE_URL", &self.ground.owner_url)
            .env("DAYBOOK_PROJECTION_DATABASE_URL", &self.read.app_url)
            .env("DAYBOOK_PROJECTION_OWNER_DATABASE_URL", &self.read.owner_url)
            .env("NATS_URL", &self.ground.nats_url)
            .env("DAYBOOK_SCHEMA", &self.ground.prefix)
            .env("DAYBOOK_NATS_PREFIX", &self.ground.prefix)
            .env("DAYBOOK_MASTER_KEY", master_key().to_text())
            .env("DAYBOOK_INDEX_DIR", self.index())
            .env("DAYBOOK_LOG", "warn");
        command
    }

    /// Where the search index lies.
    fn index(&self) -> PathBuf {
        self.told.with_extension(&self.ground.prefix)
    }

    async fn start(&mut self) {
        let stderr = File::create(&self.told).unwrap();
        let mut serve = self.daybook(&["serve", "--listen", &self.address.to_string()]);
        self.serve = Some(serve.stdout(Stdio::null()).stderr(stderr).spawn().unwrap());
        eventually("the shop is ready", || async {
            let reply = self.try_ask(Method::GET, "/readyz", &[], None).await?;
            (reply.status == 200).then_some(())
        })
        .await;
    }

    fn kill(&mut self) {
        let mut serve = self.serve.take().unwrap();
        serve.kill().unwrap();
        serve.wait().unwrap();
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.told).unwrap()
    }

    async fn try_ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Json>,
    ) -> Option<Reply> {
        let stream = TcpStream::connect(self.address).await.ok()?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        let mut driven = JoinSet::new();
        driven.spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address.to_string())
            .header(header::AUTHORIZATION, keeper::authorization(self.address))
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let response = sender.send_request(request.body(body).unwrap()).await.ok()?;
        let headers = response.headers().clone();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.ok()?.to_bytes();
        Some(Reply {
            status,
            position: headers
                .get("daybook-position")
                .map_or_else(String::new, |token| token.to_str().unwrap().to_owned()),
            replayed: headers.contains_key("idempotency-replayed"),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        })
    }

    async fn post(&self, path: &str, key: &str, body: &Json) -> Reply {
        self.try_ask(Method::POST, path, &[("idempotency-key", key)], Some(body)).await.unwrap()
    }

    /// Asks for what a token stands for.
    async fn get(&self, path: &str, token: &str) -> Reply {
        let headers = [("daybook-min-position", token), ("prefer", "wait=20")];
        self.try_ask(Method::GET, path, &headers, None).await.unwrap()
    }

    async fn receive(&self, key: &str) -> Reply {
        self.post("/v1/inventory/MUG/receive", key, &json!({"quantity": 1})).await.with(200)
    }

    /// An order of one mug by a customer, paid at the door.
    async fn order(&self, customer: &str) -> String {
        let open = json!({"currency": "GBP", "customer": customer});
        let cart = self.post("/v1/carts", &format!("cart-{customer}"), &open).await.with(201);
        let cart = cart.body["id"].as_str().unwrap().to_owned();
        let add = json!({"sku": "MUG", "quantity": 1});
        self.post(&format!("/v1/carts/{cart}/items"), &format!("add-{customer}"), &add).await.with(200);
        let check_out = json!({
            "cart": cart, "method": "cash_on_delivery",
            "contact": {"name": "Ada", "email": "ada@example.com"},
            "address": {"lines": ["12 Ledger Lane"], "city": "London", "country": "GB"},
        });
        let order = self.post("/v1/checkouts", &format!("order-{customer}"), &check_out).await.with(201);
        order.body["order"].as_str().unwrap().to_owned()
    }

    async fn run(&self, args: &[&str]) -> Output {
        let child = self.daybook(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap()
    }

    /// Where the log stands, once every read model and process manager has come there.
    async fn settled(&self) -> String {
        let (log, read) = (self.ground.owner_pool("").await, self.read.owner_pool("_read").await);
        eventually("everybody has come to the log's end", || async {
            let head = PostgresLog::new(log.clone()).head().await.unwrap();
            for pool in [&log, &read] {
                let behind: i64 = sqlx::query_scalar(
                    "SELECT count(*) FROM followers WHERE name NOT IN ('relay', 'timers', 'audit') \
                     AND (position < $1 OR incarnation IS DISTINCT FROM $2)",
                )
                .bind(head.position)
                .bind(head.incarnation)
                .fetch_one(pool)
                .await
                .unwrap();
                if behind > 0 {
                    return None;
                }
            }
            let again = PostgresLog::new(log.clone()).head().await.unwrap();
            (again == head).then(|| format!("{}:{}", head.incarnation, head.position))
        })
        .await
    }

    async fn rows(&self) -> Vec<String> {
        let pool = self.read.owner_pool("_read").await;
        let mut rows = vec![];
        for table in READ_MODELS {
            let sql = format!("SELECT '{table} ' || to_json(t)::text FROM {table} t ORDER BY 1");
            rows.extend(sqlx::query_scalar::<_, String>(&sql).fetch_all(&pool).await.unwrap());
        }
        rows
    }

    async fn broker_is_the_log(&self) {
        let log = PostgresLog::new(self.ground.owner_pool("").await);
        let broker = self.ground.broker().await;
        eventually("the broker holds the log and nothing else", || async {
            let head = log.head().await.unwrap();
            if broker.state().await.ok().flatten()?.last != head.position {
                return None;
            }
            for event in log.read(0, 10_000).await.unwrap() {
                let wanted = MessageId { incarnation: head.incarnation, event_id: event.event_id };
                if broker.message_at(event.position).await.ok()? != Some(wanted) {
                    return None;
                }
            }
            Some(())
        })
        .await;
    }

    /// Postgres archives what it writes from now on, and a backup to begin from is taken.
    async fn back_up(&self) {
        let archive = self.servers.beside_postgres("archive").unwrap();
        let owner = self.ground.owner_pool("").await;
        for setting in ["archive_mode = on", &format!("archive_command = 'cp %p {}/%f'", archive.display())] {
            owner.execute(format!("ALTER SYSTEM SET {setting}").as_str()).await.unwrap();
        }
        drop(owner);
        tokio::task::block_in_place(|| self.servers.restart_postgres().unwrap());
        let base = self.servers.beside_postgres("base").unwrap();
        let mut backup = self.servers.postgres_program("pg_basebackup").unwrap();
        backup.arg("-D").arg(&base).args(["-c", "fast", "-d", &self.ground.owner_url]);
        let output = tokio::task::block_in_place(|| backup.output().unwrap());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Puts the backup in the place of what is there, and lets Postgres recover up to the moment.
    async fn recover(&self) {
        let owner = self.ground.owner_pool("").await;
        let segment: String =
            sqlx::query_scalar("SELECT pg_walfile_name(pg_switch_wal())").fetch_one(&owner).await.unwrap();
        eventually("the archive is complete", || async {
            let last: Option<String> = sqlx::query_scalar("SELECT last_archived_wal FROM pg_stat_archiver")
                .fetch_one(&owner)
                .await
                .unwrap();
            last.filter(|last| *last >= segment)
        })
        .await;
        drop(owner);
        tokio::task::block_in_place(|| {
            self.servers.stop_postgres().unwrap();
            let data = self.servers.postgres_data_dir().unwrap();
            let archive = self.servers.beside_postgres("archive").unwrap();
            fs::rename(&data, data.with_file_name("lost")).unwrap();
            fs::rename(data.with_file_name("base"), &data).unwrap();
            let settings = data.join("postgresql.auto.conf");
            let known = fs::read_to_string(&settings).unwrap();
            let recovery = format!(
                "restore_command = 'cp {}/%f %p'\nrecovery_target_name = '{MOMENT}'\n\
                 recovery_target_action = 'promote'\n",
                archive.display()
            );
            fs::write(&settings, known + &recovery).unwrap();
            fs::write(data.join("recovery.signal"), "").unwrap();
            self.servers.start_postgres().unwrap();
        });
        let owner = self.ground.owner_pool("").await;
        eventually("the recovery has come to its end", || async {
            let recovering: bool =
                sqlx::query_scalar("SELECT pg_is_in_recovery()").fetch_one(&owner).await.unwrap();
            (!recovering).then_some(())
        })
        .await;
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        if let Some(mut serve) = self.serve.take() {
            let _ = serve.kill();
            let _ = serve.wait();
        }
        if std::thread::panicking() {
            eprintln!("what serve said:\n{}", fs::read_to_string(&self.told).unwrap_or_default());
        }
        let _ = fs::remove_file(&self.told);
        let _ = fs::remove_dir_all(self.index());
    }
}

async fn lives(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM log_lives").fetch_one(pool).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_to_a_moment_is_noticed_and_everything_converges_on_what_is_left() {
    let mut shop = Shop::open().await;
    shop.back_up().await;
    shop.start().await;
    let listing =
        json!({"title": "A mug", "variants": [{"sku": "MUG", "price": {"amount": 900, "currency": "GBP"}}]});
    shop.post("/v1/products", "list", &listing).await.with(201);
    shop.receive("one").await;
    let survived = shop.receive("two").await;
    shop.settled().await;
    let (kept, forgotten) = (shop.order("ada").await, shop.order("bob").await);
    shop.post("/v1/subjects/customer:bob/forget", "forget", &json!({})).await.with(200);
    shop.settled().await;
    let verified: Json = serde_json::from_slice(&shop.run(&["--json", "verify"]).await.stdout).unwrap();
    let anchor = verified["anchor"].as_str().unwrap().to_owned();
    let owner = shop.ground.owner_pool("").await;
    sqlx::query("SELECT pg_create_restore_point($1)").bind(MOMENT).execute(&owner).await.unwrap();
    drop(owner);
    let lost = shop.receive("lost").await;
    for nth in 0..20 {
        shop.receive(&format!("lost-{nth}")).await;
    }
    let lost_order = shop.order("cyd").await;
    let old = shop.settled().await;
    shop.broker_is_the_log().await;
    shop.kill();
    shop.recover().await;

    shop.start().await;
    let new = shop.settled().await;
    let (old_life, new_life) = (old.split_once(':').unwrap(), new.split_once(':').unwrap());
    assert_ne!(old_life.0, new_life.0);
    assert_eq!(lives(&shop.ground.owner_pool("").await).await, 2);
    assert!(anchor.starts_with(&format!("{}:", new_life.1)), "{anchor} {new}");
    let said = shop.said();
    assert_eq!(said.matches("the log was restored: rebuilding").count(), all().len(), "{said}");
    assert!(
        !said.contains("going through it again"),
        "what was done for the events that are left is known: {said}"
    );

    // For as long as the client waits, the token might be of a life that this process is yet to hear of.
    let hasty = [("daybook-min-position", lost.position.as_str()), ("prefer", "wait=0")];
    let refused = shop.try_ask(Method::GET, "/v1/inventory/MUG", &hasty, None).await.unwrap().with(412);
    assert_eq!(refused.body["code"], "position.other_log");
    let mugs = shop.get("/v1/inventory/MUG", &new).await.with(200);
    assert_eq!(mugs.body["on_hand"], 0, "{}", mugs.body);
    shop.get(&format!("/v1/orders/{lost_order}"), &new).await.with(404);
    let bob = shop.get(&format!("/v1/orders/{forgotten}"), &new).await.with(200);
    assert_eq!(bob.body["delivery"]["contact"], "forgotten");
    let ada = shop.get(&format!("/v1/orders/{kept}"), &new).await.with(200);
    assert_eq!(ada.body["delivery"]["contact"]["name"], "Ada");

    let again = shop.receive("two").await;
    assert!(again.replayed);
    assert_eq!(again.body["position"], survived.body["position"]);
    let anew = shop.receive("lost").await;
    assert!(!anew.replayed, "what was lost is done when it is asked for again");
    shop.order("cyd").await;

    shop.settled().await;
    let live = shop.rows().await;
    for projection in all() {
        let rebuilt = shop.run(&["--json", "projections", "rebuild", projection.name()]).await;
        let told = String::from_utf8_lossy(&rebuilt.stdout);
        assert!(rebuilt.status.success(), "{told} {}", String::from_utf8_lossy(&rebuilt.stderr));
    }
    // Not the index: that of the process that was killed would be asked as well for a while.
    let names = all().into_iter().map(|projection| projection.name());
    let audit: Vec<_> = ["--json", "projections", "audit"].into_iter().chain(names).collect();
    let audited = shop.run(&audit).await;
    assert!(audited.status.success(), "{}", String::from_utf8_lossy(&audited.stdout));
    shop.settled().await;
    assert_eq!(shop.rows().await, live);
    shop.broker_is_the_log().await;
    let verified = shop.run(&["--json", "verify", "--anchor", &anchor]).await;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    begun_by_hand(&mut shop).await;
}

/// A copy that was put back cannot be told from what was there: the operator says so, and the running process stops.
async fn begun_by_hand(shop: &mut Shop) {
    let before = shop.settled().await;
    let told = shop.run(&["--json", "restored"]).await;
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: Json = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(format!("{}:{}", told["was"].as_str().unwrap(), told["position"]), before);
    let mut serve = shop.serve.take().unwrap();
    let ended = eventually("serve stops by itself", || {
        let ended = serve.try_wait().unwrap();
        async move { ended }
    });
    assert_eq!(ended.await.code(), Some(1));
    assert!(shop.said().contains("the log was restored or has lost its end: start again"), "{}", shop.said());
    shop.start().await;
    let after = shop.settled().await;
    assert_eq!(format!("{}:{}", told["is"].as_str().unwrap(), told["position"]), after);
    assert!(!shop.said().contains("rebuilding"), "the rows are true: {}", shop.said());
}
