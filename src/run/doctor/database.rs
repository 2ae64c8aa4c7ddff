//! Postgres: whether it answers, is new enough, holds the tables of this program, and gives the role no more than it needs.

use std::time::Duration;

use sqlx::PgPool;
use store::{
    lives,
    log::{Log as _, LogError, PostgresLog},
    ports::{Clock as _, Machine},
    schema::{self, Fitness, Tables, Writes},
    verify::verify_end,
};
use tokio::time::timeout;

use super::{Patient, WITHIN, reach::Place, rights::closed, said::Told};
use crate::{
    ground::{GroundError, up_to_date},
    settings::shown,
};

/// What makes clocks differ so little that nobody minds; beyond the second, holds and tokens end at the wrong time.
const SKEW_US: (i64, i64) = (500_000, 5_000_000);
/// Connections that one process opens at most, as "Databases and roles" in docs/OPERATIONS.md counts them.
const CONNECTIONS: i32 = 67;
/// Events at the log's end that are verified.
const NEWEST: i64 = 10_000;
/// How long that may take.
const VERIFIED_WITHIN: Duration = Duration::from_secs(30);

const CORRECT: &str = "start it, or correct DATABASE_URL: the address, the name and the password";

/// The log's database, which answers.
pub struct Database {
    pub pool: PgPool,
    pub log: PostgresLog,
}

impl Database {
    /// The log's last position.
    pub async fn head(&self) -> Option<i64> {
        timeout(WITHIN, self.log.head()).await.ok()?.ok().map(|head| head.position)
    }
}

/// Looks at the log's database; `None` when it cannot be used.
pub async fn look(patient: &Patient, told: &mut Told) -> Option<Database> {
    const CHECK: &str = "database";
    let Some(url) = &patient.database_url else {
        told.fail(CHECK, "DATABASE_URL is not set", "set it to Postgres, as the serving role");
        return None;
    };
    let pool = reach(CHECK, "DATABASE_URL", url, patient, "", told).await?;
    server(patient, &pool, told).await;
    if !tables(patient, &pool, told).await {
        return None;
    }
    let database = Database { log: PostgresLog::with_archive(pool.clone(), patient.archive()), pool };
    life(&database, told).await;
    newest(&database, told).await;
    Some(database)
}

/// The read models' database, which may be the same.
pub async fn read_models(patient: &Patient, told: &mut Told) -> Option<PgPool> {
    const CHECK: &str = "read models";
    let elsewhere = patient.settings.projection_database_url.as_ref();
    let (setting, url) = match elsewhere {
        Some(url) => ("DAYBOOK_PROJECTION_DATABASE_URL", url),
        None => ("DATABASE_URL", patient.database_url.as_ref()?),
    };
    let pool = match elsewhere {
        Some(_) => reach(CHECK, setting, url, patient, "_read", told).await?,
        None => {
            timeout(WITHIN, schema::connect(url, &patient.settings.schema, "_read", 1)).await.ok()?.ok()?
        }
    };
    let laid = migrated(CHECK, patient, &pool, &projections::tables(), told).await;
    if let Some(url) = &patient.settings.read_database_url {
        reach("standby", "DAYBOOK_READ_DATABASE_URL", url, patient, "_read", told).await;
    }
    Some(pool).filter(|_| laid)
}

async fn reach(
    check: &'static str,
    setting: &str,
    url: &str,
    patient: &Patient,
    suffix: &str,
    told: &mut Told,
) -> Option<PgPool> {
    let place = shown("DATABASE_URL", url);
    // A pool tries again until its time is over, and does not say why.
    if let Some(Err(error)) = async { Some(Place::of(url, 5_432)?.reach().await) }.await {
        told.fail(check, format_args!("{place}: {error}"), CORRECT.replace("DATABASE_URL", setting));
        return None;
    }
    let connected = timeout(WITHIN, schema::connect(url, &patient.settings.schema, suffix, 2)).await;
    let error = match connected {
        Ok(Ok(pool)) => match sqlx::query_scalar::<_, String>("SELECT current_setting('server_version')")
            .fetch_one(&pool)
            .await
        {
            Ok(version) => {
                told.ok(check, format_args!("{place} answers: PostgreSQL {version}"));
                return Some(pool);
            }
            Err(error) => error.to_string(),
        },
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", WITHIN.as_secs()),
    };
    let todo = CORRECT.replace("DATABASE_URL", setting);
    told.fail(check, format_args!("{place}: {error}"), todo);
    None
}

/// How the server is set up, and how the role stands in it.
async fn server(patient: &Patient, pool: &PgPool, told: &mut Told) {
    const CHECK: &str = "server";
    type Row = (i32, i32, bool, bool, bool, i32);
    let asked = sqlx::query_as::<_, Row>(
        "SELECT current_setting('max_connections')::int, current_setting('max_prepared_transactions')::int, \
                current_setting('fsync')::bool, current_setting('full_page_writes')::bool, \
                COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) \
                    OR COALESCE(inet_server_addr() <<= '127.0.0.0/8' OR inet_server_addr() = '::1', true), \
                (SELECT count(*)::int FROM pg_stat_activity)",
    );
    match asked.fetch_one(pool).await {
        Ok((max, prepared, fsync, pages, private, open)) => {
            let mut well = true;
            let mut warn = |said: String, todo: &str| {
                well = false;
                told.warn(CHECK, said, todo);
            };
            if !fsync || !pages {
                warn(
                    "fsync or full_page_writes is off: a crash can lose acknowledged orders".to_owned(),
                    "set both to on",
                );
            }
            if max < CONNECTIONS {
                let said = format!("max_connections is {max}, and one process may open {CONNECTIONS}");
                warn(said, "raise max_connections");
            }
            if prepared > 0 {
                let said = format!(
                    "max_prepared_transactions is {prepared}: one could hold the log's head for ever"
                );
                warn(said, "set it to 0, as Postgres has it");
            }
            if !private && patient.is_production() {
                warn(
                    "the connection to it can be read on the way".to_owned(),
                    "add ?sslmode=verify-full to DATABASE_URL",
                );
            }
            if well {
                told.ok(
                    CHECK,
                    format_args!("{open} of {max} connections are open, and what is written is kept"),
                );
            }
        }
        Err(error) => told.warn(CHECK, error, "look into the log of Postgres"),
    }
    clock(pool, told).await;
    match schema::writes(pool).await {
        Ok(Writes::Taken) => {}
        Ok(Writes::Standby) => told.fail(
            "writes",
            "it is a standby: commands are refused",
            "promote it, or name the primary in DATABASE_URL",
        ),
        Ok(Writes::ReadOnly) => {
            told.fail("writes", "it takes no writes (default_transaction_read_only)", "set that to off again")
        }
        Err(error) => told.fail("writes", error, "look into the log of Postgres"),
    }
    role(pool, told).await;
}

async fn clock(pool: &PgPool, told: &mut Told) {
    const CHECK: &str = "clock";
    let before_us = Machine.now_us();
    let asked =
        sqlx::query_scalar::<_, i64>("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
    match asked.fetch_one(pool).await {
        Ok(theirs_us) => {
            // They answered somewhere between the question and the answer.
            let skew_us = theirs_us - (before_us + Machine.now_us()) / 2;
            let said = format!("this machine and Postgres differ by {:.3} s", skew_us as f64 / 1e6);
            let todo = "let both machines keep time by NTP (chrony, systemd-timesyncd)";
            match skew_us.abs() {
                skew if skew < SKEW_US.0 => told.ok(CHECK, said),
                skew if skew < SKEW_US.1 => told.warn(CHECK, said, todo),
                _ => told.fail(CHECK, said, todo),
            }
        }
        Err(error) => told.fail(CHECK, error, "look into the log of Postgres"),
    }
}

async fn role(pool: &PgPool, told: &mut Told) {
    const CHECK: &str = "role";
    let asked = sqlx::query_as::<_, (String, bool, bool)>(
        "SELECT rolname::text, rolsuper, rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication \
         FROM pg_roles WHERE rolname = current_user",
    );
    let todo = "name a role in DATABASE_URL that owns nothing (CREATE ROLE daybook_app LOGIN), and its owner in DAYBOOK_OWNER_DATABASE_URL alone";
    match asked.fetch_one(pool).await {
        Ok((name, true, _)) => told.fail(
            CHECK,
            format_args!("{name} is a superuser: whoever takes the process has everything"),
            todo,
        ),
        Ok((name, _, true)) => {
            told.warn(CHECK, format_args!("{name} may do more to the server than serving needs"), todo)
        }
        Ok((name, ..)) => match schema::fitness(pool).await {
            Ok(Fitness::MayChangeEvents) => {
                told.fail(CHECK, format_args!("{name} may change what was written"), todo);
            }
            Ok(Fitness::HeadAstray { head, end }) => told.fail(
                "head",
                format_args!("the head stands at {head}, and the log ends at {end}: somebody has changed it"),
                "see \"The log was changed\" in docs/OPERATIONS.md",
            ),
            Ok(Fitness::Fit | Fitness::NotMigrated) => {
                told.ok(CHECK, format_args!("{name} owns nothing and changes nothing of what was written"));
            }
            Err(error) => told.fail(CHECK, error, "look into the log of Postgres"),
        },
        Err(error) => told.fail(CHECK, error, "look into the log of Postgres"),
    }
}

/// Whether all tables in the log's database are those of this program.
async fn tables(patient: &Patient, pool: &PgPool, told: &mut Told) -> bool {
    let (schema, url) = (&patient.settings.schema, patient.database_url.as_deref().unwrap_or_default());
    if !migrated("tables", patient, pool, &schema::log_tables(), told).await {
        return false;
    }
    for (check, tables) in [
        ("analysts' views", schema::analysis_tables()),
        ("keys' tables", schema::key_tables()),
        ("edge's tables", api::edge::tables()),
    ] {
        match timeout(WITHIN, schema::connect(url, schema, tables.suffix, 1)).await {
            Ok(Ok(pool)) if closed(check, patient, &pool, tables.suffix, told).await => {}
            Ok(Ok(pool)) => {
                migrated(check, patient, &pool, &tables, told).await;
            }
            Ok(Err(error)) => told.fail(check, error, CORRECT),
            Err(_) => told.fail(check, "no answer in time", CORRECT),
        }
    }
    true
}

async fn migrated(
    check: &'static str,
    patient: &Patient,
    pool: &PgPool,
    tables: &Tables,
    told: &mut Told,
) -> bool {
    match up_to_date(pool, &patient.settings.schema, tables).await {
        Ok(()) => told.ok(check, format_args!("{}{} is up to date", patient.settings.schema, tables.suffix)),
        Err(error @ GroundError::Outdated { .. }) => {
            told.fail(check, error, "run `daybook migrate` as the owner");
            return false;
        }
        Err(error) => {
            told.fail(check, error, "name the right database in DATABASE_URL, and the right DAYBOOK_SCHEMA");
            return false;
        }
    }
    true
}

/// Whether the database is the one that the log's present life began on.
async fn life(database: &Database, told: &mut Told) {
    const CHECK: &str = "incarnation";
    let lives =
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM log_lives").fetch_one(&database.pool).await;
    let agrees = async { lives::check(&mut *database.pool.acquire().await?).await };
    match (database.log.head().await, lives, agrees.await) {
        (Ok(head), Ok(lives), Ok(())) => {
            let said = format!("the log is at {} in life {} ({} before it)", head.position, head.incarnation, (lives - 1).max(0));
            told.ok(CHECK, said);
        }
        (_, _, Err(LogError::OtherLog)) => told.warn(
            CHECK,
            "the database is not the one that the log's present life began on: it was restored or promoted",
            "start `daybook serve`: the first process begins a new life; see \"What happens then\" in docs/OPERATIONS.md",
        ),
        (Err(error), ..) | (_, _, Err(error)) => told.fail(CHECK, error, "look into the log of Postgres"),
        (_, Err(error), _) => told.fail(CHECK, error, "look into the log of Postgres"),
    }
}

/// Whether the log's newest events are as they were written.
async fn newest(database: &Database, told: &mut Told) {
    const CHECK: &str = "log";
    match timeout(VERIFIED_WITHIN, verify_end(&database.pool, &database.log, None, NEWEST)).await {
        Ok(Ok(verified)) if verified.ok => {
            told.ok(CHECK, format_args!("its newest {} events are as they were written", verified.events));
        }
        Ok(Ok(verified)) => {
            let first = verified.findings.first().map(ToString::to_string).unwrap_or_default();
            let todo = "run `daybook verify`; see \"The log was changed\" in docs/OPERATIONS.md";
            told.fail(CHECK, format_args!("{first}; in all {}", verified.findings_total), todo);
        }
        Ok(Err(error)) => told.fail(CHECK, error, "look into the log of Postgres"),
        Err(_) => told.warn(CHECK, "its end could not be verified in time", "run `daybook verify`"),
    }
}
