//! A command that expects no stream does not ask the log first whether there is one: the append proves that there is none, and
//! where there is one after all, everybody gets the answer that is true.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::sync::Arc;

use domain::{
    AggregateType,
    cart::{Command, Line},
    fulfilment, inventory_item,
    order::Terms,
    payment::{CaptureWhen, Method},
    value::{Currency, Money, Quantity, Time},
};
use futures::future::join_all;
use store::{
    engine::Engine,
    executor::{self, ExecuteError, Executed, Executor, Limits, Request},
    log::{Log, PostgresLog, StreamId},
    ports::Machine,
    testing::{Ground, request, request_as},
};
use uuid::Uuid;

fn open() -> Command {
    Command::Open { customer: None, currency: Currency::GBP, expires_at: None }
}

fn line(sku: &str) -> Command {
    Command::AddLine {
        line: Line {
            sku: sku.parse().unwrap(),
            product: "P".parse().unwrap(),
            title: "Lamp".parse().unwrap(),
            quantity: Quantity::new(1).unwrap(),
            unit_price: Money { amount: 1_250, currency: Currency::GBP },
            tax_category: None,
            weight_grams: 0,
            purchase_limit: None,
        },
        expires_at: None,
    }
}

fn receive() -> inventory_item::Command {
    inventory_item::Command::Receive { quantity: Quantity::new(1).unwrap(), location: None, reference: None }
}

async fn execute(engine: &Engine, request: Request) -> Result<Executed, ExecuteError> {
    engine.executor.execute(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_begun_without_reading_it() {
    let ground = Ground::new().await;
    let log = Arc::new(PostgresLog::new(ground.pool("").await));
    let (executor, run) = start(&log).await;
    // Nothing can be read of any stream now, and something can be begun all the same.
    ground.as_owner("ALTER TABLE snapshots RENAME TO unreadable").await;
    tokio::spawn(run);
    let opened = executor.execute(request("C", open())).await.unwrap();
    assert_eq!((opened.version, opened.positions), (1, Some((1, 1))));
    assert_eq!(executor.execute(request("C", line("A"))).await.unwrap().version, 2);
    let read = executor.execute(request("D", line("A"))).await;
    assert!(matches!(read, Err(ExecuteError::Unavailable(_))), "what begins nothing is read: {read:?}");
}

async fn start(log: &Arc<PostgresLog>) -> (Executor, impl Future<Output = ()> + Send + use<>) {
    let log = Arc::clone(log) as Arc<dyn Log>;
    executor::run(log, Arc::new(Machine), Arc::new(Machine), Limits::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_another_process_began_is_found_out() {
    let ground = Ground::new().await;
    let (left, right) = (ground.engine().await, ground.engine().await);
    execute(&left, request("C", open())).await.unwrap();
    execute(&left, request("C", line("A"))).await.unwrap();
    let again = execute(&right, request("C", open())).await.unwrap();
    assert_eq!((again.version, again.positions), (2, None), "it is open, and nothing happens");
    assert_eq!(execute(&right, request("C", line("B"))).await.unwrap().version, 3);
    let stream = StreamId::new(AggregateType::Cart, "C");
    assert_eq!(right.log.load(&stream, 0).await.unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_guess_costs_nobody_else_anything() {
    let ground = Ground::new().await;
    let (left, right) = (ground.engine().await, ground.engine().await);
    for nth in 0..20 {
        execute(&left, request(&format!("C{nth}"), open())).await.unwrap();
    }
    // Twenty that are there already, and eighty others, all at once; what is said to each cart behind its beginning too.
    let asked = (0..100).flat_map(|nth| {
        let cart = format!("C{nth}");
        let others = [request(&format!("SKU {nth}"), receive()), request(&cart, line("A"))];
        [request(&cart, open())].into_iter().chain(others)
    });
    let answers = join_all(asked.map(|request| execute(&right, request))).await;
    for (nth, answers) in answers.chunks(3).enumerate() {
        let [opened, received, added] = answers else { unreachable!() };
        let opened = opened.as_ref().unwrap();
        assert_eq!((opened.version, opened.events.len()), (1, usize::from(nth >= 20)), "{nth}");
        assert_eq!(received.as_ref().unwrap().version, 1, "{nth}");
        assert_eq!(added.as_ref().unwrap().version, 2, "{nth}");
    }
    let head = right.log.head().await.unwrap();
    assert_eq!(head.position, 20 + 80 + 100 + 100, "nothing twice, nothing left out");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_beginning_that_is_repeated_after_a_start_gets_its_first_answer() {
    let ground = Ground::new().await;
    let id = Uuid::now_v7();
    let first = execute(&ground.engine().await, request_as(id, "C", open())).await.unwrap();
    let engine = ground.engine().await;
    let again = execute(&engine, request_as(id, "C", open())).await.unwrap();
    assert!(again.replayed);
    assert_eq!((again.positions, again.version), (first.positions, first.version));
    assert_eq!(execute(&engine, request("C", line("A"))).await.unwrap().version, 2);
}

fn begin(order: &str) -> fulfilment::Command {
    let terms =
        Terms { payment: "p-1".parse().unwrap(), method: Method::Card, capture: CaptureWhen::OnShipment };
    let total = Money { amount: 5_000, currency: Currency::GBP };
    fulfilment::Command::Start { order: order.parse().unwrap(), terms, total, at: Time::from_millis(0) }
}

fn authorized(amount: i64) -> fulfilment::Command {
    let (payment, amount) = ("p-2".parse().unwrap(), Money { amount, currency: Currency::GBP });
    fulfilment::Command::PaymentAuthorized { payment, amount, at: Time::from_millis(0) }
}

#[tokio::test(flavor = "multi_thread")]
async fn that_nothing_happens_is_decided_without_reading_and_proven() {
    let ground = Ground::new().await;
    let log = Arc::new(PostgresLog::new(ground.pool("").await));
    let (executor, run) = start(&log).await;
    tokio::spawn(run);
    let begun = execute(&ground.engine().await, request("begun", begin("begun"))).await.unwrap().version;
    // Right and wrong guesses in one batch, and what rests on no guess at all.
    let said = ["new", "begun", "other"].map(|order| executor.execute(request(order, authorized(5_000))));
    let (said, received) = tokio::join!(join_all(said), executor.execute(request("SKU", receive())));
    let said: Vec<_> = said.into_iter().map(Result::unwrap).collect();
    assert_eq!((said[0].version, said[0].positions), (0, None), "nobody wants to know yet");
    assert_eq!((said[2].version, said[2].positions), (0, None), "nobody wants to know yet");
    assert!(said[1].version > begun, "an authorization is noted: {:?}", said[1]);
    assert_eq!(received.unwrap().version, 1);
    // Where nothing can be read a right guess needs no reading.
    ground.as_owner("ALTER TABLE snapshots RENAME TO unreadable").await;
    let third = executor.execute(request("third", authorized(1))).await.unwrap();
    assert_eq!((third.version, third.positions), (0, None));
    let wrong = execute(&ground.engine().await, request("begun", authorized(1))).await;
    assert!(matches!(wrong, Err(ExecuteError::Unavailable(_))), "a wrong one has to read: {wrong:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_guess_is_found_out_while_another_process_goes_on_appending() {
    let ground = Ground::new().await;
    let (left, right) = (ground.engine().await, ground.engine().await);
    for nth in 0..20 {
        execute(&left, request(&format!("o{nth}"), begin(&format!("o{nth}")))).await.unwrap();
    }
    let goes_on = async {
        for _ in 0..100 {
            execute(&left, request("SKU", receive())).await.unwrap();
        }
    };
    let asked = (0..40).map(|nth| execute(&right, request(&format!("o{nth}"), authorized(5_000))));
    let (said, ()) = tokio::join!(join_all(asked), goes_on);
    for (nth, said) in said.into_iter().enumerate() {
        let said = said.unwrap();
        assert_eq!(said.positions.is_some(), nth < 20, "o{nth}: {said:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_rests_on_a_guess_is_proven() {
    let ground = Ground::new().await;
    let (left, right) = (ground.engine().await, ground.engine().await);
    execute(&left, request("C", open())).await.unwrap();
    let mut insists = request("C", open());
    insists.expected_version = Some(7);
    let stale = execute(&right, insists).await;
    assert!(matches!(stale, Err(ExecuteError::VersionMismatch { actual: 1 })), "{stale:?}");
    let other =
        Command::Open { customer: Some("ada".parse().unwrap()), currency: Currency::GBP, expires_at: None };
    execute(&left, request("D", open())).await.unwrap();
    let refused = execute(&right, request("D", other)).await;
    assert!(matches!(&refused, Err(ExecuteError::Refused(no)) if no.version == 1), "{refused:?}");
}
