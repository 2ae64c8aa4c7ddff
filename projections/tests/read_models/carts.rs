//! Carts.

use domain::{
    cart::{Command, Delivery, Line},
    payment::{CaptureWhen, Method},
    value::{Currency, CustomerId, Sealed, Time},
};
use projections::carts::Status;

use crate::world::{World, after, cart_line, gbp, sku, text, units};

fn open(customer: Option<&str>) -> Command {
    Command::Open {
        customer: customer.map(|id| CustomerId::new(id).unwrap()),
        currency: Currency::GBP,
        expires_at: None,
    }
}

fn add(line: Line) -> Command {
    Command::AddLine { line, expires_at: Some(Time::from_millis(5)) }
}

pub fn delivery() -> Delivery {
    let sealed = || Sealed { subject: "customer:c".into(), sealed: "AAAA".into() };
    Delivery { contact: sealed(), address: sealed(), country: text("GB") }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_shows_its_lines_and_total() {
    let world = World::new().await;
    world.run("c", open(Some("me"))).await;
    world.run("c", add(cart_line("A", 1, 100))).await;
    world.run("c", add(cart_line("B", 2, 50))).await;
    world.run("c", add(cart_line("A", 2, 90))).await;
    world.run("c", Command::RemoveLine { sku: sku("B") }).await;
    world.run("c", add(cart_line("C", 1, 1))).await;
    let set = Command::SetQuantity { sku: sku("C"), quantity: units(5), expires_at: None };
    let token = world.run("c", set).await;
    let cart = world.read.cart(&"c".parse().unwrap(), after(token)).await.unwrap().value.unwrap();
    assert_eq!(cart.lines, [cart_line("A", 3, 90), cart_line("C", 5, 1)]);
    assert_eq!((cart.total, cart.status, cart.version), (gbp(275), Status::Open, 7));
    assert_eq!(cart.customer, Some("me".parse().unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_that_became_an_order_still_shows_what_was_in_it() {
    let world = World::new().await;
    world.run("c", open(None)).await;
    world.run("c", add(cart_line("A", 3, 100))).await;
    let check_out = Command::CheckOut {
        order: "o".parse().unwrap(),
        payment: "p".parse().unwrap(),
        method: Method::Card,
        delivery: delivery(),
        expected_total: None,
        pay_by: Time::from_millis(1),
        now: None,
        prices: vec![],
        quote: None,
        capture: CaptureWhen::AtOnce,
        attempts_max: None,
        review: None,
    };
    let token = world.run("c", check_out).await;
    let cart = world.read.cart(&"c".parse().unwrap(), after(token)).await.unwrap().value.unwrap();
    assert_eq!((cart.status, cart.order), (Status::CheckedOut, Some("o".parse().unwrap())));
    assert_eq!((cart.lines.len(), cart.total), (1, gbp(300)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_that_was_never_opened_is_not_there() {
    let world = World::new().await;
    let token = world.run("c", open(None)).await;
    assert_eq!(world.read.cart(&"d".parse().unwrap(), after(token)).await.unwrap().value, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cart_shows_how_it_ended() {
    let world = World::new().await;
    for cart in ["late", "guest", "back"] {
        world.run(cart, open(None)).await;
        world.run(cart, add(cart_line("A", 3, 100))).await;
    }
    world.run("late", Command::Expire { now: Time::from_millis(5) }).await;
    for cart in ["guest", "back"] {
        let merge = Command::MergeInto { into: "mine".parse().unwrap(), customer: "me".parse().unwrap() };
        world.run(cart, merge).await;
    }
    let token = world.run("back", Command::UndoMerge { into: "mine".parse().unwrap() }).await;
    for (id, status) in [("late", Status::Expired), ("guest", Status::Merged), ("back", Status::Open)] {
        let cart = world.read.cart(&id.parse().unwrap(), after(token)).await.unwrap().value.unwrap();
        assert_eq!((cart.status, cart.expires_at), (status, Some(Time::from_millis(5))), "{id}");
        assert_eq!((cart.lines.len(), cart.total), (1, gbp(300)), "{id}");
        assert_eq!(cart.merged_into.is_some(), status == Status::Merged, "{id}");
    }
}
