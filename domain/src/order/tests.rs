//! Random histories of orders.

use proptest::prelude::*;

use super::*;
use crate::testing::{
    Again, caused, check_refusal, delivery, fold, id, money, named, play, pounds, quantity, sku, text, time,
    units,
};

fn line() -> impl Strategy<Value = Line> {
    (sku(), prop::option::of(text()), quantity(), money())
        .prop_map(|(sku, title, quantity, unit_price)| Line { sku, title, quantity, unit_price })
}

fn charge() -> impl Strategy<Value = Charge> {
    let amount = prop_oneof![Just(pounds(-50)), Just(pounds(300)), money()];
    (text(), quantity(), amount).prop_map(|(code, quantity, unit_amount)| Charge {
        code,
        title: None,
        quantity,
        unit_amount,
    })
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![id(&["cart-1"]).prop_map(Source::Cart), text().prop_map(Source::Import)]
}

fn placement() -> impl Strategy<Value = Placement> {
    let goods = (prop::collection::vec(line(), 0..3), prop::collection::vec(charge(), 0..3));
    (prop::option::of(id(&["c-1"])), source(), goods, prop::option::of(id(&["pay-1"])), any::<bool>(), time())
        .prop_map(|(customer, source, (lines, charges), payment, delivered, placed_at)| Placement {
            customer,
            source,
            lines,
            charges,
            payment,
            delivery: delivered.then(delivery),
            country: delivered.then(|| named("GB")),
            placed_at,
        })
}

fn command() -> impl Strategy<Value = Command> {
    let credit = |Placement { customer, source, lines, charges, country, placed_at, .. }: Placement| Credit {
        customer,
        source,
        order: Some(named("o-1")),
        lines,
        charges,
        country,
        issued_at: placed_at,
    };
    let reason = prop_oneof![Just(CancelReason::CustomerRequest), Just(CancelReason::OutOfStock)];
    prop_oneof![
        3 => placement().prop_map(Command::Place),
        2 => Just(Command::Confirm {}),
        1 => (reason, prop::option::of(text())).prop_map(|(reason, note)| Command::Cancel { reason, note }),
        1 => placement().prop_map(move |placement| Command::IssueCreditNote(credit(placement))),
    ]
}

fn history() -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(command(), 0..12)
}

proptest! {
    #[test]
    fn an_order_keeps_its_bill_and_repeats_change_nothing(commands in history()) {
        play::<Order>(commands, |_| Again::Nothing, |order, events| {
            let bill = match events.first() {
                None => None,
                Some(Event::Placed { placement, total: billed }) => {
                    assert_eq!(total(&placement.lines, &placement.charges), Ok(*billed));
                    Some(*billed)
                }
                Some(Event::CreditNoteIssued { total, .. }) => Some(*total),
                Some(event) => panic!("{event:?} came first"),
            };
            assert_eq!(order.total(), bill);
            assert!(bill.is_none_or(|bill| bill.amount >= 0));
            assert!(events.len() <= 3);
        });
    }

    #[test]
    fn any_order_of_events_folds(
        events in (history(), history())
            .prop_map(|(one, other)| {
                let events = caused::<Order>;
                [events(one), events(other)].concat()
            })
            .prop_shuffle()
    ) {
        let order: Order = fold(events);
        prop_assert!(order.total().is_some() || order == Order::Unplaced);
    }
}

fn bill(lines: &[(u32, i64)], charges: &[i64]) -> Result<Money, Refusal> {
    let line = |&(quantity, price): &(u32, i64)| Line {
        sku: named("MUG"),
        title: None,
        quantity: units(quantity),
        unit_price: pounds(price),
    };
    let charge = |&amount: &i64| Charge {
        code: named("POST"),
        title: None,
        quantity: units(1),
        unit_amount: pounds(amount),
    };
    let (lines, charges): (Vec<_>, Vec<_>) =
        (lines.iter().map(line).collect(), charges.iter().map(charge).collect());
    total(&lines, &charges)
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
fn every_refusal_serialises_its_code() {
    let refusals = [
        Refusal::NotPlaced,
        Refusal::AlreadyPlaced,
        Refusal::Cancelled { reason: CancelReason::OutOfStock },
        Refusal::IsCreditNote,
        Refusal::Empty,
        Refusal::TooManyLines { max: LINES_MAX },
        Refusal::BadTotal,
    ];
    refusals.iter().for_each(check_refusal::<Order>);
}
