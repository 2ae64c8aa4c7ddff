//! Sends what is planned through the executor: many invoices at once, each SKU's changes in the order of the file.
//!
//! An invoice waits only for invoices that begin before it, and those are always on their way already, so it never
//! waits for good. Every command's id derives from its place in the invoice: whatever is sent again is answered again.

use std::{num::NonZeroI32, ops::AddAssign};

use domain::{
    AnyCommand,
    inventory_item::{self, AdjustReason},
    order,
    value::{OrderId, ReservationId, Text, Time},
};
use futures::{StreamExt as _, future::try_join_all, stream::FuturesUnordered};
use store::{
    executor::{Cause, ExecuteError, Executor, Origin, Request, Token},
    secrets::Fingerprints,
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{
    SOURCE,
    bill::{Bill, Document},
    error::ImportError,
    moves::{Change, Move},
    plan::Plan,
    stock::{Opening, Turns},
};
use crate::progress::Progress;

/// Commands that have been sent and not yet answered.
const OUTSTANDING_MAX: usize = 256;
/// Invoices that have been begun and not yet finished.
const BILLS_MAX: usize = 128;
/// The ids of this import's commands derive from it.
const NAMESPACE: Uuid = Uuid::from_u128(0x6461_7962_6f6f_6b00_8000_0000_0000_0002);

/// What the answers add up to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Events of answers that were not given before.
    pub new_events: u64,
    /// Answers.
    pub commands: u64,
    /// The furthest place in the log that any of them rests on.
    pub last: Option<Token>,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.new_events += other.new_events;
        self.commands += other.commands;
        self.last = match (self.last, other.last) {
            (Some(left), Some(right)) if left.position >= right.position => Some(left),
            (left, right) => right.or(left),
        };
    }
}

/// One import on its way.
pub struct Run<'a> {
    executor: &'a Executor,
    fingerprints: &'a Fingerprints,
    plan: &'a Plan,
    progress: &'a Progress,
    turns: Turns,
    outstanding: Semaphore,
}

/// A command of an invoice.
struct Step<'a> {
    bill: &'a Bill,
    what: &'a str,
    /// The SKU, or nothing for the order itself.
    part: &'a str,
    at: Time,
    command: AnyCommand,
}

impl<'a> Run<'a> {
    pub fn new(
        executor: &'a Executor,
        fingerprints: &'a Fingerprints,
        plan: &'a Plan,
        progress: &'a Progress,
    ) -> Self {
        Self {
            executor,
            fingerprints,
            plan,
            progress,
            turns: plan.turns(),
            outstanding: Semaphore::new(OUTSTANDING_MAX),
        }
    }

    /// Books everything, or stops at the first thing that cannot be.
    pub async fn all(&self) -> Result<Tally, ImportError> {
        let mut tally = Tally::default();
        // A file has its own opening stock, told by its first invoice: next month's file brings another one.
        if let Some(first) = self.plan.bills.first() {
            let openings = self.plan.openings.iter().map(|opening| self.open(first, opening));
            for opened in try_join_all(openings).await? {
                tally += opened;
            }
        }
        let mut bills = self.plan.bills.iter();
        let mut begun = FuturesUnordered::new();
        loop {
            while begun.len() < BILLS_MAX
                && let Some(bill) = bills.next()
            {
                begun.push(self.book(bill));
            }
            match begun.next().await {
                Some(booked) => tally += booked?,
                None => return Ok(tally),
            }
        }
    }

    async fn open(&self, first: &Bill, opening: &Opening) -> Result<Tally, ImportError> {
        let reference = Text::new("retail opening").ok();
        let step = Step {
            bill: first,
            what: "opening",
            part: opening.sku.as_str(),
            at: self.plan.opened_at,
            command: adjust(opening.delta, AdjustReason::Opening, reference),
        };
        self.execute(opening.sku.as_str(), step).await
    }

    async fn book(&self, bill: &Bill) -> Result<Tally, ImportError> {
        let mut tally = Tally::default();
        match (&bill.document, bill.document.command()) {
            (Document::Order(_), Some(place)) => tally += self.order(bill, "place", place).await?,
            (_, Some(issue)) => tally += self.order(bill, "credit", issue).await?,
            (_, None) => {}
        }
        for moved in try_join_all(bill.moves.iter().map(|change| self.change(bill, change))).await? {
            tally += moved;
        }
        if let Document::Order(_) = bill.document {
            tally += self.order(bill, "confirm", order::Command::Confirm {}).await?;
            let sold = bill.moves.iter();
            let sold = sold.filter(|change| matches!(change.change, Change::Reserve(_)));
            for allocated in try_join_all(sold.map(|change| self.allocate(bill, change))).await? {
                tally += allocated;
            }
        }
        self.progress.advance(bill.lines);
        Ok(tally)
    }

    async fn order(&self, bill: &Bill, what: &str, command: order::Command) -> Result<Tally, ImportError> {
        let step = Step { bill, what, part: "", at: bill.at, command: command.into() };
        self.execute(bill.id.as_str(), step).await
    }

    async fn change(&self, bill: &Bill, change: &Move) -> Result<Tally, ImportError> {
        self.turns.wait(change.turn).await;
        let command = match &change.change {
            Change::Reserve(quantity) => inventory_item::Command::Reserve {
                reservation: reservation(&bill.id),
                quantity: *quantity,
                expires_at: None,
                in_stock: false,
                now: bill.at,
            }
            .into(),
            Change::Adjust { delta, reason, reference } => adjust(*delta, *reason, reference.clone()),
        };
        let moved = self.stock(bill, &change.what, change, command).await?;
        self.turns.pass(change.turn);
        Ok(moved)
    }

    async fn allocate(&self, bill: &Bill, change: &Move) -> Result<Tally, ImportError> {
        let command = inventory_item::Command::Allocate { reservation: reservation(&bill.id), now: bill.at };
        self.stock(bill, "allocate", change, command.into()).await
    }

    async fn stock(
        &self,
        bill: &Bill,
        what: &str,
        change: &Move,
        command: AnyCommand,
    ) -> Result<Tally, ImportError> {
        let step = Step { bill, what, part: change.sku.as_str(), at: bill.at, command };
        self.execute(change.sku.as_str(), step).await
    }

    async fn execute(&self, aggregate_id: &str, step: Step<'_>) -> Result<Tally, ImportError> {
        // The semaphore is never closed; without a permit there is only more on its way.
        let _permit = self.outstanding.acquire().await;
        let invoice = format!("{SOURCE}{}", step.bill.id);
        let invoice_id = Uuid::new_v5(&NAMESPACE, invoice.as_bytes());
        let name = format!("{invoice}:{}:{}", step.what, step.part);
        let request = Request {
            aggregate_id: aggregate_id.into(),
            command_id: Uuid::new_v5(&NAMESPACE, name.as_bytes()),
            fingerprint: self.fingerprints.of(&step.command)?,
            command: step.command,
            origin: Origin::Derived,
            expected_version: None,
            cause: Cause {
                actor: "import:retail".into(),
                correlation_id: invoice_id,
                causation_id: invoice_id,
                occurred_at: Some(step.at),
                traceparent: None,
            },
        };
        match self.executor.execute_in_turn(request).await {
            Ok(executed) => Ok(Tally {
                new_events: executed.events.len() as u64,
                commands: 1,
                last: Some(executed.token),
            }),
            Err(error) => Err(failed(error, step.bill, step.what, step.part)),
        }
    }
}

fn failed(error: ExecuteError, bill: &Bill, what: &str, part: &str) -> ImportError {
    let (invoice, line) = (bill.id.clone(), bill.line);
    let whole = if part.is_empty() { format!("{what} of the order") } else { format!("{what} of {part}") };
    match error {
        ExecuteError::IdReused if what == "opening" => {
            ImportError::OtherOpening { invoice, sku: part.to_owned() }
        }
        ExecuteError::IdReused => ImportError::OtherContent { invoice, line, what: whole },
        ExecuteError::Refused(refused) => {
            ImportError::Refused { invoice, line, what: whole, refusal: Box::new(refused.refusal) }
        }
        error @ (ExecuteError::InFlight
        | ExecuteError::VersionMismatch { .. }
        | ExecuteError::Overloaded
        | ExecuteError::Unavailable(_)) => ImportError::Log(error),
    }
}

fn reservation(order: &OrderId) -> ReservationId {
    order.clone().into()
}

fn adjust(delta: NonZeroI32, reason: AdjustReason, reference: Option<Text>) -> AnyCommand {
    inventory_item::Command::Adjust { delta, reason, location: None, reference }.into()
}
