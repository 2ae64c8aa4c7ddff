//! All formats of the same log, opened with what analysts open them with, beside the read models.

use serde_json::{Value as Json, json};

use crate::ground::{Ground, said};

#[tokio::test(flavor = "multi_thread")]
async fn duckdb_and_pandas_find_what_the_read_models_say() {
    let ground = Ground::traded().await;
    for (format, into, more) in [
        ("ndjson", "log.ndjson", &[][..]),
        ("csv", "all.csv", &[]),
        ("parquet", "all.parquet", &[]),
        ("parquet", "parquet", &["--by-type"]),
        ("csv", "csv", &["--by-type"]),
        ("parquet", "days", &["--by-type", "--partition", "day"]),
        ("ndjson", "lines", &["--partition", "day"]),
    ] {
        let args = [&["export", "--format", format, "--into", into], more].concat();
        let printed = ground.fine(&args);
        assert!(printed.contains("events up to position"), "{printed}");
        assert!(!ground.has(&format!("{into}.partial")), "{into} is complete");
    }
    let script = include_str!("analyse.py");
    let mut python = stack::testing::python_for_analysts();
    let output = python.args(["-c", script]).arg(&ground.directory).output().unwrap();
    let found: Json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));

    let pool = ground.store.pool("_read").await;
    let (orders, total, units): (i64, i64, i64) = sqlx::query_as(
        "SELECT count(*), sum(total)::bigint, sum(units)::bigint FROM orders WHERE kind = 'sale'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert!(orders > 5 && total > 0, "the sample has orders");
    for (name, counted) in found["orders"].as_object().unwrap() {
        assert_eq!(*counted, json!([[orders, total]]), "{name}");
    }
    assert_eq!(found["units"], json!([[units]]));
    let head = ground.head().await;
    for all in found["all"].as_array().unwrap() {
        assert_eq!(*all, json!([head, 1, head]));
    }
    assert_eq!(found["same"], json!([[head]]), "Parquet and CSV say the same");

    for (column, kind) in [
        ("position", "BIGINT"),
        ("event_id", "UUID"),
        ("occurred_at", "TIMESTAMP WITH TIME ZONE"),
        ("recorded_at", "TIMESTAMP WITH TIME ZONE"),
        ("placed_at", "TIMESTAMP WITH TIME ZONE"),
        ("total_minor", "BIGINT"),
        ("total_currency", "VARCHAR"),
        ("prices_include_tax", "BOOLEAN"),
        ("lines", "JSON"),
    ] {
        assert_eq!(found["types"][column], kind, "{column} of {}", found["types"]);
    }
    for format in ["parquet", "csv"] {
        let kinds = &found["dtypes"][format];
        assert!(kinds["occurred_at"].as_str().unwrap().starts_with("datetime64["), "{kinds}");
        assert_eq!((&kinds["total_minor"], &kinds["prices_include_tax"]), (&json!("int64"), &json!("bool")));
    }
    let days = found["days"].as_array().unwrap();
    assert!(days.len() > 1, "the sample has several days");
    let by_day: i64 = days.iter().map(|day| day[1].as_i64().unwrap()).sum();
    assert_eq!(by_day, head);
    assert!(days.iter().all(|day| day[2] == true), "each event lies under its day");
    let lines = crate::ground::files(&ground.directory.join("lines"));
    let lines: usize =
        lines.iter().map(|(_, bytes)| bytes.iter().filter(|byte| **byte == b'\n').count()).sum();
    assert_eq!(i64::try_from(lines).unwrap(), head);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_event_is_exported_as_what_it_means_today() {
    use domain::{inventory_item::Command, value::Quantity};
    use store::{
        log::PostgresLog,
        testing::{request, write},
    };
    let ground = Ground::empty().await;
    let log = PostgresLog::new(ground.store.pool("").await);
    let receive = Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None };
    let old: store::testing::Row = ("Received", "1", json!({"quantity": 10, "reference": "a, \"b\"\nc"}));
    let new = ("Received", "2", json!({"quantity": 5, "location": "shed"}));
    write(&log, &request("A 1", receive), &[old, new]).await;

    let lines = ground.fine(&["export", "--format", "ndjson"]);
    let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["event_version"], "2", "{}", lines[0]);
    assert_eq!(lines[0]["payload"]["reference"], "a, \"b\"\nc");
    assert_eq!(lines[1]["payload"], json!({"quantity": 5, "location": "shed"}));
    assert_eq!((&lines[1]["aggregate_id"], &lines[1]["sequence"]), (&json!("A 1"), &json!(2)));

    ground.fine(&["export", "--format", "csv", "--by-type", "--into", "typed"]);
    let csv = String::from_utf8(ground.read("typed/inventory_item.Received.csv")).unwrap();
    assert!(csv.lines().next().unwrap().ends_with("command_id,location,quantity,reference"), "{csv}");
    assert!(csv.contains(",10,\"a, \"\"b\"\"\nc\"") && csv.contains(",shed,5,"), "{csv}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_selected_is_an_export_too() {
    let ground = Ground::empty().await;
    for (format, into) in [("ndjson", "none.ndjson"), ("csv", "none.csv"), ("parquet", "none.parquet")] {
        let printed = ground.fine(&["--json", "export", "--format", format, "--into", into]);
        let told: Json = serde_json::from_str(&printed).unwrap();
        assert_eq!((&told["ok"], &told["events"], &told["position"]), (&json!(true), &json!(0), &json!(0)));
    }
    assert_eq!(ground.read("none.ndjson"), b"");
    assert!(ground.read("none.csv").starts_with(b"position,part,event_id,"));
    let script =
        "import duckdb, sys; print(duckdb.sql(f\"SELECT count(*) FROM '{sys.argv[1]}'\").fetchall())";
    let mut python = stack::testing::python_for_analysts();
    let output = python.args(["-c", script]).arg(ground.directory.join("none.parquet")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "[(0,)]\n", "{}", said(&output));
}
