//! Random histories of orders: units and money are conserved at every step.

mod conserved;
mod examples;
mod histories;

use proptest::prelude::*;

use super::*;
use crate::testing::{Again, caused, check_refusal, fold, named, play, pounds, units};

use conserved::{Totals, check_edges};
use histories::{history, whole_life};

proptest! {
    #[test]
    fn an_order_keeps_its_bill_and_repeats_change_nothing(commands in history()) {
        play::<Order>(commands, |_| Again::Nothing, |order, events| {
            let billed = match events.first() {
                None => None,
                Some(Event::Placed(placed)) => {
                    let total = bill::total(&placed.lines, &placed.charges, placed.prices_include_tax);
                    assert_eq!(total, Ok(placed.total));
                    Some(placed.total)
                }
                Some(Event::CreditNoteIssued(issued)) => Some(issued.total),
                Some(event) => panic!("{event:?} came first"),
            };
            assert_eq!(order.total(), billed);
            assert!(billed.is_none_or(|billed| billed.amount >= 0));
        });
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn units_and_money_are_conserved_at_every_step(commands in whole_life()) {
        play::<Order>(commands, |_| Again::Nothing, |order, events| {
            check_edges(order);
            Totals::of(events).check(order);
        });
    }

    #[test]
    fn any_order_of_events_folds(
        events in (whole_life(), history())
            .prop_map(|(one, other)| {
                let events = caused::<Order>;
                [events(one), events(other)].concat()
            })
            .prop_shuffle()
    ) {
        let order: Order = fold(events);
        prop_assert!(order.total().is_some() || order == Order::Unplaced);
        check_edges(&order);
    }
}
