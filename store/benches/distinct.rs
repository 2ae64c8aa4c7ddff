//! Commands on 10,000 aggregates: the executor, and the framework that its contracts come from.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

mod common;

use std::{str::FromStr, sync::Arc};

use common::{Bench, Caller, callers, drive, report::Series};
use cqrs_es::{CqrsFramework, persist::PersistedEventStore};
use domain::inventory_item::InventoryItem;
use futures::future::join_all;
use postgres_es::PostgresEventRepository;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use store::bridge::Bridge;

const AGGREGATES: usize = 10_000;
/// How many clients of the framework are tried.
const CLIENTS: [usize; 4] = [1, 8, 32, 64];

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let engine = bench.ground.engine().await;
    let skus = callers::skus(bench.options.pick(AGGREGATES, 500));
    callers::stock_up(&engine, &skus).await;
    let mut few = callers::Reserving::callers(&engine, &skus, 64);
    let mut many = callers::Reserving::callers(&engine, &skus, 256);
    sqlx::raw_sql(TABLE).execute(&mut bench.plain().await).await.unwrap();
    let mut clients = Vec::new();
    for count in CLIENTS {
        clients.push(framework(&bench, &skus, count).await);
    }
    stock_up(&mut clients[CLIENTS.len() - 1], &skus).await;
    let length = bench.options.length();

    drive(&mut few, length / 2).await;
    drive(&mut many, length / 2).await;
    for callers in &mut clients {
        drive(callers, length / 3).await;
    }
    let (mut at_64, mut at_256) = (Series::default(), Series::default());
    let mut theirs: Vec<Series> = CLIENTS.map(|_| Series::default()).into();
    for _ in 0..bench.options.rounds {
        at_64.push(drive(&mut few, length).await);
        at_256.push(drive(&mut many, length).await);
        for (callers, series) in clients.iter_mut().zip(&mut theirs) {
            series.push(drive(callers, length).await);
        }
    }
    engine.stop().await;

    let mut report =
        bench.report("distinct", "cqrs-es 0.5 with postgres-es 0.5 at its best client count").await;
    let tried = CLIENTS.iter().zip(&theirs);
    let best = tried.clone().max_by(|(_, one), (_, other)| one.per_s().total_cmp(&other.per_s()));
    let (count, best) = best.unwrap();
    report.sides(&at_64, best);
    report.note("baseline_clients", *count);
    report.note("baseline_p50_ms", best.median_ms());
    for (clients, series) in tried {
        report.note(&format!("baseline_{clients}_per_s"), common::report::whole(series.per_s()));
    }
    report.note("events_an_append", bench.events_an_append().await);
    report.note("ours_256_per_s", common::report::whole(at_256.per_s()));
    report.note("ratio_256", common::report::hundredths(at_256.per_s() / best.per_s()));
    report.note("ours_256_rounds", at_256.rounds());
    report.note("p50_256_ms", at_256.median_ms());
    report.note("p99_256_ms", at_256.percentile_ms(0.99));
    bench.print(report);
}

/// As postgres-es 0.5 has it in `db/init.sql`.
const TABLE: &str = "
    CREATE TABLE events (
        aggregate_type text                         NOT NULL,
        aggregate_id   text                         NOT NULL,
        sequence       bigint CHECK (sequence >= 0) NOT NULL,
        event_type     text                         NOT NULL,
        event_version  text                         NOT NULL,
        payload        json                         NOT NULL,
        metadata       json                         NOT NULL,
        PRIMARY KEY (aggregate_type, aggregate_id, sequence)
    )";

type Framework =
    CqrsFramework<Bridge<InventoryItem>, PersistedEventStore<PostgresEventRepository, Bridge<InventoryItem>>>;

/// Reserves one unit at a time of the SKUs that are its own, in turn, so that no two clients meet.
struct Client {
    framework: Arc<Framework>,
    skus: Arc<Vec<Arc<str>>>,
    next: usize,
    step: usize,
}

impl Caller for Client {
    async fn call(&mut self) {
        let sku = &self.skus[self.next % (self.skus.len() / self.step * self.step)];
        self.next += self.step;
        self.framework.execute(sku, callers::reserve()).await.unwrap();
    }
}

/// So many clients with as many connections.
async fn framework(bench: &Bench, skus: &Arc<Vec<Arc<str>>>, count: usize) -> Vec<Client> {
    let options =
        PgConnectOptions::from_str(&bench.ground.owner_url).unwrap().options([("search_path", "plain")]);
    let connections = u32::try_from(count).unwrap();
    let pool = PgPoolOptions::new()
        .min_connections(connections)
        .max_connections(connections)
        .connect_with(options)
        .await
        .unwrap();
    let store = PersistedEventStore::new_event_store(PostgresEventRepository::new(pool));
    let framework = Arc::new(CqrsFramework::new(store, vec![], ()));
    let client =
        |next| Client { framework: Arc::clone(&framework), skus: Arc::clone(skus), next, step: count };
    (0..count).map(client).collect()
}

async fn stock_up(clients: &mut [Client], skus: &[Arc<str>]) {
    let count = clients.len();
    join_all(clients.iter().enumerate().map(|(nth, client)| async move {
        for sku in skus.iter().skip(nth).step_by(count) {
            client.framework.execute(sku, callers::receive(callers::PLENTY)).await.unwrap();
        }
    }))
    .await;
}
