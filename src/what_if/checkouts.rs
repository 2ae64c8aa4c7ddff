//! Checkouts: what each would have come to, and what becomes of its holds then.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    Aggregate as _, AggregateType, AnyCommand, AnyEvent, AnyRefusal, AnyState, Refusal as _, allowance,
    cart::{self, Cart},
    checkout::{Event, PROCESS, Plan},
    inventory_item::{self, Refusal},
    order::CancelReason,
    process::Issue,
    value::{OrderId, Time},
};
use store::{
    executor::derived_id,
    log::{Meant, Position, StreamId},
};
use uuid::Uuid;

use super::{
    replay::{Group, Refused, Replay, Wanted},
    told::Difference,
};

/// A checkout on its way.
pub(super) struct Live {
    was: Plan,
    then: Plan,
    /// Why it would have been refused.
    refused: Option<String>,
    /// SKUs of which it would hold units, and those of them of which it did not.
    granted: BTreeSet<Box<str>>,
    only_then: BTreeSet<Box<str>>,
    /// Allowances that it would have claimed, and those of them that it did not.
    claims: BTreeSet<Box<str>>,
    claims_only_then: BTreeSet<Box<str>>,
    stock_outs: u64,
    firsts: Vec<(Uuid, Box<str>)>,
    /// Whether what was done for it later would have been done as well.
    follows: bool,
    /// Whether it would be given up at a time of its own.
    timed: bool,
    sold_was: bool,
    sold_then: bool,
    pub(super) pending: usize,
    over: bool,
}

impl Live {
    pub(super) fn refuse(&mut self, code: &str) {
        self.refused.get_or_insert_with(|| code.to_owned());
    }
}

/// The commands that a checkout begins with, and their ids.
pub(super) fn first_commands(meant: Meant<'_>) -> Vec<(Uuid, Box<str>, AnyCommand)> {
    match meant.event {
        AnyEvent::Checkout(event @ Event::Started(plan)) => commands(meant.id(), plan, event),
        _ => vec![],
    }
}

/// The commands on stock and allowances that derive from an event of a checkout, and their ids.
fn commands(event_id: Uuid, plan: &Plan, event: &Event) -> Vec<(Uuid, Box<str>, AnyCommand)> {
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
        let mut then: BTreeMap<(AggregateType, Box<str>), AnyCommand> = BTreeMap::new();
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
    fn claim(&mut self, live: &mut Live, claims: impl Iterator<Item = (Box<str>, AnyCommand)>) {
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

    fn concluded(&mut self, order: &OrderId, event: &Event, group: &Group) {
        match event {
            Event::Reserved {} => self.reserved(order, group),
            Event::ReservationFailed { shortages, refusals } => {
                let code = match (shortages.first(), refusals.first()) {
                    (None, Some(refused)) => refused.refusal.code(),
                    _ => "inventory.insufficient",
                };
                self.report.was.stock_outs += shortages.len() as u64;
                self.failed(order, code, group);
            }
            Event::Accepted { .. } => self.paid(order, group),
            Event::GivenUp { reason } => self.given_up(order, *reason, group.at),
            Event::AllocationFailed { .. } | Event::Reversed { .. } => self.reversed(order),
            Event::ClaimsReturned {} => self.undo(order, Undo::OnlyThen),
            Event::Completed {} => {
                if let Some(live) = self.live.get_mut(order) {
                    live.over = true;
                }
            }
            Event::Started(_)
            | Event::CancellationNoted { .. }
            | Event::HoldNoted {}
            | Event::HoldLifted {}
            | Event::AttemptFailed {}
            | Event::ReviewAwaited {}
            | Event::PaymentOrphaned {}
            | Event::RefundDue { .. }
            | Event::RetryPlanned { .. }
            | Event::UndoRetried { .. }
            | Event::UndoFailed {} => {}
        }
    }

    fn reserved(&mut self, order: &OrderId, group: &Group) {
        self.report.was.accepted += 1;
        let Some(live) = self.live.get_mut(order) else { return };
        self.report.then.stock_outs += live.stock_outs;
        let difference = difference(live, group, "checkout");
        if let Some(code) = live.refused.clone() {
            live.follows = false;
            live.over = true;
            self.report.then.refused += 1;
            self.lost.insert(order.as_str().into());
            self.undo(order, Undo::All);
            return self.differs(Difference { then: code, total_then: None, ..difference });
        }
        self.report.then.accepted += 1;
        if live.then.needs_authorization() && live.then.pay_by != live.was.pay_by {
            live.timed = true;
            self.timers.insert((live.then.pay_by, order.clone()));
        }
        if live.then.total != live.was.total {
            self.differs(Difference { decision: "total", ..difference });
        }
    }

    fn failed(&mut self, order: &OrderId, code: &str, group: &Group) {
        self.report.was.refused += 1;
        self.all_answered(order);
        let Some(live) = self.live.get_mut(order) else { return };
        live.over = true;
        self.report.then.stock_outs += live.stock_outs;
        if live.refused.is_some() {
            self.report.then.refused += 1;
            return self.undo(order, Undo::OnlyThen);
        }
        // Whoever was refused and would not have been is taken to pay.
        live.follows = false;
        let total = live.then.total;
        let difference = difference(live, group, "checkout");
        let granted = live.granted.clone();
        self.report.then.accepted += 1;
        self.report.then.sells(total);
        for sku in granted {
            let twin = self.stock.entry(sku).or_default();
            let allocate =
                inventory_item::Command::Allocate { reservation: order.clone().into(), now: group.at };
            if let Ok(events) = twin.then().decide(allocate) {
                twin.either(&[], &events);
            }
        }
        self.differs(Difference { was: code.to_owned(), total_was: None, ..difference });
    }

    /// Commands that nothing came of were refused: now at the latest.
    fn all_answered(&mut self, order: &OrderId) {
        let firsts = self.live.get(order).map(|live| live.firsts.clone()).unwrap_or_default();
        for (id, to) in firsts {
            for of in [AggregateType::InventoryItem, AggregateType::Allowance] {
                let stream = StreamId::new(of, &to);
                let Some(waiting) = self.refused.get_mut(&stream) else { continue };
                let due: Vec<Refused> =
                    waiting.extract_if(.., |refused| refused.wanted.order == *order).collect();
                if waiting.is_empty() {
                    self.refused.remove(&stream);
                }
                due.into_iter().for_each(|refused| self.was_refused(&stream, refused.wanted));
            }
            if let Some(wanted) = self.wanted.remove(&id) {
                if let Some(live) = self.live.get_mut(order) {
                    live.pending = live.pending.saturating_sub(1);
                }
                let stream = StreamId::new(wanted.was.aggregate_type(), &to);
                self.was_refused(&stream, wanted);
            }
        }
    }

    fn paid(&mut self, order: &OrderId, group: &Group) {
        let Some(live) = self.live.get_mut(order) else { return };
        live.sold_was = true;
        self.report.was.sells(live.was.total);
        if live.follows {
            live.sold_then = true;
            self.report.then.sells(live.then.total);
            if std::mem::take(&mut live.timed) {
                self.timers.remove(&(live.then.pay_by, order.clone()));
            }
        } else if live.refused.is_none() {
            let difference = difference(live, group, "payment");
            self.differs(Difference { then: "payment_timed_out".to_owned(), total_then: None, ..difference });
        }
    }

    fn given_up(&mut self, order: &OrderId, reason: CancelReason, at: Time) {
        self.all_answered(order);
        let Some(live) = self.live.get_mut(order) else { return };
        live.over = true;
        if !live.follows {
            return;
        }
        let in_time = reason == CancelReason::PaymentTimedOut && at >= live.was.pay_by;
        if live.timed && in_time && live.then.pay_by > at {
            // It would have waited for longer, and nobody knows what for.
            live.follows = false;
            return;
        }
        if std::mem::take(&mut live.timed) {
            self.timers.remove(&(live.then.pay_by, order.clone()));
        }
        self.undo(order, Undo::OnlyThen);
    }

    fn reversed(&mut self, order: &OrderId) {
        let Some(live) = self.live.get_mut(order) else { return };
        live.over = true;
        if std::mem::take(&mut live.sold_was) {
            self.report.was.takes_back(live.was.total);
        }
        if std::mem::take(&mut live.sold_then) {
            self.report.then.takes_back(live.then.total);
        }
        self.undo(order, Undo::OnlyThen);
    }

    /// Its units would have been given to somebody else before the payment came.
    pub(super) fn gone_when_paid(&mut self, order: &OrderId, group: &Group) {
        let Some(live) = self.live.get_mut(order) else { return };
        live.follows = false;
        let difference = difference(live, group, "payment");
        if std::mem::take(&mut live.sold_then) {
            self.report.then.takes_back(live.then.total);
        }
        self.lost.insert(order.as_str().into());
        self.undo(order, Undo::All);
        self.differs(Difference {
            then: "inventory.reservation_missing".to_owned(),
            total_then: None,
            ..difference
        });
    }

    /// Gives up the checkouts whose other time to pay is over.
    pub(super) fn give_up_until(&mut self, now: Time) {
        while let Some((due, order)) = self.timers.first().cloned()
            && due <= now
        {
            self.timers.pop_first();
            if let Some(live) = self.live.get_mut(&order) {
                (live.follows, live.timed) = (false, false);
                self.lost.insert(order.as_str().into());
                self.undo(&order, Undo::All);
                self.let_go(&order);
            }
        }
    }

    /// Lets go of what it would hold and has claimed.
    fn undo(&mut self, order: &OrderId, what: Undo) {
        let Some(live) = self.live.get_mut(order) else { return };
        let (skus, claims) = match what {
            Undo::All => {
                live.only_then.clear();
                live.claims_only_then.clear();
                (std::mem::take(&mut live.granted), std::mem::take(&mut live.claims))
            }
            Undo::OnlyThen => {
                (std::mem::take(&mut live.only_then), std::mem::take(&mut live.claims_only_then))
            }
        };
        for sku in skus {
            let twin = self.stock.entry(sku).or_default();
            let release = inventory_item::Command::Release { reservation: order.clone().into() };
            if let Ok(events) = twin.then().decide(release) {
                twin.either(&[], &events);
            }
        }
        for claim in claims {
            let twin = self.allowances.entry(claim).or_default();
            let give_back = allowance::Command::GiveBack { order: order.clone(), quantity: None };
            if let Ok(events) = twin.then().decide(give_back) {
                twin.either(&[], &events);
            }
        }
    }

    /// Forgets a checkout that nothing more is expected of.
    pub(super) fn let_go(&mut self, order: &OrderId) {
        if self.live.get(order).is_some_and(|live| live.over && live.pending == 0 && !live.timed) {
            self.live.remove(order);
        }
    }
}

/// What a checkout lets go of.
enum Undo {
    /// Everything that it would hold.
    All,
    /// What it would hold and did not: the rest is let go of as it was.
    OnlyThen,
}

fn difference(live: &Live, group: &Group, decision: &'static str) -> Difference {
    let position: Position = group.position;
    Difference {
        position,
        at: group.at,
        decision,
        order: Some(live.was.order.clone()),
        sku: None,
        was: "accepted".to_owned(),
        then: "accepted".to_owned(),
        total_was: Some(live.was.total),
        total_then: Some(live.then.total),
    }
}
