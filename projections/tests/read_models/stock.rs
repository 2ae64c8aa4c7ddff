//! Stock and reservations.

use projections::QueryError;

use crate::world::{World, after, allocate, any, receive, release, reserve, sku};

#[tokio::test(flavor = "multi_thread")]
async fn stock_shows_what_is_on_hand_reserved_and_available() {
    let world = World::new().await;
    world.run("A b.1", receive(10)).await;
    world.run("A b.1", reserve("r1", 3, None)).await;
    world.run("A b.1", reserve("r2", 2, Some(9_000))).await;
    world.run("A b.1", release("r1")).await;
    world.run("A b.1", reserve("r3", 4, None)).await;
    let token = world.run("A b.1", allocate("r3")).await;
    let found = world.read.stock(&sku("A b.1"), after(token)).await.unwrap();
    assert!(found.reflects.position >= token.position);
    let stock = found.value.unwrap();
    assert_eq!((stock.on_hand, stock.reserved, stock.available), (6, 2, 4));
    assert_eq!((stock.version, stock.position), (6, 6));
    let held = world.read.reservations(&sku("A b.1"), None, 10, any()).await.unwrap().value;
    assert_eq!(
        serde_json::to_value(&held).unwrap(),
        serde_json::json!({
            "data": [{"reservation": "r2", "quantity": 2, "expires_at": "1970-01-01T00:00:09Z"}],
            "next_cursor": null,
            "has_more": false,
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_beyond_32_bits_are_kept() {
    let world = World::new().await;
    world.run("A", receive(u32::MAX)).await;
    let token = world.run("A", receive(u32::MAX)).await;
    let stock = world.read.stock(&sku("A"), after(token)).await.unwrap().value.unwrap();
    assert_eq!(stock.on_hand, 2 * i64::from(u32::MAX));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sku_that_nothing_happened_to_has_no_stock() {
    let world = World::new().await;
    let token = world.run("A", receive(1)).await;
    assert_eq!(world.read.stock(&sku("a"), after(token)).await.unwrap().value, None);
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
        let page = world.read.stock_list(cursor.as_ref(), 10, after(token)).await.unwrap().value;
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
    let first = world.read.reservations(&sku("A"), None, 4, after(token)).await.unwrap().value;
    let rest = world.read.reservations(&sku("A"), first.next_cursor.as_ref(), 4, any()).await.unwrap().value;
    let names: Vec<_> =
        first.data.iter().chain(&rest.data).map(|held| held.reservation.to_string()).collect();
    assert_eq!(names, ["r0", "r1", "r2", "r3", "r4", "r5", "r6"]);
    assert!(first.has_more && !rest.has_more);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_list_is_refused() {
    let world = World::new().await;
    for bad in ["", "?", "eyJwbGFjZWRfYXQiOjF9", "IgAi"] {
        let answer = world.read.stock_list(Some(&projections::Cursor::new(bad)), 10, any()).await;
        assert!(matches!(answer, Err(QueryError::BadCursor)), "{bad}: {answer:?}");
    }
}
