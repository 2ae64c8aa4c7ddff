//! A process that is killed while it fills or writes leaves an index that the next one makes whole.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use store::testing::eventually;

use crate::{
    disk::{Directory, generations, open},
    shelf::{all, at, expect, fill, hits, product, words},
};

/// Where the process that is going to be killed writes.
const WRITES_AT: &str = "DAYBOOK_TEST_INDEX";
const PRODUCTS: i64 = 400;
/// How long it writes when nobody kills it.
const KILLED_WITHIN: Duration = Duration::from_secs(60);

fn documents(count: i64) -> Vec<projections::search::Document> {
    (1..=count).map(|n| product(n, &format!("Thing {n}"))).collect()
}

/// Does nothing in a test run; as a process of its own it fills and writes until it is killed.
#[tokio::test(flavor = "multi_thread")]
async fn it_writes_until_it_is_killed() {
    let Some(directory) = env::var_os(WRITES_AT).map(PathBuf::from) else { return };
    let index = open(&directory);
    let (mut life, begun) = (0_u32, Instant::now());
    // Whoever should kill it may have died.
    while begun.elapsed() < KILLED_WITHIN {
        // Every other life has another text, so that a new generation is begun.
        let marker = projections::search::Marker { life: format!("{}", life % 2), ..at(100) };
        fill(&index, &documents(100), marker.clone()).await;
        for n in 101..=120 {
            let marker = projections::search::Marker { position: n, ..marker.clone() };
            index.write(vec![product(n, &format!("Thing {n}"))], vec![], &marker).await.unwrap();
        }
        life += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_loses_nothing_and_doubles_nothing() {
    let home = Directory::new();
    for round in 0..6_u32 {
        let newest = generations(&home.0).pop().unwrap_or(0);
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "killed::it_writes_until_it_is_killed"])
            .env(WRITES_AT, &home.0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // In the middle of a fill, or of the writes behind it.
        let generation = newest + 1 + u64::from(round / 2);
        eventually("the process writes", async || {
            let begun = generations(&home.0).pop().is_some_and(|newest| newest >= generation);
            let counts = || std::fs::read_to_string(home.0.join("current")).ok()?.parse::<u64>().ok();
            (begun && (round % 2 == 0 || counts().is_some_and(|counts| counts >= generation))).then_some(())
        })
        .await;
        process.kill().unwrap();
        process.wait().unwrap();
        let index = open(&home.0);
        let marker = projections::search::Marker { life: (round % 2).to_string(), ..at(PRODUCTS) };
        fill(&index, &documents(PRODUCTS), marker).await;
        let found = hits(&index, &all()).await;
        assert_eq!((found.listed_at.len(), found.listed_at[0]), (100, PRODUCTS));
        expect(&index, words("\"thing 7\""), &[7]).await;
        let counted = projections::search::ProductQuery {
            facets: projections::search::FacetSet::ALL,
            ..words("thing")
        };
        assert_eq!(hits(&index, &counted).await.facets.unwrap().total, u64::try_from(PRODUCTS).unwrap());
    }
}
