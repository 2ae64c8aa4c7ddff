//! One process of a race: so many tasks each try to reserve the one unit of a SKU, and it says how many got it.
//!
//! `contender APP_URL PREFIX NAME TASKS`; it starts when a line comes on standard input.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{io::Write as _, sync::Arc};

use domain::{
    inventory_item::Command,
    value::{Quantity, ReservationId, Time},
};
use store::{
    executor::{self, Limits},
    log::PostgresLog,
    ports::Machine,
    schema,
    testing::request,
};

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, prefix, name, tasks] = &arguments[..] else { panic!("contender APP_URL PREFIX NAME TASKS") };
    let pool = schema::connect(url, prefix, "", 4).await.expect("the database");
    let log = Arc::new(PostgresLog::new(pool));
    let (executor, run) =
        executor::run(log, Arc::new(Machine), Arc::new(Machine), Limits::default()).await.expect("the log");
    tokio::spawn(run);
    println!("ready");
    std::io::stdout().flush().expect("standard output");
    std::io::stdin().read_line(&mut String::new()).expect("the start");
    let tasks = (0..tasks.parse().expect("a number")).map(|task: u32| {
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
            Err(executor::ExecuteError::Refused(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    println!("{won}");
}
