//! Streams that a read model has set aside.

use domain::{
    AggregateType, order, payment,
    payment::{CaptureWhen, Method},
    value::{CustomerId, OrderId, Time},
};
use projections::{QueryError, orders::Orders, payments::Status, products::Products, stock::Stocks};
use sqlx::Executor as _;
use store::{
    follow::{Left, ParkedStream, Projection, Remedied, Remedy, RemedyError, SkippedEvent, see_to},
    log::StreamId,
};

use crate::world::{NOW, World, after, any, gbp, listing, placement, receive, reserve, sku, terms};

const BREAK: &str =
    "UPDATE events SET payload = '{\"Reserved\": {\"quantity\": \"many\"}}' WHERE position = 3";
const MEND: &str = "UPDATE events SET payload = \
                    '{\"Reserved\": {\"reservation\": \"r\", \"quantity\": 4}}' WHERE position = 3";

/// Position 3, a reservation of BAD, says nothing that can be read.
async fn broken() -> World {
    broken_by(5, &[BREAK]).await
}

/// So many events, all but two of the first four of BAD, and what is done to them before anybody follows.
async fn broken_by(events: usize, damage: &[&str]) -> World {
    let world = World::idle().await;
    world.run("GOOD", receive(1)).await;
    world.run("BAD", receive(9)).await;
    world.run("BAD", reserve("r", 4, None)).await;
    world.run("GOOD", receive(1)).await;
    for _ in 4..events {
        world.run("BAD", receive(1)).await;
    }
    world.restarted(&[&["CREATE TABLE kept AS TABLE events"], damage].concat()).await
}

/// Everything stands there again as it was.
const RESTORE: &str = "UPDATE events SET event_type = kept.event_type, payload = kept.payload, metadata = kept.metadata \
                       FROM kept WHERE kept.position = events.position";

async fn mend(world: &World, projection: &dyn Projection, stream: StreamId) -> usize {
    let remedied =
        see_to(&world.pool, &*world.engine.log, projection, &stream, &Remedy::Retry).await.unwrap();
    assert_eq!((remedied.skipped, remedied.left), (vec![], Left::Nothing));
    remedied.taken
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_parks_its_own_stream_alone() {
    let world = broken().await;
    let token = world.settle().await;
    let good = world.read.stock(&sku("GOOD"), NOW, after(token)).await.unwrap();
    assert_eq!((good.value.unwrap().on_hand, good.reflects.position), (2, 5));
    let bad = world.read.stock(&sku("BAD"), NOW, after(token)).await;
    assert!(matches!(bad, Err(QueryError::Parked { first_position: 3 })), "{bad:?}");
    let held = world.read.reservations(&sku("BAD"), NOW, None, 10, after(token)).await;
    assert!(matches!(held, Err(QueryError::Parked { first_position: 3 })), "{held:?}");
    let list = world.read.stock_list(NOW, None, 10, after(token)).await;
    assert!(matches!(list, Err(QueryError::Parked { first_position: 3 })), "{list:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_stream_claims_no_more_than_it_reflects() {
    let world = broken().await;
    let head = world.settle().await;
    let bad = world.read.stock(&sku("BAD"), NOW, any()).await.unwrap();
    assert_eq!((bad.value.unwrap().on_hand, bad.reflects.position), (9, 2));
    assert_eq!(bad.stale_since, Some(3));
    let good = world.read.stock(&sku("GOOD"), NOW, any()).await.unwrap();
    assert_eq!(good.stale_since, None);
    let before = store::executor::Token { position: 2, ..head };
    assert!(world.read.stock(&sku("BAD"), NOW, after(before)).await.is_ok());
    let list = world.read.stock_list(NOW, None, 10, any()).await.unwrap();
    assert_eq!((list.reflects.position, list.stale_since), (2, Some(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_stream_has_everything_that_it_missed() {
    let world = broken().await;
    let token = world.settle().await;
    let stream = StreamId::new(AggregateType::InventoryItem, "BAD");
    let failed = see_to(&world.pool, &*world.engine.log, &Stocks, &stream, &Remedy::Retry).await.unwrap();
    assert!(matches!(failed.left, Left::Failed { position: 3, .. }), "{failed:?}");
    assert_eq!(
        ParkedStream::list(&world.pool).await.unwrap().len(),
        1,
        "whoever does not follow stock has no use for it"
    );
    world.ground.as_owner(MEND).await;
    assert_eq!(mend(&world, &Stocks, stream).await, 2);
    let stock = world.read.stock(&sku("BAD"), NOW, after(token)).await.unwrap().value.unwrap();
    assert_eq!((stock.on_hand, stock.reserved, stock.version), (10, 4, 3));
    let next = world.run("BAD", receive(1)).await;
    let stock = world.read.stock(&sku("BAD"), NOW, after(next)).await.unwrap().value.unwrap();
    assert_eq!((stock.on_hand, stock.version), (11, 4));
}

async fn seen_to(world: &World, remedy: Remedy) -> Result<Remedied, RemedyError> {
    let stream = StreamId::new(AggregateType::InventoryItem, "BAD");
    see_to(&world.pool, &*world.engine.log, &Stocks, &stream, &remedy).await
}

fn skip(position: i64) -> Remedy {
    Remedy::Skip { position, reason: Some("nonsense".into()) }
}

/// Begins every read model anew, while everybody goes on following, and finds the same.
async fn rebuilds(world: &World) {
    world.settle().await;
    // Whatever else was set aside in the meantime was not seen to, and is there after a rebuild.
    let live: Vec<_> = world.rows().await.into_iter().filter(|row| row.starts_with("stock")).collect();
    assert_eq!(live.len(), 2);
    world.rebuild_all().await;
    world.settle().await;
    let rows: Vec<_> = world.rows().await.into_iter().filter(|row| row.starts_with("stock")).collect();
    assert_eq!(rows, live);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_skipped_event_means_nothing_and_a_rebuild_finds_the_same() {
    for damage in [
        "payload = '{\"Reserved\": {\"quantity\": \"many\"}}'",
        "metadata = '{}'",
        // What can be read and cannot be taken.
        "payload = '{\"Committed\": {\"reservation\": \"nobody\"}}', event_type = 'Committed'",
    ] {
        let world = broken_by(5, &[&format!("UPDATE events SET {damage} WHERE position = 3")]).await;
        world.settle().await;
        for refused in [2, 5] {
            let refused = seen_to(&world, skip(refused)).await;
            assert!(matches!(refused, Err(RemedyError::NotFirst { first: 3, .. })), "{refused:?}");
        }
        assert_eq!(SkippedEvent::list(&world.pool).await.unwrap(), [], "{damage}");
        let skipped = seen_to(&world, skip(3)).await.unwrap();
        let expected = Remedied { taken: 1, skipped: vec![3], left: Left::Nothing };
        assert_eq!(skipped, expected, "{damage}");
        // What it says now means nothing here any more, good or bad.
        world.ground.as_owner(RESTORE).await;
        let next = world.run("BAD", receive(1)).await;
        let stock = world.read.stock(&sku("BAD"), NOW, after(next)).await.unwrap().value.unwrap();
        assert_eq!((stock.on_hand, stock.reserved, stock.version), (11, 0, 4), "{damage}");
        let twice = seen_to(&world, skip(3)).await;
        assert!(matches!(twice, Err(RemedyError::NotAside { .. })), "{twice:?}");
        rebuilds(&world).await;
        assert_eq!(ParkedStream::list(&world.pool).await.unwrap(), [], "{damage}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_goes_on_without_the_event_that_it_begins_with() {
    for (remedy, taken, left) in
        [(skip(2), 2, (2, 4)), (Remedy::Release { reason: "counted by hand".into() }, 0, (1, 0))]
    {
        let world = broken_by(5, &["UPDATE events SET payload = '{}' WHERE position = 2"]).await;
        world.settle().await;
        let seen = seen_to(&world, remedy).await.unwrap();
        assert_eq!((seen.taken, seen.left), (taken, Left::Nothing));
        world.ground.as_owner(RESTORE).await;
        let next = world.run("BAD", receive(1)).await;
        let stock = world.read.stock(&sku("BAD"), NOW, after(next)).await.unwrap().value.unwrap();
        assert_eq!(((stock.on_hand, stock.reserved), stock.version), (left, 4));
        rebuilds(&world).await;
    }
}

/// As docs/OPERATIONS.md has it.
const UNDO: &str = "\
DELETE FROM skipped_events WHERE follower = 'stock' AND position = 3; \
UPDATE followers SET incarnation = gen_random_uuid(), link = NULL, link_position = NULL, fence = fence + 1, \
                     lease_expires_at = '-infinity' WHERE name = 'stock'";

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_can_undo_a_skip() {
    let world = broken().await;
    world.settle().await;
    seen_to(&world, skip(3)).await.unwrap();
    assert!(world.pool.execute(UNDO).await.is_err(), "the serving role takes nothing out");
    world.ground.as_owner(MEND).await;
    world.ground.owner_pool("_read").await.execute(UNDO).await.unwrap();
    let token = world.settle().await;
    let stock = world.read.stock(&sku("BAD"), NOW, after(token)).await.unwrap().value.unwrap();
    assert_eq!((stock.on_hand, stock.reserved, stock.version), (10, 4, 3));
    assert_eq!(SkippedEvent::list(&world.pool).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remedy_goes_as_far_as_it_can_and_says_what_is_next() {
    let world = broken_by(7, &[BREAK, "UPDATE events SET payload = '{}' WHERE position = 6"]).await;
    world.settle().await;
    let skipped = seen_to(&world, skip(3)).await.unwrap();
    let Left::Failed { position: 6, reason } = skipped.left else { panic!("{skipped:?}") };
    assert_eq!((skipped.taken, skipped.skipped), (1, vec![3]));
    let parked = ParkedStream::list(&world.pool).await.unwrap();
    let parked = parked.iter().find(|of| of.follower == "stock").unwrap();
    assert_eq!((parked.first_position, &parked.reason), (6, &reason));
    // What was taken is to be seen, and no more is claimed.
    let bad = world.read.stock(&sku("BAD"), NOW, any()).await.unwrap();
    assert_eq!((bad.value.unwrap().on_hand, bad.reflects.position), (10, 5));
    let skipped = seen_to(&world, skip(6)).await.unwrap();
    assert_eq!(skipped, Remedied { taken: 1, skipped: vec![6], left: Left::Nothing });
    rebuilds(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_stream_follows_again_from_here() {
    let world = broken().await;
    world.settle().await;
    let released = seen_to(&world, Remedy::Release { reason: "counted by hand".into() }).await.unwrap();
    assert_eq!(released, Remedied { taken: 0, skipped: vec![3, 5], left: Left::Nothing });
    world.ground.as_owner(RESTORE).await;
    let next = world.run("BAD", receive(1)).await;
    let stock = world.read.stock(&sku("BAD"), NOW, after(next)).await.unwrap().value.unwrap();
    assert_eq!((stock.on_hand, stock.version), (10, 4));
    rebuilds(&world).await;
}

/// An order with its payment, and one of the two set aside from its first event on.
async fn order_with(broken: &str) -> World {
    let world = World::idle().await;
    let mut placed = placement("x", Time::from_millis(0));
    placed.payment = Some(terms("p"));
    placed.customer = Some("me".parse().unwrap());
    world.run("o", order::Command::Place(placed)).await;
    let open = payment::Command::OpenIntent {
        order: "o".parse().unwrap(),
        amount: gbp(300),
        method: Method::CashOnDelivery,
        capture: CaptureWhen::AtOnce,
    };
    world.run("p", open).await;
    world.run("p", payment::Command::Capture { capture: "k".parse().unwrap(), amount: None }).await;
    let mut other = placement("x", Time::from_millis(0));
    other.customer = Some("you".parse().unwrap());
    world.run("o2", order::Command::Place(other)).await;
    world.restarted(&["CREATE TABLE kept AS TABLE events", broken]).await
}

async fn released(world: &World, kind: AggregateType, id: &str) {
    let order: OrderId = "o".parse().unwrap();
    let token = world.head().await;
    world.ground.as_owner(RESTORE).await;
    mend(world, &Orders, StreamId::new(kind, id)).await;
    let found = world.read.order(&order, after(token)).await.unwrap().value.unwrap();
    assert_eq!((found.payment_status, found.position), (Status::Captured, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_whose_payment_is_parked_says_so() {
    let world = order_with("UPDATE events SET payload = '{}' WHERE aggregate_type = 'payment'").await;
    let token = world.settle().await;
    let (order, me, you): (OrderId, CustomerId, CustomerId) =
        ("o".parse().unwrap(), "me".parse().unwrap(), "you".parse().unwrap());
    let answer = world.read.order(&order, after(token)).await;
    assert!(matches!(answer, Err(QueryError::Parked { first_position: 2 })), "{answer:?}");
    let mine = world.read.orders(&me, None, 10, after(token)).await;
    assert!(matches!(mine, Err(QueryError::Parked { first_position: 2 })), "{mine:?}");
    let yours = world.read.orders(&you, None, 10, after(token)).await.unwrap();
    assert_eq!((yours.value.data.len(), yours.reflects.position), (1, 4));
    released(&world, AggregateType::Payment, "p").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_go_on_while_their_order_is_parked() {
    let world = order_with("UPDATE events SET payload = '{}' WHERE position = 1").await;
    let token = world.settle().await;
    let order: OrderId = "o".parse().unwrap();
    let answer = world.read.order(&order, after(token)).await;
    assert!(matches!(answer, Err(QueryError::Parked { first_position: 1 })), "{answer:?}");
    let payment = world.read.payment(&"p".parse().unwrap(), after(token)).await.unwrap();
    assert_eq!(payment.value.unwrap().status, Status::Captured);
    released(&world, AggregateType::Order, "o").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn offers_of_other_products_stay_known_while_one_is_parked() {
    let world = World::idle().await;
    let list = |title, variants: &[(&str, i64)]| domain::product::Command::List(listing(title, variants));
    world.run("a", list("A", &[("A1", 1)])).await;
    world.run("b", list("B", &[("B1", 2)])).await;
    let change = domain::product::Command::ChangePrice { sku: sku("B1"), price: gbp(3) };
    world.run("b", change).await;
    let world = world.restarted(&["UPDATE events SET payload = '{}' WHERE position = 3"]).await;
    let token = world.settle().await;
    let offer = world.read.variant(&sku("A1"), after(token)).await.unwrap();
    assert_eq!((offer.value.unwrap().price, offer.reflects.position), (gbp(1), 3));
    let changed = world.read.variant(&sku("B1"), after(token)).await;
    assert!(matches!(changed, Err(QueryError::Parked { first_position: 3 })), "{changed:?}");
    world
        .ground
        .as_owner(
            "UPDATE events SET payload = '{\"PriceChanged\": {\"sku\": \"B1\", \
             \"old\": {\"amount\": 2, \"currency\": \"GBP\"}, \"new\": {\"amount\": 3, \"currency\": \"GBP\"}}}' \
             WHERE position = 3",
        )
        .await;
    mend(&world, &Products, StreamId::new(AggregateType::Product, "b")).await;
    let changed = world.read.variant(&sku("B1"), after(token)).await.unwrap();
    assert_eq!(changed.value.unwrap().price, gbp(3));
}
