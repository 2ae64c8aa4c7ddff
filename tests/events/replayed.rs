//! What an analyst replays is what the read models say, up to any moment, and nobody outside hears of it.

use std::{
    fs,
    io::{BufRead as _, BufReader, ErrorKind},
    net::{TcpListener, TcpStream},
    os::unix::process::ExitStatusExt as _,
    process::{Child, Command, Output, Stdio},
};

use serde_json::{Value as Json, json};
use sqlx::PgPool;
use store::testing::eventually;

use crate::ground::{Ground, files, said};

/// A database that the analyst may make schemas in, as a role that may: here that of the test.
struct Analyst<'a> {
    ground: &'a Ground,
    pool: PgPool,
}

impl<'a> Analyst<'a> {
    async fn of(ground: &'a Ground) -> Self {
        Self { ground, pool: ground.store.owner_pool("_read").await }
    }

    fn schema(&self, name: &str) -> String {
        // As long as such a name may be.
        format!("{}_replay_{}", self.ground.store.prefix, name.chars().take(7).collect::<String>())
    }

    /// `daybook replay --projection … --into DATABASE_URL --schema …`.
    fn replay(&self, projection: &str, schema: &str, more: &[&str]) -> Command {
        let mut command = self.at(schema, &["--projection", projection]);
        command.args(more);
        command
    }

    /// `daybook replay … --into DATABASE_URL --schema …`.
    fn at(&self, schema: &str, args: &[&str]) -> Command {
        let mut command = self.ground.daybook();
        command.arg("replay").args(args);
        command.args(["--into", &self.ground.store.owner_url, "--schema", schema]);
        command
    }

    /// Rows of the tables that are not the same in the read model and in the replay, and how many there are.
    async fn differing(&self, schema: &str, tables: &[&str]) -> (i64, i64) {
        let (mut differing, mut all) = (0, 0);
        for table in tables {
            let sql = format!(
                "WITH live AS (SELECT l::text AS row FROM {table} l), \
                      replayed AS (SELECT r::text AS row FROM {schema}.{table} r) \
                 SELECT (SELECT count(*) FROM (TABLE live EXCEPT ALL TABLE replayed) a) \
                      + (SELECT count(*) FROM (TABLE replayed EXCEPT ALL TABLE live) b), (SELECT count(*) FROM live)"
            );
            let (one, rows): (i64, i64) = sqlx::query_as(&sql).fetch_one(&self.pool).await.unwrap();
            (differing, all) = (differing + one, all + rows);
        }
        (differing, all)
    }

    async fn position(&self, schema: &str) -> Option<i64> {
        sqlx::query_scalar(&format!("SELECT position FROM {schema}.replay")).fetch_one(&self.pool).await.ok()
    }
}

#[track_caller]
fn fine(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn fails(output: &Output, status: i32, words: &[&str]) {
    let told = said(output);
    assert_eq!(output.status.code(), Some(status), "{told}");
    assert!(words.iter().all(|word| told.contains(word)), "{words:?} in {told}");
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn json_of(output: &Output) -> Json {
    serde_json::from_str(&fine(output)).unwrap()
}

const PROJECTIONS: [(&str, &[&str]); 5] = [
    ("orders", &["orders", "payments"]),
    ("carts", &["carts"]),
    ("stock", &["stock", "reservations"]),
    ("products", &["products", "variants"]),
    ("sales", &["sold", "sales"]),
];

/// The sample, and beside it what it has nothing of: a catalogue, a cart, and units that are held.
async fn shop() -> Ground {
    use daybook::sample;
    use domain::{cart, inventory_item};
    use store::testing::request;
    let ground = Ground::traded().await;
    let mut engine = ground.store.engine().await;
    let pool = ground.store.pool("_read").await;
    projections::start(&mut engine, pool.clone());
    sample::load(&engine).await.unwrap();
    let open: cart::Command = serde_json::from_value(json!({"Open": {"currency": "GBP"}})).unwrap();
    engine.executor.execute(request("cart-1", open)).await.unwrap();
    let hold = json!({"Reserve": {"reservation": "R1", "quantity": 2, "now": 0}});
    let hold: inventory_item::Command = serde_json::from_value(hold).unwrap();
    engine.executor.execute(request("MUG-SEA", hold)).await.unwrap();
    let head = ground.head().await;
    eventually("the read models are at the end", || async {
        let names = PROJECTIONS.map(|(name, _)| name);
        let behind = "SELECT count(*) FROM followers WHERE position < $1 AND name = ANY($2)";
        let behind = sqlx::query_scalar(behind).bind(head).bind(&names[..]).fetch_one(&pool);
        let behind: i64 = behind.await.unwrap();
        (behind == 0).then_some(())
    })
    .await;
    engine.stop().await;
    ground
}

/// Writes events of the SKU `BROKEN` as they stand, whether they can be read or not; where the last of them is.
async fn received_as(ground: &Ground, rows: &[(&'static str, &'static str, Json)]) -> i64 {
    use store::{
        log::PostgresLog,
        testing::{request, write},
    };
    let log = PostgresLog::new(ground.store.pool("").await);
    let receive = json!({"Receive": {"quantity": 1}});
    let receive: domain::inventory_item::Command = serde_json::from_value(receive).unwrap();
    write(&log, &request("BROKEN", receive), rows).await
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_replayed_is_the_read_model_row_for_row_and_goes_on_with_the_log() {
    let ground = shop().await;
    let analyst = Analyst::of(&ground).await;
    let head = ground.head().await;
    for (name, tables) in PROJECTIONS {
        let schema = analyst.schema(name);
        let told = json_of(&analyst.replay(name, &schema, &["--json"]).output().unwrap());
        assert_eq!(
            (&told["ok"], &told["position"], &told["upto"]),
            (&json!(true), &json!(head), &json!(head))
        );
        let (differing, rows) = analyst.differing(&schema, tables).await;
        assert_eq!(differing, 0, "{name}: {told}");
        let counted: i64 =
            told["tables"].as_array().unwrap().iter().map(|one| one["rows"].as_i64().unwrap()).sum();
        assert_eq!(counted, rows, "{told}");
        assert!(rows > 0, "{name} has rows");
        // Nothing of the program's own lies there but what the documentation names.
        let mut laid: Vec<String> = sqlx::query_scalar(
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace($1)",
        )
        .bind(&schema)
        .fetch_all(&analyst.pool)
        .await
        .unwrap();
        laid.retain(|table| !tables.contains(&table.as_str()));
        laid.sort();
        assert_eq!(laid, ["parked_streams", "replay", "replay_wishes"]);
    }
    // What is complete goes on when the log has.
    let schema = analyst.schema("stock");
    let again = analyst.replay("stock", &schema, &[]).output().unwrap();
    assert!(fine(&again).contains(&format!("up to position {head} of {head}")), "{}", said(&again));
    let mut engine = ground.store.engine().await;
    let pool = ground.store.pool("_read").await;
    projections::start(&mut engine, pool.clone());
    let receive: domain::inventory_item::Command =
        serde_json::from_value(json!({"Receive": {"quantity": 7}})).unwrap();
    engine.executor.execute(store::testing::request("MUG-SEA", receive)).await.unwrap();
    eventually("the units are seen", || async {
        let there: i64 = sqlx::query_scalar("SELECT position FROM stock WHERE sku = 'MUG-SEA'")
            .fetch_one(&pool)
            .await
            .unwrap();
        (there == head + 1).then_some(())
    })
    .await;
    engine.stop().await;
    let again = analyst.replay("stock", &schema, &[]).output().unwrap();
    fine(&again);
    assert!(said(&again).contains(&format!("goes on after position {head}")), "{}", said(&again));
    assert_eq!(analyst.differing(&schema, &["stock", "reservations"]).await.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_that_is_killed_goes_on_where_it_was() {
    let ground = shop().await;
    let analyst = Analyst::of(&ground).await;
    let schema = analyst.schema("stock");
    let mut kills = 0;
    for rate in ["40/s", "90/s", "60/s"] {
        let before = analyst.position(&schema).await.unwrap_or(0);
        let mut command = analyst.replay("stock", &schema, &["--speed", rate]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("it has come further", || async {
            analyst.position(&schema).await.filter(|position| *position > before + 20)
        })
        .await;
        child.kill().unwrap();
        kills += usize::from(child.wait().unwrap().signal() == Some(9));
    }
    assert_eq!(kills, 3);
    let reached = analyst.position(&schema).await.unwrap();
    let output = analyst.replay("stock", &schema, &[]).output().unwrap();
    fine(&output);
    assert!(said(&output).contains("goes on after position"), "{}", said(&output));
    assert!(reached < ground.head().await);
    let (differing, rows) = analyst.differing(&schema, &["stock", "reservations"]).await;
    assert_eq!((differing, rows > 5), (0, true));
    let events: i64 = sqlx::query_scalar(&format!("SELECT events FROM {schema}.replay"))
        .fetch_one(&analyst.pool)
        .await
        .unwrap();
    let log = ground.store.pool("").await;
    let all = "SELECT count(*) FROM events WHERE aggregate_type = 'inventory_item'";
    let all: i64 = sqlx::query_scalar(all).fetch_one(&log).await.unwrap();
    assert_eq!(events, all, "each event once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_parquet_says_what_the_read_models_say_and_a_day_what_was_then() {
    let ground = shop().await;
    for (name, _) in PROJECTIONS {
        let mut command = ground.daybook();
        fine(&command.args(["replay", "--projection", name, "--into", name]).output().unwrap());
        assert!(ground.has(name) && !ground.has(&format!("{name}.partial")), "{name} is complete");
    }
    let day = ["replay", "--projection", "stock", "--to", "2011-03-03", "--into", "then"];
    fine(&ground.daybook().args(day).output().unwrap());
    let mut python = stack::testing::python_for_analysts();
    let output = python.args(["-c", include_str!("replayed.py")]).arg(&ground.directory).output().unwrap();
    let found: Json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    let pool = ground.store.pool("_read").await;
    for (what, live) in [
        ("orders", "SELECT json_build_array(count(*), sum(total), sum(units), max(position)) FROM orders"),
        (
            "lines",
            "SELECT json_build_array(sum((l ->> 'quantity')::bigint)) FROM orders, json_array_elements(lines) l",
        ),
        ("payments", "SELECT json_build_array(count(*)) FROM payments"),
        ("stock", "SELECT json_build_array(count(*), sum(on_hand), sum(available), max(version)) FROM stock"),
        ("held", "SELECT json_build_array(sku, quantity, committed) FROM reservations ORDER BY sku"),
        ("sold", "SELECT json_build_array(count(*), (SELECT sum(units) FROM sales)) FROM sold"),
        (
            "products",
            "SELECT json_build_array(count(*), sum(price), sum(cardinality(category))) FROM products",
        ),
        ("carts", "SELECT json_build_array(count(*)) FROM carts"),
    ] {
        let live: Vec<Json> = sqlx::query_scalar(live).fetch_all(&pool).await.unwrap();
        assert_eq!(found[what], json!(live), "{what}");
    }
    let types = ["total", "lines", "customer"].map(|column| found["types"][column].clone());
    assert_eq!(types, ["BIGINT", "JSON", "VARCHAR"].map(Json::from));
    let then = json_of(&ground.daybook().args(["stock", "--at", "2011-03-03", "--json"]).output().unwrap());
    let then = then["stock"].as_array().unwrap().iter();
    let then: Vec<Json> =
        then.map(|row| json!([row["sku"], row["on_hand"], row["reserved"], row["backordered"]])).collect();
    assert!(then.len() > 5 && json!(then) != json!(found["stock"]), "something was there on that day");
    let sorted = |rows: &Json| {
        let mut rows = rows.as_array().unwrap().clone();
        rows.sort_by_key(|row| row[0].as_str().unwrap().to_owned());
        rows
    };
    assert_eq!(sorted(&found["then"]), sorted(&json!(then)));
}

/// Waits until `daybook replay status` says so.
async fn told(mut status: impl FnMut() -> Command, state: &str) -> Json {
    let says = || {
        let output = status().output().unwrap();
        let told: Option<Json> = serde_json::from_slice(&output.stdout).ok();
        async move { told.filter(|told| told["state"] == state) }
    };
    eventually(state, says).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_rated_paused_and_let_go_on_from_outside() {
    let ground = Ground::traded().await;
    let analyst = Analyst::of(&ground).await;
    let schema = analyst.schema("orders");
    let head = ground.head().await;
    let folder = |args: &[&str]| {
        let mut command = ground.daybook();
        command.arg("replay").args(args).args(["--into", "paced"]);
        command
    };
    type Run<'a> = &'a dyn Fn(&[&str]) -> Command;
    let into_schema = |args: &[&str]| analyst.at(&schema, args);
    for run in [&into_schema as Run<'_>, &folder] {
        let from = (head - 100).to_string();
        let begin = ["--projection", "orders", "--speed", "1/s", "--from", &from];
        let child: Child = run(&begin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        told(|| run(&["status", "--json"]), "running").await;
        // What stands before --from is not waited for.
        let reached = eventually("it has come to --from", || {
            let look = run(&["status", "--json"]).output().unwrap();
            let look: Json = serde_json::from_slice(&look.stdout).unwrap();
            async move { look["position"].as_i64().filter(|position| *position >= head - 150) }
        })
        .await;
        assert!(reached < head);
        // A second one keeps out of its way.
        let second = run(&["--projection", "orders"]).output().unwrap();
        fails(&second, 1, &["another process"]);
        fine(&run(&["pause"]).output().unwrap());
        let paused = told(|| run(&["status", "--json"]), "paused").await;
        assert_eq!((&paused["paused"], &paused["speed"]), (&json!(true), &json!("1/s")));
        let said_so = fine(&run(&["rate", "max"]).output().unwrap());
        assert!(said_so.starts_with("paused: orders up to position "), "{said_so}");
        fine(&run(&["resume"]).output().unwrap());
        let output = child.wait_with_output().unwrap();
        fine(&output);
        assert!(said(&output).contains(", business time 2011-03-"), "{}", said(&output));
    }
    assert_eq!(analyst.differing(&schema, &["orders", "payments"]).await.0, 0);
    let after = json_of(&analyst.at(&schema, &["status", "--json"]).output().unwrap());
    assert_eq!((&after["state"], &after["position"]), (&json!("complete"), &json!(head)));
    let after = json_of(&folder(&["status", "--json"]).output().unwrap());
    assert_eq!((&after["state"], &after["position"]), (&json!("complete"), &json!(head)));
    assert_eq!(after["projection"], "orders");
    // Whoever does not run cannot be steered, and what was wanted of it is not kept.
    for run in [&into_schema as Run<'_>, &folder] {
        let before = json_of(&run(&["status", "--json"]).output().unwrap());
        for args in [&["pause"][..], &["rate", "5/s"], &["resume"]] {
            let idle = run(args).output().unwrap();
            assert_eq!(idle.status.code(), Some(1), "{}", said(&idle));
            let told = String::from_utf8_lossy(&idle.stdout).into_owned();
            assert!(told.starts_with("complete: orders up to position "), "{told}");
            assert!(said(&idle).contains("nothing was changed") && said(&idle).contains("--speed"));
        }
        assert_eq!(json_of(&run(&["status", "--json"]).output().unwrap()), before);
    }
    // Nor is anything else a replay.
    fs::create_dir(ground.directory.join("other")).unwrap();
    fs::write(ground.directory.join("other/_replay.json"), "mine").unwrap();
    for (into, words) in [("other", "no replay at other"), ("rejects.txt", "no replay at rejects.txt")] {
        let status = ["replay", "status", "--into", into];
        fails(&ground.daybook().args(status).output().unwrap(), 2, &[words]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_whose_replay_was_killed_is_begun_anew_and_says_so() {
    let ground = Ground::traded().await;
    let run = |args: &[&str]| {
        let mut command = ground.daybook();
        command.arg("replay").args(args).args(["--into", "x"]);
        command
    };
    let orders = ["--projection", "orders"];
    let slow = [&orders[..], &["--speed", "5/s"]].concat();
    let mut child = run(&slow).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("some events are applied", || {
        let look = run(&["status", "--json"]).output().unwrap();
        let look: Option<Json> = serde_json::from_slice(&look.stdout).ok();
        async move { look.filter(|look| look["events"].as_i64() > Some(2)) }
    })
    .await;
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    let look = json_of(&run(&["status", "--json"]).output().unwrap());
    assert_eq!((&look["state"], &look["speed"]), (&json!("interrupted"), &json!("5/s")));
    let rate = run(&["rate", "9/s"]).output().unwrap();
    assert_eq!(rate.status.code(), Some(1), "{}", said(&rate));
    assert!(String::from_utf8_lossy(&rate.stdout).starts_with("interrupted: orders up to position "));
    assert_eq!(json_of(&run(&["status", "--json"]).output().unwrap()), look);
    let again = run(&orders).output().unwrap();
    fine(&again);
    assert!(said(&again).contains("begins anew"), "{}", said(&again));
    let mut whole = ground.daybook();
    fine(&whole.args(["replay", "--projection", "orders", "--into", "whole"]).output().unwrap());
    let [after_all, whole] = ["x", "whole"].map(|name| files(&ground.directory.join(name)));
    assert_eq!(whole.len(), 3, "two tables, and how far they came");
    assert!(after_all == whole && !ground.has("x.partial"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_speed_is_told_in_what_it_is_set_in() {
    let ground = Ground::traded().await;
    let paced = ["replay", "--projection", "stock", "--speed", "60/s", "--into", "x"];
    let output = ground.daybook().args(paced).output().unwrap();
    fine(&output);
    let told = said(&output);
    let head = ground.head().await;
    assert!(told.contains(&format!("replay: {head} of {head} positions in ")), "{told}");
    let rate = told.split_once(" events at ").unwrap().1.split_once("/s, business time ").unwrap().0;
    let rate: i64 = rate.parse().unwrap();
    assert!((10..=70).contains(&rate), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn how_long_it_takes_is_told_by_the_latest_event_wherever_it_stands() {
    use store::{rfc3339, testing::request};
    let ground = Ground::empty().await;
    let engine = ground.store.engine().await;
    for at in ["2011-03-01T10:00:00Z", "2011-03-09T12:00:00Z", "2011-03-02T10:00:00Z"] {
        let receive: domain::inventory_item::Command =
            serde_json::from_value(json!({"Receive": {"quantity": 1}})).unwrap();
        let mut request = request("A", receive);
        request.cause.occurred_at = Some(rfc3339::parse(at).unwrap());
        engine.executor.execute(request).await.unwrap();
    }
    engine.stop().await;
    for (more, told) in
        [(&[][..], "8 d 1 h to go at 1x"), (&["--to", "2011-03-05"], "23 h 59 min to go at 1x")]
    {
        let mut command = ground.daybook();
        command
            .args(["replay", "--projection", "stock", "--speed", "1x", "--into", "x", "--restart"])
            .args(more);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let line = lines.find(|line| line.contains("to go")).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(line.contains(told), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_read_model_goes_on_without_the_replay_goes_on_without() {
    let ground = shop().await;
    let analyst = Analyst::of(&ground).await;
    let received = |quantity: Json| ("Received", "2", json!({"quantity": quantity, "location": "main"}));
    let rows = [received(json!(1)), received(json!("many")), received(json!(4))];
    let last = received_as(&ground, &rows).await;
    let id: uuid::Uuid = sqlx::query_scalar("SELECT event_id FROM events WHERE position = $1")
        .bind(last - 1)
        .fetch_one(&ground.store.pool("").await)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO skipped_events VALUES ('stock', $1, $2, 'inventory_item-BROKEN', 'nobody knows')",
    )
    .bind(id)
    .bind(last - 1)
    .execute(&analyst.pool)
    .await
    .unwrap();
    let schema = analyst.schema("stock");
    let told = json_of(&analyst.replay("stock", &schema, &["--json"]).output().unwrap());
    assert_eq!(told["parked"], json!([]));
    let row = format!("SELECT on_hand, version FROM {schema}.stock WHERE sku = 'BROKEN'");
    let row: (i64, i64) = sqlx::query_as(&row).fetch_one(&analyst.pool).await.unwrap();
    assert_eq!(row, (5, 3));
    // Who has skipped nothing reads it.
    sqlx::query("DELETE FROM skipped_events").execute(&analyst.pool).await.unwrap();
    let output = analyst.replay("stock", &schema, &["--restart"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
}

/// Somebody outside, who counts who comes.
struct Outside(Vec<(&'static str, TcpListener)>);

impl Outside {
    fn listening() -> Self {
        let names = ["gateway", "mail", "sms", "webhook", "nats", "meilisearch"];
        Self(names.map(|name| (name, TcpListener::bind("127.0.0.1:0").unwrap())).into())
    }

    fn port(&self, name: &str) -> u16 {
        let (_, listener) = self.0.iter().find(|(known, _)| *known == name).unwrap();
        listener.local_addr().unwrap().port()
    }

    /// Who was connected to since the last time.
    fn reached(&self) -> Vec<&'static str> {
        let came = |listener: &TcpListener| {
            listener.set_nonblocking(true).unwrap();
            let mut came = 0;
            loop {
                match listener.accept() {
                    Ok(_) => came += 1,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return came > 0,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        self.0.iter().filter(|(_, listener)| came(listener)).map(|(name, _)| *name).collect()
    }

    /// The settings of a shop that would tell all of them.
    fn set(&self, command: &mut Command) {
        let at = |scheme: &str, name: &str| format!("{scheme}://127.0.0.1:{}", self.port(name));
        command
            .env("DAYBOOK_GATEWAY", "stripe")
            .env("DAYBOOK_STRIPE_KEY", "sk_test_0123456789")
            .env("DAYBOOK_STRIPE_WEBHOOK_SECRET", "whsec_0123456789abcdef")
            .env("DAYBOOK_STRIPE_URL", at("http", "gateway"))
            .env("DAYBOOK_SMTP_URL", at("smtp", "mail"))
            .env("DAYBOOK_MAIL_FROM", "The Shop <orders@shop.example>")
            .env("DAYBOOK_SMS_URL", at("http", "sms"))
            .env("DAYBOOK_WEBHOOKS_PRIVATE", "allow")
            .env("DAYBOOK_MASTER_KEY", store::testing::master_key().to_text())
            .env("NATS_URL", at("nats", "nats"))
            .env("MEILI_URL", at("http", "meilisearch"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_outside_hears_of_a_replay() {
    let ground = shop().await;
    let analyst = Analyst::of(&ground).await;
    let outside = Outside::listening();
    // A webhook that is due.
    let edge = ground.store.owner_pool(api::edge::SUFFIX).await;
    let hook = format!("http://127.0.0.1:{}/", outside.port("webhook"));
    sqlx::query(
        "WITH endpoint AS (INSERT INTO webhook_endpoints (id, url, types, secret, created_at) \
                           VALUES (gen_random_uuid(), $1, '{}', '', now()) RETURNING id) \
         INSERT INTO errands (id, channel, lane, kind, message, state, next_at, created_at) \
         SELECT gen_random_uuid(), 'webhook', id::text, 'test', gen_random_uuid(), 'waiting', '-infinity', now() \
         FROM endpoint",
    )
    .bind(&hook)
    .execute(&edge)
    .await
    .unwrap();
    for (name, _) in PROJECTIONS {
        let mut into_schema = analyst.replay(name, &analyst.schema(name), &[]);
        outside.set(&mut into_schema);
        fine(&into_schema.output().unwrap());
        let mut into_folder = ground.daybook();
        into_folder.args(["replay", "--projection", name, "--into", name, "--speed", "2000/s"]);
        outside.set(&mut into_folder);
        fine(&into_folder.output().unwrap());
        assert_eq!(outside.reached(), [""; 0], "{name}");
    }
    let tries: i32 = sqlx::query_scalar("SELECT attempts FROM errands").fetch_one(&edge).await.unwrap();
    assert_eq!(tries, 0);
    // The same settings lead there as soon as another command uses them.
    let mut doctor = ground.daybook();
    outside.set(doctor.arg("doctor"));
    doctor.output().unwrap();
    let mut reached = outside.reached();
    assert_eq!(reached.pop(), Some("meilisearch"), "{reached:?}");
    assert_eq!(reached, ["gateway", "mail", "sms", "nats"]);
    TcpStream::connect(("127.0.0.1", outside.port("webhook"))).unwrap();
    assert_eq!(outside.reached(), ["webhook"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_replayed_is_told_and_leaves_nothing() {
    let ground = Ground::traded().await;
    let analyst = Analyst::of(&ground).await;
    let prefix = &ground.store.prefix;
    fs::write(ground.directory.join("a-file"), "mine").unwrap();
    let mine = analyst.schema("mine");
    ground.store.as_owner(&format!("CREATE SCHEMA {mine}; CREATE TABLE {mine}.work (x int)")).await;
    let of = |args: &[&str]| {
        let mut command = ground.daybook();
        command.arg("replay").args(args);
        command.output().unwrap()
    };
    for (args, words) in [
        (
            &["--projection", "ordrs", "--into", "x"][..],
            &["no read model \"ordrs\"", "did you mean \"orders\""][..],
        ),
        (&["--projection", "search", "--into", "x"], &["no read model \"search\"", "orders"]),
        (
            &["--projection", "stock", "--into", "x", "--to", "2011-02-30"],
            &["2011-02-30", "a day of the calendar"],
        ),
        (&["--projection", "stock", "--into", "x", "--from", "sequence:3"], &["is no moment"]),
        (&["--projection", "stock", "--into", "x", "--from", "9", "--to", "8"], &["--from is after --to"]),
        (
            &["--projection", "stock", "--into", "x", "--from", "2011-03-03", "--to", "2011-03-02"],
            &["--from is after --to"],
        ),
        (&["--projection", "stock", "--into", "x", "--to", "999999"], &["beyond the log's end"]),
        (&["--projection", "stock", "--into", "x", "--from", "9999-01-01"], &["still to come"]),
        (&["--projection", "stock", "--into", "x", "--speed", "0x"], &["is no speed", "10x"]),
        (&["--projection", "stock"], &["--into"]),
        (&["--into", "x"], &["--projection"]),
        (&["--projection", "stock", "--into", "a-file"], &["a-file is there already"]),
        (&["--projection", "stock", "--into", "nowhere/x"], &["there is no folder nowhere"]),
        (
            &["--projection", "stock", "--into", "postgres://127.0.0.1:1/x", "--schema", "Mine!"],
            &["not a plain name"],
        ),
        (&["--projection", "stock", "--into", ""], &["--into"]),
        (&["--projection", "stock", "--into", "."], &["is no name"]),
        (&["--projection", "stock", "--into", "/proc/x"], &["/proc takes nothing new"]),
        (&["--projection", "stock", "--into", "mysql://me:hunter2@db/x"], &["none of a Postgres database"]),
        (&["status", "--into", "Postgres:/me:hunter2@db/x"], &["none of a Postgres database"]),
        (
            &["--projection", "stock", "--into", "POSTGRES://me:hunter2@127.0.0.1:1/x", "--schema", "a b"],
            &["plain name"],
        ),
        (&["status", "--into", "x"], &["no replay at x"]),
        (&["rate", "fast", "--into", "x"], &["is no speed"]),
    ] {
        let output = of(args);
        fails(&output, 2, words);
        assert!(!said(&output).contains("hunter2"), "{args:?}");
    }
    for schema in [prefix.clone(), format!("{prefix}_read"), format!("{prefix}_keys")] {
        fails(&analyst.replay("stock", &schema, &[]).output().unwrap(), 2, &["one of the log's own"]);
    }
    fails(&analyst.replay("stock", &mine, &[]).output().unwrap(), 2, &[&mine, "not a replay"]);
    fails(&analyst.at(&mine, &["status"]).output().unwrap(), 2, &["no replay in schema", &mine]);
    // A role that may only read lays nothing.
    let schema = analyst.schema("stock");
    let into = ["--projection", "stock", "--into", &ground.analyst_url, "--schema", &schema];
    fails(&of(&into), 2, &[&schema, "permission denied"]);
    fails(&of(&["--projection", "stock", "--into", "postgres://127.0.0.1:1/x"]), 1, &["database"]);
    // Another replay is not mixed with what is there.
    fine(&analyst.replay("stock", &schema, &["--to", "50"]).output().unwrap());
    fails(&analyst.replay("stock", &schema, &[]).output().unwrap(), 2, &["--to was 50", "--restart"]);
    fails(&analyst.replay("orders", &schema, &[]).output().unwrap(), 2, &["something else", "--restart"]);
    ground.store.as_owner(&format!("CREATE TABLE {schema}.beside (x int)")).await;
    fine(&analyst.replay("orders", &schema, &["--restart"]).output().unwrap());
    assert_eq!(analyst.differing(&schema, &["orders", "payments"]).await.0, 0);
    ground.store.as_owner(&format!("SELECT x FROM {schema}.beside")).await;
    // What somebody has made of its tables is not thrown away with them.
    ground.store.as_owner(&format!("CREATE VIEW {schema}.dear AS SELECT * FROM {schema}.orders")).await;
    let stood_on = analyst.replay("orders", &schema, &["--restart"]).output().unwrap();
    fails(&stood_on, 2, &["dear depends on table", "drop that first", "--schema"]);
    assert!(!said(&stood_on).contains("needs the right"), "{}", said(&stood_on));
    ground.store.as_owner(&format!("SELECT count(*) FROM {schema}.dear; DROP VIEW {schema}.dear")).await;
    // However an address is written, it is one.
    let url = ground.store.owner_url.replacen("postgres", "POSTGRES", 1);
    assert!(url.starts_with("POSTGRES"), "the test's address begins with its scheme");
    fine(&of(&["--projection", "orders", "--into", &url, "--schema", &schema]));
    // No room to fold in.
    let read_only = format!("{}?options=-cdefault_transaction_read_only%3Don", ground.analyst_url);
    fails(&of(&["--projection", "stock", "--into", "x", "--scratch", &read_only]), 2, &["--scratch"]);
    let left = fs::read_dir(&ground.directory).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name != "rejects.txt" && name != "a-file").collect();
    assert_eq!(left, [""; 0], "nothing is left");
    let schemas = "SELECT nspname::text FROM pg_namespace WHERE nspname LIKE $1 ORDER BY 1";
    let schemas: Vec<String> = sqlx::query_scalar(schemas)
        .bind(format!("{prefix}_replay%"))
        .fetch_all(&ground.store.owner_pool("").await)
        .await
        .unwrap();
    assert_eq!(schemas, [mine, schema]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_occurred_later_does_not_count_wherever_it_stands() {
    use store::{rfc3339, testing::request};
    let ground = Ground::empty().await;
    let analyst = Analyst::of(&ground).await;
    let engine = ground.store.engine().await;
    let receive = async |sku: &str, units: u32, at: &str| {
        let receive = json!({"Receive": {"quantity": units}});
        let receive: domain::inventory_item::Command = serde_json::from_value(receive).unwrap();
        let mut request = request(sku, receive);
        request.cause.occurred_at = Some(rfc3339::parse(at).unwrap());
        engine.executor.execute(request).await.unwrap();
    };
    receive("A", 5, "2011-03-01T10:00:00Z").await;
    receive("A", 70, "2011-03-09T10:00:00Z").await;
    receive("NEW", 1, "2011-03-09T10:00:00Z").await;
    let schema = analyst.schema("stock");
    let replay = || analyst.replay("stock", &schema, &["--to", "2011-03-05", "--json"]).output().unwrap();
    let rows = async || -> Vec<(String, i64, i64, i64)> {
        let sql = format!("SELECT sku, on_hand, version, position FROM {schema}.stock ORDER BY sku");
        sqlx::query_as(&sql).fetch_all(&analyst.pool).await.unwrap()
    };
    let told = json_of(&replay());
    assert_eq!((&told["events"], &told["business_time"]), (&json!(1), &json!("2011-03-01T10:00:00Z")));
    assert_eq!(rows().await, [("A".to_owned(), 5, 1, 1)]);
    // Brought in later, for a day before: what lies between does not count, and keeps its place.
    receive("A", 3, "2011-03-02T10:00:00Z").await;
    let told = json_of(&replay());
    assert_eq!((&told["parked"], &told["business_time"]), (&json!([]), &json!("2011-03-02T10:00:00Z")));
    assert_eq!(rows().await, [("A".to_owned(), 8, 3, 4)]);
    let at = ["stock", "--at", "2011-03-05", "--json"];
    let then = json_of(&ground.daybook().args(at).output().unwrap());
    assert_eq!((&then["stock"][0]["on_hand"], &then["stock"][1]), (&json!(8), &Json::Null));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_cannot_be_taken_is_named() {
    let ground = shop().await;
    let analyst = Analyst::of(&ground).await;
    received_as(&ground, &[("Received", "2", json!({"quantity": "many"}))]).await;
    let schema = analyst.schema("stock");
    let output = analyst.replay("stock", &schema, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("left out: inventory_item-BROKEN from position"), "{printed}");
    assert!(printed.contains("1 streams set aside"), "{printed}");
    assert_eq!(analyst.differing(&schema, &["stock", "reservations"]).await.0, 0);
}
