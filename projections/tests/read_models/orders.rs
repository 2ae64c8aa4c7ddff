//! Orders, credit notes and the history of a customer.

use domain::{
    order::{CancelReason, Change, Command, Disposition, Placement, ReceivedUnits, Source, Transit, Units},
    value::{CustomerId, OrderId, Time},
};
use projections::orders::{Kind, ReturnStatus, Status};

use crate::{
    carts::delivery,
    world::{World, after, any, charge, credit, gbp, order_line, placement, terms, text, units},
};

fn id(id: &str) -> OrderId {
    id.parse().unwrap()
}

fn at(millis: i64) -> Time {
    Time::from_millis(millis)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_shows_everything_that_it_was_placed_with() {
    let world = World::new().await;
    let placed = Placement {
        customer: Some("me".parse().unwrap()),
        source: Source::Cart("c".parse().unwrap()),
        lines: vec![order_line("A", 2, 150), order_line("A", 1, 140)],
        charges: vec![charge("POST", 300), charge("DISCOUNT", -40)],
        prices_include_tax: true,
        payment: Some(terms("p")),
        delivery: Some(delivery()),
        country: Some(text("GB")),
        placed_at: at(1_291_191_960_000),
    };
    let token = world.run("o", Command::Place(placed.clone())).await;
    let order = world.read.order(&id("o"), after(token)).await.unwrap().value.unwrap();
    assert_eq!((order.kind, order.status), (Kind::Sale, Status::Placed));
    assert_eq!((order.total, order.units), (gbp(700), 5));
    assert_eq!((order.version, order.position), (1, 1));
    let shown = Placement {
        customer: order.customer.clone(),
        source: order.source.clone(),
        lines: order.lines.clone(),
        charges: order.charges.clone(),
        prices_include_tax: true,
        payment: order.payment.as_ref().map(|id| terms(id.as_str())),
        delivery: order.delivery.clone(),
        country: order.country.clone(),
        placed_at: order.placed_at,
    };
    assert_eq!(shown, placed);
    let json = serde_json::to_value(&order).unwrap();
    assert_eq!(json["placed_at"], "2010-12-01T08:26:00Z");
    assert_eq!(json["total"], serde_json::json!({"amount": 700, "currency": "GBP"}));
    assert_eq!((&json["kind"], &json["payment_status"]), (&"sale".into(), &"none".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_follows_its_confirmation_and_cancellation() {
    let world = World::new().await;
    world.run("o", Command::Place(placement("x", at(0)))).await;
    let token = world.run("o", Command::Confirm {}).await;
    let order = world.read.order(&id("o"), after(token)).await.unwrap().value.unwrap();
    assert_eq!((order.status, order.version), (Status::Confirmed, 2));
    let cancel = Command::Cancel { reason: CancelReason::Staff, note: Some(text("broken")) };
    let token = world.run("o", cancel).await;
    let order = world.read.order(&id("o"), after(token)).await.unwrap().value.unwrap();
    assert_eq!((order.status, order.version), (Status::Cancelled, 3));
    assert_eq!((order.cancel_reason, order.cancel_note), (Some(CancelReason::Staff), Some(text("broken"))));
    assert_eq!(order.lines.len(), 1);
}

fn some(lines: &[(u32, u32)]) -> Vec<Units> {
    lines.iter().map(|(line, count)| Units { line: *line, quantity: units(*count) }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_shows_its_shipments_and_what_came_back() {
    let world = World::new().await;
    let mut placed = placement("x", at(0));
    placed.lines.push(order_line("B", 1, 50));
    world.run("o", Command::Place(placed)).await;
    world.run("o", Command::HoldForReview { reason: text("risky") }).await;
    let token = world.head().await;
    let order = world.read.order(&id("o"), after(token)).await.unwrap().value.unwrap();
    assert_eq!((order.status, order.held), (Status::Held, Some(text("risky"))));
    world.run("o", Command::ReleaseFromReview { note: None }).await;
    world.run("o", Command::Confirm {}).await;
    let (shipment, carrier) = ("s".parse().unwrap(), text("DHL"));
    let ship = Command::Ship { shipment, carrier, tracking: None, lines: some(&[(0, 2)]) };
    world.run("o", ship).await;
    let cancellation = "x".parse().unwrap();
    world.run("o", Command::CancelLines { cancellation, lines: some(&[(1, 1)]), note: None }).await;
    let (shipment, tracking) = ("s".parse().unwrap(), Some(text("1Z")));
    world.run("o", Command::ChangeTracking { shipment, carrier: text("UPS"), tracking }).await;
    let transit = Transit::InTransit;
    world.run("o", Command::RecordTransit { shipment: "s".parse().unwrap(), transit }).await;
    let token = world.run("o", Command::Deliver { shipment: "s".parse().unwrap() }).await;
    let order = world.read.order(&id("o"), after(token)).await.unwrap().value.unwrap();
    assert_eq!((order.status, &order.held), (Status::Delivered, &None));
    let [shipment] = &order.shipments[..] else { panic!("{order:?}") };
    assert_eq!((&shipment.carrier, &shipment.tracking), (&text("UPS"), &Some(text("1Z"))));
    assert_eq!((shipment.value, shipment.transit, shipment.delivered), (gbp(300), Some(transit), true));
    assert_eq!(
        order.progress.iter().map(|line| (line.shipped, line.cancelled)).collect::<Vec<_>>(),
        [(2, 0), (0, 1)]
    );
    let return_id = "r".parse().unwrap();
    world.run("o", Command::RequestReturn { return_id, lines: some(&[(0, 2)]), reason: text("blue") }).await;
    world.run("o", Command::ApproveReturn { return_id: "r".parse().unwrap() }).await;
    let lines = vec![ReceivedUnits { line: 0, quantity: units(2), disposition: Disposition::Restock }];
    let received = Command::ReceiveReturn { return_id: "r".parse().unwrap(), lines, issued_at: at(9) };
    let token = world.run("o", received).await;
    let order = world.read.order(&id("o"), after(token)).await.unwrap().value.unwrap();
    assert_eq!((order.status, order.returns[0].status), (Status::Returned, ReturnStatus::Received));
    assert_eq!(order.returns[0].value, Some(gbp(300)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_order_shows_its_lines_and_total_of_now() {
    let world = World::new().await;
    let mut placed = placement("x", at(0));
    placed.charges = vec![charge("POST", 300)];
    placed.payment = Some(terms("p"));
    world.run("o", Command::Place(placed)).await;
    world.run("o", Command::Confirm {}).await;
    let edit = || "e".parse().unwrap();
    world.run("o", Command::BeginEdit { edit: edit() }).await;
    let changes = vec![Change::AddLine(order_line("B", 3, 50))];
    world.run("o", Command::StageEdit { edit: edit(), changes }).await;
    let commit = Command::CommitEdit { edit: edit(), payment: None, pay_by: None, now: at(5) };
    let token = world.run("o", commit).await;
    let order = world.read.order(&id("o"), after(token)).await.unwrap().value.unwrap();
    assert_eq!((order.total, order.edit.map(|edit| edit.committed)), (gbp(600), Some(true)));
    let token = world.run("o", Command::ApplyEdit { edit: edit() }).await;
    let order = world.read.order(&id("o"), after(token)).await.unwrap().value.unwrap();
    assert_eq!((order.total, order.units, order.edit), (gbp(750), 6, None));
    assert_eq!(order.lines, [order_line("A", 2, 150), order_line("B", 3, 50)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credit_note_names_the_order_that_it_credits() {
    let world = World::new().await;
    let mut note = credit("C1", at(5));
    note.order = Some(id("o"));
    let token = world.run("n", Command::IssueCreditNote(note)).await;
    let order = world.read.order(&id("n"), after(token)).await.unwrap().value.unwrap();
    assert_eq!((order.kind, order.status), (Kind::CreditNote, Status::Credited));
    assert_eq!((order.credits, order.total), (Some(id("o")), gbp(150)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_of_two_thousand_lines_is_shown_whole() {
    let world = World::new().await;
    let mut large = placement("x", at(0));
    large.lines = (0..2_000).map(|n| order_line(&format!("SKU {n}"), u32::MAX, 1)).collect();
    for order in ["o1", "o2", "o3"] {
        world.run(order, Command::Place(large.clone())).await;
    }
    let token = world.run("o3", Command::Confirm {}).await;
    let order = world.read.order(&id("o3"), after(token)).await.unwrap().value.unwrap();
    assert_eq!(order.lines, large.lines);
    assert_eq!(order.units, 2_000 * i64::from(u32::MAX));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_the_customers_own_newest_first_page_by_page() {
    let world = World::new().await;
    let me: CustomerId = "me".parse().unwrap();
    for n in 0..12_i64 {
        let mut placed = placement("x", at((n / 3) * 1_000 - 2_000));
        placed.customer = Some(if n == 7 { "other".parse().unwrap() } else { me.clone() });
        world.run(&format!("o{n:02}"), Command::Place(placed)).await;
    }
    let token = world.head().await;
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = world.read.orders(&me, cursor.as_ref(), 4, after(token)).await.unwrap().value;
        assert!(page.data.len() <= 4);
        seen.extend(page.data.iter().map(|order| order.id.to_string()));
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    let expected: Vec<_> = (0..12).rev().filter(|n| *n != 7).map(|n| format!("o{n:02}")).collect();
    assert_eq!(seen, expected);
    let stranger = world.read.orders(&"nobody".parse().unwrap(), None, 4, any()).await.unwrap();
    assert_eq!(stranger.value.data, []);
}
