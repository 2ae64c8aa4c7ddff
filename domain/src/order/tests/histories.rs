//! Commands that collide often: few ids, few units, and a life that gets beyond its confirmation.

use proptest::prelude::*;

use super::*;
use crate::{
    payment::{CaptureWhen, Method},
    testing::{delivery, id, money, quantity, sku, text, time},
    value::{EditId, Quantity, ReturnId, ShipmentId},
};

fn line(quantity: impl Strategy<Value = Quantity>) -> impl Strategy<Value = Line> {
    let tax = prop_oneof![Just(None), (0..200_i64).prop_map(|tax| Some(pounds(tax)))];
    let price = prop_oneof![30 => (0..500_i64).prop_map(pounds), 1 => money()];
    (sku(), prop::option::of(text()), quantity, price, tax)
        .prop_map(|(sku, title, quantity, unit_price, tax)| Line { sku, title, quantity, unit_price, tax })
}

fn few() -> impl Strategy<Value = Quantity> {
    (1..5_u32).prop_map(units)
}

fn charge() -> impl Strategy<Value = Charge> {
    let amount = prop_oneof![3 => (-150..-1_i64).prop_map(pounds), 3 => Just(pounds(300)), 1 => money()];
    let tax = prop_oneof![3 => Just(None), 1 => (-9..30_i64).prop_map(|tax| Some(pounds(tax)))];
    (text(), prop_oneof![9 => few(), 1 => quantity()], amount, tax).prop_map(
        |(code, quantity, unit_amount, tax)| Charge { code, title: None, quantity, unit_amount, tax },
    )
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![id(&["cart-1"]).prop_map(Source::Cart), text().prop_map(Source::Import)]
}

fn terms() -> impl Strategy<Value = Option<Terms>> {
    prop::option::of(id(&["pay-1"]).prop_map(|payment| Terms {
        payment,
        method: Method::Card,
        capture: CaptureWhen::OnShipment,
    }))
}

fn placement(
    lines: impl Strategy<Value = Vec<Line>>,
    charges: impl Strategy<Value = Vec<Charge>>,
) -> impl Strategy<Value = Placement> {
    let bill = (lines, charges, any::<bool>());
    (prop::option::of(id(&["c-1"])), source(), bill, terms(), any::<bool>(), time()).prop_map(
        |(customer, source, (lines, charges, prices_include_tax), payment, delivered, placed_at)| Placement {
            customer,
            source,
            lines,
            charges,
            prices_include_tax,
            payment,
            delivery: delivered.then(delivery),
            country: delivered.then(|| named("GB")),
            placed_at,
        },
    )
}

fn any_placement() -> impl Strategy<Value = Placement> {
    placement(prop::collection::vec(line(quantity()), 0..3), prop::collection::vec(charge(), 0..3))
}

fn credit(placement: Placement) -> Credit {
    let Placement { customer, source, lines, charges, prices_include_tax, country, placed_at, .. } =
        placement;
    Credit {
        customer,
        source,
        order: Some(named("o-1")),
        lines,
        charges,
        prices_include_tax,
        country,
        issued_at: placed_at,
    }
}

fn early() -> impl Strategy<Value = Command> {
    let reason = prop_oneof![Just(CancelReason::CustomerRequest), Just(CancelReason::OutOfStock)];
    let note = || prop::option::of(text());
    prop_oneof![
        3 => any_placement().prop_map(Command::Place),
        2 => Just(Command::Confirm {}),
        1 => (reason, note()).prop_map(|(reason, note)| Command::Cancel { reason, note }),
        2 => text().prop_map(|reason| Command::HoldForReview { reason }),
        2 => note().prop_map(|note| Command::ReleaseFromReview { note }),
        1 => note().prop_map(|note| Command::RejectAfterReview { note }),
        1 => any_placement().prop_map(|placement| Command::IssueCreditNote(credit(placement))),
        1 => invoice(),
    ]
}

fn invoice() -> impl Strategy<Value = Command> {
    (1..3_u64, time()).prop_map(|(number, issued_at)| Command::RecordInvoice {
        year: 2026,
        number,
        issued_at,
    })
}

fn line_place() -> impl Strategy<Value = u32> {
    prop_oneof![5 => Just(0), 3 => Just(1), 1 => 2..4_u32]
}

fn some_units() -> impl Strategy<Value = Vec<Units>> {
    let some = || (line_place(), 1..4_u32).prop_map(|(line, count)| Units { line, quantity: units(count) });
    prop_oneof![3 => some().prop_map(|units| vec![units]), 1 => prop::collection::vec(some(), 1..4)]
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        3 => (line_place(), few()).prop_map(|(line, quantity)| Change::SetQuantity { line, quantity }),
        1 => line_place().prop_map(|line| Change::RemoveLine { line }),
        2 => line(few()).prop_map(Change::AddLine),
    ];
    prop::collection::vec(change, 0..3)
}

fn ship(shipment: ShipmentId) -> impl Strategy<Value = Command> {
    (text(), prop::option::of(text()), some_units()).prop_map(move |(carrier, tracking, lines)| {
        Command::Ship { shipment: shipment.clone(), carrier, tracking, lines }
    })
}

fn shipping() -> impl Strategy<Value = Command> {
    let shipment = || id(&["s-1", "s-2", "s-3", "s-4"]);
    let cancellation = id(&["x-1", "x-2", "x-3"]);
    prop_oneof![
        6 => shipment().prop_flat_map(ship),
        1 => (shipment(), text(), prop::option::of(text())).prop_map(
            |(shipment, carrier, tracking)| Command::ChangeTracking { shipment, carrier, tracking }
        ),
        2 => (shipment(), prop_oneof![Just(Transit::InTransit), Just(Transit::Exception)])
            .prop_map(|(shipment, transit)| Command::RecordTransit { shipment, transit }),
        4 => shipment().prop_map(|shipment| Command::Deliver { shipment }),
        2 => (cancellation, some_units(), prop::option::of(text())).prop_map(
            |(cancellation, lines, note)| Command::CancelLines { cancellation, lines, note }
        ),
    ]
}

/// An edit from its beginning to some end, or without one.
fn an_edit() -> impl Strategy<Value = Vec<Command>> {
    let end = prop_oneof![
        5 => Just(0_u8), 1 => Just(1), 1 => Just(2), 1 => Just(3)
    ];
    let payment = prop::option::of(id(&["pay-2"]));
    (id::<EditId>(&["e-1", "e-2", "e-3"]), changes(), changes(), payment, time(), end).prop_map(
        |(edit, first, second, payment, now, end)| {
            let id = || edit.clone();
            let stage = |changes| Command::StageEdit { edit: id(), changes };
            let commit = Command::CommitEdit { edit: id(), payment, pay_by: Some(now), now };
            let end = match end {
                0 => vec![commit, Command::ApplyEdit { edit: id() }],
                1 => vec![commit, Command::RejectEdit { edit: id(), reason: EditFailure::OutOfStock }],
                2 => vec![Command::AbandonEdit { edit: id() }, commit],
                _ => vec![commit],
            };
            [vec![Command::BeginEdit { edit: id() }, stage(first), stage(second)], end].concat()
        },
    )
}

/// A return from its request to its refund, if nothing stands in its way.
fn a_return() -> impl Strategy<Value = Vec<Command>> {
    let disposition = prop_oneof![Just(Disposition::Restock), Just(Disposition::WriteOff)];
    let id = id::<ReturnId>(&["r-1", "r-2", "r-3"]);
    let goods = (some_units(), some_units(), disposition, any::<bool>());
    (id, goods, text(), time(), 0..5_u8).prop_map(
        |(return_id, (lines, other, disposition, all), reason, issued_at, kind)| {
            let id = || return_id.clone();
            let received = |Units { line, quantity }| ReceivedUnits { line, quantity, disposition };
            let came = if all { lines.clone() } else { other }.into_iter().map(received).collect();
            let approve = Command::ApproveReturn { return_id: id() };
            let reject = Command::RejectReturn { return_id: id(), note: None };
            let receive = Command::ReceiveReturn { return_id: id(), lines: came, issued_at };
            let refund = Command::RecordReturnRefunded { return_id: id(), amount: pounds(1) };
            let request = Command::RequestReturn { return_id: id(), lines, reason };
            match kind {
                0 => vec![request, reject, approve],
                1 => vec![request, receive, approve],
                _ => vec![request, approve, receive, refund],
            }
        },
    )
}

/// The beginning of orders, and credit notes.
pub fn history() -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(early(), 0..12)
}

/// Orders that mostly get confirmed, and what follows: an edit or two, then shipments and returns.
pub fn whole_life() -> impl Strategy<Value = Vec<Command>> {
    let one = |command: Command| vec![command];
    let charges = prop::collection::vec(charge(), 0..2);
    let placed = placement(prop::collection::vec(line(few()), 1..4), charges).prop_map(Command::Place);
    let before = prop_oneof![4 => an_edit(), 1 => shipping().prop_map(one), 1 => early().prop_map(one)];
    let after = prop_oneof![8 => shipping().prop_map(one), 5 => a_return(), 1 => an_edit(), 1 => invoice().prop_map(one)];
    let lives = (prop::collection::vec(before, 0..3), prop::collection::vec(after, 0..14));
    (placed, lives).prop_map(|(placed, (before, after))| {
        let ends = ["e-1", "e-2", "e-3"].map(|edit| Command::AbandonEdit { edit: named(edit) });
        let begun = vec![placed, Command::Confirm {}];
        [begun, before.concat(), ends.to_vec(), after.concat()].concat()
    })
}
