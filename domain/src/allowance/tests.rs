//! Random histories of allowances.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::testing::{Again, caused, check_refusal, fold, id as named_id, named, play, quantity, units};

fn command() -> impl Strategy<Value = Command> {
    let order = || named_id(&["o-1", "o-2", "o-3"]);
    prop_oneof![
        2 => (order(), quantity(), quantity())
            .prop_map(|(order, quantity, limit)| Command::Claim { order, quantity, limit }),
        1 => (order(), prop::option::of(quantity()))
            .prop_map(|(order, quantity)| Command::GiveBack { order, quantity }),
    ]
}

fn history() -> impl Strategy<Value = Vec<Command>> {
    prop::collection::vec(command(), 0..20)
}

/// What counts, told from the events alone.
fn counted(events: &[Event]) -> BTreeMap<OrderId, i64> {
    events.iter().fold(BTreeMap::new(), |mut counted, event| {
        match event {
            Event::Claimed { order, quantity } => {
                assert_eq!(counted.insert(order.clone(), i64::from(quantity.get())), None, "claimed twice");
            }
            Event::GivenBack { order, quantity } => {
                *counted.get_mut(order).unwrap() -= i64::from(quantity.get());
            }
        }
        counted
    })
}

proptest! {
    #[test]
    fn what_counts_is_what_was_claimed_and_not_given_back(commands in history()) {
        let again = |command: &Command| match command {
            Command::GiveBack { quantity: Some(_), .. } => Again::Anything,
            _ => Again::Nothing,
        };
        play::<Allowance>(commands, again, |allowance, events| {
            let counted = counted(events);
            assert_eq!(i64::try_from(allowance.used()).unwrap(), counted.values().sum::<i64>());
            for (order, counts) in counted {
                assert_eq!(i64::from(allowance.claimed(&order)), counts);
            }
        });
    }

    #[test]
    fn a_claim_never_goes_beyond_its_limit(commands in history()) {
        let mut allowance = Allowance::default();
        for command in commands {
            let limit = match &command {
                Command::Claim { limit, .. } => Some(limit.get()),
                Command::GiveBack { .. } => None,
            };
            let events = allowance.decide(command).unwrap_or_default();
            if let (Some(limit), false) = (limit, events.is_empty()) {
                allowance = events.into_iter().fold(allowance, Allowance::evolve);
                prop_assert!(allowance.used() <= limit.into());
            }
        }
    }

    #[test]
    fn any_order_of_events_folds(events in history().prop_map(caused::<Allowance>).prop_shuffle()) {
        let allowance: Allowance = fold(events);
        let orders = ["o-1", "o-2", "o-3"];
        let counts: u64 = orders.iter().map(|order| u64::from(allowance.claimed(&named(order)))).sum();
        prop_assert_eq!(allowance.used(), counts);
    }
}

fn claim(order: &str, quantity: u32) -> Command {
    Command::Claim { order: named(order), quantity: units(quantity), limit: units(5) }
}

fn give_back(order: &str, quantity: Option<u32>) -> Command {
    Command::GiveBack { order: named(order), quantity: quantity.map(units) }
}

fn after(commands: Vec<Command>) -> Allowance {
    fold(caused::<Allowance>(commands))
}

#[test]
fn the_limit_counts_over_all_orders_of_the_customer() {
    let allowance = after(vec![claim("o-1", 3)]);
    assert!(allowance.decide(claim("o-2", 2)).is_ok());
    let refused = Refusal::Exceeded { limit: units(5), used: 3, requested: units(3) };
    assert_eq!(allowance.decide(claim("o-2", 3)), Err(refused));
}

#[test]
fn an_order_claims_once() {
    let allowance = after(vec![claim("o-1", 3)]);
    assert_eq!(allowance.decide(claim("o-1", 3)), Ok(vec![]));
    let refused = Refusal::AlreadyClaimed { quantity: units(3) };
    assert_eq!(allowance.decide(claim("o-1", 2)), Err(refused));
    let given_back = after(vec![claim("o-1", 3), give_back("o-1", None)]);
    assert_eq!(given_back.decide(claim("o-1", 3)), Ok(vec![]), "a late repeat does not count again");
}

#[test]
fn what_is_given_back_may_be_claimed_again_by_another_order() {
    let allowance = after(vec![claim("o-1", 5), give_back("o-1", Some(2))]);
    assert_eq!((allowance.used(), allowance.claimed(&named("o-1"))), (3, 3));
    assert!(allowance.decide(claim("o-2", 2)).is_ok());
    let rest = Event::GivenBack { order: named("o-1"), quantity: units(3) };
    assert_eq!(allowance.decide(give_back("o-1", Some(9))), Ok(vec![rest.clone()]));
    assert_eq!(allowance.decide(give_back("o-1", None)), Ok(vec![rest.clone()]));
    assert_eq!(allowance.evolve(rest).decide(give_back("o-1", None)), Ok(vec![]));
    assert_eq!(after(vec![]).decide(give_back("o-1", None)), Ok(vec![]));
}

#[test]
fn no_two_customers_share_an_allowance() {
    let ids = [("a", "b-c"), ("a-b", "c"), ("a", "b:c"), ("a-b", "b:c")]
        .map(|(customer, sku)| id(&named(customer), &named(sku)));
    let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(distinct.len(), ids.len());
}

#[test]
fn every_refusal_serialises_its_code() {
    let refusals = [
        Refusal::Exceeded { limit: units(2), used: 1, requested: units(2) },
        Refusal::AlreadyClaimed { quantity: units(2) },
    ];
    refusals.iter().for_each(check_refusal::<Allowance>);
}
