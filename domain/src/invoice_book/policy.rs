//! Credit notes get a number of the book, and whatever got one is told.

use super::{Command, Document, Event};
use crate::{
    AggregateType::{InvoiceBook, Order},
    AnyEvent, order,
    process::{Fact, Issue, Policy},
    value::OrderId,
};

/// The policy `credit_note_numbers`: a credit note of the shop's own gets the next number of its year. Those of other
/// systems have the number that they came with.
pub const CREDIT_NOTES: Policy =
    Policy { name: "credit_note_numbers", issues: credit_notes, wants: &[(InvoiceBook, "Issue")] };

/// The policy `invoice_numbers`: the order, or the credit note, learns its number.
pub const NUMBERS: Policy =
    Policy { name: "invoice_numbers", issues: numbers, wants: &[(Order, "RecordInvoice")] };

fn credit_notes(Fact { id, event, .. }: Fact<'_>) -> Vec<Issue> {
    let AnyEvent::Order(order::Event::CreditNoteIssued(note)) = event else {
        return vec![];
    };
    let (order::Source::Cart(_), Ok(order)) = (&note.source, OrderId::new(id)) else {
        return vec![];
    };
    let (total, issued_at) = (note.total, note.issued_at);
    let issue = Command::Issue { document: Document::CreditNote, order, total, issued_at };
    vec![Issue::command(&issued_at.year().to_string(), issue)]
}

fn numbers(Fact { id, event, .. }: Fact<'_>) -> Vec<Issue> {
    let (AnyEvent::InvoiceBook(Event::Issued { number, order, issued_at, .. }), Ok(year)) =
        (event, id.parse())
    else {
        return vec![];
    };
    let record = order::Command::RecordInvoice { year, number: *number, issued_at: *issued_at };
    vec![Issue::command(order.as_str(), record)]
}
