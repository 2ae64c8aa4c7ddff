//! Two processes, one log, one unit of stock.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use domain::{AggregateType, inventory_item, value::Quantity};
use store::{
    log::StreamId,
    testing::{Ground, request},
};

struct Contender {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Contender {
    fn start(ground: &Ground, name: &str) -> Self {
        let mut child = Command::new(program())
            .args([&ground.app_url, &ground.prefix, name, "32"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        Self { child, says }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn go(&mut self) {
        self.child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
}

/// The example stands beside the tests that cargo built together with it.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.parent().unwrap().parent().unwrap().join("examples/contender")
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
    let mut contenders = [Contender::start(&ground, "left"), Contender::start(&ground, "right")];
    contenders.iter_mut().for_each(|contender| assert_eq!(contender.line(), "ready"));
    contenders.iter_mut().for_each(Contender::go);
    let won: u32 = contenders.iter_mut().map(|contender| contender.line().parse::<u32>().unwrap()).sum();
    assert_eq!(won, 1);
    contenders.iter_mut().for_each(|contender| assert!(contender.child.wait().unwrap().success()));
    let stream = StreamId::new(AggregateType::InventoryItem, "LAST ONE");
    assert_eq!(engine.log.load(&stream, 0).await.unwrap().len(), 2);
    let answered: i64 =
        sqlx::query_scalar("SELECT count(*) FROM commands").fetch_one(&engine.pool).await.unwrap();
    assert_eq!(answered, 65);
}
