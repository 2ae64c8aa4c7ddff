//! What can happen next.

pub mod shop;

use std::str::FromStr;

use domain::{
    AggregateType, AnyState, inventory_item,
    order::{self, CancelReason, Change, Disposition, Order, ReceivedUnits, Units},
    payment,
    value::{Money, Quantity, Text},
};
use proptest::prelude::*;

use self::shop::SetUp;
use crate::world::World;

/// One thing that happens. Numbers pick among what there is.
#[derive(Clone, Debug)]
pub enum Turn {
    Step {
        pick: usize,
        life: usize,
    },
    /// Followers and gateway catch up.
    Rest,
    CheckOut(usize),
    Merge {
        order: usize,
        sku: usize,
        units: u32,
    },
    Reprice {
        sku: usize,
        pence: i64,
    },
    Authorize {
        order: usize,
        attempt: u8,
        of_edit: bool,
    },
    Answer {
        pick: usize,
        well: bool,
    },
    TimeOut(usize),
    Timer,
    Hold(usize),
    Look {
        order: usize,
        well: bool,
    },
    Cancel(usize),
    CancelLines {
        order: usize,
        line: u32,
        units: u32,
    },
    Ship {
        order: usize,
        line: u32,
        units: u32,
    },
    Deliver {
        order: usize,
        pick: usize,
    },
    Edit {
        order: usize,
        line: u32,
        units: u32,
        add: Option<(usize, u32)>,
    },
    Return {
        order: usize,
        line: u32,
        units: u32,
        restock: bool,
    },
    Receive {
        sku: usize,
        units: u32,
    },
    Rival {
        sku: usize,
        units: u32,
    },
    Capture {
        order: usize,
        pence: i64,
    },
}

pub fn turn() -> impl Strategy<Value = Turn> {
    let order = || 0..shop::ORDERS_MAX;
    let units = || 1..4_u32;
    prop_oneof![
        20 => (any::<usize>(), prop_oneof![3 => Just(usize::MAX), 1 => 0..6_usize])
            .prop_map(|(pick, life)| Turn::Step { pick, life }),
        4 => Just(Turn::Rest),
        6 => order().prop_map(Turn::CheckOut),
        1 => (order(), 0..2_usize, units()).prop_map(|(order, sku, units)| Turn::Merge { order, sku, units }),
        1 => (0..2_usize, 0..500_i64).prop_map(|(sku, pence)| Turn::Reprice { sku, pence }),
        8 => (order(), 0..4_u8, any::<bool>())
            .prop_map(|(order, attempt, of_edit)| Turn::Authorize { order, attempt, of_edit }),
        8 => (0..20_usize, prop::bool::weighted(0.6)).prop_map(|(pick, well)| Turn::Answer { pick, well }),
        1 => any::<usize>().prop_map(Turn::TimeOut),
        1 => Just(Turn::Timer),
        1 => order().prop_map(Turn::Hold),
        2 => (order(), prop::bool::weighted(0.8)).prop_map(|(order, well)| Turn::Look { order, well }),
        1 => order().prop_map(Turn::Cancel),
        2 => (order(), 0..3_u32, units())
            .prop_map(|(order, line, units)| Turn::CancelLines { order, line, units }),
        6 => (order(), 0..2_u32, units()).prop_map(|(order, line, units)| Turn::Ship { order, line, units }),
        3 => (order(), any::<usize>()).prop_map(|(order, pick)| Turn::Deliver { order, pick }),
        4 => (order(), 0..2_u32, units(), prop::option::of((0..2_usize, units())))
            .prop_map(|(order, line, units, add)| Turn::Edit { order, line, units, add }),
        5 => (order(), 0..2_u32, 1..3_u32, any::<bool>())
            .prop_map(|(order, line, units, restock)| Turn::Return { order, line, units, restock }),
        1 => (0..2_usize, units()).prop_map(|(sku, units)| Turn::Receive { sku, units }),
        1 => (0..2_usize, units()).prop_map(|(sku, units)| Turn::Rival { sku, units }),
        1 => (order(), 1..500_i64).prop_map(|(order, pence)| Turn::Capture { order, pence }),
    ]
}

pub fn named<T: FromStr<Err: std::fmt::Debug>>(name: impl AsRef<str>) -> T {
    name.as_ref().parse().unwrap()
}

pub fn quantity(units: u32) -> Quantity {
    Quantity::new(units).unwrap()
}

pub fn order_of(world: &World, order: usize) -> Order {
    match world.state(AggregateType::Order, &shop::order_id(order)) {
        AnyState::Order(order) => order,
        _ => unreachable!(),
    }
}

pub fn take(world: &mut World, set_up: &SetUp, turn: &Turn) {
    let fresh = format!("x{}", world.log.len());
    match turn.clone() {
        Turn::Step { pick, life } => world.step(pick, life),
        Turn::Rest => world.settle(),
        Turn::CheckOut(order) => shop::check_out(world, set_up, order),
        Turn::Merge { order, sku, units } => shop::merge(world, &fresh, order, sku, units),
        Turn::Reprice { sku, pence } => shop::reprice(world, sku, pence),
        Turn::Authorize { order, attempt, of_edit } => authorize(world, order, attempt, of_edit),
        Turn::Answer { pick, well } => world.answer(pick, well),
        Turn::TimeOut(pick) => {
            if let Some((payment, command)) = world.gateway.time_out(pick) {
                world.client(&payment, command);
            }
        }
        Turn::Timer => drop(world.fire_next()),
        Turn::Hold(order) => drop(client(world, order, order::Command::HoldForReview { reason: text() })),
        Turn::Look { order, well: true } => {
            client(world, order, order::Command::ReleaseFromReview { note: None });
        }
        Turn::Look { order, well: false } => {
            client(world, order, order::Command::RejectAfterReview { note: None });
        }
        Turn::Cancel(order) => {
            client(
                world,
                order,
                order::Command::Cancel { reason: CancelReason::CustomerRequest, note: None },
            );
        }
        Turn::CancelLines { order, line, units } => {
            let lines = vec![Units { line, quantity: quantity(units) }];
            client(
                world,
                order,
                order::Command::CancelLines { cancellation: named(fresh), lines, note: None },
            );
        }
        Turn::Ship { order, line, units } => {
            let lines = vec![Units { line, quantity: quantity(units) }];
            let (carrier, tracking) = (text(), None);
            client(world, order, order::Command::Ship { shipment: named(fresh), carrier, tracking, lines });
        }
        Turn::Deliver { order, pick } => {
            let shipments: Vec<_> = order_of(world, order)
                .book()
                .map(|book| book.shipments().keys().cloned().collect())
                .unwrap_or_default();
            if let Some(shipment) = shipments.get(pick % shipments.len().max(1)) {
                client(world, order, order::Command::Deliver { shipment: shipment.clone() });
            }
        }
        Turn::Edit { order, line, units, add } => edit(world, order, &fresh, line, units, add),
        Turn::Return { order, line, units, restock } => give_back(world, order, &fresh, line, units, restock),
        Turn::Receive { sku, units } => shop::receive(world, sku, units),
        Turn::Rival { sku, units } => rival(world, &fresh, sku, units),
        Turn::Capture { order, pence } => capture(world, set_up, order, &fresh, pence),
    }
}

fn text() -> Text {
    named("because")
}

fn client(world: &mut World, order: usize, command: order::Command) -> bool {
    world.client(&shop::order_id(order), command)
}

fn authorize(world: &mut World, order: usize, attempt: u8, of_edit: bool) {
    let payments = shop::payments(world, order);
    let payment = if of_edit { payments.last() } else { payments.first() };
    if let Some(payment) = payment.cloned() {
        let command = payment::Command::Authorize {
            attempt: named(format!("a{attempt}")),
            token: text().into(),
            keep_for: None,
        };
        world.client(&payment, command);
    }
}

fn edit(world: &mut World, order: usize, fresh: &str, line: u32, units: u32, add: Option<(usize, u32)>) {
    let edit = || named(format!("edit-{fresh}"));
    let mut changes = vec![Change::SetQuantity { line, quantity: quantity(units) }];
    changes.extend(add.map(|(sku, units)| {
        Change::AddLine(order::Line {
            sku: named(shop::SKUS[sku]),
            title: None,
            quantity: quantity(units),
            unit_price: shop::pence(333),
            tax: Some(shop::pence(0)),
        })
    }));
    if client(world, order, order::Command::BeginEdit { edit: edit() }) {
        client(world, order, order::Command::StageEdit { edit: edit(), changes });
        let (now, pay_by) = (world.at(), world.at().plus_millis(shop::PAY_WITHIN_MS));
        let payment = Some(named(format!("{}-{fresh}", shop::edit_payments(order))));
        if !client(
            world,
            order,
            order::Command::CommitEdit { edit: edit(), payment, pay_by: Some(pay_by), now },
        ) {
            client(world, order, order::Command::AbandonEdit { edit: edit() });
        }
    }
}

fn give_back(world: &mut World, order: usize, fresh: &str, line: u32, units: u32, restock: bool) {
    let return_id = || named(format!("return-{fresh}"));
    let lines = vec![Units { line, quantity: quantity(units) }];
    if !client(world, order, order::Command::RequestReturn { return_id: return_id(), lines, reason: text() })
    {
        return;
    }
    client(world, order, order::Command::ApproveReturn { return_id: return_id() });
    let disposition = if restock { Disposition::Restock } else { Disposition::WriteOff };
    let lines = vec![ReceivedUnits { line, quantity: quantity(units), disposition }];
    let issued_at = world.at();
    client(world, order, order::Command::ReceiveReturn { return_id: return_id(), lines, issued_at });
}

/// Somebody in the shop wants units after every hold has run out, for an hour.
fn rival(world: &mut World, fresh: &str, sku: usize, units: u32) {
    let now = world.at();
    let reserve = inventory_item::Command::Reserve {
        reservation: named(format!("rival-{fresh}")),
        quantity: quantity(units),
        expires_at: Some(now.plus_millis(3_600_000)),
        in_stock: false,
        now,
    };
    world.client(shop::SKUS[sku], reserve);
}

/// Staff take money by hand, of orders that would take it at once anyway.
fn capture(world: &mut World, set_up: &SetUp, order: usize, fresh: &str, pence: i64) {
    if set_up.orders.get(order).is_some_and(shop::Wish::pays_at_once) {
        let amount = Some(Money::new(pence, shop::CURRENCY));
        let capture = payment::Command::Capture { capture: named(format!("by-hand-{fresh}")), amount };
        world.client(&shop::payment_id(order), capture);
    }
}

/// The day ends: held orders are looked at, and what was shipped arrives.
pub fn close(world: &mut World, set_up: &SetUp) {
    world.settle();
    for order in 0..set_up.orders.len() {
        client(world, order, order::Command::ReleaseFromReview { note: None });
        world.settle();
        let shipments: Vec<_> = order_of(world, order)
            .book()
            .map(|book| book.shipments().keys().cloned().collect())
            .unwrap_or_default();
        for shipment in shipments {
            client(world, order, order::Command::Deliver { shipment });
        }
    }
}
