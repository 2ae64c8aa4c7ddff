//! What an append costs in a large log, and what the same append costs in a small one.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

mod common;

use std::time::{Duration, Instant};

use common::{
    Bench, Round,
    report::Series,
    rows::{EVENTS, Rows, signed},
};
use store::{
    log::{Log, PostgresLog},
    testing::Ground,
};

const SMALL: usize = 100_000;
const LARGE: usize = 10_000_000;
const COMMANDS: usize = 100;
const SKUS: usize = 10_000;

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let small = bench.options.pick(SMALL, 10_000);
    let large = bench.options.events.unwrap_or(bench.options.pick(LARGE, 100_000));
    let skus = bench.options.pick(SKUS, 1_000);
    let grown = bench.another_log().await;
    let mut one = Side::new(&bench.ground, small, skus).await;
    let mut other = Side::new(&grown, large, skus).await;
    bench.ground.as_owner("CHECKPOINT").await;

    // Every page that will be written is in memory, as it is in a shop that has been open for a while.
    let warm_up = bench.options.pick(SKUS * 4 / COMMANDS, 4);
    one.append(warm_up / 10).await;
    other.append(warm_up).await;
    let batches = bench.options.pick(40, 4);
    let (mut in_small, mut in_large) = (Series::default(), Series::default());
    for _ in 0..bench.options.rounds {
        in_small.push(one.append(batches).await);
        in_large.push(other.append(batches).await);
    }

    let mut report = bench.report("growth", &format!("the same appends in a log of {small} events")).await;
    report.sides(&in_large, &in_small);
    let times = common::report::hundredths(in_large.median_ms() / in_small.median_ms());
    report.note("ratio", times);
    report.note("ratio_of", "the median time of an append: large log / small log");
    report.note("unit", "events");
    report.note("events", large);
    report.note("baseline_events", small);
    report.note("baseline_p50_ms", in_small.median_ms());
    report.note("fill_s", common::report::whole(other.filled.as_secs_f64()));
    bench.print(report);
}

/// A log of some size, and what goes into it next.
struct Side {
    log: PostgresLog,
    rows: Rows,
    filled: Duration,
}

impl Side {
    async fn new(ground: &Ground, events: usize, skus: usize) -> Self {
        let whole = skus * EVENTS * 2;
        assert!(events.is_multiple_of(whole), "the number of events must be a multiple of {whole}");
        let started = Instant::now();
        fill(ground, events, skus).await;
        let log = PostgresLog::new(ground.pool("").await);
        assert_eq!(log.head().await.unwrap().position, events as i64);
        let rows = Rows::behind(skus, (events / (skus * 2)) as i64);
        Self { log, rows, filled: started.elapsed() }
    }

    async fn append(&mut self, batches: usize) -> Round {
        let (started, mut took) = (Instant::now(), Vec::new());
        let mut head = self.log.head().await.unwrap();
        for _ in 0..batches {
            let batch = self.rows.batch(COMMANDS, head.position);
            let appending = Instant::now();
            head = self.log.append(&head, &signed(batch)).await.unwrap();
            took.push(appending.elapsed());
        }
        Round::new(batches * COMMANDS * EVENTS, started, took)
    }
}

/// Fills a log with what [`Rows`] would have brought. The keys are laid afterwards: a shop had years for them.
async fn fill(ground: &Ground, events: usize, skus: usize) {
    ground
        .as_owner(
            "ALTER TABLE events DROP CONSTRAINT events_stream, DROP CONSTRAINT events_position;
             ALTER TABLE commands DROP CONSTRAINT commands_id;
             DROP INDEX commands_expiry",
        )
        .await;
    ground
        .as_owner(&EVENTS_UP_TO.replace(":events", &events.to_string()).replace(":skus", &skus.to_string()))
        .await;
    ground.as_owner(&ANSWERS_UP_TO.replace(":events", &events.to_string())).await;
    ground
        .as_owner(
            "SET maintenance_work_mem = '1GB';
             ALTER TABLE events ADD CONSTRAINT events_stream PRIMARY KEY (aggregate_type, aggregate_id, sequence),
                                ADD CONSTRAINT events_position UNIQUE (position);
             ALTER TABLE commands ADD CONSTRAINT commands_id PRIMARY KEY (command_id);
             CREATE INDEX commands_expiry ON commands (expires_at) WHERE expires_at IS NOT NULL",
        )
        .await;
    for table in ["events", "commands", "log_links"] {
        ground.as_owner(&format!("VACUUM (ANALYZE) {table}")).await;
    }
}

/// Five events a command; every other command is of a new cart, the rest goes over the SKUs in turn.
const EVENTS_UP_TO: &str = r#"
INSERT INTO events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata, position,
                    event_id, recorded_at, digest)
SELECT CASE WHEN command % 2 = 0 THEN 'cart' ELSE 'inventory_item' END,
       CASE WHEN command % 2 = 0 THEN made_id::text
            ELSE 'SKU ' || lpad(((command / 2) * 7919 % :skus)::text, 5, '0') END,
       CASE WHEN command % 2 = 0 THEN nth + 1 ELSE command / 2 / :skus * 5 + nth + 1 END,
       CASE WHEN command % 2 = 0 THEN 'LineAdded' ELSE 'Reserved' END,
       CASE WHEN command % 2 = 0 THEN '2' ELSE '1' END,
       CASE WHEN command % 2 = 0
            THEN '{"LineAdded":{"line":{"sku":"SKU ' || lpad((n % 10000)::text, 5, '0') || '","product":"product-1",'
                 '"title":"WHITE HANGING HEART T-LIGHT HOLDER","quantity":6,'
                 '"unit_price":{"amount":255,"currency":"GBP"},"weight_grams":180},"expires_at":1764000000000}}'
            ELSE '{"Reserved":{"reservation":"' || made_id || '","quantity":3,"expires_at":1764000900000}}'
       END::json,
       ('{"occurred_at":"2026-11-21T09:00:00.123Z","actor":"customer:01993c1e-7d3a-7c60-9a51-0c1f3f7a9d10",'
        '"correlation_id":"' || made_id || '","causation_id":"' || made_id || '","command_id":"' || made_id
        || '"}')::json,
       n, gen_random_uuid(), '2026-01-01'::timestamptz + n * interval '1 ms', sha256(int8send(n))
FROM (SELECT n, command, nth,
             (substr(stamp, 1, 8) || '-' || substr(stamp, 9, 4) || '-7' || substr(noise, 1, 3) || '-a'
              || substr(noise, 4, 3) || '-' || substr(noise, 7, 12))::uuid AS made_id
      FROM (SELECT n, (n - 1) / 5 AS command, (n - 1) % 5 AS nth,
                   lpad(to_hex(1767225600000 + (n - 1) / 5 * 5), 12, '0') AS stamp, md5(((n - 1) / 5)::text) AS noise
            FROM generate_series(1::bigint, :events) AS n) AS stamped) AS made"#;

/// An answer a command, a link every hundred commands, and the head.
const ANSWERS_UP_TO: &str = "
INSERT INTO commands (command_id, fingerprint, aggregate_type, aggregate_id, version, position, events, refusal,
                      recorded_at, expires_at)
SELECT (lpad(to_hex(1767225600000 + position), 12, '0') || '7000a000' || lpad(to_hex(position), 12, '0'))::uuid,
       digest, aggregate_type, aggregate_id, sequence, position, 5, NULL, recorded_at,
       recorded_at + interval '48 hours'
FROM events WHERE position % 5 = 0;
INSERT INTO log_links (last_position, link)
SELECT last_position, sha256(int8send(last_position)) FROM generate_series(500::bigint, :events, 500) AS last_position;
UPDATE log_head SET position = :events, link = sha256(int8send(:events::bigint))";
