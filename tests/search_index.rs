//! `daybook projections rebuild search` and `audit search` from outside: what they print, and their exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    process::{Command, Output},
    sync::Arc,
};

use domain::{
    product,
    value::{Currency, Money, Sku, Text},
};
use projections::search::{Change, Embedded, Index, Synonyms, Values, follow};
use serde_json::{Value as Json, json};
use store::{
    engine::Engine,
    testing::{Ground, eventually, master_key, request},
};
use tokio::task::JoinSet;

fn daybook(ground: &Ground, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
    command
        .args(args)
        .env("DATABASE_URL", &ground.app_url)
        .env("NATS_URL", &ground.nats_url)
        .env("DAYBOOK_OWNER_DATABASE_URL", &ground.owner_url)
        .env("DAYBOOK_SCHEMA", &ground.prefix)
        .env("DAYBOOK_MASTER_KEY", master_key().to_text())
        .env("DAYBOOK_LOG", "error");
    command.output().unwrap()
}

/// What it says, and its exit status.
fn said(ground: &Ground, args: &[&str]) -> (Option<i32>, String) {
    let Output { stdout, stderr, status } = daybook(ground, args);
    let text = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
    (status.code(), text.concat())
}

/// The same as JSON.
fn told(ground: &Ground, args: &[&str]) -> (Option<i32>, Json) {
    let Output { stdout, stderr, status } = daybook(ground, &[args, &["--json"]].concat());
    let (text, said) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    (status.code(), serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{said}")))
}

/// A shop with one product, whose process keeps an index.
struct Shop {
    ground: Ground,
    engine: Engine,
    index: Arc<dyn Index>,
    process: JoinSet<()>,
}

async fn shop() -> Shop {
    let ground = Ground::new().await;
    ground.lay(&projections::tables()).await;
    ground.lay(&api::edge::tables()).await;
    let (mut engine, pool) = (ground.engine().await, ground.pool("_read").await);
    projections::start(&mut engine, pool.clone());
    let index: Arc<dyn Index> = Arc::new(Embedded::in_memory(Synonyms::default()));
    let (_, following) = follow(Arc::clone(&index), &engine, pool.clone());
    let mut process = JoinSet::new();
    process.spawn(following);
    let variant = product::Variant {
        sku: Sku::new("L1").unwrap(),
        title: None,
        price: Money::new(900, Currency::GBP),
        tax_category: None,
        weight_grams: 0,
        purchase_limit: None,
    };
    let listing = product::Listing {
        title: Text::new("Red lamp").unwrap(),
        description: None,
        brand: None,
        category: vec![],
        images: vec![],
        variants: vec![variant],
    };
    engine.executor.execute(request("lamp", product::Command::List(listing))).await.unwrap();
    eventually("the lamp is indexed, and everybody has seen so much", async || {
        let position = sqlx::query_scalar("SELECT position FROM search_indexes").fetch_optional(&pool);
        position.await.unwrap().flatten().filter(|position: &i64| *position == 1)
    })
    .await;
    Shop { ground, engine, index, process }
}

const REBUILD: [&str; 3] = ["projections", "rebuild", "search"];
const AUDIT: [&str; 3] = ["projections", "audit", "search"];

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_compared_rebuilt_and_mended() {
    let Shop { ground, engine, index, mut process } = shop().await;
    let (status, audited) = told(&ground, &AUDIT);
    assert_eq!((status, &audited["ok"], &audited["projections"]), (Some(0), &json!(true), &json!([])));
    let state = &audited["search"][0]["state"]["done"];
    assert_eq!((&state["difference"]["rows"], &state["old_digest"]), (&json!(1), &state["new_digest"]));
    assert_eq!(audited["search"][0]["pid"], json!(std::process::id()));
    let (status, rebuilt) = told(&ground, &REBUILD);
    assert_eq!(
        (status, &rebuilt["ok"], &rebuilt["swapped"]),
        (Some(0), &json!(true), &json!(true)),
        "{rebuilt}"
    );

    let marker = index.marker().await.unwrap().unwrap();
    let values = Values { price: 5, ..Values::default() };
    index.write(vec![], vec![Change { listed_at: 1, values }], &marker).await.unwrap();
    let (status, text) = said(&ground, &AUDIT);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("documents: 1 rows; only in the index 0, only in the rows 0, changed 1"), "{text}");
    assert!(
        text.contains("product=\"lamp\": ") && text.contains("price=5") && text.contains("price=900"),
        "{text}"
    );
    let (status, text) = said(&ground, &REBUILD);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("The old index goes on answering."), "{text}");
    let (status, audited) = told(&ground, &["projections", "audit"]);
    assert_eq!((status, &audited["ok"]), (Some(1), &json!(false)));
    assert_eq!(audited["projections"].as_array().unwrap().len(), 5);
    assert!(audited["projections"].as_array().unwrap().iter().all(|of| of["ok"] == true), "{audited}");

    let (status, text) = said(&ground, &["projections", "rebuild", "search", "--swap"]);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("The new index answers now."), "{text}");
    let (status, text) = said(&ground, &AUDIT);
    assert_eq!(status, Some(0), "{text}");
    assert!(text.contains("each of 1 products is indexed as its rows at position 1 say"), "{text}");
    process.shutdown().await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_process_there_is_nothing_to_rebuild_and_that_is_said() {
    let Shop { ground, engine, process, .. } = shop().await;
    drop(process);
    engine.stop().await;
    let gone = format!("DELETE FROM {}_read.search_indexes", ground.prefix);
    // As long as its row is new the process counts as being there.
    eventually("the process's row is gone for good", async || {
        ground.as_owner(&gone).await;
        let (status, told) = told(&ground, &REBUILD);
        let nobody = told["error"].as_str()?.contains("no process keeps a search index now");
        (status == Some(1) && nobody).then_some(())
    })
    .await;
    assert_eq!(told(&ground, &AUDIT).0, Some(1));
    // Whoever audits everything audits what there is.
    let (status, audited) = told(&ground, &["projections", "audit"]);
    assert_eq!((status, &audited["search"]), (Some(0), &json!(null)), "{audited}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_index_is_named_where_read_models_are() {
    let ground = Ground::new().await;
    ground.lay(&projections::tables()).await;
    ground.lay(&api::edge::tables()).await;
    for args in [["projections", "rebuild", "nothing"], ["projections", "audit", "nothing"]] {
        let (status, text) = said(&ground, &args);
        assert_eq!(status, Some(2), "{text}");
        assert!(text.contains("orders, carts, stock, products, sales, search"), "{text}");
    }
    let (status, text) = said(&ground, &["projections", "retry", "search", "product-lamp"]);
    assert_eq!(status, Some(2), "{text}");
}
