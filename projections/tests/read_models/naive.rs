//! The log folded by the domain itself, stream by stream, and held against what the read models say.

use std::collections::BTreeMap;

use domain::{
    AnyState,
    cart::Cart,
    inventory_item::InventoryItem,
    order::{Book, Count, EditStage, Order, ReturnStage},
    payment::Payment,
    product::{Product, Variant},
};
use projections::{carts, orders, payments};
use store::{executor::Token, log::StreamId};

use crate::world::{NOW, World, after};

/// What is on orders that are not cancelled, and what was sold by SKU, is the same.
async fn check_sales(world: &World) {
    let astray: Vec<String> = sqlx::query_scalar(
        "WITH lines AS (SELECT l.sku, l.units FROM sold s, UNNEST(s.skus, s.units) AS l (sku, units)) \
         SELECT 'sum of ' || sku FROM sales FULL JOIN (SELECT sku, sum(units) AS units FROM lines GROUP BY sku) AS l \
             USING (sku) WHERE sales.units IS DISTINCT FROM l.units \
         UNION ALL SELECT 'order ' || o.id FROM orders o LEFT JOIN sold s ON s.order_id = o.id \
         WHERE o.kind = 'sale' AND CASE WHEN o.status = 'cancelled' THEN 0 \
             ELSE o.ordered - COALESCE((SELECT sum((c.value ->> 'cancelled')::bigint) \
                                        FROM json_each(o.progress -> 'counts') c), 0) END \
             IS DISTINCT FROM (SELECT COALESCE(sum(units), 0)::bigint FROM UNNEST(s.units) AS units)",
    )
    .fetch_all(&world.pool)
    .await
    .unwrap();
    assert!(astray.is_empty(), "{astray:?}");
}

struct Folded {
    state: AnyState,
    version: i64,
    position: i64,
}

/// Holds every stream against its rows, and the rows' number against the streams'.
pub async fn check(world: &World) {
    let token = world.settle().await;
    let mut streams: BTreeMap<StreamId, Folded> = BTreeMap::new();
    for recorded in world.engine.log.recorded_after(0, i64::MAX).await.unwrap() {
        let folded = streams.entry(recorded.stream.clone()).or_insert_with(|| Folded {
            state: AnyState::initial(recorded.stream.aggregate_type),
            version: 0,
            position: 0,
        });
        folded.state = recorded.events.into_iter().fold(folded.state.clone(), AnyState::evolve);
        (folded.version, folded.position) = (recorded.sequence, recorded.position);
    }
    let mut reservations = 0;
    let mut variants = 0;
    for (stream, folded) in &streams {
        let at = (folded.version, folded.position);
        match &folded.state {
            AnyState::InventoryItem(item) => {
                reservations += item.reservations().count();
                check_stock(world, token, &stream.id, item, at).await;
            }
            AnyState::Cart(cart) => check_cart(world, token, &stream.id, cart, at).await,
            AnyState::Order(order) => check_order(world, token, &stream.id, order, folded.version).await,
            AnyState::Payment(payment) => check_payment(world, token, &stream.id, payment, at).await,
            AnyState::Product(product) => {
                variants += product.listing().unwrap().variants.len();
                check_product(world, token, &stream.id, product, at).await;
            }
            AnyState::Allowance(_)
            | AnyState::Checkout(_)
            | AnyState::Fulfilment(_)
            | AnyState::InvoiceBook(_)
            | AnyState::Subject(_) => panic!("nobody checks out here"),
        }
    }
    let sold = |row: &&String| row.starts_with("sold ") || row.starts_with("sales ");
    let rows = world.rows().await;
    assert_eq!(rows.iter().filter(|row| !sold(row)).count(), streams.len() + reservations + variants);
    check_sales(world).await;
}

async fn check_stock(world: &World, token: Token, id: &str, item: &InventoryItem, at: (i64, i64)) {
    let sku = id.parse().unwrap();
    let shown = world.read.stock(&sku, NOW, after(token)).await.unwrap().value.unwrap();
    assert_eq!(
        (shown.on_hand, shown.reserved, shown.backordered, shown.available),
        (item.on_hand(), item.reserved(), item.backordered(), item.available()),
        "{id}"
    );
    assert_eq!((&shown.locations, shown.policy), (item.locations(), item.policy().clone().into()), "{id}");
    assert_eq!(shown.reorder_point, item.reorder_point(), "{id}");
    assert_eq!((shown.version, shown.position), at, "{id}");
    let held = world.read.reservations(&sku, NOW, None, 100, after(token)).await.unwrap().value.data;
    let held: Vec<_> = held
        .iter()
        .map(|held| {
            let short = (held.short, held.promised_at, held.committed);
            (&held.reservation, held.quantity, short, held.expires_at)
        })
        .collect();
    let folded: Vec<_> = item
        .reservations()
        .map(|(name, held)| {
            let short = held.short.as_ref();
            let short = short
                .map_or((0, None, false), |short| (short.units.get(), short.promised_at, short.committed));
            (name, held.quantity, short, held.expires_at)
        })
        .collect();
    assert_eq!(held, folded, "{id}");
}

async fn check_cart(world: &World, token: Token, id: &str, cart: &Cart, at: (i64, i64)) {
    let shown = world.read.cart(&id.parse().unwrap(), after(token)).await.unwrap().value.unwrap();
    assert_eq!((shown.version, shown.position), at, "{id}");
    assert_eq!(shown.order.as_ref(), cart.order(), "{id}");
    assert_eq!(shown.merged_into.as_ref(), cart.merged_into(), "{id}");
    let status = match cart {
        Cart::Unopened => panic!("{id} was never opened"),
        Cart::Open(_) => carts::Status::Open,
        Cart::CheckedOut { .. } => carts::Status::CheckedOut,
        Cart::Expired { .. } => carts::Status::Expired,
        Cart::Merged { .. } => carts::Status::Merged,
    };
    assert_eq!(shown.status, status, "{id}");
    match cart {
        Cart::Open(basket) | Cart::Merged { basket, .. } => {
            assert_eq!((&shown.lines, shown.expires_at), (&basket.lines, basket.expires_at), "{id}");
            assert!(cart.total().is_none_or(|total| total == shown.total), "{id}");
        }
        Cart::CheckedOut { .. } => assert!(!shown.lines.is_empty(), "{id}"),
        Cart::Expired { at, .. } => assert_eq!(shown.expires_at, Some(*at), "{id}"),
        Cart::Unopened => {}
    }
}

async fn check_order(world: &World, token: Token, id: &str, order: &Order, version: i64) {
    let shown = world.read.order(&id.parse().unwrap(), after(token)).await.unwrap().value.unwrap();
    let status = orders::Status::from(order.status().unwrap());
    assert_eq!((shown.status, shown.version), (status, version), "{id}");
    assert_eq!((Some(shown.total), shown.cancel_reason), (order.total(), order.cancelled()), "{id}");
    let (lines, charges) = match (order.placement(), order.credit()) {
        (Some(placed), _) => (&placed.lines, &placed.charges),
        (_, Some(credit)) => (&credit.lines, &credit.charges),
        (None, None) => panic!("{id} was placed with nothing"),
    };
    assert_eq!((&shown.lines, &shown.charges), (lines, charges), "{id}");
    let quantities =
        lines.iter().map(|line| line.quantity).chain(charges.iter().map(|charge| charge.quantity));
    assert_eq!(shown.units, quantities.map(|quantity| i64::from(quantity.get())).sum::<i64>(), "{id}");
    if let Some(book) = order.book() {
        check_book(id, &shown, book);
    }
}

fn check_book(id: &str, shown: &orders::Order, book: &Book) {
    let counts: Vec<_> = (0..)
        .zip(book.counts())
        .filter(|(_, count)| *count != Count::default())
        .map(|(line, Count { cancelled, shipped, delivered, returned })| orders::LineProgress {
            line,
            cancelled,
            shipped,
            delivered,
            returned,
        })
        .collect();
    assert_eq!(shown.progress, counts, "{id}");
    let shipments: BTreeMap<_, _> = shown
        .shipments
        .iter()
        .map(|sent| (&sent.id, (&sent.lines, sent.value, &sent.carrier, &sent.tracking, sent.delivered)))
        .collect();
    let known = book.shipments().iter();
    let known = known
        .map(|(id, sent)| (id, (&sent.lines, sent.value, &sent.carrier, &sent.tracking, sent.delivered)));
    assert_eq!(shipments, known.collect(), "{id}");
    let returns: BTreeMap<_, _> =
        shown.returns.iter().map(|back| (&back.id, (&back.lines, back.value))).collect();
    let known = book.returns().iter().map(|(id, back)| {
        let value = match &back.stage {
            ReturnStage::Received { value, .. } => Some(*value),
            ReturnStage::Requested | ReturnStage::Approved | ReturnStage::Rejected => None,
        };
        (id, (&back.lines, value))
    });
    assert_eq!(returns, known.collect(), "{id}");
    let edit = book.edit().map(|edit| (&edit.id, edit.stage == EditStage::Committed));
    assert_eq!(shown.edit.as_ref().map(|edit| (&edit.id, edit.committed)), edit, "{id}");
}

async fn check_payment(world: &World, token: Token, id: &str, payment: &Payment, at: (i64, i64)) {
    let shown = world.read.payment(&id.parse().unwrap(), after(token)).await.unwrap().value.unwrap();
    assert_eq!((shown.version, shown.position), at, "{id}");
    assert_eq!(
        (Some(shown.captured), Some(shown.refunded)),
        (payment.captured(), payment.refunded()),
        "{id}"
    );
    let (captured, refunded) = (shown.captured.amount, shown.refunded.amount);
    let released = match payment {
        Payment::Voided { .. } | Payment::Released { .. } => shown.amount.amount - captured,
        _ => 0,
    };
    assert_eq!(shown.released.amount, released, "{id}");
    let expected: &[payments::Status] = match payment {
        Payment::Unopened => panic!("{id} was never opened"),
        Payment::Open { .. } => {
            &[payments::Status::Open, payments::Status::Declined, payments::Status::TimedOut]
        }
        Payment::Authorizing { .. } => &[payments::Status::Authorizing],
        Payment::Voided { .. } => &[payments::Status::Voided],
        Payment::Held { .. } | Payment::Collected { .. } if captured == 0 => &[payments::Status::Authorized],
        Payment::Held { .. } | Payment::Collected { .. } | Payment::Released { .. } => match refunded {
            0 => &[payments::Status::Captured],
            part if part < captured => &[payments::Status::PartiallyRefunded],
            _ => &[payments::Status::Refunded],
        },
    };
    assert!(expected.contains(&shown.status), "{id}: {:?} of {expected:?}", shown.status);
}

async fn check_product(world: &World, token: Token, id: &str, product: &Product, at: (i64, i64)) {
    let shown = world.read.product(&id.parse().unwrap(), after(token)).await.unwrap().value.unwrap();
    let listing = product.listing().unwrap();
    let variants: Vec<Variant> = listing
        .variants
        .iter()
        .map(|variant| Variant { price: product.price(&variant.sku).unwrap(), ..variant.clone() })
        .collect();
    assert_eq!((shown.version, shown.position), at, "{id}");
    assert_eq!((&shown.title, &shown.variants), (&listing.title, &variants), "{id}");
    assert_eq!(
        shown.price_from.amount,
        variants.iter().map(|variant| variant.price.amount).min().unwrap(),
        "{id}"
    );
}
