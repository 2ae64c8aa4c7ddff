//! The analysts' role: it reads the log and the read models, and whatever else it tries, the database says no.

use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use store::schema::{self, SchemaError};

use crate::ground::{ANALYST, Ground};

/// "Permission denied", "must be owner of" and their like.
const DENIED: &str = "42501";

#[tokio::test(flavor = "multi_thread")]
async fn an_analyst_reads_and_can_do_nothing_else() {
    let ground = Ground::traded().await;
    let prefix = &ground.store.prefix;
    let pool: PgPool = schema::connect(&ground.analyst_url, prefix, "", 2).await.unwrap();
    for table in ["events", "log_head", "log_links", "archived_events", "archive_files"] {
        pool.execute(format!("SELECT count(*) FROM {table}").as_str()).await.unwrap();
    }
    for table in ["orders", "payments", "stock", "products", "sales"] {
        pool.execute(format!("SELECT count(*) FROM {prefix}_read.{table}").as_str()).await.unwrap();
    }
    for view in schema::analysis_tables().analysts {
        pool.execute(format!("SELECT count(*) FROM {prefix}_analysis.{view}").as_str()).await.unwrap();
    }
    // All there is, by what the database says of it: no other right, and nothing at all of keys and people.
    let more: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT n.nspname::text, c.relname::text, p FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, \
                unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p \
         WHERE n.nspname LIKE $1 AND c.relkind IN ('r', 'v', 'm') \
           AND (has_table_privilege($2, c.oid, p) OR p IN ('SELECT', 'INSERT', 'UPDATE', 'REFERENCES') \
                AND has_any_column_privilege($2, c.oid, p)) \
           AND (p <> 'SELECT' OR n.nspname NOT IN ($3, $3 || '_read', $3 || '_analysis'))",
    )
    .bind(format!("{prefix}%"))
    .bind(ANALYST)
    .bind(prefix)
    .fetch_all(&ground.store.owner_pool("").await)
    .await
    .unwrap();
    assert_eq!(more, []);
    let mut connection = PgConnection::connect(&ground.analyst_url).await.unwrap();
    connection.execute(format!("SET search_path = {prefix}").as_str()).await.unwrap();
    for statement in [
        "SELECT * FROM commands",
        "SELECT * FROM snapshots",
        "SELECT * FROM timers",
        "SELECT * FROM {prefix}_keys.subject_keys",
        "SELECT * FROM {prefix}_keys.shop_keys",
        "SELECT * FROM {prefix}_edge.accounts",
        "SELECT * FROM {prefix}_edge.sessions",
        "SELECT * FROM {prefix}_edge.errands",
        "SELECT * FROM {prefix}_read.search_asked",
        "INSERT INTO events SELECT * FROM events",
        "UPDATE events SET payload = '{}'",
        "DELETE FROM events",
        "TRUNCATE events",
        "UPDATE log_head SET position = 0",
        "INSERT INTO log_links SELECT * FROM log_links",
        "SELECT * FROM log_head FOR UPDATE",
        "SELECT * FROM events FOR SHARE",
        "BEGIN; LOCK TABLE events IN ROW EXCLUSIVE MODE",
        "BEGIN; LOCK TABLE log_head IN SHARE MODE",
        "UPDATE {prefix}_read.orders SET total = 0",
        "DELETE FROM {prefix}_read.followers",
        "CREATE TABLE mine (x int)",
        "CREATE VIEW {prefix}_read.mine AS SELECT 1",
        "CREATE VIEW {prefix}_analysis.mine AS SELECT 1",
        "DELETE FROM {prefix}_analysis.happened",
        "CREATE SCHEMA mine",
        "CREATE INDEX mine ON events (event_id)",
        "CREATE ROLE mine",
        "SET ROLE daybook_test_app",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "COPY events TO PROGRAM 'true'",
        "COPY events TO '/tmp/events'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT lo_import('/etc/hostname')",
        "DROP TABLE events",
        "ALTER TABLE events ADD COLUMN mine int",
    ] {
        let statement = statement.replace("{prefix}", prefix);
        let error = connection.execute(&*statement).await.expect_err(&statement);
        let code = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
        assert_eq!(code.as_deref(), Some(DENIED), "{statement}: {error}");
        connection.execute("ROLLBACK").await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_could_do_more_is_not_taken_for_an_analyst() {
    let ground = Ground::empty().await;
    let (owner, prefix) = (&ground.store.owner_url, &ground.store.prefix);
    let serving = store::testing::ROLE;
    let tables = schema::log_tables();
    let error = schema::let_read(owner, prefix, (serving, serving), &tables).await.expect_err("it serves");
    assert!(matches!(error, SchemaError::NoAnalyst(_)), "{error}");
    let error =
        schema::let_read(owner, prefix, ("nobody_at_all", serving), &tables).await.expect_err("nobody");
    assert!(error.to_string().contains("CREATE ROLE nobody_at_all"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_analyst_still_reads_a_read_model_that_was_rebuilt() {
    let ground = Ground::traded().await;
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_daybook"))
        .args(["projections", "rebuild", "orders", "--swap"])
        .env("DATABASE_URL", &ground.store.app_url)
        .env("DAYBOOK_OWNER_DATABASE_URL", &ground.store.owner_url)
        .env("NATS_URL", &ground.store.nats_url)
        .env("DAYBOOK_SCHEMA", &ground.store.prefix)
        .env("DAYBOOK_NATS_PREFIX", &ground.store.prefix)
        .env("DAYBOOK_NATS_MB", "16")
        .env("DAYBOOK_MASTER_KEY", store::testing::master_key().to_text())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", crate::ground::said(&output));
    let pool = schema::connect(&ground.analyst_url, &ground.store.prefix, "_read", 1).await.unwrap();
    let orders: i64 = sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&pool).await.unwrap();
    assert!(orders > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_does_not_take_what_an_analyst_may_not_see_for_missing() {
    let ground = Ground::empty().await;
    let key = store::testing::master_key().to_text();
    let output = ground.daybook().args(["doctor", "--json"]).env("DAYBOOK_MASTER_KEY", key).output().unwrap();
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = told["checks"].as_array().unwrap();
    for check in ["keys' tables", "edge's tables", "keys", "followers"] {
        let found: Vec<_> = checks.iter().filter(|of| of["check"] == check).collect();
        assert!(found.iter().all(|of| of["state"] == "skip") && found.len() == 1, "{check}: {found:?}");
        assert!(found[0]["said"].as_str().unwrap().contains("this role only reads the log"), "{found:?}");
    }
    for check in ["tables", "analysts' views"] {
        assert!(checks.iter().any(|of| of["check"] == check && of["state"] == "ok"), "{check}: {told}");
    }
    assert!(!checks.iter().any(|of| of["said"].as_str().unwrap().contains("lack")), "{told}");
    // One that serves has to see them.
    let keys = format!("{}_keys", ground.store.prefix);
    ground.store.as_owner(&format!("REVOKE USAGE ON SCHEMA {keys} FROM {}", store::testing::ROLE)).await;
    let mut doctor = ground.daybook();
    doctor.args(["doctor", "--json"]).env("DATABASE_URL", &ground.store.app_url);
    let told: serde_json::Value = serde_json::from_slice(&doctor.output().unwrap().stdout).unwrap();
    let found = told["checks"].as_array().unwrap().iter().find(|of| of["check"] == "keys' tables").unwrap();
    assert_eq!(
        (found["state"].as_str(), found["said"].as_str().unwrap().contains("may not see")),
        (Some("fail"), true)
    );
}
