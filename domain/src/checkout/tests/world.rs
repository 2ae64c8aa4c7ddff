//! A shop in memory: the real aggregates, a log, one runner a checkout, and a gateway that answers when it likes.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    AggregateType, AnyCommand, AnyEvent, AnyRefusal, AnyState,
    checkout::{self, Checkout, PROCESS, Plan},
    inventory_item::{self, InventoryItem},
    order::{self, CancelReason, Order},
    payment::{self, Authorization, Payment, Settlement},
    process::{Fact, Issue, Refused},
    testing::{named, pounds, units},
    value::{CaptureId, OrderId, RefundId, ReservationId, Text, Time},
};

type Outcome = Result<(), AnyRefusal>;

struct Entry {
    id: String,
    event: AnyEvent,
    at: Time,
}

/// When, whom, and what it learns then.
type Timer = (Time, Box<str>, AnyCommand);

/// Where the follower of one checkout stands: an entry of the log, and a command among those it causes.
#[derive(Default)]
struct Runner {
    entry: usize,
    issue: usize,
    refused: Vec<Refused>,
}

/// An authorization as the gateway sees it; once decided, every answer says the same.
struct Asked {
    payment: String,
    attempt: payment::Event,
    approved: Option<bool>,
}

/// What the gateway holds under a name, has taken of it, and has given back of that.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hold {
    pub standing: i64,
    pub taken: i64,
    pub given_back: i64,
}

enum Settling {
    Capture { reference: Text, capture: CaptureId, amount: i64 },
    Void { reference: Text, amount: i64 },
    Refund { reference: Text, refund: RefundId, amount: i64 },
}

pub struct World {
    pub plans: Vec<Plan>,
    pub now: Time,
    states: BTreeMap<(AggregateType, String), AnyState>,
    log: Vec<Entry>,
    runners: Vec<Runner>,
    /// The idempotency rows: what a derived command was answered the first time.
    outcomes: BTreeMap<(usize, usize, usize), Outcome>,
    timers: BTreeMap<(usize, usize, usize), Timer>,
    asked: Vec<Asked>,
    settling: Vec<(String, Settling)>,
    pub holds: BTreeMap<(String, Text), Hold>,
    guests: Vec<(String, ReservationId)>,
}

impl World {
    /// Carts that were checked out, in front of so much stock.
    pub fn new(plans: Vec<Plan>, stock: &[(&str, u32)]) -> Self {
        let mut world = Self {
            runners: plans.iter().map(|_| Runner::default()).collect(),
            plans,
            now: Time::from_millis(0),
            states: BTreeMap::new(),
            log: vec![],
            outcomes: BTreeMap::new(),
            timers: BTreeMap::new(),
            asked: vec![],
            settling: vec![],
            holds: BTreeMap::new(),
            guests: vec![],
        };
        for (sku, quantity) in stock.iter().filter(|(_, quantity)| *quantity > 0) {
            let receive = inventory_item::Command::Receive {
                quantity: units(*quantity),
                location: None,
                reference: None,
            };
            world.execute(sku, receive.into()).unwrap();
        }
        for plan in world.plans.clone() {
            let checked_out = crate::cart::Event::CheckedOut {
                customer: plan.customer,
                order: plan.order,
                payment: plan.payment,
                method: plan.method,
                delivery: plan.delivery,
                lines: plan.lines,
                total: plan.total,
                pay_by: plan.pay_by,
            };
            world.append(plan.cart.as_str(), checked_out.into());
        }
        world
    }

    pub fn item(&self, sku: &str) -> InventoryItem {
        match self.state(AggregateType::InventoryItem, sku) {
            AnyState::InventoryItem(item) => item,
            _ => unreachable!(),
        }
    }

    pub fn order(&self, plan: &Plan) -> Order {
        match self.state(AggregateType::Order, plan.order.as_str()) {
            AnyState::Order(order) => order,
            _ => unreachable!(),
        }
    }

    pub fn payment(&self, plan: &Plan) -> Payment {
        match self.state(AggregateType::Payment, plan.payment.as_str()) {
            AnyState::Payment(payment) => payment,
            _ => unreachable!(),
        }
    }

    pub fn checkout(&self, plan: &Plan) -> Checkout {
        match self.state(AggregateType::Checkout, plan.order.as_str()) {
            AnyState::Checkout(checkout) => checkout,
            _ => unreachable!(),
        }
    }

    fn state(&self, aggregate_type: AggregateType, id: &str) -> AnyState {
        let known = self.states.get(&(aggregate_type, id.to_owned()));
        known.cloned().unwrap_or_else(|| AnyState::initial(aggregate_type))
    }

    fn execute(&mut self, id: &str, command: AnyCommand) -> Outcome {
        let events = self.state(command.aggregate_type(), id).decide(command).unwrap()?;
        events.into_iter().for_each(|event| self.append(id, event));
        Ok(())
    }

    fn append(&mut self, id: &str, event: AnyEvent) {
        let state = self.state(event.aggregate_type(), id).evolve(event.clone());
        self.states.insert((event.aggregate_type(), id.to_owned()), state);
        if let AnyEvent::Payment(event) = &event {
            self.ask_gateway(id, event);
        }
        self.log.push(Entry { id: id.to_owned(), event, at: self.now });
    }

    fn ask_gateway(&mut self, id: &str, event: &payment::Event) {
        let payment = id.to_owned();
        match event {
            payment::Event::AuthorizationRequested { .. } => {
                self.asked.push(Asked { payment, attempt: event.clone(), approved: None });
            }
            payment::Event::CaptureRequested { reference, capture, amount, .. } => {
                let (reference, capture, amount) = (reference.clone(), capture.clone(), amount.amount);
                self.settling.push((payment, Settling::Capture { reference, capture, amount }));
            }
            payment::Event::VoidRequested { reference, amount, .. } => {
                let (reference, amount) = (reference.clone(), amount.amount);
                self.settling.push((payment, Settling::Void { reference, amount }));
            }
            payment::Event::RefundRequested { reference, refund, amount, .. } => {
                let (reference, refund, amount) = (reference.clone(), refund.clone(), amount.amount);
                self.settling.push((payment, Settling::Refund { reference, refund, amount }));
            }
            _ => {}
        }
    }

    /// The runner of a checkout does one thing: fold one input, or issue one command. False when it has caught up.
    pub fn step(&mut self, which: usize) -> bool {
        while let Some(entry) = self.log.get(self.runners[which].entry) {
            let order = self.plans[which].order.clone();
            if let AnyEvent::Checkout(event) = &entry.event
                && entry.id == order.as_str()
            {
                let event = event.clone();
                return self.issue(which, &order, &event);
            }
            let fact = Fact { id: &entry.id, event: &entry.event, at: entry.at };
            let learned = (PROCESS.input)(fact).filter(|(concerned, _)| **concerned == *order.as_str());
            self.runners[which].entry += 1;
            if let Some((instance, learned)) = learned {
                self.learn(&instance, learned);
                return true;
            }
        }
        false
    }

    /// Inputs are delivered at least once.
    fn learn(&mut self, order: &str, learned: AnyCommand) {
        self.execute(order, learned.clone()).unwrap();
        self.execute(order, learned).unwrap();
    }

    fn issue(&mut self, which: usize, order: &OrderId, event: &checkout::Event) -> bool {
        let plan = self.checkout(&self.plans[which].clone()).plan().cloned().unwrap();
        let Runner { entry, issue: index, .. } = self.runners[which];
        let key = (which, entry, index);
        let (first, event) = (checkout::Event::Started(plan).into(), event.clone().into());
        match (PROCESS.issues)(&first, &event).into_iter().nth(index) {
            Some(Issue::Timer { due, to, command }) => {
                self.timers.entry(key).or_insert((due, to, command));
            }
            Some(Issue::Command { to, command }) => {
                if let Err(refusal) = self.execute_once(key, &to, command) {
                    let index = u32::try_from(index).unwrap();
                    self.runners[which].refused.push(Refused { index, refusal });
                }
            }
            None => {
                let Runner { refused, .. } = std::mem::replace(
                    &mut self.runners[which],
                    Runner { entry: entry + 1, ..Runner::default() },
                );
                if let Some(heard) = (PROCESS.heard)(&event, refused) {
                    self.learn(order.as_str(), heard);
                }
                return true;
            }
        }
        self.runners[which].issue += 1;
        true
    }

    /// A command that the store has seen gets its first answer. One that it has not seen reaches the aggregate twice,
    /// save for what puts units back, which nothing but its id protects.
    fn execute_once(&mut self, key: (usize, usize, usize), to: &str, command: AnyCommand) -> Outcome {
        if let Some(outcome) = self.outcomes.get(&key) {
            return outcome.clone();
        }
        let outcome = self.execute(to, command.clone());
        if !matches!(command, AnyCommand::InventoryItem(inventory_item::Command::PutBack { .. })) {
            let _ = self.execute(to, command);
        }
        self.outcomes.insert(key, outcome.clone());
        outcome
    }

    /// The process dies in the middle of an event's commands and starts again with the first of them.
    pub fn crash(&mut self, which: usize) {
        self.runners[which].issue = 0;
        self.runners[which].refused.clear();
    }

    pub fn authorize(&mut self, which: usize, attempt: &str) {
        let command = payment::Command::Authorize { attempt: named(attempt), token: named("tok") };
        let _ = self.execute_on_payment(which, command);
    }

    /// Somebody in the shop captures so much, or the rest.
    pub fn capture(&mut self, which: usize, pence: Option<i64>) {
        let capture = named(&format!("by-hand-{}", self.log.len()));
        let amount = pence.map(pounds);
        let _ = self.execute_on_payment(which, payment::Command::Capture { capture, amount });
    }

    fn execute_on_payment(&mut self, which: usize, command: payment::Command) -> Outcome {
        let payment = self.plans[which].payment.clone();
        self.execute(payment.as_str(), command.into())
    }

    pub fn cancel(&mut self, which: usize) {
        let order = self.plans[which].order.clone();
        let command = order::Command::Cancel { reason: CancelReason::CustomerRequest, note: None };
        let _ = self.execute(order.as_str(), command.into());
    }

    pub fn fire_timer(&mut self, pick: usize) -> bool {
        let Some(key) = self.timers.keys().nth(pick % self.timers.len().max(1)).copied() else {
            return false;
        };
        let Some((due, to, command)) = self.timers.remove(&key) else {
            return false;
        };
        self.now = self.now.max(due);
        self.learn(&to, command);
        true
    }

    /// Somebody in the shop wants units after every hold has run out.
    pub fn rival(&mut self, sku: &str, quantity: u32) {
        let reservation: ReservationId = named(&format!("rival-{}", self.guests.len()));
        let reserve = inventory_item::Command::Reserve {
            reservation: reservation.clone(),
            quantity: units(quantity),
            expires_at: None,
            now: Time::from_millis(i64::MAX),
        };
        if self.execute(sku, reserve.into()).is_ok() {
            self.guests.push((sku.to_owned(), reservation));
        }
    }

    /// The gateway stays silent about an attempt for too long.
    pub fn time_out(&mut self, pick: usize) {
        if !self.asked.is_empty() {
            self.record(pick % self.asked.len(), Authorization::TimedOut);
        }
    }

    /// The gateway answers an attempt, perhaps for the second time.
    pub fn answer(&mut self, pick: usize, approve: bool) {
        if self.asked.is_empty() {
            return;
        }
        let pick = pick % self.asked.len();
        let approved = *self.asked[pick].approved.get_or_insert(approve);
        let reference: Text = named(&format!("hold-{pick}"));
        if approved {
            let hold = (self.asked[pick].payment.clone(), reference.clone());
            let payment::Event::AuthorizationRequested { amount, .. } = self.asked[pick].attempt else {
                unreachable!()
            };
            self.holds.entry(hold).or_insert(Hold { standing: amount.amount, ..Hold::default() });
            self.record(pick, Authorization::Approved { reference });
        } else {
            self.record(pick, Authorization::Declined { reason: named("no funds") });
        }
    }

    fn record(&mut self, pick: usize, outcome: Authorization) {
        let Asked { payment, attempt, .. } = &self.asked[pick];
        let payment::Event::AuthorizationRequested { attempt, .. } = attempt else { unreachable!() };
        let command = payment::Command::RecordAuthorization { attempt: attempt.clone(), outcome };
        self.execute(&payment.clone(), command.into()).unwrap();
    }

    /// The gateway settles one request; of these only a capture may fail.
    pub fn settle(&mut self, pick: usize, capture_fails: bool) -> bool {
        if self.settling.is_empty() {
            return false;
        }
        let (payment, request) = self.settling.remove(pick % self.settling.len());
        let command = match request {
            Settling::Capture { capture, .. } if capture_fails => {
                let outcome = Settlement::Failed { reason: named("no") };
                payment::Command::RecordCapture { capture, outcome }
            }
            Settling::Capture { reference, capture, amount } => {
                let hold = self.hold(&payment, reference);
                hold.standing -= amount;
                hold.taken += amount;
                assert!(hold.standing >= 0, "more was captured than held");
                payment::Command::RecordCapture { capture, outcome: Settlement::Done }
            }
            Settling::Void { reference, amount } => {
                let hold = self.hold(&payment, reference.clone());
                assert_eq!(std::mem::take(&mut hold.standing), amount, "let go of another amount");
                payment::Command::RecordVoid { reference, outcome: Settlement::Done }
            }
            Settling::Refund { reference, refund, amount } => {
                let hold = self.hold(&payment, reference);
                hold.taken -= amount;
                hold.given_back += amount;
                assert!(hold.taken >= 0, "more was given back than taken");
                payment::Command::RecordRefund { refund, outcome: Settlement::Done }
            }
        };
        self.execute(&payment, command.clone().into()).unwrap();
        self.execute(&payment, command.into()).unwrap();
        true
    }

    fn hold(&mut self, payment: &str, reference: Text) -> &mut Hold {
        self.holds.get_mut(&(payment.to_owned(), reference)).unwrap()
    }

    /// Lets everything come to rest: the gateway answers all, the timers fire, the rivals leave.
    pub fn come_to_rest(&mut self, approve: bool) {
        loop {
            let mut moved = false;
            for which in 0..self.plans.len() {
                while self.step(which) {
                    moved = true;
                }
            }
            for pick in 0..self.asked.len() {
                if self.asked[pick].approved.is_none() {
                    self.answer(pick, approve);
                    moved = true;
                }
            }
            moved |= self.settle(0, false);
            if !moved && !self.fire_timer(0) {
                break;
            }
        }
        for (sku, reservation) in std::mem::take(&mut self.guests) {
            self.execute(&sku, inventory_item::Command::Release { reservation }.into()).unwrap();
        }
    }

    /// SKUs that any plan names.
    pub fn skus(&self) -> BTreeSet<String> {
        let lines = self.plans.iter().flat_map(|plan| &plan.lines);
        lines.map(|line| line.sku.to_string()).collect()
    }
}
