//! Reservations of one SKU by 64 callers at once: the executor, and plain SQL that locks the stock's row.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails has nothing to report")]

mod common;

use common::{Bench, Caller, callers, drive, report::Series};
use sqlx::{Connection, PgConnection};
use store::ports::{Ids, Machine};

const CALLERS: usize = 64;

#[tokio::main]
async fn main() {
    let bench = Bench::start().await;
    let engine = bench.ground.engine().await;
    let skus = callers::skus(1);
    callers::stock_up(&engine, &skus).await;
    let mut ours = callers::Reserving::callers(&engine, &skus, CALLERS);
    sqlx::raw_sql(TABLES).execute(&mut bench.plain().await).await.unwrap();
    let mut transactions = plain(&bench, |connection| Transaction { connection }).await;
    let mut statements = plain(&bench, |connection| Statement { connection }).await;
    let length = bench.options.length();

    drive(&mut ours, length / 2).await;
    drive(&mut transactions, length / 2).await;
    drive(&mut statements, length / 2).await;
    let (mut reserved, mut transacted, mut stated) =
        (Series::default(), Series::default(), Series::default());
    for _ in 0..bench.options.rounds {
        reserved.push(drive(&mut ours, length).await);
        transacted.push(drive(&mut transactions, length).await);
        stated.push(drive(&mut statements, length).await);
    }
    engine.stop().await;

    let mut report =
        bench.report("hot_sku", "UPDATE … WHERE available >= n and INSERT in a transaction").await;
    report.sides(&reserved, &transacted);
    report.also("cte", &reserved, &stated);
    report.note("callers", CALLERS);
    report.note("events_an_append", bench.events_an_append().await);
    report.note("baseline_p50_ms", transacted.median_ms());
    report.note("cte_p50_ms", stated.median_ms());
    bench.print(report);
}

/// A shop's tables without a log. The stock's row has room for its new versions, as the log's head has.
const TABLES: &str = "
    CREATE TABLE stock (sku text PRIMARY KEY, available bigint NOT NULL CHECK (available >= 0))
        WITH (fillfactor = 10);
    CREATE TABLE reservations (reservation_id uuid PRIMARY KEY, sku text NOT NULL, quantity bigint NOT NULL,
                               reserved_at timestamptz NOT NULL DEFAULT now());
    INSERT INTO stock VALUES ('SKU 00000', 1000000000)";

/// So many clients of those tables, each with a connection.
async fn plain<C>(bench: &Bench, client: impl Fn(PgConnection) -> C) -> Vec<C> {
    let mut clients = Vec::new();
    for _ in 0..CALLERS {
        clients.push(client(bench.plain().await));
    }
    clients
}

/// Takes units and notes for whom, in a transaction.
struct Transaction {
    connection: PgConnection,
}

impl Caller for Transaction {
    async fn call(&mut self) {
        let mut transaction = self.connection.begin().await.unwrap();
        let taken =
            sqlx::query("UPDATE stock SET available = available - $2 WHERE sku = $1 AND available >= $2")
                .bind("SKU 00000")
                .bind(1_i64)
                .execute(&mut *transaction)
                .await
                .unwrap();
        assert_eq!(taken.rows_affected(), 1);
        sqlx::query("INSERT INTO reservations (reservation_id, sku, quantity) VALUES ($1, $2, $3)")
            .bind(Machine.next())
            .bind("SKU 00000")
            .bind(1_i64)
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap();
    }
}

/// The same in one statement.
struct Statement {
    connection: PgConnection,
}

impl Caller for Statement {
    async fn call(&mut self) {
        let reserved = sqlx::query(
            "WITH taken AS (
                 UPDATE stock SET available = available - $3 WHERE sku = $2 AND available >= $3 RETURNING sku
             )
             INSERT INTO reservations (reservation_id, sku, quantity) SELECT $1, sku, $3 FROM taken",
        )
        .bind(Machine.next())
        .bind("SKU 00000")
        .bind(1_i64)
        .execute(&mut self.connection)
        .await
        .unwrap();
        assert_eq!(reserved.rows_affected(), 1);
    }
}
