//! One process of a race. It starts when a line comes on standard input, and says what it did.
//!
//! `contender last APP_URL PREFIX NAME TASKS`: so many tasks each try to reserve the one unit of a SKU.
//! `contender hammer APP_URL PREFIX CALLERS MILLISECONDS`: so many callers take and give back units of ten SKUs.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]
#![allow(dead_code, reason = "the processes share these with the benchmark")]

#[path = "../benches/common/hammer.rs"]
mod hammer;
#[path = "../benches/common/rivals.rs"]
mod rivals;

use std::{sync::Arc, time::Duration};

use domain::{
    inventory_item::Command,
    value::{Quantity, ReservationId, Time},
};
use store::{
    executor::{self, ExecuteError, Executor, Limits},
    log::PostgresLog,
    ports::Machine,
    schema,
    testing::request,
};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, what, url, prefix, first, second] = &arguments[..] else {
        panic!("contender last|hammer APP_URL PREFIX …")
    };
    let pool = schema::connect(url, prefix, "", 4).await.expect("the database");
    let log = Arc::new(PostgresLog::new(pool));
    let (executor, run) =
        executor::run(log, Arc::new(Machine), Arc::new(Machine), Limits::default()).await.expect("the log");
    tokio::spawn(run);
    rivals::ready();
    match what.as_str() {
        "last" => println!("{}", last_one(&executor, first, second.parse().expect("a number")).await),
        _ => {
            let length = Duration::from_millis(second.parse().expect("milliseconds"));
            println!("{}", hammer::hammer(&executor, first.parse().expect("a number"), length).await.told());
        }
    }
}

/// How many of the tasks got the last unit.
async fn last_one(executor: &Executor, name: &str, tasks: u32) -> u32 {
    let tasks = (0..tasks).map(|task: u32| {
        let executor = executor.clone();
        let command = Command::Reserve {
            reservation: ReservationId::new(format!("{name}-{task}")).expect("a name"),
            quantity: Quantity::new(1).expect("one"),
            expires_at: None,
            in_stock: false,
            now: Time::from_millis(0),
        };
        tokio::spawn(async move { executor.execute(request("LAST ONE", command)).await })
    });
    let mut won = 0;
    for answer in futures::future::join_all(tasks).await {
        match answer.expect("a task") {
            Ok(_) => won += 1,
            Err(ExecuteError::Refused(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    won
}
