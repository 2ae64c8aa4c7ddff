//! Random histories: whatever happens, the rows are what a fold of the log says.

use std::num::NonZeroI32;

use domain::{
    AnyCommand, cart,
    inventory_item::{self, AdjustReason, StockPolicy},
    order::{self, CancelReason, Change, Disposition, EditFailure, ReceivedUnits, Units},
    payment::{self, Authorization, CaptureWhen, Method, Settlement},
    product,
    value::{Currency, LocationId, Time},
};

use crate::{
    carts::delivery,
    naive,
    world::{
        World, allocate, cart_line, charge, credit, gbp, listing, order_line, placement, receive, release,
        reserve, sku, terms, text, units,
    },
};

/// SplitMix64: a seed names a history for ever.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        u32::try_from((z ^ (z >> 31)) % u64::from(sides)).unwrap()
    }

    pub fn name(&mut self, prefix: &str, many: u32) -> String {
        format!("{prefix}{}", self.roll(many))
    }

    fn time(&mut self) -> Time {
        Time::from_millis(i64::from(self.roll(1_000)) * 10_000_000)
    }
}

/// Executes random commands; refusals are part of a history.
pub async fn history(world: &World, seed: u64, commands: usize) {
    let mut dice = Dice(seed);
    for _ in 0..commands {
        let (id, command) = match dice.roll(14) {
            0..=3 => (dice.name("S", 5), stock(&mut dice)),
            4..=5 => (dice.name("c", 4), cart(&mut dice)),
            6..=7 | 10.. => (dice.name("o", 6), order(&mut dice)),
            8 => (dice.name("p", 4), payment(&mut dice)),
            9 => (dice.name("e", 4), entry(&mut dice)),
        };
        let _refused_or_not = world.try_run(&id, command).await;
    }
}

fn stock(dice: &mut Dice) -> AnyCommand {
    let name = dice.name("r", 6);
    match dice.roll(9) {
        0 => receive(dice.roll(20) + 1).into(),
        1 => inventory_item::Command::Adjust {
            delta: NonZeroI32::new(if dice.roll(2) == 0 { -3 } else { 3 }).unwrap(),
            reason: AdjustReason::Count,
            location: None,
            reference: None,
        }
        .into(),
        2 => reserve(&name, dice.roll(5) + 1, Some(-1)).into(),
        3 => reserve(&name, dice.roll(5) + 1, None).into(),
        4 => release(&name).into(),
        5..=6 => allocate(&name).into(),
        _ => shelves(dice, &name).into(),
    }
}

/// What is done with places, promises and the times of holds.
fn shelves(dice: &mut Dice, reservation: &str) -> inventory_item::Command {
    let place = dice.name("place", 2).parse().unwrap();
    match dice.roll(6) {
        0..=1 => inventory_item::Command::Transfer {
            transfer: text(&dice.roll(1_000).to_string()),
            from: LocationId::main(),
            to: place,
            quantity: units(dice.roll(3) + 1),
        },
        2 => {
            let counted = dice.roll(9);
            inventory_item::Command::Count { location: Some(place), counted, expected: None, reference: None }
        }
        3 => inventory_item::Command::Extend {
            reservation: reservation.parse().unwrap(),
            expires_at: Time::from_millis(5),
            now: Time::from_millis(-2),
        },
        4 => inventory_item::Command::SetReorderPoint { units: Some(dice.roll(9)) },
        _ => inventory_item::Command::SetPolicy {
            policy: StockPolicy::Backorder { limit: None, promised_at: Some(Time::from_millis(9)) },
        },
    }
}

fn cart(dice: &mut Dice) -> AnyCommand {
    let name = dice.name("S", 4);
    let (other, customer) = (|dice: &mut Dice| dice.name("c", 4).parse().unwrap(), || "u".parse().unwrap());
    let expires_at = Some(dice.time()).filter(|_| dice.roll(2) == 0);
    let line = |dice: &mut Dice| cart_line(&name, dice.roll(4) + 1, dice.roll(500).into());
    let currency = Currency::GBP;
    let command = match dice.roll(13) {
        0..=1 => cart::Command::Open { customer: None, currency, expires_at },
        2..=5 => cart::Command::AddLine { line: line(dice), expires_at },
        6 => cart::Command::SetQuantity { sku: sku(&name), quantity: units(dice.roll(9) + 1), expires_at },
        7 => cart::Command::RemoveLine { sku: sku(&name) },
        8 => cart::Command::AcceptPrices {
            prices: vec![cart::Price {
                sku: sku(&name),
                unit_price: gbp(dice.roll(500).into()),
                purchase_limit: None,
            }],
        },
        9 => cart::Command::Expire { now: dice.time() },
        10 => match dice.roll(4) {
            0 => cart::Command::MergeInto { into: other(dice), customer: customer() },
            _ => cart::Command::UndoMerge { into: other(dice) },
        },
        11 => {
            let (from, lines) = (other(dice), vec![line(dice)]);
            cart::Command::TakeLines { from, customer: customer(), currency, lines, expires_at }
        }
        _ => cart::Command::CheckOut {
            order: dice.name("o", 6).parse().unwrap(),
            payment: dice.name("p", 4).parse().unwrap(),
            method: Method::Card,
            delivery: delivery(),
            expected_total: None,
            pay_by: dice.time(),
            now: None,
            prices: vec![],
            quote: None,
            capture: CaptureWhen::AtOnce,
            attempts_max: None,
            review: None,
        },
    };
    command.into()
}

fn order(dice: &mut Dice) -> AnyCommand {
    let command = match dice.roll(20) {
        0..=2 => {
            let mut placed = placement("x", dice.time());
            let lines = 0..dice.roll(5);
            placed.lines = lines.map(|n| order_line(&format!("S{n}"), dice.roll(9) + 1, 100)).collect();
            placed.charges = vec![charge("POST", i64::from(dice.roll(300)) - 50)];
            placed.payment = (dice.roll(2) == 0).then(|| terms(&dice.name("p", 4)));
            placed.customer = (dice.roll(2) == 0).then(|| dice.name("u", 2).parse().unwrap());
            order::Command::Place(placed)
        }
        3..=5 => order::Command::Confirm {},
        6 if dice.roll(3) == 0 => {
            order::Command::Cancel { reason: CancelReason::CustomerRequest, note: None }
        }
        6 => order::Command::HoldForReview { reason: text("risky") },
        7 if dice.roll(3) == 0 => order::Command::IssueCreditNote(credit("y", dice.time())),
        7 => order::Command::ReleaseFromReview { note: None },
        8..=13 => shipping(dice),
        14..=16 => returning(dice),
        _ => editing(dice),
    };
    command.into()
}

fn some_units(dice: &mut Dice) -> Vec<Units> {
    let some = |_| Units { line: dice.roll(3), quantity: units(dice.roll(3) + 1) };
    (0..2).map(some).collect()
}

fn shipping(dice: &mut Dice) -> order::Command {
    let shipment = dice.name("s", 4).parse().unwrap();
    match dice.roll(8) {
        0..=3 => {
            order::Command::Ship { shipment, carrier: text("DHL"), tracking: None, lines: some_units(dice) }
        }
        4 => order::Command::ChangeTracking { shipment, carrier: text("UPS"), tracking: Some(text("1Z")) },
        5 => order::Command::Deliver { shipment },
        6 => order::Command::RecordTransit {
            shipment,
            transit: if dice.roll(2) == 0 { order::Transit::InTransit } else { order::Transit::Exception },
        },
        _ => order::Command::CancelLines {
            cancellation: dice.name("x", 4).parse().unwrap(),
            lines: some_units(dice),
            note: None,
        },
    }
}

fn returning(dice: &mut Dice) -> order::Command {
    let return_id = dice.name("r", 3).parse().unwrap();
    match dice.roll(8) {
        0..=2 => {
            order::Command::RequestReturn { return_id, lines: some_units(dice), reason: text("too small") }
        }
        3..=4 => order::Command::ApproveReturn { return_id },
        5 => order::Command::RejectReturn { return_id, note: Some(text("late")) },
        6 => order::Command::RecordReturnRefunded { return_id, amount: gbp(1) },
        _ => order::Command::ReceiveReturn {
            return_id,
            lines: vec![ReceivedUnits {
                line: dice.roll(3),
                quantity: units(1),
                disposition: Disposition::Restock,
            }],
            issued_at: dice.time(),
        },
    }
}

fn editing(dice: &mut Dice) -> order::Command {
    let edit = dice.name("e", 2).parse().unwrap();
    match dice.roll(9) {
        0..=1 => order::Command::BeginEdit { edit },
        2..=3 => order::Command::StageEdit {
            edit,
            changes: vec![
                Change::SetQuantity { line: dice.roll(2), quantity: units(dice.roll(9) + 1) },
                Change::AddLine(order_line("S9", 1, 70)),
            ],
        },
        4..=5 => order::Command::CommitEdit { edit, payment: None, pay_by: None, now: dice.time() },
        6 => order::Command::ApplyEdit { edit },
        7 => order::Command::RejectEdit { edit, reason: EditFailure::NotPaid },
        _ => order::Command::AbandonEdit { edit },
    }
}

fn payment(dice: &mut Dice) -> AnyCommand {
    let attempt = dice.name("a", 3).parse().unwrap();
    let capture = dice.name("k", 3).parse().unwrap();
    let refund = dice.name("f", 3).parse().unwrap();
    let outcome = match dice.roll(2) {
        0 => Settlement::Done,
        _ => Settlement::Failed { reason: text("no") },
    };
    let command = match dice.roll(10) {
        0..=1 => payment::Command::OpenIntent {
            order: dice.name("o", 6).parse().unwrap(),
            amount: gbp(300),
            method: if dice.roll(3) == 0 { Method::CashOnDelivery } else { Method::Card },
            capture: CaptureWhen::OnShipment,
        },
        2 => payment::Command::Authorize { attempt, token: text("tok").into(), keep_for: None },
        3..=4 => payment::Command::RecordAuthorization {
            attempt,
            outcome: match dice.roll(4) {
                0 => Authorization::Declined { reason: text("no") },
                1 => Authorization::TimedOut,
                n => Authorization::Approved { reference: text(&n.to_string()) },
            },
        },
        5 => payment::Command::Capture { capture, amount: Some(gbp(dice.roll(200).into())) },
        6 => payment::Command::RecordCapture { capture, outcome },
        7 => match dice.roll(2) {
            0 => payment::Command::Void {},
            _ => payment::Command::RecordVoid { reference: text(&(dice.roll(3) + 2).to_string()), outcome },
        },
        8 => payment::Command::Refund { refund, amount: Some(gbp(dice.roll(90).into())), reason: text("r") },
        _ => payment::Command::RecordRefund { refund, outcome },
    };
    command.into()
}

fn entry(dice: &mut Dice) -> AnyCommand {
    let command = match dice.roll(3) {
        0 => {
            let names: Vec<String> = (0..=dice.roll(3)).map(|n| format!("S{n}")).collect();
            let variants: Vec<(&str, i64)> =
                names.iter().map(|name| (name.as_str(), dice.roll(99).into())).collect();
            product::Command::List(listing("Thing", &variants))
        }
        _ => product::Command::ChangePrice { sku: sku(&dice.name("S", 3)), price: gbp(dice.roll(99).into()) },
    };
    command.into()
}

#[tokio::test(flavor = "multi_thread")]
async fn live_rows_are_what_a_fold_of_the_log_says() {
    for seed in [1, 2, 3] {
        let world = World::new().await;
        history(&world, seed, 500).await;
        naive::check(&world).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_batch_are_what_a_fold_of_the_log_says() {
    let world = World::idle().await;
    history(&world, 4, 800).await;
    naive::check(&world.restarted(&[]).await).await;
}
