//! How checkouts came out, how they would have, and what becomes of their holds then.

use domain::{
    Aggregate as _, AggregateType, allowance,
    checkout::Event,
    inventory_item,
    order::CancelReason,
    value::{OrderId, Time},
};
use store::log::StreamId;

use super::{
    checkouts::Live,
    replay::{Group, Refused, Replay},
    told::Difference,
};

impl Replay<'_> {
    pub(super) fn concluded(&mut self, order: &OrderId, event: &Event, group: &Group) {
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
    Difference {
        position: group.position,
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
