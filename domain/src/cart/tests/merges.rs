//! A guest's cart goes into a customer's: nothing is lost, nothing doubled, whoever declines.

use std::collections::BTreeMap;

use super::*;
use crate::{
    AnyCommand, AnyEvent,
    process::{Fact, Issue, POLICIES},
};

/// Carts by name, and the policies that carry merges between them.
#[derive(Default)]
struct Counter(BTreeMap<String, Cart>);

impl Counter {
    fn cart(&self, name: &str) -> Cart {
        self.0.get(name).cloned().unwrap_or_default()
    }

    fn put(&mut self, name: &str, cart: Cart) {
        self.0.insert(name.to_owned(), cart);
    }

    /// Executes a command and everything that follows; the events as they came, with the cart of each.
    fn execute(&mut self, name: &str, command: Command) -> Result<Vec<(String, Event)>, Refusal> {
        let mut told = vec![];
        for event in self.cart(name).decide(command)? {
            let cart = self.cart(name).evolve(event.clone());
            self.put(name, cart);
            told.push((name.to_owned(), event.clone()));
            for (to, command) in wanted(name, event) {
                told.extend(self.execute(&to, command)?);
            }
        }
        Ok(told)
    }
}

/// The commands that follow from an event; timers are left to the clock.
fn wanted(cart: &str, event: Event) -> Vec<(String, Command)> {
    let event = AnyEvent::Cart(event);
    let fact = Fact { id: cart, event: &event, at: at(0) };
    let issues = POLICIES.iter().flat_map(|policy| (policy.issues)(fact));
    issues
        .filter_map(|issue| match issue {
            Issue::Command { to, command: AnyCommand::Cart(command) } => Some((String::from(&*to), command)),
            _ => None,
        })
        .collect()
}

fn of(customer: Option<&str>, lines: Vec<Line>) -> Cart {
    fold([opened(customer)].into_iter().chain(lines.into_iter().map(added)))
}

fn merge() -> Command {
    Command::MergeInto { into: named("mine"), customer: named("c-1") }
}

fn count(lines: &[Line]) -> BTreeMap<Sku, u64> {
    lines.iter().fold(BTreeMap::new(), |mut counted, line| {
        *counted.entry(line.sku.clone()).or_default() += u64::from(line.quantity.get());
        counted
    })
}

fn plus(mut counted: BTreeMap<Sku, u64>, more: BTreeMap<Sku, u64>) -> BTreeMap<Sku, u64> {
    for (sku, units) in more {
        *counted.entry(sku).or_default() += units;
    }
    counted
}

fn filled() -> impl Strategy<Value = Vec<Line>> {
    let cheap = (0..5_i64).prop_map(pounds);
    let dear = prop_oneof![5 => cheap, 1 => Just(pounds(i64::MAX / 4))];
    prop::collection::vec((line(), dear), 0..4).prop_map(|lines| {
        let lines = lines.into_iter().map(|(line, unit_price)| Line { unit_price, ..line });
        let commands = lines.map(add);
        let cart = caused::<Cart>(
            [Command::Open { customer: None, currency: Currency::GBP, expires_at: None }]
                .into_iter()
                .chain(commands)
                .collect(),
        );
        fold::<Cart>(cart).lines().to_vec()
    })
}

proptest! {
    #[test]
    fn what_a_merge_moves_and_leaves_out_is_what_the_guest_had(
        guests in filled(),
        guest in prop_oneof![Just(None), Just(Some("guest-1"))],
        ours in prop::option::of(filled()),
    ) {
        let mut counter = Counter::default();
        counter.put("guest", of(guest, guests.clone()));
        if let Some(ours) = &ours {
            counter.put("mine", of(Some("c-1"), ours.clone()));
        }
        let before = count(counter.cart("mine").lines());
        let told = counter.execute("guest", merge()).unwrap();
        let Some((_, Event::LinesTaken { left_out, .. })) = told.last() else { panic!("{told:?}") };
        let mine = counter.cart("mine");
        bounded(&mine);
        let out = left_out.iter().map(|left| (left.sku.clone(), left.quantity.get().into())).collect();
        prop_assert_eq!(plus(count(mine.lines()), out), plus(before, count(&guests)));
        prop_assert_eq!(counter.cart("guest").merged_into().cloned(), Some(named("mine")));
        for line in ours.unwrap_or_default() {
            let kept = mine.lines().iter().find(|kept| kept.sku == line.sku).unwrap();
            prop_assert_eq!(kept.unit_price, line.unit_price, "a line that was there keeps its price");
        }
    }

    #[test]
    fn taking_the_same_cart_again_changes_nothing(guests in filled(), ours in filled()) {
        let cart = of(Some("c-1"), ours);
        let take = take(guests);
        let after = cart.decide(take.clone()).unwrap().into_iter().fold(cart, Cart::evolve);
        prop_assert_eq!(after.decide(take), Ok(vec![]));
    }
}

fn take(lines: Vec<Line>) -> Command {
    Command::TakeLines {
        from: named("guest"),
        customer: named("c-1"),
        currency: Currency::GBP,
        lines,
        expires_at: Some(at(1_000)),
    }
}

#[test]
fn a_cart_that_declines_leaves_the_guests_cart_as_it_was() {
    let euros = Event::Opened { customer: Some(named("c-1")), currency: named("EUR"), expires_at: None };
    let bought = of(Some("c-1"), vec![mug(1, 5)]);
    let bought = bought.decide(buy(vec![], None, None)).unwrap().into_iter().fold(bought, Cart::evolve);
    let cases = [
        (of(Some("c-2"), vec![]), Decline::NotTheirs),
        (of(None, vec![]), Decline::NotTheirs),
        (fold([euros]), Decline::OtherCurrency),
        (bought, Decline::Closed),
        (of(Some("c-1"), vec![]).evolve(Event::Expired {}), Decline::Closed),
    ];
    for (mine, reason) in cases {
        let mut counter = Counter::default();
        let guest = of(None, vec![mug(2, 500)]);
        counter.put("guest", guest.clone());
        counter.put("mine", mine.clone());
        let told = counter.execute("guest", merge()).unwrap();
        let names: Vec<_> = told.iter().map(|(_, event)| crate::Event::event_type(event)).collect();
        assert_eq!(names, ["MergedInto", "LinesDeclined", "MergeUndone"]);
        assert_eq!(told[1].1, Event::LinesDeclined { from: named("guest"), reason });
        assert_eq!((counter.cart("guest"), counter.cart("mine")), (guest, mine));
    }
}

#[test]
fn a_cart_that_is_merged_into_itself_comes_back() {
    let mut counter = Counter::default();
    let guest = of(None, vec![mug(2, 500)]);
    counter.put("mine", guest.clone());
    counter.execute("mine", merge()).unwrap();
    assert_eq!(counter.cart("mine"), guest);
}

#[test]
fn a_merged_cart_says_where_its_lines_are() {
    let mut counter = Counter::default();
    counter.put("guest", of(None, vec![mug(2, 500)]));
    counter.execute("guest", merge()).unwrap();
    let guest = counter.cart("guest");
    let merged = Err(Refusal::Merged { into: named("mine") });
    assert_eq!(guest.decide(add(mug(1, 1))), merged);
    assert_eq!(guest.decide(buy(vec![], None, None)), merged);
    let other = Command::MergeInto { into: named("other"), customer: named("c-1") };
    assert_eq!(guest.decide(other), merged);
    assert_eq!(guest.decide(merge()), Ok(vec![]), "a repeat is no news");
    assert_eq!(guest.decide(Command::UndoMerge { into: named("other") }), Ok(vec![]));
    assert_eq!(guest.lines(), [mug(2, 500)]);
}

#[test]
fn a_merge_opens_the_customers_cart_if_need_be_and_it_lives_as_long() {
    let mut counter = Counter::default();
    counter.put("guest", of(None, vec![]));
    counter.execute("guest", merge()).unwrap();
    let mine = counter.cart("mine");
    assert_eq!((mine.customer(), mine.expires_at()), (Some(&named("c-1")), Some(at(1_000))));
    assert_eq!(counter.cart("guest").decide(add(mug(1, 1))), Err(Refusal::Merged { into: named("mine") }));
}

#[test]
fn only_a_guests_cart_goes_into_another() {
    assert_eq!(of(Some("c-1"), vec![]).decide(merge()), Err(Refusal::NotAGuestCart));
}

#[test]
fn what_finds_no_room_is_left_out_and_told() {
    let rare = |quantity| Line { purchase_limit: Some(units(3)), ..mug(quantity, 500) };
    let full = of(Some("c-1"), (0..LINES_MAX - 1).map(numbered).chain([rare(2)]).collect());
    let wide = Line { quantity: units(LINE_UNITS_MAX), ..numbered(0) };
    let events = full.decide(take(vec![rare(2), wide, numbered(LINES_MAX)])).unwrap();
    let left = |sku: &str, quantity| LeftOut { sku: named(sku), quantity: units(quantity) };
    let expected = Event::LinesTaken {
        from: named("guest"),
        lines: vec![rare(3), Line { quantity: units(LINE_UNITS_MAX), ..numbered(0) }],
        left_out: vec![left("MUG", 1), left("S0", 1), left("S100", 1)],
        expires_at: None,
    };
    assert_eq!(events, [expected]);

    let dear = of(Some("c-1"), vec![mug(1, i64::MAX - 10)]);
    let events = dear.decide(take(vec![Line { quantity: units(5), ..numbered(1) }, numbered(2)])).unwrap();
    assert!(events.into_iter().fold(dear, Cart::evolve).total().is_some());
}

#[test]
fn where_two_carts_know_different_limits_the_tighter_one_counts() {
    let limited = |quantity, limit| Line { purchase_limit: Some(units(limit)), ..mug(quantity, 500) };
    for (ours, guests) in
        [(mug(1, 500), limited(2, 2)), (limited(1, 5), limited(2, 2)), (limited(1, 2), mug(2, 500))]
    {
        let events = of(Some("c-1"), vec![ours]).decide(take(vec![guests])).unwrap();
        let [Event::LinesTaken { lines, left_out, .. }] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(*lines, [limited(2, 2)]);
        assert_eq!(*left_out, [LeftOut { sku: named("MUG"), quantity: units(1) }]);
    }
}

#[test]
fn an_expiry_is_a_timer_at_the_next_hour() {
    let hour = 60 * 60 * 1_000;
    let timers = |event: Event| -> Vec<Issue> {
        let event = AnyEvent::Cart(event);
        (policy::EXPIRY.issues)(Fact { id: "cart", event: &event, at: at(0) })
    };
    let expected = Issue::timer(at(hour), "cart", Command::Expire { now: at(hour) });
    for event in [opened(None), Event::MergeUndone { into: named("mine"), expires_at: Some(at(hour)) }] {
        assert_eq!(timers(event), std::slice::from_ref(&expected));
    }
    assert_eq!(timers(added(mug(1, 1))), []);
    assert_eq!(timers(Event::Expired {}), []);
}
