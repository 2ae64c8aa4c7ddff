//! An import that is killed again and again ends with the same books as one that was left alone.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::Value;
use store::{
    broker::Broker as _,
    testing::{Ground, eventually, master_key},
};

const INVOICES: u32 = 400;
const LINES: u32 = 10;

/// A retailer's file: sales of ten lines each, every twentieth invoice a cancellation.
fn invoices() -> PathBuf {
    let mut text =
        String::from("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n");
    for invoice in 0..INVOICES {
        let day = 1 + invoice / 50;
        let (prefix, sign) = if invoice % 20 == 19 { ("C", "-") } else { ("", "") };
        for line in 0..LINES {
            let sku = 10_000 + (invoice * 7 + line * 3) % 50;
            writeln!(
                text,
                "{prefix}{},{sku},THING {sku},{sign}{},2010-12-{day:02} 10:{:02}:00,{}.{:02},17850.0,France",
                600_000 + invoice,
                1 + line,
                invoice % 60,
                1 + line,
                invoice % 100
            )
            .unwrap();
        }
    }
    let path = std::env::temp_dir().join(format!("daybook-invoices-{}.csv", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}

/// The binary stands two folders above the tests that cargo built with it.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("daybook");
    assert!(program.exists(), "build the whole workspace: cargo test --workspace");
    program
}

fn import(ground: &Ground, file: &Path) -> Child {
    let rejects = file.with_extension(format!("{}.rejects", ground.prefix));
    Command::new(program())
        .args(["--json", "import", "retail"])
        .arg(file)
        .arg("--rejects")
        .arg(rejects)
        .env("DATABASE_URL", &ground.app_url)
        .env("NATS_URL", &ground.nats_url)
        .env("DAYBOOK_SCHEMA", &ground.prefix)
        .env("DAYBOOK_NATS_PREFIX", &ground.prefix)
        .env("DAYBOOK_MASTER_KEY", master_key().to_text())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn report(child: Child) -> Value {
    let output: Output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap()
}

async fn ground() -> Ground {
    let ground = Ground::new().await;
    ground.lay(&projections::tables()).await;
    ground.lay(&api::edge::tables()).await;
    ground
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_an_import_is_finished_by_the_next() {
    let file = invoices();
    let (alone, killed) = (ground().await, ground().await);
    let wanted = report(import(&alone, &file)).await;
    let whole = wanted["new_events"].as_i64().unwrap();
    let engine = killed.engine().await;
    for part in 1..4 {
        let mut child = import(&killed, &file);
        eventually("the import is on its way", || async {
            let head = engine.log.head().await.unwrap().position;
            (head > whole * part / 5).then_some(())
        })
        .await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let before = engine.log.head().await.unwrap().position;
    assert!(before < whole, "the import was killed on its way");
    let finished = report(import(&killed, &file)).await;
    assert_eq!(finished["days"], wanted["days"]);
    assert_eq!(finished["total"], wanted["total"]);
    assert_eq!(finished["ok"], true);
    let again = report(import(&killed, &file)).await;
    assert_eq!((&again["new_events"], &again["ok"]), (&Value::from(0), &Value::from(true)));
    is_dense_and_copied(&killed, whole).await;
    std::fs::remove_file(&file).unwrap();
}

async fn is_dense_and_copied(ground: &Ground, whole: i64) {
    let mut engine = ground.engine().await;
    let counted: (i64, i64) =
        sqlx::query_as("SELECT max(position), count(*) FROM events").fetch_one(&engine.pool).await.unwrap();
    assert_eq!(counted, (whole, whole));
    engine.relay();
    let broker = ground.broker().await;
    eventually("the broker's last sequence is the last position", || async {
        (broker.state().await.ok().flatten()?.last == whole).then_some(())
    })
    .await;
}
