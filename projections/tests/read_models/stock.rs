//! Stock and reservations.

use domain::{
    inventory_item::{Command, StockPolicy},
    value::{LocationId, Time},
};
use projections::{QueryError, stock::StockChecked};

use crate::world::{NOW, World, after, allocate, any, receive, release, reserve, sku, text, units};

#[tokio::test(flavor = "multi_thread")]
async fn stock_shows_what_is_on_hand_reserved_and_available() {
    let world = World::new().await;
    world.run("A b.1", receive(10)).await;
    world.run("A b.1", reserve("r1", 3, None)).await;
    world.run("A b.1", reserve("r2", 2, Some(9_000))).await;
    world.run("A b.1", release("r1")).await;
    world.run("A b.1", reserve("r3", 4, None)).await;
    let token = world.run("A b.1", allocate("r3")).await;
    let found = world.read.stock(&sku("A b.1"), NOW, after(token)).await.unwrap();
    assert!(found.reflects.position >= token.position);
    let stock = found.value.unwrap();
    assert_eq!((stock.on_hand, stock.reserved, stock.available), (6, 2, 4));
    assert_eq!((stock.version, stock.position), (6, 6));
    let held = world.read.reservations(&sku("A b.1"), NOW, None, 10, any()).await.unwrap().value;
    assert_eq!(
        serde_json::to_value(&held).unwrap(),
        serde_json::json!({
            "data": [{
                "reservation": "r2",
                "quantity": 2,
                "short": 0,
                "promised_at": null,
                "committed": false,
                "expires_at": "1970-01-01T00:00:09Z",
            }],
            "next_cursor": null,
            "has_more": false,
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_past_its_time_does_not_count_whether_or_not_it_was_ended() {
    let world = World::new().await;
    world.run("A", receive(10)).await;
    world.run("A", reserve("r1", 3, Some(9_000))).await;
    let token = world.run("A", reserve("r2", 2, None)).await;
    for (now, reserved, available, holds) in [(8_999, 5, 5, 2), (9_000, 2, 8, 1)] {
        let now = Time::from_millis(now);
        let stock = world.read.stock(&sku("A"), now, after(token)).await.unwrap().value.unwrap();
        assert_eq!((stock.on_hand, stock.reserved, stock.available), (10, reserved, available));
        let listed = world.read.stock_list(now, None, 10, any()).await.unwrap().value.data;
        assert_eq!(listed, [stock]);
        let held = world.read.reservations(&sku("A"), now, None, 10, any()).await.unwrap().value.data;
        assert_eq!(held.len(), holds);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_shows_its_places_and_what_was_promised() {
    let world = World::new().await;
    let promised_at = Some(Time::from_millis(9_000));
    let policy = StockPolicy::Backorder { limit: Some(5), promised_at };
    world.run("A", Command::SetPolicy { policy: policy.clone() }).await;
    world.run("A", Command::SetReorderPoint { units: Some(2) }).await;
    world.run("A", receive(4)).await;
    let (from, to) = (LocationId::main(), "north".parse().unwrap());
    world.run("A", Command::Transfer { transfer: text("t"), from, to, quantity: units(3) }).await;
    world.run("A", reserve("r1", 7, Some(50_000))).await;
    let token = world.run("A", allocate("r1")).await;

    let stock = world.read.stock(&sku("A"), NOW, after(token)).await.unwrap().value.unwrap();
    assert_eq!((stock.on_hand, stock.reserved, stock.backordered, stock.available), (4, 4, 3, 0));
    assert_eq!((stock.low, stock.reorder_point, stock.policy), (true, Some(2), policy.into()));
    let places = serde_json::to_value(&stock.locations).unwrap();
    assert_eq!(places, serde_json::json!({"main": 1, "north": 3}));
    let held = world.read.reservations(&sku("A"), NOW, None, 10, any()).await.unwrap().value.data;
    assert_eq!((held[0].short, held[0].promised_at, held[0].committed), (3, promised_at, true));
    assert_eq!(held[0].expires_at, None);

    let token = world.run("A", receive(20)).await;
    let stock = world.read.stock(&sku("A"), NOW, after(token)).await.unwrap().value.unwrap();
    assert_eq!((stock.on_hand, stock.reserved, stock.backordered, stock.available), (17, 0, 0, 17));
    assert!(!stock.low);
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_beyond_32_bits_are_kept() {
    let world = World::new().await;
    world.run("A", receive(u32::MAX)).await;
    let token = world.run("A", receive(u32::MAX)).await;
    let stock = world.read.stock(&sku("A"), NOW, after(token)).await.unwrap().value.unwrap();
    assert_eq!(stock.on_hand, 2 * i64::from(u32::MAX));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sku_that_nothing_happened_to_has_no_stock() {
    let world = World::new().await;
    let token = world.run("A", receive(1)).await;
    assert_eq!(world.read.stock(&sku("a"), NOW, after(token)).await.unwrap().value, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_stock_hold_every_sku_once() {
    let world = World::new().await;
    let mut names: Vec<String> =
        (0..25).map(|n| format!("{}{n}", if n % 2 == 0 { "é" } else { "B" })).collect();
    for name in &names {
        world.run(name, receive(1)).await;
    }
    let token = world.head().await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.read.stock_list(NOW, cursor.as_ref(), 10, after(token)).await.unwrap().value;
        seen.extend(page.data.iter().map(|stock| stock.sku.to_string()));
        assert_eq!(page.has_more, page.next_cursor.is_some());
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    names.sort();
    assert_eq!(seen, names);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_reservations_hold_each_once() {
    let world = World::new().await;
    world.run("A", receive(100)).await;
    for n in 0..7 {
        world.run("A", reserve(&format!("r{n}"), 1, None)).await;
    }
    let token = world.head().await;
    let first = world.read.reservations(&sku("A"), NOW, None, 4, after(token)).await.unwrap().value;
    let rest =
        world.read.reservations(&sku("A"), NOW, first.next_cursor.as_ref(), 4, any()).await.unwrap().value;
    let names: Vec<_> =
        first.data.iter().chain(&rest.data).map(|held| held.reservation.to_string()).collect();
    assert_eq!(names, ["r0", "r1", "r2", "r3", "r4", "r5", "r6"]);
    assert!(first.has_more && !rest.has_more);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_list_is_refused() {
    let world = World::new().await;
    for bad in ["", "?", "eyJwbGFjZWRfYXQiOjF9", "IgAi"] {
        let answer = world.read.stock_list(NOW, Some(&projections::Cursor::new(bad)), 10, any()).await;
        assert!(matches!(answer, Err(QueryError::BadCursor)), "{bad}: {answer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_not_what_its_events_come_to_is_found_and_found_mended() {
    let world = World::new().await;
    for name in ["A", "B", "C"] {
        world.run(name, receive(10)).await;
    }
    let token = world.run("B", reserve("r1", 3, None)).await;
    world.read.stock(&sku("B"), NOW, after(token)).await.unwrap();
    let checked = StockChecked::default();
    let look = || checked.some(&world.pool, &*world.engine.log, "");
    assert_eq!(look().await.unwrap().as_deref(), Some("C"));
    assert_eq!((checked.compared(), checked.differing()), (3, 0));
    let owner = world.ground.owner_pool("_read").await;
    for (sql, differing, compared) in [
        ("UPDATE stock SET reserved = 0 WHERE sku = 'B'", 1, 6),
        // One that is behind is no difference yet.
        ("UPDATE stock SET version = 0, on_hand = 1 WHERE sku = 'A'", 1, 8),
        ("UPDATE stock SET reserved = 3 WHERE sku = 'B'", 0, 10),
    ] {
        sqlx::query(sql).execute(&owner).await.unwrap();
        look().await.unwrap();
        assert_eq!((checked.differing(), checked.compared()), (differing, compared), "{sql}");
    }
    assert_eq!(checked.some(&world.pool, &*world.engine.log, "C").await.unwrap(), None);
}
