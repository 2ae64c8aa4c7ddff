//! Checkouts: what each would have come to, and what becomes of its holds then.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    Aggregate as _, AggregateType, AnyCommand, AnyEvent, AnyRefusal, AnyState, Refusal as _,
    cart::{self, Cart},
    checkout::{Event, PROCESS, Plan},
    inventory_item::Refusal,
    process::Issue,
    value::OrderId,
};
use store::{
    executor::derived_id,
    log::{Meant, StreamId},
};
use uuid::Uuid;

use super::replay::{Group, Refused, Replay, Wanted};

/// A checkout on its way.
pub(super) struct Live {
    pub(super) was: Plan,
    pub(super) then: Plan,
    /// Why it would have been refused.
    pub(super) refused: Option<String>,
    /// SKUs of which it would hold units, and those of them of which it did not.
    pub(super) granted: BTreeSet<Arc<str>>,
    pub(super) only_then: BTreeSet<Arc<str>>,
    /// Allowances that it would have claimed, and those of them that it did not.
    pub(super) claims: BTreeSet<Arc<str>>,
    pub(super) claims_only_then: BTreeSet<Arc<str>>,
    pub(super) stock_outs: u64,
    pub(super) firsts: Vec<(Uuid, Arc<str>)>,
    /// Whether what was done for it later would have been done as well.
    pub(super) follows: bool,
    /// Whether it would be given up at a time of its own.
    pub(super) timed: bool,
    pub(super) sold_was: bool,
    pub(super) sold_then: bool,
    pub(super) pending: usize,
    pub(super) over: bool,
}

impl Live {
    pub(super) fn refuse(&mut self, code: &str) {
        self.refused.get_or_insert_with(|| code.to_owned());
    }
}

/// The commands that a checkout begins with, and their ids.
pub(super) fn first_commands(meant: Meant<'_>) -> Vec<(Uuid, Arc<str>, AnyCommand)> {
    match meant.event {
        AnyEvent::Checkout(event @ Event::Started(plan)) => commands(meant.id(), plan, event),
        _ => vec![],
    }
}

/// The commands on stock and allowances that derive from an event of a checkout, and their ids.
fn commands(event_id: Uuid, plan: &Plan, event: &Event) -> Vec<(Uuid, Arc<str>, AnyCommand)> {
    let first = AnyEvent::Checkout(Event::Started(plan.clone()));
    let issues = (PROCESS.issues)(&first, &AnyEvent::Checkout(event.clone()));
    let of_stock = |command: &AnyCommand| {
        matches!(command.aggregate_type(), AggregateType::InventoryItem | AggregateType::Allowance)
    };
    let commands = issues.into_iter().zip(0_i64..).filter_map(|(issue, nth)| match issue {
        Issue::Command { to, command } if of_stock(&command) => {
            Some((derived_id(event_id, "command", nth), to, command))
        }
        Issue::Command { .. } | Issue::Timer { .. } => None,
    });
    commands.collect()
}

/// What the cart of a plan answers to its checkout.
fn checked_out(plan: &Plan) -> Result<Plan, cart::Refusal> {
    let opened = cart::Event::Opened {
        customer: plan.customer.clone(),
        currency: plan.total.currency,
        expires_at: None,
    };
    let lines = plan.lines.iter().map(|line| cart::Event::LineAdded { line: line.clone(), expires_at: None });
    let cart = [opened].into_iter().chain(lines).fold(Cart::default(), Cart::evolve);
    let plan = plan.clone();
    let events = cart.decide(cart::Command::CheckOut {
        order: plan.order.clone(),
        payment: plan.payment.clone(),
        method: plan.method,
        delivery: plan.delivery.clone(),
        expected_total: None,
        pay_by: plan.pay_by,
        now: None,
        prices: vec![],
        quote: plan.quote.clone(),
        capture: plan.capture,
        attempts_max: Some(plan.attempts_max),
        review: plan.review.clone(),
    })?;
    Ok(match events.into_iter().next() {
        Some(cart::Event::CheckedOut { customer, lines, total, quote, attempts_max, .. }) => {
            Plan { customer, lines, total, quote, attempts_max, ..plan }
        }
        _ => plan,
    })
}

impl Replay<'_> {
    pub(super) fn checkout(&mut self, group: &Group) {
        let Ok(order) = OrderId::new(&*group.stream.id) else { return };
        for (event_id, event) in &group.events {
            let AnyEvent::Checkout(event) = event else { continue };
            if let Event::Started(plan) = event {
                self.started(*event_id, plan);
                continue;
            }
            let Some(mut live) = self.live.remove(&order) else { continue };
            for (id, _, command) in commands(*event_id, &live.was, event) {
                let (was, then) = (command.clone(), Some(command));
                self.wanted.insert(id, Wanted { order: order.clone(), first: false, was, then });
                live.pending += 1;
            }
            self.live.insert(order.clone(), live);
            self.concluded(&order, event, group);
            self.let_go(&order);
        }
    }

    fn started(&mut self, event_id: Uuid, plan: &Plan) {
        let order = plan.order.clone();
        let mut live = Live {
            was: plan.clone(),
            then: self.rules.plan(plan),
            refused: None,
            granted: BTreeSet::new(),
            only_then: BTreeSet::new(),
            claims: BTreeSet::new(),
            claims_only_then: BTreeSet::new(),
            stock_outs: 0,
            firsts: vec![],
            follows: true,
            timed: false,
            sold_was: false,
            sold_then: false,
            pending: 0,
            over: false,
        };
        if checked_out(plan).as_ref() == Ok(plan) {
            self.report.again.checkouts += 1;
            self.check_out(&mut live);
        } else {
            self.as_it_was("checkouts whose carts their events do not tell");
            live.then = plan.clone();
        }
        let mut then: BTreeMap<(AggregateType, Arc<str>), AnyCommand> = BTreeMap::new();
        for (_, to, command) in commands(event_id, &live.then, &Event::Started(live.then.clone())) {
            then.insert((command.aggregate_type(), to), command);
        }
        for (id, to, was) in commands(event_id, plan, &Event::Started(plan.clone())) {
            let of = was.aggregate_type();
            let wanted =
                Wanted { order: order.clone(), first: true, then: then.remove(&(of, to.clone())), was };
            match self.answers.remove(&id) {
                Some(answer) => {
                    let stream = StreamId::new(of, &to);
                    self.refused.entry(stream).or_default().push(Refused { version: answer.version, wanted });
                }
                None => {
                    live.pending += 1;
                    self.wanted.insert(id, wanted);
                }
            }
            live.firsts.push((id, to));
        }
        if live.refused.is_some() {
            live.follows = false;
            self.lost.insert(order.as_str().into());
        } else {
            self.claim(&mut live, then.into_iter().map(|((_, to), command)| (to, command)));
        }
        self.live.insert(order, live);
    }

    /// The checkout itself, by the other rules: quote, cart, order.
    fn check_out(&self, live: &mut Live) {
        if let Err(error) = self.rules.quote(&mut live.then) {
            return live.refuse(error.code());
        }
        match checked_out(&live.then) {
            Ok(then) => live.then = then,
            Err(refusal) => return live.refuse(refusal.code()),
        }
        let started = AnyEvent::Checkout(Event::Started(live.then.clone()));
        let placed = (PROCESS.issues)(&started, &started).into_iter().find_map(|issue| match issue {
            Issue::Command { command: command @ AnyCommand::Order(_), .. } => {
                AnyState::initial(AggregateType::Order).decide(command)
            }
            _ => None,
        });
        if let Some(Err(refusal)) = placed {
            live.refuse(refusal.code());
        }
    }

    /// Claims that nobody made, because nothing was limited.
    fn claim(&mut self, live: &mut Live, claims: impl Iterator<Item = (Arc<str>, AnyCommand)>) {
        for (to, command) in claims {
            let AnyCommand::Allowance(command) = command else { continue };
            self.report.again.claims += 1;
            let twin = self.allowances.entry(to.clone()).or_default();
            match twin.then().decide(command) {
                Ok(events) => {
                    twin.either(&[], &events);
                    live.claims.insert(to.clone());
                    live.claims_only_then.insert(to);
                }
                Err(refusal) => live.refuse(refusal.code()),
            }
        }
    }

    /// Whether it would have asked for anything at all.
    pub(super) fn is_asked(&self, order: &OrderId) -> bool {
        self.live.get(order).is_some_and(|live| live.follows)
    }

    /// Whether what was done for it would have been done as well.
    pub(super) fn follows(&self, order: &OrderId) -> bool {
        self.live.get(order).map_or_else(|| !self.lost.contains(order.as_str()), |live| live.follows)
    }

    /// One of its first commands would have been answered, by a SKU or an allowance; `only_then` says that it was refused.
    pub(super) fn answered(
        &mut self,
        order: &OrderId,
        by: &StreamId,
        refusal: Option<AnyRefusal>,
        only_then: bool,
    ) {
        let Some(live) = self.live.get_mut(order) else { return };
        if let Some(refusal) = refusal {
            let short = matches!(refusal, AnyRefusal::InventoryItem(Refusal::Insufficient { .. }));
            live.stock_outs += u64::from(short);
            return live.refuse(refusal.code());
        }
        let (all, new) = match by.aggregate_type {
            AggregateType::Allowance => (&mut live.claims, &mut live.claims_only_then),
            _ => (&mut live.granted, &mut live.only_then),
        };
        all.insert(by.id.clone());
        if only_then {
            new.insert(by.id.clone());
        }
    }
}
