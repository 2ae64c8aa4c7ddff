//! The invoice book of a year: one row of numbers for invoices and credit notes, without a gap.

pub mod policy;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    value::{Money, OrderId, Time},
};

/// So many orders are recognised when they come again. Whoever asks for a number derives the command's id from its
/// cause, and the log answers a repeated id by itself: that protects all older ones.
pub const RECENT_MAX: usize = 10_000;

/// What gets a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Document {
    /// For an order.
    Invoice,
    /// For something given back.
    CreditNote,
}

/// What may be asked of an invoice book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Command {
    /// Give an order or a credit note the next number. One of the last 10,000 that comes again keeps its own.
    Issue { document: Document, order: OrderId, total: Money, issued_at: Time },
}

/// What happened in an invoice book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Event {
    /// A number was given.
    Issued { number: u64, document: Document, order: OrderId, total: Money, issued_at: Time },
}

/// Why an invoice book may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
pub enum Refusal {
    /// The last number there is was given.
    #[error("the invoice book is full")]
    #[serde(rename = "invoice.book_full")]
    BookFull,
}

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] = &[("Issued", "1")];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Issued { .. } => "Issued",
        }
    }
}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &["invoice.book_full"];

    fn code(&self) -> &'static str {
        match self {
            Self::BookFull => "invoice.book_full",
        }
    }
}

/// The state of an invoice book.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InvoiceBook {
    /// The last number that was given; none when zero.
    last: u64,
    /// The orders that were numbered last, the oldest first.
    recent: VecDeque<OrderId>,
    /// The same, for looking them up.
    known: BTreeSet<OrderId>,
}

impl Aggregate for InvoiceBook {
    const TYPE: &'static str = "invoice_book";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        let Command::Issue { document, order, total, issued_at } = command;
        if self.known.contains(&order) {
            return Ok(vec![]);
        }
        let number = self.last.checked_add(1).ok_or(Refusal::BookFull)?;
        Ok(vec![Event::Issued { number, document, order, total, issued_at }])
    }

    fn evolve(mut self, event: Event) -> Self {
        let Event::Issued { number, order, .. } = event;
        self.last = self.last.max(number);
        if self.known.insert(order.clone()) {
            self.recent.push_back(order);
        }
        if self.recent.len() > RECENT_MAX
            && let Some(oldest) = self.recent.pop_front()
        {
            self.known.remove(&oldest);
        }
        self
    }

    /// Never: there is always another use of it.
    fn is_closed(&self) -> bool {
        false
    }
}

impl InvoiceBook {
    /// The last number that was given; none when zero.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }
}
