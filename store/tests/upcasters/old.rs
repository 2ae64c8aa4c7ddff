//! What happened to carts, in the forms that it is stored in, beside what it means; told without asking the upcasters.

use domain::{
    AggregateType, AnyEvent, AnyState,
    cart::{Command, Event, Line},
    value::{CartId, Currency, CustomerId, Money, ProductId, Quantity, Sku, Text, Time},
};
use serde_json::{Value, json};
use store::{
    log::{Log, Position, StreamId},
    testing::{Row, request, write},
};

/// Something that happened: the events that it is stored as, and what each of them means.
#[derive(Clone, Debug)]
pub struct Told(pub Vec<(Row, Vec<Event>)>);

fn one(row: Row, means: &[Event]) -> Told {
    Told(vec![(row, means.to_vec())])
}

/// Two stored events of which only both together mean something.
fn two(first: Row, second: Row, means: Event) -> Told {
    Told(vec![(first, vec![]), (second, vec![means])])
}

fn line(sku: &str, units: u32) -> Line {
    Line {
        sku: Sku::new(sku).unwrap(),
        product: ProductId::new("p").unwrap(),
        title: Text::new("Thing").unwrap(),
        quantity: Quantity::new(units).unwrap(),
        unit_price: Money::new(250, Currency::GBP),
        tax_category: None,
        weight_grams: 0,
        purchase_limit: None,
    }
}

fn line_added(sku: &str, units: u32) -> Event {
    Event::LineAdded { line: line(sku, units), expires_at: None }
}

fn quantity_set(sku: &str, units: u32) -> Event {
    Event::QuantitySet {
        sku: Sku::new(sku).unwrap(),
        quantity: Quantity::new(units).unwrap(),
        expires_at: None,
    }
}

/// A line as it was stored before it weighed anything.
fn old_line(sku: &str, units: u32) -> Value {
    json!({"sku": sku, "product": "p", "title": "Thing", "quantity": units,
           "unit_price": {"amount": 250, "currency": "GBP"}})
}

/// In the form of today.
pub fn added(sku: &str, units: u32) -> Told {
    one(("LineAdded", "2", json!({ "line": line(sku, units) })), &[line_added(sku, units)])
}

/// In a form that a release wrote.
fn added_long_ago(sku: &str, units: u32) -> Told {
    one(("LineAdded", "1", old_line(sku, units)), &[line_added(sku, units)])
}

/// One to one, in two steps.
pub fn set(sku: &str, units: u32) -> Told {
    one(("QuantitySet", "t1", json!({"sku": sku, "units": units})), &[quantity_set(sku, units)])
}

/// Under another name.
fn removed(sku: &str) -> Told {
    one(("ItemRemoved", "t1", json!({ "sku": sku })), &[Event::LineRemoved { sku: Sku::new(sku).unwrap() }])
}

/// Split.
pub fn added_and_set(sku: &str, units: u32, then: u32) -> Told {
    let mut stored = old_line(sku, units);
    stored["set_to"] = then.into();
    one(("LineAdded", "t1", stored), &[line_added(sku, units), quantity_set(sku, then)])
}

/// Dropped.
pub fn viewed() -> Told {
    one(("Viewed", "t1", json!({})), &[])
}

/// Merged.
pub fn picked(sku: &str, units: u32) -> Told {
    two(
        ("SkuPicked", "t1", json!({ "sku": sku })),
        ("PickConfirmed", "t1", old_line(sku, units)),
        line_added(sku, units),
    )
}

/// When a cart ends, where it is stored that it does.
const END: Time = Time::from_millis(4_102_444_800_000);

fn opening(expires_at: Option<Time>) -> Event {
    Event::Opened { customer: None, currency: Currency::GBP, expires_at }
}

/// In the form of today.
fn opened() -> Told {
    one(("Opened", "2", json!({"currency": "GBP"})), &[opening(None)])
}

/// Merged, where the stream begins.
pub fn opened_in_two() -> Told {
    two(
        ("EndGiven", "t1", json!({ "at": END })),
        ("CurrencyGiven", "t1", json!({"currency": "GBP"})),
        opening(Some(END)),
    )
}

/// A cart's stream.
#[derive(Clone, Debug)]
pub struct Cart {
    pub id: String,
    pub told: Vec<(Row, Vec<Event>)>,
}

impl Cart {
    pub fn of(id: &str, told: impl IntoIterator<Item = Told>) -> Self {
        Self { id: id.to_owned(), told: told.into_iter().flat_map(|told| told.0).collect() }
    }

    /// A cart of chance.
    pub fn random(id: &str, chance: &mut Chance) -> Self {
        let mut told = vec![if chance.pick(2) == 0 { opened() } else { opened_in_two() }];
        for _ in 0..4 + chance.pick(12) {
            let (sku, units) = (["A", "B", "C"][chance.pick(3)], 1 + chance.pick(9) as u32);
            told.push(match chance.pick(7) {
                0 => added(sku, units),
                1 => added_long_ago(sku, units),
                2 => set(sku, units),
                3 => removed(sku),
                4 => added_and_set(sku, units, units + 1),
                5 => viewed(),
                _ => picked(sku, units),
            });
        }
        Self::of(id, told)
    }

    pub fn stream(&self) -> StreamId {
        StreamId::new(AggregateType::Cart, &self.id)
    }

    /// What each stored event means.
    pub fn means(&self) -> Vec<Vec<AnyEvent>> {
        let any = |events: &Vec<Event>| events.iter().cloned().map(AnyEvent::Cart).collect();
        self.told.iter().map(|(_, means)| any(means)).collect()
    }

    /// What the first so many stored events come to.
    pub fn state(&self, events: usize) -> AnyState {
        let initial = AnyState::initial(AggregateType::Cart);
        self.means().into_iter().take(events).flatten().fold(initial, AnyState::evolve)
    }

    /// Stores some of it.
    pub async fn store(&self, log: &dyn Log, part: std::ops::Range<usize>) -> Position {
        let rows: Vec<Row> = self.told[part].iter().map(|(row, _)| row.clone()).collect();
        write(log, &request(&self.id, merge()), &rows).await
    }

    pub async fn store_all(&self, log: &dyn Log) -> Position {
        self.store(log, 0..self.told.len()).await
    }
}

/// Stores carts among each other, event by event.
pub async fn store_among_each_other(log: &dyn Log, carts: &[Cart]) {
    let longest = carts.iter().map(|cart| cart.told.len()).max().unwrap();
    for nth in 0..longest {
        for cart in carts.iter().filter(|cart| nth < cart.told.len()) {
            cart.store(log, nth..nth + 1).await;
        }
    }
}

/// What tells everything that is in a cart: its event holds all lines.
pub fn merge() -> Command {
    Command::MergeInto { into: CartId::new("other").unwrap(), customer: CustomerId::new("ada").unwrap() }
}

/// A generator whose numbers are always the same.
pub struct Chance(pub u64);

impl Chance {
    pub fn pick(&mut self, of: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % of
    }
}
