//! Events as a shop's log holds them: new carts, and the stock of many SKUs.

use std::sync::Arc;

use domain::{
    AggregateType, AnyEvent, cart,
    inventory_item::{self, At},
    value::{Currency, LocationId, Money, ProductId, Quantity, ReservationId, Sku, Text, Time},
};
use store::{
    log::{Answer, Batch, Log, Metadata, NewEvent, Position, PostgresLog, StreamId, digest},
    ports::{Clock, Ids, Machine},
};
use uuid::Uuid;

/// Events of one command.
pub const EVENTS: usize = 5;

/// Makes commands' rows: every other one fills a new cart, the rest goes over the SKUs in turn.
pub struct Rows {
    /// Events of each SKU so far.
    skus: Vec<i64>,
    /// Of how many commands one is for the stock; the others are for new carts.
    stock_every: usize,
    /// Whether a cart ends with its last event.
    ended: bool,
    nth: usize,
}

impl Rows {
    pub fn new(skus: usize) -> Self {
        Self { skus: vec![0; skus], stock_every: 2, ended: false, nth: 0 }
    }

    /// The stock of SKUs alone.
    pub fn stock(skus: usize) -> Self {
        Self { stock_every: 1, ..Self::new(skus) }
    }

    /// Four carts that have ended to one command on the stock, as a shop's log is that is some years old.
    pub fn of_years(skus: usize) -> Self {
        Self { stock_every: 5, ended: true, ..Self::new(skus) }
    }

    /// Where each SKU's events begin, in a log that was filled by other means.
    pub fn behind(skus: usize, sequence: i64) -> Self {
        Self { skus: vec![sequence; skus], ..Self::new(skus) }
    }

    /// So many commands behind a position. Digests are left to whoever appends.
    pub fn batch(&mut self, commands: usize, head: Position) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..commands {
            self.command(&mut batch, head);
        }
        batch
    }

    fn command(&mut self, batch: &mut Batch, head: Position) {
        self.nth += 1;
        let (stream, sequence, events) = if self.nth % self.stock_every != self.stock_every - 1 {
            let events = in_a_cart(self.nth, self.ended);
            (StreamId::new(AggregateType::Cart, &Machine.next().to_string()), 0, events)
        } else {
            // A step that is prime to their number meets every SKU, and no neighbours one after the other.
            let sku = (self.nth / self.stock_every * 7_919) % self.skus.len();
            let sequence = self.skus[sku];
            self.skus[sku] += EVENTS as i64;
            (StreamId::new(AggregateType::InventoryItem, &sku_name(sku)), sequence, of_stock())
        };
        let now_us = Machine.now_us();
        let command_id = Machine.next();
        let metadata = metadata(command_id, now_us);
        for (event, nth) in events.iter().zip(1..) {
            batch.events.push(Arc::new(NewEvent {
                stream: stream.clone(),
                sequence: sequence + nth,
                event_type: event.event_type(),
                event_version: event.event_version(),
                payload: serde_json::to_string(event).unwrap(),
                metadata: metadata.clone(),
                event_id: Machine.next(),
                recorded_at_us: now_us,
                digest: [0; 32],
            }));
        }
        batch.answers.push(Answer {
            command_id,
            fingerprint: [7; 32],
            stream,
            version: sequence + EVENTS as i64,
            position: head + batch.events.len() as i64,
            events: EVENTS as i32,
            refusal: None,
            expires_at_us: Some(now_us + 172_800_000_000),
            recorded_at_us: now_us,
        });
    }
}

pub fn metadata(command_id: Uuid, now_us: i64) -> String {
    serde_json::to_string(&Metadata {
        occurred_at: Time::from_millis(now_us / 1_000),
        actor: "customer:01993c1e-7d3a-7c60-9a51-0c1f3f7a9d10".into(),
        correlation_id: Machine.next(),
        causation_id: command_id,
        command_id,
        traceparent: None,
    })
    .unwrap()
}

pub fn sku_name(nth: usize) -> String {
    format!("SKU {nth:05}")
}

fn in_a_cart(nth: usize, ended: bool) -> Vec<AnyEvent> {
    let customer = Some(Machine.next().into());
    let opened = cart::Event::Opened { customer, currency: Currency::GBP, expires_at: None };
    let added = (0..EVENTS - 1 - usize::from(ended)).map(|line| {
        let line = cart::Line {
            sku: Sku::new(sku_name((nth + line * 31) % 10_000)).unwrap(),
            product: ProductId::new(format!("product-{line}")).unwrap(),
            title: Text::new("WHITE HANGING HEART T-LIGHT HOLDER").unwrap(),
            quantity: Quantity::new(6).unwrap(),
            unit_price: Money::new(255, Currency::GBP),
            tax_category: None,
            weight_grams: 180,
            purchase_limit: None,
        };
        cart::Event::LineAdded { line, expires_at: Some(Time::from_millis(1_764_000_000_000)) }
    });
    let end = ended.then_some(cart::Event::Expired {});
    std::iter::once(opened).chain(added).chain(end).map(AnyEvent::from).collect()
}

/// Goods come in, and go to two orders.
fn of_stock() -> Vec<AnyEvent> {
    use inventory_item::Event;
    let (quantity, location) = (Quantity::new(3).unwrap(), LocationId::main());
    let orders: [ReservationId; 2] = [Machine.next().into(), Machine.next().into()];
    let received =
        Event::Received { location: location.clone(), quantity: Quantity::new(7).unwrap(), reference: None };
    let taken = orders.into_iter().flat_map(|reservation| {
        let expires_at = Some(Time::from_millis(1_764_000_900_000));
        let from = vec![At { location: location.clone(), quantity }];
        [
            Event::Reserved { reservation: reservation.clone(), quantity, expires_at },
            Event::Allocated { reservation, quantity, from },
        ]
    });
    std::iter::once(received).chain(taken).map(AnyEvent::from).collect()
}

/// The batch with the digests that a writer makes.
pub fn signed(mut batch: Batch) -> Batch {
    for event in &mut batch.events {
        let event = Arc::make_mut(event);
        event.digest = digest(&*event);
    }
    batch
}

/// Fills a log through its own door, until it holds so many events.
pub async fn fill(log: &PostgresLog, rows: &mut Rows, events: usize) {
    let mut head = log.head().await.unwrap();
    while head.position < events as i64 {
        let missing = (events - head.position as usize).div_ceil(EVENTS);
        head = log.append(&head, &signed(rows.batch(missing.min(400), head.position))).await.unwrap();
    }
}
