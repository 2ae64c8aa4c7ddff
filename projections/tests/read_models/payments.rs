//! Payments, and what their orders show of them.

use domain::{
    order,
    payment::{Authorization, CaptureWhen, Command, Method, Settlement},
    value::{OrderId, PaymentId, Time},
};
use projections::payments::Status;
use store::executor::Token;

use crate::world::{World, after, gbp, placement, terms, text};

fn open(method: Method) -> Command {
    Command::OpenIntent {
        order: "o".parse().unwrap(),
        amount: gbp(300),
        method,
        capture: CaptureWhen::AtOnce,
    }
}

fn authorize(attempt: &str) -> Command {
    Command::Authorize { attempt: attempt.parse().unwrap(), token: text("tok").into(), keep_for: None }
}

fn record(attempt: &str, outcome: Authorization) -> Command {
    Command::RecordAuthorization { attempt: attempt.parse().unwrap(), outcome }
}

fn refund(id: &str, amount: i64) -> Command {
    Command::Refund { refund: id.parse().unwrap(), amount: Some(gbp(amount)), reason: text("r") }
}

fn refunded(id: &str) -> Command {
    Command::RecordRefund { refund: id.parse().unwrap(), outcome: Settlement::Done }
}

async fn place(world: &World, payment: Option<&str>) {
    let mut placed = placement("x", Time::from_millis(0));
    placed.payment = payment.map(terms);
    world.run("o", order::Command::Place(placed)).await;
}

async fn status(world: &World, token: Token) -> Status {
    let id: OrderId = "o".parse().unwrap();
    let order = world.read.order(&id, after(token)).await.unwrap().value.unwrap();
    assert_eq!((order.version, order.position), (1, token.position));
    order.payment_status
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_shows_how_far_its_payment_has_come() {
    let world = World::new().await;
    place(&world, Some("p")).await;
    let approved = Authorization::Approved { reference: text("ref") };
    let declined = Authorization::Declined { reason: text("no") };
    let steps = [
        (open(Method::Card), Status::Open),
        (authorize("a1"), Status::Authorizing),
        (record("a1", declined), Status::Declined),
        (authorize("a2"), Status::Authorizing),
        (record("a2", Authorization::TimedOut), Status::TimedOut),
        (record("a2", approved), Status::Authorized),
        (Command::Capture { capture: "k".parse().unwrap(), amount: None }, Status::Authorized),
        (
            Command::RecordCapture { capture: "k".parse().unwrap(), outcome: Settlement::Done },
            Status::Captured,
        ),
        (refund("r1", 100), Status::Captured),
        (refunded("r1"), Status::PartiallyRefunded),
        (refund("r2", 200), Status::PartiallyRefunded),
        (refunded("r2"), Status::Refunded),
    ];
    for (command, expected) in steps {
        let token = world.run("p", command).await;
        assert_eq!(status(&world, token).await, expected);
    }
    let id: PaymentId = "p".parse().unwrap();
    let payment = world.read.payment(&id, after(world.head().await)).await.unwrap().value.unwrap();
    assert_eq!((payment.captured, payment.refunded, payment.version), (gbp(300), gbp(300), 12));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voided_payment_shows_and_a_late_approval_after_it_too() {
    let world = World::new().await;
    place(&world, Some("p")).await;
    world.run("p", open(Method::Card)).await;
    world.run("p", authorize("a1")).await;
    let token = world.run("p", Command::Void {}).await;
    assert_eq!(status(&world, token).await, Status::Voided);
    let late = Authorization::Approved { reference: text("ref") };
    let token = world.run("p", record("a1", late)).await;
    assert_eq!(status(&world, token).await, Status::Authorized);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_payment_that_was_captured_in_part_shows_as_released() {
    let world = World::new().await;
    let capture = "k".parse().unwrap();
    let approved = Authorization::Approved { reference: text("ref") };
    for command in [
        open(Method::Wallet),
        authorize("a1"),
        record("a1", approved),
        Command::Capture { capture, amount: Some(gbp(100)) },
        Command::RecordCapture { capture: "k".parse().unwrap(), outcome: Settlement::Done },
        Command::Void {},
        Command::RecordVoid { reference: text("ref"), outcome: Settlement::Done },
    ] {
        world.run("p", command).await;
    }
    let id: PaymentId = "p".parse().unwrap();
    let payment = world.read.payment(&id, after(world.head().await)).await.unwrap().value.unwrap();
    assert_eq!((payment.status, payment.method), (Status::Captured, Method::Wallet));
    assert_eq!((payment.captured, payment.refunded, payment.released), (gbp(100), gbp(0), gbp(200)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_names_no_payment_shows_the_one_that_names_it() {
    let world = World::new().await;
    place(&world, None).await;
    world.run("p1", open(Method::CashOnDelivery)).await;
    let token = world.run("p2", open(Method::Card)).await;
    assert_eq!(status(&world, token).await, Status::Open);
    let order = world.read.order(&"o".parse().unwrap(), after(token)).await.unwrap().value.unwrap();
    assert_eq!(order.payment, Some("p2".parse().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_that_the_order_does_not_name_does_not_show() {
    let world = World::new().await;
    place(&world, Some("p1")).await;
    let token = world.run("p2", open(Method::Card)).await;
    let order = world.read.order(&"o".parse().unwrap(), after(token)).await.unwrap().value.unwrap();
    assert_eq!((order.payment, order.payment_status), (Some("p1".parse().unwrap()), Status::None));
}
