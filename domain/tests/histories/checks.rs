//! What must hold, whatever happened. Each is worked out from the log alone, not from what the code under test believes.

use std::collections::BTreeMap;

use domain::{
    Aggregate as _, AggregateType, AnyEvent, AnyState, cart,
    fulfilment::{self, Fulfilment},
    inventory_item::InventoryItem,
    invoice_book,
    order::{self, Disposition, Event, Order},
    payment::{CaptureWhen, Method},
};

use crate::{
    turn::{
        order_of,
        shop::{SKUS, SetUp, order_id, payment_id, payments},
    },
    world::World,
};

fn item(world: &World, sku: &str) -> InventoryItem {
    match world.state(AggregateType::InventoryItem, sku) {
        AnyState::InventoryItem(item) => item,
        _ => unreachable!(),
    }
}

fn events_of<'w>(world: &'w World, id: &'w str) -> impl Iterator<Item = &'w Event> {
    world.log.iter().filter(move |entry| entry.id == id).filter_map(|entry| match &entry.event {
        AnyEvent::Order(event) => Some(event),
        _ => None,
    })
}

pub fn stock_is_sound(world: &World) {
    for sku in SKUS {
        let item = item(world, sku);
        assert!(0 <= item.reserved() && item.reserved() <= item.on_hand(), "{sku}: {item:?}");
    }
}

/// Units received, less those that buyers have or that were written off, are on hand; nothing is held for nobody.
pub fn no_unit_leaked(world: &World, set_up: &SetUp) {
    for sku in SKUS {
        let item = item(world, sku);
        let received: i64 = world
            .log
            .iter()
            .filter(|entry| entry.id == sku)
            .map(|entry| match &entry.event {
                AnyEvent::InventoryItem(domain::inventory_item::Event::Received { quantity, .. }) => {
                    i64::from(quantity.get())
                }
                _ => 0,
            })
            .sum();
        let gone: i64 = (0..set_up.orders.len()).map(|order| gone(world, order, sku)).sum();
        // What waits for the rest of its units is still on hand, and counted as gone.
        assert_eq!(item.available() + gone, received + item.backordered(), "{sku}: {item:?}");
        let waiting: i64 = item.reservations().map(|(_, held)| held.held()).sum();
        assert_eq!(item.reserved(), waiting, "{sku}");
        for (name, held) in item.reservations() {
            assert!(held.short() > 0, "{sku} is held as {name} for nobody: {item:?}");
        }
    }
}

/// Units of a SKU that an order has taken for good, those that it still waits for included.
fn gone(world: &World, order: usize, sku: &str) -> i64 {
    let state = order_of(world, order);
    let Some(book) = state.book().filter(|_| state.cancelled().is_none()) else { return 0 };
    if !events_of(world, &order_id(order)).any(|event| matches!(event, Event::Confirmed { .. })) {
        return 0;
    }
    let lines = &book.placement().lines;
    let mut units: i64 = lines
        .iter()
        .zip(book.counts())
        .filter(|(line, _)| line.sku.as_str() == sku)
        .fold(0, |sum, (line, count)| sum + i64::from(line.quantity.get()) - i64::from(count.cancelled));
    for event in events_of(world, &order_id(order)) {
        if let Event::ReturnReceived { lines: received, .. } = event {
            let restocked = received.iter().filter(|units| units.disposition == Disposition::Restock);
            let of_sku = restocked
                .filter(|units| lines.get(units.line as usize).is_some_and(|line| line.sku.as_str() == sku));
            units -= of_sku.map(|units| i64::from(units.quantity.get())).sum::<i64>();
        }
    }
    units
}

/// What an order is worth and what of it is due by now, from its events.
fn worth(world: &World, order: usize) -> (i64, i64) {
    let (mut keep, mut due) = (0_i64, 0_i64);
    let mut terms = None;
    for event in events_of(world, &order_id(order)) {
        let cash = matches!(&terms, Some(order::Terms { method: Method::CashOnDelivery, .. }));
        let at_once = !cash && matches!(&terms, Some(order::Terms { capture: CaptureWhen::AtOnce, .. }));
        match event {
            Event::Confirmed { terms: known, total: Some(total), .. } => {
                terms.clone_from(known);
                keep = total.amount;
            }
            Event::Shipped { value, .. } if !cash && !at_once => due += value.amount,
            Event::Delivered { value, .. } if cash => due += value.amount,
            Event::LinesCancelled { value, .. } => keep -= value.amount,
            Event::ReturnReceived { value, delivered, .. } => {
                keep -= value.amount;
                due = (due - if cash { delivered.amount } else { value.amount }).max(0);
            }
            Event::EditApplied { total, .. } => keep = total.amount,
            Event::Cancelled { .. } => keep = 0,
            _ => {}
        }
        let at_once = matches!(&terms, Some(order::Terms { capture: CaptureWhen::AtOnce, method, .. })
            if *method != Method::CashOnDelivery);
        due = if at_once { keep } else { due.min(keep) };
    }
    (keep, due)
}

/// The shop has exactly what is due; the gateway says the same; and nothing is held that nobody will take.
pub fn no_penny_leaked(world: &World, set_up: &SetUp) {
    for (order, wish) in set_up.orders.iter().enumerate() {
        let state = order_of(world, order);
        let (mut net, mut taken, mut held) = (0, 0, 0);
        for payment in payments(world, order) {
            let AnyState::Payment(known) = world.state(AggregateType::Payment, &payment) else {
                unreachable!()
            };
            let captured = known.captured().map_or(0, |money| money.amount);
            let refunded = known.refunded().map_or(0, |money| money.amount);
            let authorized = known.authorized().map_or(0, |money| money.amount);
            assert!(refunded <= captured && captured <= authorized.max(captured), "{known:?}");
            net += captured - refunded;
            let (gateway_took, gateway_holds) = world.gateway.balance(&payment);
            taken += gateway_took;
            held += gateway_holds;
        }
        let cash = wish.method == Method::CashOnDelivery;
        if !cash {
            assert_eq!(taken, net, "the gateway's books differ for {state:?}");
        }
        let confirmed = matches!(state, Order::Confirmed { .. });
        let (_, due) = if confirmed { worth(world, order) } else { (0, 0) };
        assert_eq!(net, due, "{} of {wish:?}: {state:?}", payment_id(order));
        let over = !confirmed || state.is_closed() || wish.pays_at_once();
        if over {
            assert_eq!(held, 0, "the gateway still holds money for {state:?}");
        }
    }
}

/// Of what is closed nothing is held, owed or awaited: it can be put away.
pub fn what_is_closed_is_over(world: &World, set_up: &SetUp) {
    for order in 0..set_up.orders.len() {
        let state = order_of(world, order);
        for payment in payments(world, order) {
            if world.state(AggregateType::Payment, &payment).is_closed() {
                let (_, held) = world.gateway.balance(&payment);
                assert_eq!(held, 0, "{payment} is closed, and the gateway holds its money");
            }
        }
        let fulfilment = world.state(AggregateType::Fulfilment, &order_id(order));
        if matches!(state, Order::Confirmed { .. }) && state.is_closed() {
            // What costs nothing has nothing to be captured or given back: its fulfilment never begins.
            let is_paid = state.placement().is_some_and(|placement| placement.payment.is_some());
            let is_idle = matches!(fulfilment, AnyState::Fulfilment(Fulfilment::Idle));
            let is_over = if is_paid { fulfilment.is_closed() } else { is_idle };
            assert!(is_over, "{state:?} is closed, and not {fulfilment:?}");
        }
        if let AnyState::Fulfilment(Fulfilment::Running(books)) = &fulfilment
            && fulfilment.is_closed()
        {
            let open = (books.missing(), books.owed(), books.pending.is_some(), books.retry_at.is_some());
            assert_eq!(open, (0, 0, false, false), "{books:?}");
            assert!(state.is_closed(), "{fulfilment:?} is closed, and not {state:?}");
        }
    }
    for aggregate_type in AggregateType::ALL.iter().filter(|aggregate_type| !aggregate_type.ends()) {
        for id in world.ids(*aggregate_type) {
            assert!(!world.state(*aggregate_type, &id).is_closed(), "{aggregate_type}-{id}");
        }
    }
}

/// What a guest's cart held went into the other cart, or is back where it was.
pub fn no_line_leaked(world: &World) {
    let cart_events = || {
        world.log.iter().filter_map(|entry| match &entry.event {
            AnyEvent::Cart(event) => Some((entry.id.as_str(), event)),
            _ => None,
        })
    };
    for (guest, event) in cart_events() {
        let cart::Event::MergedInto { into, .. } = event else { continue };
        let ended = cart_events().any(|(id, event)| match event {
            cart::Event::LinesTaken { from, .. } => id == into.as_str() && from.as_str() == guest,
            cart::Event::MergeUndone { .. } => id == guest,
            _ => false,
        });
        assert!(ended, "what {guest} held is nowhere");
    }
}

/// Every number once, in the order of time; every shipped order has one.
pub fn invoices_have_no_gap(world: &World) {
    let mut books: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for entry in &world.log {
        if let AnyEvent::InvoiceBook(invoice_book::Event::Issued { number, .. }) = &entry.event {
            books.entry(&entry.id).or_default().push(*number);
        }
    }
    for numbers in books.values() {
        assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
    }
    for id in world.ids(AggregateType::Order) {
        let AnyState::Order(order) = world.state(AggregateType::Order, &id) else { unreachable!() };
        let shipped =
            events_of(world, &id).any(|event| matches!(event, Event::Shipped { terms: Some(_), .. }));
        if shipped || matches!(order, Order::CreditNote { .. }) {
            assert!(order.invoice().is_some(), "{id} has no number: {order:?}");
        }
    }
}

/// The gateway fails now and then, never for ever.
pub fn nothing_was_given_up(world: &World) {
    for entry in &world.log {
        if let AnyEvent::Fulfilment(event @ fulfilment::Event::SettlementFailed { .. }) = &entry.event {
            panic!("{} gave up: {event:?}", entry.id);
        }
    }
}
