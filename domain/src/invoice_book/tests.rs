//! Random histories of an invoice book.

use proptest::prelude::*;

use super::*;
use crate::testing::{Again, caused, check_refusal, fold, id, money, play, pounds, time};

fn command() -> impl Strategy<Value = Command> {
    let document = prop_oneof![Just(Document::Invoice), Just(Document::CreditNote)];
    (document, id(&["o-1", "o-2", "o-3", "n-1", "n-2"]), money(), time())
        .prop_map(|(document, order, total, issued_at)| Command::Issue { document, order, total, issued_at })
}

fn issue(order: &str) -> Command {
    Command::Issue {
        document: Document::Invoice,
        order: order.parse().unwrap(),
        total: pounds(100),
        issued_at: Time::from_millis(0),
    }
}

proptest! {
    #[test]
    fn numbers_run_from_one_without_a_gap_and_no_order_has_two(
        commands in prop::collection::vec(command(), 0..12)
    ) {
        play::<InvoiceBook>(commands, |_| Again::Nothing, |book, events| {
            let numbers: Vec<_> = events.iter().map(|Event::Issued { number, .. }| *number).collect();
            assert_eq!(numbers, (1..=book.last()).collect::<Vec<_>>());
            let orders: BTreeSet<_> = events.iter().map(|Event::Issued { order, .. }| order).collect();
            assert_eq!(orders.len(), events.len());
        });
    }

    #[test]
    fn any_order_of_events_folds(events in prop::collection::vec(command(), 0..6)
        .prop_map(caused::<InvoiceBook>)
        .prop_shuffle()
    ) {
        let count = events.len();
        prop_assert_eq!(fold::<InvoiceBook>(events).last(), count as u64);
    }
}

#[test]
fn the_oldest_orders_are_forgotten() {
    let issued = |number: u64| Event::Issued {
        number,
        document: Document::Invoice,
        order: format!("o-{number}").parse().unwrap(),
        total: pounds(100),
        issued_at: Time::from_millis(0),
    };
    let last = u64::try_from(RECENT_MAX).unwrap() + 1;
    let book: InvoiceBook = fold((1..=last).map(issued));
    assert_eq!(book.decide(issue("o-2")), Ok(vec![]));
    assert_eq!(book.decide(issue(&format!("o-{last}"))), Ok(vec![]));
    assert_eq!(book.decide(issue("o-1")).unwrap().len(), 1);
}

#[test]
fn a_full_book_says_so() {
    let full: InvoiceBook = fold([Event::Issued {
        number: u64::MAX,
        document: Document::CreditNote,
        order: "o-1".parse().unwrap(),
        total: pounds(0),
        issued_at: Time::from_millis(0),
    }]);
    assert_eq!(full.decide(issue("o-2")), Err(Refusal::BookFull));
    check_refusal::<InvoiceBook>(&Refusal::BookFull);
}
