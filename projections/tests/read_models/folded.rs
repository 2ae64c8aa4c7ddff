//! What the views for analysts ought to say, folded event by event from what the decoder makes of the log.

use std::collections::BTreeMap;

use domain::{
    AnyEvent, cart,
    inventory_item::{self, Event as Stock},
    order::{Event as Order, Line},
    payment::Event as Paid,
    value::{Money, Time},
};
use serde_json::{Value, json};
use store::{log::Recorded, rfc3339};

fn day(at: Time) -> String {
    rfc3339::format(at).chars().take(10).collect()
}

fn each(events: &[Recorded]) -> impl Iterator<Item = (&Recorded, &AnyEvent)> {
    events.iter().flat_map(|recorded| recorded.events.iter().map(move |event| (recorded, event)))
}

fn word(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

/// An order or credit note as it stands.
struct Document {
    kind: &'static str,
    at: Time,
    row: Value,
    country: Value,
    lines: Vec<Line>,
    charges: Vec<domain::order::Charge>,
    include_tax: bool,
    total: Money,
    called_off: i64,
    called_off_at: Option<Time>,
    /// Called off and returned, by line.
    units: BTreeMap<u32, (i64, i64)>,
    position: i64,
}

fn fold(events: &[Recorded]) -> BTreeMap<String, Document> {
    let mut found: BTreeMap<String, Document> = BTreeMap::new();
    for (recorded, event) in each(events) {
        let AnyEvent::Order(event) = event else { continue };
        let id = recorded.stream.id.to_string();
        let source = |source: &domain::order::Source| match source {
            domain::order::Source::Cart(cart) => (json!(cart.as_str()), Value::Null),
            domain::order::Source::Import(name) => (Value::Null, json!(name.as_str())),
        };
        match event {
            Order::Placed(placed) => {
                let (cart, import) = source(&placed.source);
                let document = Document {
                    kind: "sale",
                    at: placed.placed_at,
                    row: json!({"customer": placed.customer, "cart_id": cart, "import": import, "credits": null}),
                    country: json!(placed.country),
                    lines: placed.lines.clone(),
                    charges: placed.charges.clone(),
                    include_tax: placed.prices_include_tax,
                    total: placed.total,
                    called_off: 0,
                    called_off_at: None,
                    units: BTreeMap::new(),
                    position: recorded.position,
                };
                found.insert(id, document);
            }
            Order::CreditNoteIssued(issued) => {
                let (cart, import) = source(&issued.source);
                let document = Document {
                    kind: "credit_note",
                    at: issued.issued_at,
                    row: json!({"customer": issued.customer, "cart_id": cart, "import": import, "credits": issued.order}),
                    country: json!(issued.country),
                    lines: issued.lines.clone(),
                    charges: issued.charges.clone(),
                    include_tax: issued.prices_include_tax,
                    total: issued.total,
                    called_off: 0,
                    called_off_at: None,
                    units: BTreeMap::new(),
                    position: recorded.position,
                };
                found.insert(id, document);
            }
            Order::EditApplied { lines, total, .. } => {
                let document = found.get_mut(&id).unwrap();
                (document.lines, document.total) = (lines.clone(), *total);
                (document.called_off, document.units) = (0, BTreeMap::new());
            }
            Order::LinesCancelled { lines, value, .. } => {
                let document = found.get_mut(&id).unwrap();
                document.called_off += value.amount;
                for off in lines {
                    document.units.entry(off.line).or_default().0 += i64::from(off.quantity.get());
                }
            }
            Order::ReturnReceived { lines, .. } => {
                let document = found.get_mut(&id).unwrap();
                for back in lines {
                    document.units.entry(back.line).or_default().1 += i64::from(back.quantity.get());
                }
            }
            Order::Cancelled { .. } => {
                found.get_mut(&id).unwrap().called_off_at = Some(recorded.metadata.occurred_at);
            }
            _ => {}
        }
    }
    found
}

pub fn documents(events: &[Recorded]) -> Vec<Value> {
    let rows = fold(events).into_iter().map(|(id, document)| {
        let Document { kind, at, mut row, country, total, called_off, called_off_at, position, .. } =
            document;
        let called_off = if called_off_at.is_some() { total.amount } else { called_off };
        let more = json!({
            "order_id": id, "kind": kind, "at": at.millis(), "day": day(at), "country": country,
            "currency": total.currency, "total_minor": total.amount, "called_off_minor": called_off,
            "called_off_at": called_off_at.map(Time::millis), "position": position,
        });
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    });
    rows.collect()
}

pub fn lines(events: &[Recorded]) -> Vec<Value> {
    let mut rows = vec![];
    for (id, document) in fold(events) {
        let on_top =
            |tax: Option<Money>| if document.include_tax { 0 } else { tax.map_or(0, |tax| tax.amount) };
        let head = |what: &str, line: usize, quantity: i64, (price, tax): (Money, Option<Money>)| {
            json!({
                "order_id": id, "kind": document.kind, "what": what, "line": line, "at": document.at.millis(),
                "day": day(document.at), "country": document.country, "quantity": quantity,
                "unit_minor": price.amount, "tax_minor": tax.map(|tax| tax.amount),
                "amount_minor": quantity * price.amount + on_top(tax), "currency": price.currency,
                "position": document.position,
            })
        };
        let mut add = |mut row: Value, more: Value| {
            row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            rows.push(row);
        };
        let all_off = document.called_off_at.is_some();
        for (nth, line) in document.lines.iter().enumerate() {
            let quantity = i64::from(line.quantity.get());
            let (off, back) = document.units.get(&u32::try_from(nth).unwrap()).copied().unwrap_or_default();
            let off = if all_off { quantity } else { off };
            let more = json!({"sku": line.sku, "code": null, "title": line.title, "called_off": off, "returned": back});
            add(head("goods", nth, quantity, (line.unit_price, line.tax)), more);
        }
        for (nth, charge) in document.charges.iter().enumerate() {
            let quantity = i64::from(charge.quantity.get());
            let off = if all_off { quantity } else { 0 };
            let more = json!({"sku": null, "code": charge.code, "title": charge.title, "called_off": off, "returned": 0});
            add(head("charge", nth, quantity, (charge.unit_amount, charge.tax)), more);
        }
    }
    rows
}

pub fn movements(events: &[Recorded]) -> Vec<Value> {
    let stock = each(events).filter_map(|(recorded, event)| match event {
        AnyEvent::InventoryItem(event) => Some((recorded, event)),
        _ => None,
    });
    let told = stock.filter(|(_, event)| {
        !matches!(event, Stock::PolicySet { .. } | Stock::ReorderPointSet { .. } | Stock::LowStock { .. })
    });
    let rows = told.map(|(recorded, event)| {
        // Fields that most events do not have are taken by their names.
        let fields = word(event);
        let fields = fields.as_object().unwrap().values().next().unwrap().clone();
        let inventory_item::Change { on_hand, reserved, backordered } = event.change();
        let places: Vec<Value> = event
            .moves()
            .map(|(location, units)| json!({"location": location.as_str(), "units": units}))
            .collect();
        let at = recorded.metadata.occurred_at;
        json!({
            "sku": recorded.stream.id, "sequence": recorded.sequence, "at": at.millis(), "day": day(at),
            "movement": domain::Event::event_type(event), "reason": fields["reason"], "reference": fields["reference"],
            "reservation": fields["reservation"], "expires_at": fields["expires_at"], "on_hand": on_hand,
            "reserved": reserved, "backordered": backordered, "places": places, "position": recorded.position,
        })
    });
    rows.collect()
}

fn add(row: &mut Value, name: &str, more: i64) {
    row[name] = json!(row[name].as_i64().unwrap() + more);
}

pub fn payments(events: &[Recorded]) -> Vec<Value> {
    let mut rows: BTreeMap<String, Value> = BTreeMap::new();
    for (recorded, event) in each(events) {
        let AnyEvent::Payment(event) = event else { continue };
        let id = recorded.stream.id.to_string();
        let row = rows.entry(id.clone()).or_insert_with(|| {
            json!({
                "payment_id": id, "order_id": null, "method": null, "capture": null, "currency": null,
                "amount_minor": null, "opened_at": null, "attempts": 0, "declined": 0, "authorized_at": null,
                "authorized_minor": null, "captured_minor": 0, "refunded_minor": 0, "lost_minor": 0, "voided_at": null,
            })
        });
        let at = recorded.metadata.occurred_at.millis();
        match event {
            Paid::IntentOpened { order, amount, method, capture } => {
                row["order_id"] = json!(order);
                row["method"] = word(method);
                row["capture"] = word(capture);
                row["currency"] = json!(amount.currency);
                row["amount_minor"] = json!(amount.amount);
                row["opened_at"] = json!(at);
            }
            Paid::AuthorizationRequested { .. } => add(row, "attempts", 1),
            Paid::Declined { .. } => add(row, "declined", 1),
            Paid::Authorized { amount, .. } if row["authorized_at"].is_null() => {
                row["authorized_at"] = json!(at);
                row["authorized_minor"] = json!(amount.amount);
            }
            Paid::Captured { amount, .. } => add(row, "captured_minor", amount.amount),
            Paid::Refunded { amount, .. } => add(row, "refunded_minor", amount.amount),
            Paid::DisputeLost { amount, .. } => add(row, "lost_minor", amount.amount),
            Paid::Voided { .. } => row["voided_at"] = json!(at),
            _ => {}
        }
        row["position"] = json!(recorded.position);
    }
    rows.into_values().collect()
}

const STEPS: [&str; 8] =
    ["cart opened", "line added", "checked out", "placed", "authorized", "confirmed", "shipped", "returned"];

/// When each step was reached.
type Reached = [Option<i64>; 8];

pub fn funnel(events: &[Recorded]) -> Vec<Value> {
    let (mut carts, mut orders) =
        (BTreeMap::<String, (Reached, Option<String>)>::new(), BTreeMap::<String, Reached>::new());
    let mut paid: BTreeMap<String, i64> = BTreeMap::new();
    for (recorded, event) in each(events) {
        let (id, at) = (recorded.stream.id.to_string(), recorded.metadata.occurred_at.millis());
        let first = |reached: &mut Reached, step: usize| {
            reached[step] = Some(reached[step].map_or(at, |was| was.min(at)))
        };
        match event {
            AnyEvent::Cart(event) => match event {
                cart::Event::Opened { .. } => first(&mut carts.entry(id).or_default().0, 0),
                cart::Event::LineAdded { .. } | cart::Event::LinesTaken { .. } => {
                    first(&mut carts.entry(id).or_default().0, 1);
                }
                cart::Event::CheckedOut { order, .. } => {
                    let cart = carts.entry(id).or_default();
                    first(&mut cart.0, 2);
                    cart.1 = Some(order.to_string());
                }
                _ => {}
            },
            AnyEvent::Order(event) => match event {
                Order::Placed(_) => first(orders.entry(id).or_default(), 3),
                Order::Confirmed { .. } => first(orders.entry(id).or_default(), 5),
                Order::Shipped { .. } => first(orders.entry(id).or_default(), 6),
                Order::ReturnReceived { .. } => first(orders.entry(id).or_default(), 7),
                _ => {}
            },
            AnyEvent::Payment(Paid::Authorized { order, .. }) => {
                let first = paid.entry(order.to_string()).or_insert(at);
                *first = (*first).min(at);
            }
            _ => {}
        }
    }
    let mut journeys: Vec<Reached> = vec![];
    let mut of_carts = std::collections::BTreeSet::new();
    for (reached, order) in carts.into_values() {
        let mut whole = reached;
        if let Some(order) = order {
            let from = orders.get(&order).copied().unwrap_or_default();
            whole[3..].copy_from_slice(&from[3..]);
            whole[4] = paid.get(&order).copied();
            of_carts.insert(order);
        }
        journeys.push(whole);
    }
    for (id, mut reached) in orders {
        if !of_carts.contains(&id) {
            reached[4] = paid.get(&id).copied();
            journeys.push(reached);
        }
    }
    rows(&journeys)
}

/// How many reached a step, and how long each took, in milliseconds.
type Taken = (i64, Vec<i64>);

fn rows(journeys: &[Reached]) -> Vec<Value> {
    // Which steps a step may come after, the nearest first.
    const BEFORE: [&[usize]; 8] = [&[], &[0], &[1, 0], &[2], &[3, 2], &[4, 3], &[5], &[6]];
    let mut days: BTreeMap<Option<String>, [Taken; 8]> = BTreeMap::new();
    for reached in journeys {
        let began = reached[0].or(reached[3]).map(|at| day(Time::from_millis(at)));
        let steps = days.entry(began).or_default();
        for ((step, at), before) in steps.iter_mut().zip(reached).zip(BEFORE) {
            let Some(at) = at else { continue };
            step.0 += 1;
            step.1.extend(before.iter().find_map(|before| reached[*before]).map(|before| at - before));
        }
    }
    let mut rows = vec![];
    for (day, steps) in days {
        for (nth, (reached, mut took)) in steps.into_iter().enumerate() {
            took.sort_unstable();
            let count = i64::try_from(took.len()).unwrap();
            let mean = (count > 0).then(|| {
                let sum: i64 = took.iter().sum();
                // Half away from nothing, as Postgres rounds.
                sum.signum() * ((2 * sum.abs() + count) / (2 * count))
            });
            let median = took.len().div_ceil(2).checked_sub(1).map(|nth| took[nth]);
            rows.push(json!({
                "day": day, "nth": nth + 1, "step": STEPS[nth], "reached": reached, "took_ms_mean": mean,
                "took_ms_median": median, "took_ms_max": took.last(),
            }));
        }
    }
    rows
}
