//! The daily sums that an import is reconciled with.

use domain::{
    order::{CancelReason, Command, Source},
    value::Time,
};

use crate::world::{World, after, charge, credit, gbp, placement};

fn names(invoices: &[&str]) -> Vec<String> {
    invoices.iter().map(|invoice| format!("retail:{invoice}")).collect()
}

const NOON: i64 = 1_291_204_800_000;
const DAY: i64 = 86_400_000;

#[tokio::test(flavor = "multi_thread")]
async fn days_sum_up_what_an_import_sold_and_took_back() {
    let world = World::new().await;
    let place = |name: &str, millis| placement(&format!("retail:{name}"), Time::from_millis(millis));
    let mut charged = place("1", NOON);
    charged.charges = vec![charge("POST", 250)];
    world.run("1", Command::Place(charged)).await;
    world.run("2", Command::Place(place("2", NOON + DAY / 2 - 1))).await;
    world.run("3", Command::Place(place("3", NOON + DAY / 2))).await;
    world.run("4", Command::Place(place("4", NOON))).await;
    let cancel = Command::Cancel { reason: CancelReason::Staff, note: None };
    world.run("4", cancel).await;
    world.run("5", Command::IssueCreditNote(credit("retail:C5", Time::from_millis(NOON)))).await;
    world.run("6", Command::Place(place("6", -1))).await;
    world.run("7", Command::Place(placement("other:7", Time::from_millis(NOON)))).await;
    let mut bought = placement("x", Time::from_millis(NOON));
    bought.source = Source::Cart("retail".parse().unwrap());
    let token = world.run("8", Command::Place(bought)).await;
    let days = world.read.days(&names(&["1", "2", "3", "4", "C5", "6"]), after(token)).await.unwrap().value;
    let shown: Vec<_> = days
        .iter()
        .map(|day| (day.date.to_string(), day.orders, day.units, day.sale_value, day.returned_value))
        .collect();
    let day = |date: &str, orders, units, sold, returned| {
        (date.to_owned(), orders, units, gbp(sold), gbp(returned))
    };
    assert_eq!(
        shown,
        [day("1969-12-31", 1, 2, 300, 0), day("2010-12-01", 2, 5, 850, 150), day("2010-12-02", 1, 2, 300, 0),]
    );
    assert_eq!(
        serde_json::to_value(&days[2]).unwrap(),
        serde_json::json!({
            "date": "2010-12-02",
            "orders": 1,
            "units": 2,
            "sale_value": {"amount": 300, "currency": "GBP"},
            "returned_value": {"amount": 0, "currency": "GBP"},
        })
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn currencies_are_not_added_up() {
    let world = World::new().await;
    let mut euros = placement("retail:2", Time::from_millis(NOON));
    euros.lines[0].unit_price.currency = "EUR".parse().unwrap();
    world.run("1", Command::Place(placement("retail:1", Time::from_millis(NOON)))).await;
    let token = world.run("2", Command::Place(euros)).await;
    let days = world.read.days(&names(&["1", "2"]), after(token)).await.unwrap().value;
    let values: Vec<_> = days.iter().map(|day| day.sale_value.to_string()).collect();
    assert_eq!(values, ["300 EUR", "300 GBP"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_has_one_of_the_names_counts() {
    let world = World::new().await;
    world.run("1", Command::Place(placement("retail:1", Time::from_millis(NOON)))).await;
    let token = world.run("2", Command::Place(placement("retail:2", Time::from_millis(NOON)))).await;
    for others in [&[][..], &["%", "_", "11", ""]] {
        assert_eq!(world.read.days(&names(others), after(token)).await.unwrap().value, []);
    }
    let days = world.read.days(&names(&["2", "2", "3"]), after(token)).await.unwrap().value;
    assert_eq!((days.len(), days[0].orders), (1, 1));
}
