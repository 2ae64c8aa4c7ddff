//! Two processes on one log: one unit of stock, and ten SKUs that everybody is after.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]
#![allow(dead_code, reason = "the processes share these with the benchmark")]

#[path = "../benches/common/hammer.rs"]
mod hammer;
#[path = "../benches/common/rivals.rs"]
mod rivals;

use std::{path::PathBuf, process::Command};

use domain::{AggregateType, inventory_item, value::Quantity};
use store::{
    log::StreamId,
    testing::{Ground, request},
    verify::{Wanted, verify},
};

use hammer::{SKUS, Tally, books};
use rivals::Rival;

/// The example stands beside the tests that cargo built together with it.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/contender");
    assert!(program.exists(), "build it first: cargo build -p store --examples");
    program
}

/// Two processes that go at once; what each says at its end.
fn race(ground: &Ground, what: &str, last: [[&str; 2]; 2]) -> [String; 2] {
    let mut rivals = last.map(|last| {
        let mut command = Command::new(program());
        Rival::start(command.args([what, &ground.app_url, &ground.prefix]).args(last))
    });
    rivals.iter_mut().for_each(|rival| assert_eq!(rival.line(), "ready"));
    rivals.iter_mut().for_each(Rival::go);
    rivals.map(|mut rival| {
        let line = rival.line();
        assert!(rival.ended_well());
        line
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_tasks_in_two_processes_exactly_one_gets_the_last_unit() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    let one = inventory_item::Command::Receive {
        quantity: Quantity::new(1).unwrap(),
        location: None,
        reference: None,
    };
    engine.executor.execute(request("LAST ONE", one)).await.unwrap();
    let said = race(&ground, "last", [["left", "32"], ["right", "32"]]);
    assert_eq!(said.map(|won| won.parse::<u32>().unwrap()).iter().sum::<u32>(), 1);
    let stream = StreamId::new(AggregateType::InventoryItem, "LAST ONE");
    assert_eq!(engine.log.load(&stream, 0).await.unwrap().len(), 2);
    let answered: i64 =
        sqlx::query_scalar("SELECT count(*) FROM commands").fetch_one(&engine.pool).await.unwrap();
    assert_eq!(answered, 65);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_after_the_same_ten_skus_oversell_nothing_and_both_get_on() {
    let ground = Ground::new().await;
    let engine = ground.engine().await;
    hammer::stock_up(&engine).await;
    let said = race(&ground, "hammer", [["32", "2000"], ["32", "2000"]]);
    let [left, right] = said.map(|line| Tally::heard(&line));
    let books = books(&engine.pool).await;
    assert_eq!((books.oversold, books.dense), (0, true), "{books:?}");
    // What was acknowledged is what stands, no more and no less.
    assert_eq!(u64::try_from(books.reserved).unwrap(), left.reserved + right.reserved);
    assert_eq!(u64::try_from(books.answers).unwrap(), left.commands + right.commands + SKUS as u64);
    assert!(left.refused + right.refused > 0, "units are short, or nothing is shown: {left:?} {right:?}");
    let verified = verify(&engine.pool, Wanted::default(), &|_, _| {}).await.unwrap();
    assert!(verified.ok, "{:?}", verified.findings);
    let slower = left.commands.min(right.commands) as f64 / (left.commands + right.commands) as f64;
    assert!(slower > 0.05, "one process starves: {left:?} {right:?}");
}
