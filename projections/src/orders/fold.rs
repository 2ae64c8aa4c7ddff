//! What each event makes of an order's row.

use domain::{
    order::{CancelReason, Charge, Event, Line, Placement, Source},
    value::{CustomerId, Money, OrderId, PaymentId, Text, Time},
};
use store::{
    follow::ApplyError,
    log::{Position, Sequence},
};

use super::{Kind, Status};
use crate::{batch::Step, rows::text};

/// An order's row: what changes, and what it was placed with if that happened in this very batch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub placed: Option<Box<Placed>>,
    pub status: Status,
    pub cancel_reason: Option<CancelReason>,
    pub cancel_note: Option<Text>,
    pub version: Sequence,
    pub position: Position,
}

/// What an order was placed with, or a credit note issued with: it never changes, so it is written once and not read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub kind: Kind,
    pub customer: Option<CustomerId>,
    pub source: Source,
    pub credits: Option<OrderId>,
    pub placed_at: Time,
    pub total: Money,
    pub units: i64,
    pub line_count: i64,
    pub lines: String,
    pub charges: String,
    pub payment: Option<PaymentId>,
    pub country: Option<Text>,
    pub delivery: Option<String>,
}

/// The row after one more event.
pub(super) fn apply(row: Option<Row>, step: &Step<'_, Event>) -> Result<Row, ApplyError> {
    let version = step.at.after(row.as_ref().map_or(0, |row| row.version))?;
    let position = step.at.position;
    let begun = |placed, status| Row {
        placed: Some(Box::new(placed)),
        status,
        cancel_reason: None,
        cancel_note: None,
        version,
        position,
    };
    match (row, step.event) {
        (None, Event::Placed { placement, total }) => Ok(begun(sale(placement, *total)?, Status::Placed)),
        (None, Event::CreditNoteIssued { credit, total }) => {
            let placed = Placed {
                kind: Kind::CreditNote,
                customer: credit.customer.clone(),
                source: credit.source.clone(),
                credits: credit.order.clone(),
                placed_at: credit.issued_at,
                total: *total,
                units: units(&credit.lines, &credit.charges),
                line_count: count(&credit.lines),
                lines: text(&credit.lines)?,
                charges: text(&credit.charges)?,
                payment: None,
                country: credit.country.clone(),
                delivery: None,
            };
            Ok(begun(placed, Status::Credited))
        }
        (Some(row), Event::Confirmed {}) => Ok(Row { status: Status::Confirmed, version, position, ..row }),
        (Some(row), Event::Cancelled { reason, note }) => Ok(Row {
            status: Status::Cancelled,
            cancel_reason: Some(*reason),
            cancel_note: note.clone(),
            version,
            position,
            ..row
        }),
        (None, Event::Confirmed {} | Event::Cancelled { .. }) => {
            Err(ApplyError::Poison("the order was never placed".to_owned()))
        }
        (Some(_), Event::Placed { .. } | Event::CreditNoteIssued { .. }) => {
            Err(ApplyError::Poison("the order was placed before".to_owned()))
        }
    }
}

fn sale(placement: &Placement, total: Money) -> Result<Placed, ApplyError> {
    Ok(Placed {
        kind: Kind::Sale,
        customer: placement.customer.clone(),
        source: placement.source.clone(),
        credits: None,
        placed_at: placement.placed_at,
        total,
        units: units(&placement.lines, &placement.charges),
        line_count: count(&placement.lines),
        lines: text(&placement.lines)?,
        charges: text(&placement.charges)?,
        payment: placement.payment.clone(),
        country: placement.country.clone(),
        delivery: placement.delivery.as_ref().map(text).transpose()?,
    })
}

fn units(lines: &[Line], charges: &[Charge]) -> i64 {
    let lines = lines.iter().map(|line| line.quantity);
    let charges = charges.iter().map(|charge| charge.quantity);
    // At most 4,000 of at most 2^32 each: far below what fits.
    lines.chain(charges).map(|quantity| i64::from(quantity.get())).sum()
}

fn count(lines: &[Line]) -> i64 {
    i64::try_from(lines.len()).unwrap_or(i64::MAX)
}
