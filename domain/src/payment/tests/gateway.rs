//! A gateway that answers late, twice, and in any order: in the end both sides agree about every penny.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What the gateway holds under a name, has taken of it, and has given back of that.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    standing: i64,
    taken: i64,
    given_back: i64,
}

/// What happens next; the number picks among what could.
#[derive(Clone, Debug)]
enum Turn {
    /// The shop wants something.
    Ask(Command),
    /// The gateway does the next thing that it was asked for, well or not.
    Work(bool),
    /// An answer arrives.
    Answer(usize),
    /// One that arrived before comes again.
    Again(usize),
    /// The shop waits no longer for an attempt.
    TimeOut(&'static str),
}

#[derive(Default)]
struct World {
    payment: Payment,
    accounts: BTreeMap<Text, Account>,
    requests: Vec<Event>,
    answers: Vec<Command>,
    answered: Vec<Command>,
}

impl World {
    fn execute(&mut self, command: Command) {
        let Ok(events) = self.payment.decide(command) else { return };
        for event in events {
            self.payment = std::mem::take(&mut self.payment).evolve(event.clone());
            if crate::Event::event_type(&event).ends_with("Requested") {
                self.requests.push(event);
            }
            let (Some(authorized), Some(captured), Some(refunded)) =
                (self.payment.authorized(), self.payment.captured(), self.payment.refunded())
            else {
                return;
            };
            assert!(authorized.amount >= captured.amount && captured.amount >= refunded.amount);
        }
    }

    fn work(&mut self, well: bool) {
        if self.requests.is_empty() {
            return;
        }
        let settled = |done| if done { Settlement::Done } else { failed() };
        let answer = match self.requests.remove(0) {
            Event::AuthorizationRequested { attempt, amount, .. } => {
                let outcome = if well {
                    let reference: Text = named(&format!("ref-{attempt}"));
                    let account = Account { standing: amount.amount, ..Account::default() };
                    self.accounts.insert(reference.clone(), account);
                    Authorization::Approved { reference }
                } else {
                    Authorization::Declined { reason: named("no") }
                };
                Command::RecordAuthorization { attempt, outcome }
            }
            Event::CaptureRequested { capture, reference, amount, .. } => {
                let account = self.accounts.get_mut(&reference).unwrap();
                if well {
                    account.standing -= amount.amount;
                    account.taken += amount.amount;
                    assert!(account.standing >= 0, "more was captured than held");
                }
                Command::RecordCapture { capture, outcome: settled(well) }
            }
            Event::VoidRequested { reference, amount, .. } => {
                let account = self.accounts.get_mut(&reference).unwrap();
                // What is held beside the one hold that counts is let go of; nobody would ask a second time.
                let surplus =
                    !matches!(&self.payment, Payment::Held { hold, .. } if hold.reference == reference);
                if well || surplus {
                    assert_eq!(std::mem::take(&mut account.standing), amount.amount);
                }
                Command::RecordVoid { reference, outcome: settled(well || surplus) }
            }
            Event::RefundRequested { refund, reference, amount, .. } => {
                let account = self.accounts.get_mut(&reference).unwrap();
                if well {
                    account.taken -= amount.amount;
                    account.given_back += amount.amount;
                    assert!(account.taken >= 0, "more was given back than taken");
                }
                Command::RecordRefund { refund, outcome: settled(well) }
            }
            other => panic!("{other:?} asks for nothing"),
        };
        self.answers.push(answer);
    }

    /// Every answer comes twice at least: at once.
    fn answer(&mut self, pick: usize) {
        if self.answers.is_empty() {
            return;
        }
        let answer = self.answers.remove(pick % self.answers.len());
        self.execute(answer.clone());
        self.execute(answer.clone());
        self.answered.push(answer);
    }

    /// A failure that comes again while the same is being tried again has the id of the first: the log knows it.
    fn again(&mut self, pick: usize) {
        let again = self.answered.get(pick % self.answered.len().max(1)).cloned();
        let Some(again) = again else { return };
        if !matches!(
            again,
            Command::RecordVoid { outcome: Settlement::Failed { .. }, .. }
                | Command::RecordRefund { outcome: Settlement::Failed { .. }, .. }
        ) {
            self.execute(again);
        }
    }

    fn take(&mut self, turn: Turn) {
        match turn {
            Turn::Ask(command) => self.execute(command),
            Turn::Work(well) => self.work(well),
            Turn::Answer(pick) => self.answer(pick),
            Turn::Again(pick) => self.again(pick),
            Turn::TimeOut(attempt) => self.execute(answer(attempt, Authorization::TimedOut)),
        }
    }

    fn both_sides_agree(&self) {
        let sum = |part: fn(&Account) -> i64| self.accounts.values().map(part).sum::<i64>();
        let payment = &self.payment;
        let captured = payment.captured().unwrap().amount;
        let held = match payment {
            Payment::Held { hold, .. } => {
                assert_eq!(hold.pending, None, "{payment:?}");
                payment.authorized().unwrap().amount - captured
            }
            _ => 0,
        };
        assert_eq!(sum(|account| account.standing), held, "{payment:?}");
        assert_eq!(sum(|account| account.taken + account.given_back), captured, "{payment:?}");
        let refunded = payment.refunded().unwrap().amount;
        assert_eq!(sum(|account| account.given_back), refunded, "{payment:?}");
    }
}

fn turn() -> impl Strategy<Value = Turn> {
    let wish = command().prop_filter("the gateway answers by itself", |command| {
        matches!(
            command,
            Command::Authorize { .. } | Command::Capture { .. } | Command::Void {} | Command::Refund { .. }
        )
    });
    prop_oneof![
        6 => wish.prop_map(Turn::Ask),
        6 => prop::bool::weighted(0.8).prop_map(Turn::Work),
        6 => (0..8_usize).prop_map(Turn::Answer),
        2 => (0..8_usize).prop_map(Turn::Again),
        1 => prop::sample::select(ATTEMPTS).prop_map(Turn::TimeOut),
    ]
}

proptest! {
    #[test]
    fn the_gateway_holds_what_the_payment_says(
        method in prop::sample::select(&[Method::Card, Method::Upi, Method::Wallet][..]),
        turns in prop::collection::vec(turn(), 0..60),
    ) {
        let mut world = World::default();
        world.execute(open(method, pounds(100)));
        for turn in turns {
            world.take(turn);
        }
        while !world.requests.is_empty() || !world.answers.is_empty() {
            world.work(true);
            world.answer(0);
        }
        world.both_sides_agree();
    }
}
