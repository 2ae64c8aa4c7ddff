//! The rules worth arguing about, one by one.

use super::*;
use crate::{
    payment::{CaptureWhen, Method},
    value::{Quantity, Sku},
};

fn line(sku: &str, quantity: u32, price: i64) -> Line {
    Line { sku: named(sku), title: None, quantity: units(quantity), unit_price: pounds(price), tax: None }
}

fn charge(amount: i64) -> Charge {
    Charge { code: named("POST"), title: None, quantity: units(1), unit_amount: pounds(amount), tax: None }
}

fn terms() -> Terms {
    Terms { payment: named("pay-1"), method: Method::Card, capture: CaptureWhen::OnShipment }
}

fn placement(lines: Vec<Line>, charges: Vec<Charge>) -> Placement {
    Placement {
        customer: None,
        source: Source::Cart(named("cart-1")),
        lines,
        charges,
        prices_include_tax: true,
        payment: Some(terms()),
        delivery: None,
        country: None,
        placed_at: Time::from_millis(0),
    }
}

fn after(placement: Placement, commands: Vec<Command>) -> Order {
    fold(caused::<Order>([vec![Command::Place(placement), Command::Confirm {}], commands].concat()))
}

fn some(lines: &[(u32, u32)]) -> Vec<Units> {
    lines.iter().map(|(line, count)| Units { line: *line, quantity: units(*count) }).collect()
}

fn ship(shipment: &str, lines: &[(u32, u32)]) -> Command {
    Command::Ship { shipment: named(shipment), carrier: named("DHL"), tracking: None, lines: some(lines) }
}

fn cancel_lines(cancellation: &str, lines: &[(u32, u32)]) -> Command {
    Command::CancelLines { cancellation: named(cancellation), lines: some(lines), note: None }
}

fn begin() -> Command {
    Command::BeginEdit { edit: named("e-1") }
}

fn stage(changes: Vec<Change>) -> Command {
    Command::StageEdit { edit: named("e-1"), changes }
}

fn commit() -> Command {
    let now = Time::from_millis(5);
    Command::CommitEdit { edit: named("e-1"), payment: Some(named("pay-2")), pay_by: Some(now), now }
}

fn apply() -> Command {
    Command::ApplyEdit { edit: named("e-1") }
}

fn set(line: u32, quantity: u32) -> Change {
    Change::SetQuantity { line, quantity: units(quantity) }
}

fn request(return_id: &str, lines: &[(u32, u32)]) -> Command {
    Command::RequestReturn { return_id: named(return_id), lines: some(lines), reason: named("too small") }
}

fn receive(return_id: &str, lines: &[(u32, u32)], disposition: Disposition) -> Command {
    let received = |units: Units| ReceivedUnits { line: units.line, quantity: units.quantity, disposition };
    Command::ReceiveReturn {
        return_id: named(return_id),
        lines: some(lines).into_iter().map(received).collect(),
        issued_at: Time::from_millis(7),
    }
}

fn of_sku(sku: &str, quantity: u32) -> SkuUnits {
    SkuUnits { sku: named::<Sku>(sku), quantity: units(quantity) }
}

fn bill(lines: &[(u32, i64)], charges: &[i64]) -> Result<crate::value::Money, Refusal> {
    let lines: Vec<_> = lines.iter().map(|(quantity, price)| line("MUG", *quantity, *price)).collect();
    let charges: Vec<_> = charges.iter().map(|amount| charge(*amount)).collect();
    super::bill::total(&lines, &charges, true)
}

#[test]
fn a_bill_adds_up_or_is_refused() {
    assert_eq!(bill(&[(2, 500)], &[300, -200]), Ok(pounds(1_100)));
    assert_eq!(bill(&[], &[300]), Ok(pounds(300)));
    assert_eq!(bill(&[(1, 0)], &[]), Ok(pounds(0)));
    assert_eq!(bill(&[], &[]), Err(Refusal::Empty));
    assert_eq!(bill(&[(1, -1)], &[300]), Err(Refusal::BadTotal));
    assert_eq!(bill(&[(1, 100)], &[-101]), Err(Refusal::BadTotal));
    assert_eq!(bill(&[(2, i64::MAX)], &[]), Err(Refusal::BadTotal));
    assert_eq!(bill(&vec![(1, 1); LINES_MAX + 1], &[]), Err(Refusal::TooManyLines { max: LINES_MAX }));
}

#[test]
fn taxes_are_part_of_the_prices_or_come_on_top() {
    let lines = [Line { tax: Some(pounds(20)), ..line("MUG", 2, 60) }];
    let charges = [Charge { tax: Some(pounds(5)), ..charge(30) }];
    assert_eq!(super::bill::total(&lines, &charges, true), Ok(pounds(150)));
    assert_eq!(super::bill::total(&lines, &charges, false), Ok(pounds(175)));
    let negative = [Line { tax: Some(pounds(-1)), ..line("MUG", 2, 60) }];
    assert_eq!(super::bill::total(&negative, &[], true), Err(Refusal::BadTotal));
}

#[test]
fn a_field_that_nobody_knows_is_refused_in_a_command() {
    let place = |extra: &str| {
        serde_json::from_str::<Command>(&format!(
            r#"{{"Place": {{"source": {{"import": "536365"}}, "lines": [], "placed_at": 0{extra}}}}}"#
        ))
    };
    assert!(place("").is_ok());
    assert!(place(r#", "discount": 5"#).is_err());
}

#[test]
fn an_order_under_review_waits_for_its_release() {
    let hold = Command::HoldForReview { reason: named("risky") };
    let place = Command::Place(placement(vec![line("MUG", 1, 100)], vec![]));
    let held: Order = fold(caused::<Order>(vec![place, hold]));
    assert_eq!(held.decide(Command::Confirm {}), Err(Refusal::HeldForReview { reason: named("risky") }));
    assert_eq!(held.status(), Some(Status::Held));
    let rejected = held.decide(Command::RejectAfterReview { note: None }).unwrap();
    assert!(matches!(rejected[..], [Event::Cancelled { reason: CancelReason::Rejected, .. }]));
    let released = held.clone().evolve(Event::ReleasedFromReview { note: None });
    assert_eq!(released.decide(Command::Confirm {}).unwrap().len(), 1);
    assert_eq!(released.decide(Command::RejectAfterReview { note: None }), Err(Refusal::NotHeld));
}

#[test]
fn the_first_shipment_takes_postage_along_and_the_odd_penny_is_not_lost() {
    let thirds = Line { tax: Some(pounds(100)), ..line("MUG", 3, 0) };
    let order = after(
        Placement { prices_include_tax: false, ..placement(vec![thirds], vec![charge(300)]) },
        vec![ship("s-1", &[(0, 1)])],
    );
    assert_eq!(order.book().unwrap().shipments()[&named("s-1")].value, pounds(333));
    assert_eq!((order.value_left(), order.status()), (Some(pounds(67)), Some(Status::PartiallyShipped)));
    let rest = order.decide(ship("s-2", &[(0, 2)])).unwrap();
    assert!(matches!(&rest[..], [Event::Shipped { value, complete: true, .. }] if *value == pounds(67)));
    assert_eq!(order.decide(ship("s-2", &[(0, 3)])), Err(Refusal::TooManyUnits { line: 0, left: 2 }));
    assert_eq!(order.decide(ship("s-1", &[(0, 1)])), Ok(vec![]));
    assert_eq!(order.decide(ship("s-1", &[(0, 2)])), Err(Refusal::ShipmentExists { shipment: named("s-1") }));
}

#[test]
fn a_discount_is_shared_by_the_lines_so_that_nothing_ships_for_less_than_nothing() {
    let order =
        after(placement(vec![line("MUG", 2, 30)], vec![charge(-50)]), vec![cancel_lines("x-1", &[(0, 1)])]);
    assert_eq!(order.value_left(), Some(pounds(5)));
    let shipped = order.decide(ship("s-1", &[(0, 1)])).unwrap();
    assert!(matches!(&shipped[..], [Event::Shipped { value, .. }] if *value == pounds(5)));
}

#[test]
fn a_carriers_word_is_noted_when_it_is_a_new_one_until_the_shipment_has_arrived() {
    let word = |transit| Command::RecordTransit { shipment: named("s-1"), transit };
    let order = after(placement(vec![line("MUG", 1, 100)], vec![]), vec![ship("s-1", &[(0, 1)])]);
    let moving = order.decide(word(Transit::InTransit)).unwrap();
    assert_eq!(moving, [Event::TransitNoted { shipment: named("s-1"), transit: Transit::InTransit }]);
    let mut order = moving.into_iter().fold(order, Order::evolve);
    assert_eq!(order.decide(word(Transit::InTransit)), Ok(vec![]));
    assert_eq!((order.status(), order.is_closed()), (Some(Status::Shipped), false));
    for transit in
        [Transit::Exception, Transit::InTransit].into_iter().cycle().take(TRANSITS_MAX as usize - 1)
    {
        let noted = order.decide(word(transit)).unwrap();
        assert_eq!(noted.len(), 1);
        order = noted.into_iter().fold(order, Order::evolve);
    }
    assert_eq!(order.decide(word(Transit::InTransit)), Ok(vec![]), "no more of them is noted");
    let delivered = order.decide(Command::Deliver { shipment: named("s-1") }).unwrap();
    let order = delivered.into_iter().fold(order, Order::evolve);
    assert_eq!(order.decide(word(Transit::Exception)), Ok(vec![]));
    assert_eq!(order.book().unwrap().shipments()[&named("s-1")].transit, Some(Transit::Exception));
    assert_eq!(
        order.decide(Command::RecordTransit { shipment: named("s-2"), transit: Transit::Exception }),
        Err(Refusal::NoSuchShipment { shipment: named("s-2") })
    );
}

#[test]
fn a_shipment_keeps_its_name_when_its_tracking_changes() {
    let change = Command::ChangeTracking {
        shipment: named("s-1"),
        carrier: named("UPS"),
        tracking: Some(named("1Z")),
    };
    let order = after(
        placement(vec![line("MUG", 1, 100)], vec![]),
        vec![ship("s-1", &[(0, 1)]), change, Command::Deliver { shipment: named("s-1") }],
    );
    let shipment = &order.book().unwrap().shipments()[&named("s-1")];
    assert_eq!((&shipment.carrier, shipment.delivered), (&named("UPS"), true));
    assert_eq!(order.decide(ship("s-1", &[(0, 1)])), Ok(vec![]));
    assert_eq!((order.status(), order.is_closed()), (Some(Status::Delivered), true));
    assert_eq!(
        order.decide(Command::Deliver { shipment: named("s-2") }),
        Err(Refusal::NoSuchShipment { shipment: named("s-2") })
    );
}

#[test]
fn cancelling_the_last_line_cancels_the_order_and_gives_the_postage_back() {
    let order = after(
        placement(vec![line("MUG", 2, 100), line("CUP", 1, 50)], vec![charge(300)]),
        vec![cancel_lines("x-1", &[(0, 2)])],
    );
    let last = order.decide(cancel_lines("x-2", &[(1, 1)])).unwrap();
    let [Event::LinesCancelled { value, complete: true, units: put_back, .. }, cancelled] = &last[..] else {
        panic!("{last:?}")
    };
    assert_eq!((value, &put_back[..]), (&pounds(350), &[of_sku("CUP", 1)][..]));
    let Event::Cancelled { reason, units, value, .. } = cancelled else { panic!("{cancelled:?}") };
    assert_eq!((*reason, &units[..], *value), (CancelReason::LinesCancelled, &[][..], Some(pounds(0))));
    let cancelled = last.into_iter().fold(order, Order::evolve);
    assert_eq!(cancelled.decide(cancel_lines("x-2", &[(1, 1)])), Ok(vec![]));
    let reason = CancelReason::LinesCancelled;
    assert_eq!(cancelled.decide(ship("s-1", &[(0, 1)])), Err(Refusal::Cancelled { reason }));
}

#[test]
fn an_order_that_was_shipped_is_returned_and_not_cancelled() {
    let order = after(placement(vec![line("MUG", 2, 100)], vec![]), vec![ship("s-1", &[(0, 1)])]);
    let cancel = Command::Cancel { reason: CancelReason::CustomerRequest, note: None };
    assert_eq!(order.decide(cancel), Err(Refusal::AlreadyShipped));
    assert_eq!(order.decide(begin()), Err(Refusal::AlreadyShipped));
}

#[test]
fn an_edit_says_what_stock_and_payment_have_to_move() {
    let changes = vec![set(0, 5), Change::RemoveLine { line: 1 }, Change::AddLine(line("JUG", 2, 70))];
    let order = after(
        placement(vec![line("MUG", 2, 100), line("CUP", 1, 50)], vec![charge(300)]),
        vec![begin(), stage(changes)],
    );
    let committed = order.decide(commit()).unwrap();
    let [Event::EditCommitted { add, remove, total, previous_total, payment, .. }] = &committed[..] else {
        panic!("{committed:?}")
    };
    assert_eq!((&add[..], &remove[..]), (&[of_sku("JUG", 2), of_sku("MUG", 3)][..], &[of_sku("CUP", 1)][..]));
    assert_eq!((*previous_total, *total, payment), (pounds(550), pounds(940), &Some(named("pay-2"))));
    let order = committed.into_iter().fold(order, Order::evolve);
    let committed = Err(Refusal::EditCommitted { edit: named("e-1") });
    assert_eq!(order.decide(ship("s-1", &[(0, 1)])), committed);
    assert_eq!(order.decide(cancel_lines("x-1", &[(0, 1)])), committed);
    assert_eq!(order.decide(Command::AbandonEdit { edit: named("e-1") }), committed);
    let order = order.decide(apply()).unwrap().into_iter().fold(order, Order::evolve);
    assert_eq!((order.total(), order.value_left()), (Some(pounds(940)), Some(pounds(940))));
    assert_eq!(order.placement().unwrap().lines, [line("MUG", 5, 100), line("JUG", 2, 70)]);
    let placed = placement(vec![line("MUG", 2, 100), line("CUP", 1, 50)], vec![charge(300)]);
    assert_eq!(order.decide(Command::Place(placed)), Ok(vec![]));
}

#[test]
fn an_edit_that_changes_nothing_or_leaves_nothing_is_refused() {
    let order = after(placement(vec![line("MUG", 2, 100)], vec![]), vec![begin()]);
    assert_eq!(order.decide(commit()), Err(Refusal::NothingToEdit));
    assert_eq!(order.decide(stage(vec![Change::RemoveLine { line: 0 }])), Err(Refusal::Empty));
    assert_eq!(order.decide(stage(vec![set(1, 1)])), Err(Refusal::NoSuchLine { line: 1 }));
    assert_eq!(
        order.decide(Command::BeginEdit { edit: named("e-2") }),
        Err(Refusal::EditOpen { edit: named("e-1") })
    );
    assert_eq!(order.decide(apply()), Err(Refusal::EditNotCommitted { edit: named("e-1") }));
}

#[test]
fn cancelling_the_order_ends_its_edit_first() {
    let order =
        after(placement(vec![line("MUG", 2, 100)], vec![]), vec![begin(), stage(vec![set(0, 3)]), commit()]);
    let events = order.decide(Command::Cancel { reason: CancelReason::Staff, note: None }).unwrap();
    let [Event::EditRejected { reason, .. }, Event::Cancelled { units, value, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!((*reason, &units[..]), (EditFailure::OrderClosed, &[of_sku("MUG", 2)][..]));
    assert_eq!(*value, Some(pounds(200)));
    let cancelled = events.into_iter().fold(order, Order::evolve);
    assert_eq!(cancelled.decide(apply()), Err(Refusal::Cancelled { reason: CancelReason::Staff }));
    let reject = Command::RejectEdit { edit: named("e-1"), reason: EditFailure::OutOfStock };
    assert_eq!(cancelled.decide(reject), Ok(vec![]));
}

#[test]
fn taxes_of_an_edited_line_grow_with_its_units() {
    let taxed = Line { tax: Some(pounds(33)), ..line("MUG", 2, 100) };
    let order = after(
        Placement { prices_include_tax: false, ..placement(vec![taxed], vec![]) },
        vec![begin(), stage(vec![set(0, 3)]), commit(), apply()],
    );
    assert_eq!(order.placement().unwrap().lines[0].tax, Some(pounds(50)));
    assert_eq!(order.total(), Some(pounds(350)));
}

#[test]
fn a_return_that_was_rejected_may_be_asked_for_again() {
    let approve = |id: &str| Command::ApproveReturn { return_id: named(id) };
    let order = after(
        placement(vec![line("MUG", 3, 100)], vec![charge(300)]),
        vec![ship("s-1", &[(0, 2)]), request("r-1", &[(0, 2)])],
    );
    assert_eq!(order.decide(request("r-2", &[(0, 1)])), Err(Refusal::TooManyUnits { line: 0, left: 0 }));
    let early = receive("r-1", &[(0, 1)], Disposition::Restock);
    assert_eq!(order.decide(early), Err(Refusal::ReturnNotApproved { return_id: named("r-1") }));
    let reject = Command::RejectReturn { return_id: named("r-1"), note: None };
    let again = [reject, request("r-2", &[(0, 2)]), approve("r-2")];
    let order = again
        .into_iter()
        .fold(order, |order, command| order.decide(command).unwrap().into_iter().fold(order, Order::evolve));
    assert_eq!(
        order.decide(receive("r-2", &[(0, 3)], Disposition::Restock)),
        Err(Refusal::TooManyUnits { line: 0, left: 2 })
    );
    let some = order.decide(receive("r-2", &[(0, 1)], Disposition::Restock)).unwrap();
    let [Event::ReturnReceived { restock, value, credit, .. }] = &some[..] else { panic!("{some:?}") };
    assert_eq!((&restock[..], *value), (&[of_sku("MUG", 1)][..], pounds(100)));
    assert_eq!(credit.lines, [line("MUG", 1, 100)]);
    let order = some.into_iter().fold(order, Order::evolve);
    assert_eq!(order.decide(request("r-3", &[(0, 1)])).unwrap().len(), 1);
}

#[test]
fn what_cannot_be_sold_again_is_refunded_and_not_restocked() {
    let order = after(
        placement(vec![line("MUG", 2, 30)], vec![charge(-50)]),
        vec![
            ship("s-1", &[(0, 2)]),
            request("r-1", &[(0, 2)]),
            Command::ApproveReturn { return_id: named("r-1") },
        ],
    );
    let received = order.decide(receive("r-1", &[(0, 2)], Disposition::WriteOff)).unwrap();
    let [Event::ReturnReceived { restock, value, credit, .. }] = &received[..] else {
        panic!("{received:?}")
    };
    assert_eq!((&restock[..], *value), (&[][..], pounds(10)));
    assert_eq!(credit.charges[0].unit_amount, pounds(-50));
    let order = received.into_iter().fold(order, Order::evolve);
    assert_eq!(order.status(), Some(Status::Returned));
    let refunded = |amount| Command::RecordReturnRefunded { return_id: named("r-1"), amount: pounds(amount) };
    let order = order.decide(refunded(10)).unwrap().into_iter().fold(order, Order::evolve);
    assert_eq!(order.decide(refunded(10)), Ok(vec![]));
    assert_eq!(order.decide(refunded(9)), Err(Refusal::ReturnRefunded { return_id: named("r-1") }));
}

#[test]
fn an_order_has_one_number_for_ever() {
    let record = |number| Command::RecordInvoice { year: 2026, number, issued_at: Time::from_millis(9) };
    let order = after(placement(vec![line("MUG", 2, 100)], vec![charge(300)]), vec![record(7)]);
    assert_eq!(order.decide(record(7)), Ok(vec![]));
    assert_eq!(order.decide(record(8)), Err(Refusal::AlreadyInvoiced { year: 2026, number: 7 }));
    let cancelled = order.decide(Command::Cancel { reason: CancelReason::Staff, note: None }).unwrap();
    let [Event::Cancelled { credit: Some(credit), .. }] = &cancelled[..] else { panic!("{cancelled:?}") };
    assert_eq!((&credit.lines[..], &credit.charges[..]), (&[line("MUG", 2, 100)][..], &[charge(300)][..]));
}

#[test]
fn units_beyond_one_quantity_stand_there_twice() {
    let many = Quantity::new(u32::MAX).unwrap();
    let lines = vec![Line { quantity: many, ..line("MUG", 1, 0) }; 2];
    let events = caused::<Order>(vec![Command::Place(placement(lines, vec![])), Command::Confirm {}]);
    let [_, Event::Confirmed { lines, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(lines.iter().map(|units| units.quantity).collect::<Vec<_>>(), [many, many]);
}

#[test]
fn every_refusal_serialises_its_code() {
    let (shipment, edit, return_id) = (|| named("s-1"), || named("e-1"), || named("r-1"));
    let refusals = [
        Refusal::NotPlaced,
        Refusal::AlreadyPlaced,
        Refusal::Cancelled { reason: CancelReason::OutOfStock },
        Refusal::IsCreditNote,
        Refusal::Empty,
        Refusal::TooManyLines { max: LINES_MAX },
        Refusal::BadTotal,
        Refusal::HeldForReview { reason: named("risky") },
        Refusal::NotHeld,
        Refusal::NotConfirmed,
        Refusal::AlreadyConfirmed,
        Refusal::AlreadyShipped,
        Refusal::NoSuchLine { line: 3 },
        Refusal::TooManyUnits { line: 3, left: 1 },
        Refusal::CancellationExists { cancellation: named("x-1") },
        Refusal::ShipmentExists { shipment: shipment() },
        Refusal::NoSuchShipment { shipment: shipment() },
        Refusal::EditOpen { edit: edit() },
        Refusal::EditCommitted { edit: edit() },
        Refusal::EditNotCommitted { edit: edit() },
        Refusal::EditEnded { edit: edit() },
        Refusal::NoSuchEdit { edit: edit() },
        Refusal::NothingToEdit,
        Refusal::ReturnExists { return_id: return_id() },
        Refusal::NoSuchReturn { return_id: return_id() },
        Refusal::ReturnNotApproved { return_id: return_id() },
        Refusal::ReturnReceived { return_id: return_id() },
        Refusal::ReturnRejected { return_id: return_id() },
        Refusal::ReturnNotReceived { return_id: return_id() },
        Refusal::ReturnRefunded { return_id: return_id() },
        Refusal::AlreadyInvoiced { year: 2026, number: 7 },
        Refusal::TooManySteps { max: STEPS_MAX },
    ];
    refusals.iter().for_each(check_refusal::<Order>);
}
