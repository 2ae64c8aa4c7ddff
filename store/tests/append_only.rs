//! Every way round "append only" that a role with SQL has, tried as the role that serves: the database says no.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use domain::{
    inventory_item::Command,
    value::{Quantity, Text},
};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use store::{
    executor::ExecuteError,
    log::{Log as _, PostgresLog},
    schema::{Fitness, connect, fitness},
    testing::{Ground, request},
    verify::{Finding, Verified, Wanted, verify},
};

/// "Permission denied", "must be owner of" and their like.
const DENIED: &str = "42501";

/// What changes, removes or hides what was written, or would give the right to. Refused, each by `42501`; `{schema}`,
/// `{owner}` and `{database}` are the test's.
const REFUSED: &[&str] = &[
    // Rows, by every statement that changes one.
    "DELETE FROM events",
    "DELETE FROM ONLY events WHERE position = 1",
    "TRUNCATE events",
    "TRUNCATE events, log_links, log_head, commands CASCADE",
    "WITH gone AS (DELETE FROM events RETURNING *) SELECT count(*) FROM gone",
    "WITH changed AS (UPDATE events SET payload = '{}' RETURNING *) SELECT count(*) FROM changed",
    "WITH same AS (INSERT INTO events SELECT * FROM events ON CONFLICT (position) DO UPDATE SET payload = '{}' RETURNING 1) SELECT 1",
    "INSERT INTO events SELECT * FROM events ON CONFLICT (position) DO UPDATE SET payload = excluded.payload",
    "INSERT INTO events SELECT * FROM events ON CONFLICT ON CONSTRAINT events_stream DO UPDATE SET digest = ''",
    "MERGE INTO events e USING events s ON e.position = s.position WHEN MATCHED THEN UPDATE SET payload = '{}'",
    "MERGE INTO events e USING events s ON e.position = s.position WHEN MATCHED THEN DELETE",
    "DO $$ BEGIN DELETE FROM events; END $$",
    "UPDATE log_links SET link = link",
    "UPDATE log_links SET last_position = last_position",
    "DELETE FROM log_links",
    "TRUNCATE log_links",
    "INSERT INTO log_links SELECT * FROM log_links ON CONFLICT (last_position) DO UPDATE SET link = ''",
    "UPDATE log_lives SET position = 0",
    "DELETE FROM log_lives",
    "INSERT INTO archive_files (sha256, first_position, last_position, events) VALUES ('', 1, 1, 1)",
    "UPDATE archive_files SET sha256 = ''",
    "DELETE FROM archive_files",
    "INSERT INTO archived_events SELECT position, sequence, 1, 1, digest, aggregate_type, aggregate_id FROM events",
    "UPDATE archived_events SET digest = ''",
    "DELETE FROM archived_events",
    "TRUNCATE archived_events, archive_files",
    "ALTER TABLE events DISABLE TRIGGER events_of_no_archived_stream",
    "UPDATE log_head SET only_row = only_row",
    "DELETE FROM log_head",
    "INSERT INTO log_head VALUES (false, 0, '', gen_random_uuid())",
    "TRUNCATE log_head",
    "UPDATE commands SET position = 0",
    "UPDATE commands SET refusal = NULL, expires_at = NULL",
    "TRUNCATE commands",
    "UPDATE _sqlx_migrations SET checksum = ''",
    "DELETE FROM _sqlx_migrations",
    // Locks that stop appends.
    "SELECT 1 FROM events FOR UPDATE",
    "SELECT 1 FROM events FOR NO KEY UPDATE",
    "SELECT 1 FROM events FOR SHARE",
    "SELECT 1 FROM events FOR KEY SHARE",
    "BEGIN; LOCK TABLE events IN ACCESS EXCLUSIVE MODE",
    "BEGIN; LOCK TABLE events IN EXCLUSIVE MODE",
    "BEGIN; LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE",
    "BEGIN; LOCK TABLE events IN SHARE MODE",
    "BEGIN; LOCK TABLE log_links IN ACCESS EXCLUSIVE MODE",
    "BEGIN; LOCK TABLE log_head IN ACCESS EXCLUSIVE MODE",
    // The table's shape.
    "ALTER TABLE events ALTER COLUMN payload TYPE jsonb USING '{}'::jsonb",
    "ALTER TABLE events ALTER COLUMN payload SET DEFAULT '{}'",
    "ALTER TABLE events DROP COLUMN digest",
    "ALTER TABLE events ADD COLUMN note text",
    "ALTER TABLE events RENAME TO events_old",
    "ALTER TABLE events RENAME COLUMN digest TO old_digest",
    "ALTER TABLE events SET SCHEMA public",
    "ALTER TABLE events OWNER TO CURRENT_USER",
    "ALTER TABLE events DISABLE TRIGGER ALL",
    "ALTER TABLE events ENABLE ALWAYS RULE r",
    "ALTER TABLE events DROP CONSTRAINT events_position",
    "ALTER TABLE events ADD CONSTRAINT none CHECK (false) NOT VALID",
    "ALTER TABLE events INHERIT log_links",
    "ALTER TABLE events ATTACH PARTITION log_links DEFAULT",
    "ALTER TABLE events ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE events FORCE ROW LEVEL SECURITY",
    "ALTER TABLE events SET UNLOGGED",
    "ALTER TABLE events SET (autovacuum_enabled = off)",
    "ALTER TABLE events CLUSTER ON events_position",
    "ALTER TABLE events REPLICA IDENTITY NOTHING",
    "ALTER TABLE log_links DROP CONSTRAINT log_links_position",
    "ALTER TABLE log_head DROP COLUMN link",
    "ALTER INDEX events_position RENAME TO other",
    "DROP TABLE events",
    "DROP TABLE log_links CASCADE",
    "DROP INDEX events_position",
    "CREATE INDEX sneaky ON events (position) WHERE position < 0",
    "REINDEX TABLE events",
    "CLUSTER events USING events_position",
    "COMMENT ON TABLE events IS 'nothing'",
    // What would stand between a statement and the table.
    "CREATE TRIGGER t BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "CREATE RULE r AS ON INSERT TO events DO INSTEAD NOTHING",
    "CREATE RULE \"_RETURN\" AS ON SELECT TO events DO INSTEAD SELECT * FROM events",
    "CREATE POLICY p ON events USING (false)",
    "CREATE STATISTICS s ON aggregate_type, aggregate_id FROM events",
    "CREATE PUBLICATION p FOR TABLE events",
    "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    // What would hide it, or run as somebody else.
    "CREATE TABLE {schema}.events_2 (x int)",
    "CREATE TABLE public.events (x int)",
    "CREATE TABLE {schema}.child () INHERITS ({schema}.events)",
    "CREATE TEMP TABLE child () INHERITS ({schema}.events)",
    "CREATE VIEW {schema}.all_events AS SELECT * FROM events",
    "CREATE OR REPLACE VIEW {schema}.events AS SELECT 1",
    "CREATE MATERIALIZED VIEW {schema}.m AS SELECT * FROM events",
    "CREATE FUNCTION {schema}.wipe() RETURNS void LANGUAGE sql SECURITY DEFINER AS 'DELETE FROM events'",
    "CREATE OR REPLACE FUNCTION pg_catalog.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1'",
    "CREATE OPERATOR {schema}.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = int8ne)",
    "CREATE CAST (json AS bytea) WITHOUT FUNCTION",
    "CREATE TYPE {schema}.json AS (x int)",
    "CREATE SCHEMA evil",
    "CREATE SCHEMA evil AUTHORIZATION {owner}",
    "ALTER SCHEMA {schema} RENAME TO old",
    "ALTER SCHEMA {schema} OWNER TO CURRENT_USER",
    "DROP SCHEMA {schema} CASCADE",
    // Another role, more rights.
    "SET ROLE {owner}",
    "SET SESSION AUTHORIZATION {owner}",
    "SET session_replication_role = replica",
    "SET allow_system_table_mods = on",
    "SET zero_damaged_pages = on",
    "GRANT {owner} TO CURRENT_USER",
    "REASSIGN OWNED BY {owner} TO CURRENT_USER",
    "DROP OWNED BY {owner}",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "ALTER ROLE CURRENT_USER CREATEROLE",
    "ALTER ROLE CURRENT_USER REPLICATION",
    "ALTER ROLE CURRENT_USER SET session_replication_role = replica",
    "ALTER ROLE {owner} PASSWORD 'known'",
    "CREATE ROLE evil SUPERUSER",
    "DROP ROLE {owner}",
    "UPDATE pg_class SET relowner = (SELECT oid FROM pg_roles WHERE rolname = CURRENT_USER) WHERE relname = 'events'",
    "UPDATE pg_authid SET rolsuper = true WHERE rolname = CURRENT_USER",
    "DELETE FROM pg_depend",
    // The server and its files.
    "ALTER SYSTEM SET fsync = off",
    "ALTER DATABASE {database} SET session_replication_role = replica",
    "ALTER DATABASE {database} SET search_path = pg_temp",
    "ALTER DATABASE {database} OWNER TO CURRENT_USER",
    "DROP DATABASE {database}",
    "COPY events TO PROGRAM 'true'",
    "COPY events FROM PROGRAM 'true'",
    "COPY events TO '/tmp/events'",
    "COPY events FROM '/tmp/events'",
    "SELECT pg_read_file('postgresql.auto.conf')",
    "SELECT pg_read_binary_file('PG_VERSION')",
    "SELECT pg_ls_dir('.')",
    "SELECT lo_import('/etc/hostname')",
    "SELECT lo_export(1, '/tmp/events')",
    "SELECT pg_reload_conf()",
    "SELECT pg_switch_wal()",
    "SELECT pg_promote()",
    "LOAD 'pageinspect'",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION pageinspect",
    "CREATE FOREIGN DATA WRAPPER f",
    "CREATE LANGUAGE c2 HANDLER plpgsql_call_handler",
    "CREATE TABLESPACE t LOCATION '/tmp'",
    "CREATE SUBSCRIPTION s CONNECTION 'dbname=x' PUBLICATION p WITH (connect = false)",
];

/// What the database lets pass, with a warning at most, because it does nothing to what was written.
const PASSES: &[&str] = &[
    "GRANT UPDATE, DELETE, TRUNCATE, TRIGGER ON events TO CURRENT_USER",
    "GRANT UPDATE (incarnation) ON log_head TO CURRENT_USER",
    "GRANT CREATE ON SCHEMA {schema} TO CURRENT_USER",
    "REVOKE INSERT ON events FROM {owner}",
    "VACUUM FULL events",
    "ANALYZE events",
    "SET row_security = off",
    "SET default_transaction_read_only = on",
    "BEGIN; LOCK TABLE events IN ROW EXCLUSIVE MODE; ROLLBACK",
    // Whoever may delete from a table may lock it: appends wait for this one, up to their own time limit.
    "BEGIN; LOCK TABLE commands IN ACCESS EXCLUSIVE MODE; ROLLBACK",
    "BEGIN; SELECT 1 FROM log_head FOR UPDATE; ROLLBACK",
    "INSERT INTO events SELECT * FROM events ON CONFLICT DO NOTHING",
    // The pool's connections name their own search path.
    "BEGIN; ALTER ROLE CURRENT_USER SET search_path = pg_temp; ROLLBACK",
];

/// Every column of an event.
const COLUMNS: [&str; 11] = [
    "aggregate_type",
    "aggregate_id",
    "sequence",
    "event_type",
    "event_version",
    "payload",
    "metadata",
    "position",
    "event_id",
    "recorded_at",
    "digest",
];

fn receive(note: &str) -> Command {
    let reference = Some(Text::new(note).unwrap());
    Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference }
}

async fn verified(pool: &PgPool) -> Verified {
    verify(pool, Wanted::default(), &|_, _| {}).await.unwrap()
}

fn code(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()))
}

/// Every byte of the log, and who may do what to its tables.
async fn all_there_is(owner: &PgPool) -> Vec<String> {
    let mut told = vec![];
    for sql in [
        "SELECT string_agg(e::text, '|' ORDER BY position) FROM events AS e",
        "SELECT string_agg(l::text, '|' ORDER BY last_position) FROM log_links AS l",
        "SELECT string_agg(h::text, '|') FROM log_head AS h",
        "SELECT string_agg(c::text, '|' ORDER BY command_id) FROM commands AS c",
        "SELECT string_agg(concat_ws(' ', relname, relkind, relowner, relacl::text, relhastriggers, relhasrules, \
                                     relrowsecurity, reloptions::text, relnatts), '|' ORDER BY relname) \
         FROM pg_class WHERE relnamespace = current_schema()::regnamespace",
        "SELECT concat_ws(' ', nspname, nspowner, nspacl::text) FROM pg_namespace WHERE nspname = current_schema()",
        "SELECT string_agg(concat_ws(' ', attrelid::regclass, attname, attacl::text), '|' ORDER BY attrelid, attnum) \
         FROM pg_attribute WHERE attrelid IN ('events'::regclass, 'log_links'::regclass, 'log_head'::regclass)",
    ] {
        told.push(sqlx::query_scalar(sql).fetch_one(owner).await.unwrap());
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn the_serving_role_can_neither_change_nor_remove_nor_hide_what_was_written() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    for nth in 0..6 {
        engine.executor.execute(request("A", receive(&nth.to_string()))).await.unwrap();
    }
    let owner = ground.owner_pool("").await;
    let (name, database): (String, String) =
        sqlx::query_as("SELECT current_user::text, current_database()::text")
            .fetch_one(&owner)
            .await
            .unwrap();
    let filled = |sql: &str| {
        sql.replace("{schema}", &ground.prefix).replace("{owner}", &name).replace("{database}", &database)
    };
    let before = all_there_is(&owner).await;
    let updates = COLUMNS.map(|column| format!("UPDATE events SET {column} = {column}"));
    let mut wrong = vec![];
    // A session of the pool's own, given up afterwards with whatever was set in it.
    let mut session = engine.pool.acquire().await.unwrap().detach();
    for statement in updates.into_iter().chain(REFUSED.iter().map(|statement| filled(statement))) {
        match attempt(&mut session, &statement).await {
            Err(error) if code(&error).as_deref() == Some(DENIED) => {}
            Err(error) => wrong.push(format!("{statement}: refused otherwise: {error}")),
            Ok(()) => wrong.push(format!("{statement}: was allowed")),
        }
    }
    for statement in PASSES.iter().map(|statement| filled(statement)) {
        if let Err(error) = attempt(&mut session, &statement).await {
            wrong.push(format!("{statement}: refused: {error}"));
        }
    }
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    assert_eq!(all_there_is(&owner).await, before);
    let told = verified(&engine.pool).await;
    assert_eq!((told.ok, told.events), (true, 6), "{:?}", told.findings);
    assert_eq!(fitness(&engine.pool).await.unwrap(), Fitness::Fit);
    engine.executor.execute(request("A", receive("after all of it"))).await.unwrap();
}

/// Runs it, and leaves whatever transaction it began.
async fn attempt(session: &mut PgConnection, statement: &str) -> Result<(), sqlx::Error> {
    let done = sqlx::raw_sql(statement).execute(&mut *session).await.map(drop);
    sqlx::raw_sql("ROLLBACK; RESET ALL").execute(session).await.unwrap();
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_keeps_the_heads_lock_beyond_a_session() {
    let ground = Ground::new().await;
    let mut session = PgConnection::connect(&ground.app_url).await.unwrap();
    let kept = format!(
        "BEGIN; UPDATE {0}.log_head SET position = position; PREPARE TRANSACTION '{0}'",
        ground.prefix
    );
    let error = sqlx::raw_sql(&kept).execute(&mut session).await.unwrap_err();
    assert_eq!(code(&error).as_deref(), Some("55000"), "max_prepared_transactions is 0: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_table_of_the_same_name_hides_nothing_from_the_log() {
    let ground = Ground::new().await;
    let pool = connect(&ground.app_url, &ground.prefix, "", 1).await.unwrap();
    for table in ["events", "log_head", "log_links", "commands"] {
        let shadow = format!("CREATE TEMP TABLE {table} AS TABLE {}.{table}", ground.prefix);
        pool.execute(shadow.as_str()).await.unwrap();
    }
    // The one session that the pool has: what follows runs beside the shadows.
    let shadows: i64 =
        sqlx::query_scalar("SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(shadows, 4);
    let log = PostgresLog::new(pool);
    let machine = || std::sync::Arc::new(store::ports::Machine);
    let (executor, run) = store::executor::run(
        std::sync::Arc::new(log.clone()),
        machine(),
        machine(),
        store::executor::Limits::default(),
    )
    .await
    .unwrap();
    tokio::spawn(run);
    // The second one is loaded and appended through sessions that have the shadows.
    for (sku, position) in [("A", 1), ("A", 2), ("B", 3)] {
        let done = executor.execute(request(sku, receive("written"))).await.unwrap();
        assert_eq!(done.positions, Some((position, position)));
    }
    assert_eq!(log.head().await.unwrap().position, 3);
    let told = verified(&ground.owner_pool("").await).await;
    assert_eq!((told.ok, told.events), (true, 3), "{:?}", told.findings);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_added_by_hand_is_found_and_stops_appends_until_it_is_taken_out() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    for nth in 0..3 {
        engine.executor.execute(request("A", receive(&nth.to_string()))).await.unwrap();
    }
    // The right to append is the right to add: a COPY is an INSERT.
    let mut session = engine.pool.acquire().await.unwrap().detach();
    let forged =
        "inventory_item\tB\t1\tReceived\t1\t{}\t{}\t4\t00000000-0000-0000-0000-000000000001\tnow\t\\\\x00\n";
    let mut copy = session.copy_in_raw("COPY events FROM STDIN").await.unwrap();
    copy.send(forged.as_bytes()).await.unwrap();
    assert_eq!(copy.finish().await.unwrap(), 1);
    let found = verified(&engine.pool).await.findings;
    assert!(found.contains(&Finding::Unlinked { from: 4, to: 4 }), "{found:?}");
    assert!(found.iter().any(|finding| matches!(finding, Finding::Altered { position: 4, .. })), "{found:?}");
    let refused = engine.executor.execute(request("A", receive("no"))).await;
    assert!(matches!(refused, Err(ExecuteError::Unavailable(_))), "{refused:?}");
    assert_eq!(fitness(&engine.pool).await.unwrap(), Fitness::HeadAstray { head: 3, end: 4 });

    ground.as_owner("DELETE FROM events WHERE position = 4").await;
    let goes_on = engine.executor.execute(request("A", receive("yes"))).await.unwrap();
    assert_eq!(goes_on.positions, Some((4, 4)));
    assert!(verified(&engine.pool).await.ok);
    assert_eq!(fitness(&engine.pool).await.unwrap(), Fitness::Fit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_moved_back_is_noticed_by_everybody() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    for nth in 0..4 {
        engine.executor.execute(request("A", receive(&nth.to_string()))).await.unwrap();
    }
    let back =
        "UPDATE log_head SET position = 2, link = (SELECT link FROM log_links WHERE last_position = 2)";
    engine.pool.execute(back).await.unwrap();
    let found = verified(&engine.pool).await.findings;
    assert_eq!(found, [Finding::Head { position: 2, end: 4 }]);
    // Whoever starts now is told, and who runs stops rather than writing a second history.
    assert_eq!(fitness(&engine.pool).await.unwrap(), Fitness::HeadAstray { head: 2, end: 4 });
    let refused = engine.executor.execute(request("A", receive("no"))).await;
    assert!(matches!(refused, Err(ExecuteError::Unavailable(_))), "{refused:?}");
    engine.executor.stopped().await;
    // Even one that never looked appends nothing: the places are taken.
    let late = ground.engine().await;
    let refused = late.executor.execute(request("A", receive("no"))).await;
    assert!(matches!(refused, Err(ExecuteError::Unavailable(_))), "{refused:?}");
    let events: i64 = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&late.pool).await.unwrap();
    assert_eq!(events, 4);
    let forth =
        "UPDATE log_head SET position = 4, link = (SELECT link FROM log_links WHERE last_position = 4)";
    ground.as_owner(forth).await;
    assert!(verified(&late.pool).await.ok);
    let goes_on = late.executor.execute(request("A", receive("yes"))).await.unwrap();
    assert_eq!(goes_on.positions, Some((5, 5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_moved_forward_or_with_another_link_is_noticed_too() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    for nth in 0..3 {
        engine.executor.execute(request("A", receive(&nth.to_string()))).await.unwrap();
    }
    engine.pool.execute("UPDATE log_head SET position = position + 10").await.unwrap();
    assert_eq!(verified(&engine.pool).await.findings, [Finding::Head { position: 13, end: 3 }]);
    assert_eq!(fitness(&engine.pool).await.unwrap(), Fitness::HeadAstray { head: 13, end: 3 });
    let refused = engine.executor.execute(request("A", receive("no"))).await;
    assert!(matches!(refused, Err(ExecuteError::Unavailable(_))), "{refused:?}");
    engine.pool.execute("UPDATE log_head SET position = position - 10, link = sha256(link)").await.unwrap();
    assert_eq!(verified(&engine.pool).await.findings, [Finding::Head { position: 3, end: 3 }]);
    assert_eq!(fitness(&engine.pool).await.unwrap(), Fitness::HeadAstray { head: 3, end: 3 });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_could_get_at_events_is_told_from_a_modest_one() {
    let ground = Ground::new().await;
    let pool = ground.pool("").await;
    assert_eq!(fitness(&pool).await.unwrap(), Fitness::Fit);
    for right in ["UPDATE (payload)", "UPDATE", "DELETE", "TRUNCATE", "TRIGGER"] {
        for table in ["events", "log_links"] {
            if right == "UPDATE (payload)" && table == "log_links" {
                continue;
            }
            let role = store::testing::ROLE;
            ground.as_owner(&format!("GRANT {right} ON {table} TO {role}")).await;
            assert_eq!(fitness(&pool).await.unwrap(), Fitness::MayChangeEvents, "{right} on {table}");
            ground.as_owner(&format!("REVOKE {right} ON {table} FROM {role}")).await;
        }
    }
    assert_eq!(fitness(&pool).await.unwrap(), Fitness::Fit);
}
