//! A log of which streams were put away is exported as if they had not been.

use crate::ground::{Ground, said};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_away_is_exported_all_the_same() {
    let ground = Ground::traded().await;
    let stream = |ground: &Ground| {
        let text =
            ground.fine(&["export", "--format", "ndjson", "--aggregate", "order", "--event", "Placed"]);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        format!("order-{}", first["aggregate_id"].as_str().unwrap())
    };
    let stream = stream(&ground);
    ground.fine(&["export", "--format", "ndjson", "--into", "before.ndjson"]);
    let shown = ground.fine(&["show", &stream]);
    let files = ground.directory.join("archive");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_daybook"))
        .args(["--json", "archive", "--older-than", "0h"])
        .env("DATABASE_URL", &ground.store.app_url)
        .env("DAYBOOK_OWNER_DATABASE_URL", &ground.store.owner_url)
        .env("NATS_URL", &ground.store.nats_url)
        .env("DAYBOOK_SCHEMA", &ground.store.prefix)
        .env("DAYBOOK_MASTER_KEY", store::testing::master_key().to_text())
        .env("DAYBOOK_ARCHIVE_DIR", &files)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let archived: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(archived["events"].as_i64().unwrap() > 0, "{archived}");

    let reported =
        ground.daybook().args(["--json", "report", "sales", "--period", "2011-03"]).output().unwrap();
    assert!(reported.status.success() && said(&reported).contains("were put away"), "{}", said(&reported));
    let told: serde_json::Value = serde_json::from_slice(&reported.stdout).unwrap();
    assert!(told["archived_events"].as_i64().unwrap() > 0, "{}", told["archived_events"]);

    let blind = ground.events(&["export", "--format", "ndjson", "--into", "after.ndjson"]).output().unwrap();
    assert_eq!(blind.status.code(), Some(1));
    assert!(said(&blind).contains("DAYBOOK_ARCHIVE_DIR"), "{}", said(&blind));
    assert!(!ground.has("after.ndjson"));
    for (args, into) in
        [(&["export", "--format", "ndjson", "--into", "after.ndjson"][..], true), (&["show", &stream], false)]
    {
        let output = ground.events(args).env("DAYBOOK_ARCHIVE_DIR", &files).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        if !into {
            assert_eq!(String::from_utf8_lossy(&output.stdout), shown);
        }
    }
    assert!(ground.read("before.ndjson") == ground.read("after.ndjson"), "the same, wherever it lies");
}
