//! What each event makes of an order's row.

use domain::{
    order::{CancelReason, Charge, CreditNoteIssued, Event, Line, Placed as Sold, Source},
    value::{CustomerId, Money, OrderId, PaymentId, Text, Time},
};
use store::{
    follow::ApplyError,
    log::{Position, Sequence},
};

use super::{
    Kind, Status,
    fulfilment::{self, Fulfilment},
};
use crate::{
    batch::{At, Versioned},
    rows::text,
};

/// An order's row: what changes, and what it was placed with if that happened in this very batch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    pub placed: Option<Box<Placed>>,
    /// Its lines and total, if an edit changed them in this very batch.
    pub restated: Option<Restated>,
    pub fulfilment: Fulfilment,
    pub status: Status,
    pub cancel_reason: Option<CancelReason>,
    pub cancel_note: Option<Text>,
    pub version: Sequence,
    pub position: Position,
}

/// What an applied edit makes of an order's bill.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Restated {
    pub total: i64,
    pub line_count: i64,
    pub lines: String,
}

/// What an order was placed with, or a credit note issued with: only an edit changes it, so it is not read again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Placed {
    pub kind: Kind,
    pub customer: Option<CustomerId>,
    pub source: Source,
    pub credits: Option<OrderId>,
    pub placed_at: Time,
    pub total: Money,
    pub units: i64,
    /// Those of them that stand on its lines.
    pub ordered: i64,
    pub line_count: i64,
    pub lines: String,
    pub charges: String,
    pub payment: Option<PaymentId>,
    pub country: Option<Text>,
    pub delivery: Option<String>,
}

/// The row after one more event.
pub(super) fn apply(row: Option<Row>, event: &Event, at: At) -> Result<Row, ApplyError> {
    let version = at.after(row.as_ref().map(|row| row.version))?;
    let position = at.position;
    let begun = |placed, status, ordered| Row {
        placed: Some(Box::new(placed)),
        restated: None,
        fulfilment: Fulfilment::of(ordered),
        status,
        cancel_reason: None,
        cancel_note: None,
        version,
        position,
    };
    match (row, event) {
        (None, Event::Placed(placed)) => {
            Ok(begun(sale(placed)?, Status::Placed, fulfilment::units(&placed.lines)))
        }
        (None, Event::CreditNoteIssued(issued)) => {
            Ok(begun(credit_note(issued)?, Status::Credited, fulfilment::units(&issued.lines)))
        }
        (Some(_), Event::Placed(_) | Event::CreditNoteIssued(_)) => {
            Err(ApplyError::Poison("the order was placed before".to_owned()))
        }
        (None, _) => Err(ApplyError::Poison("the order was never placed".to_owned())),
        (Some(row), event) => Ok(Row { version, position, ..row.after(event)? }),
    }
}

impl Versioned for Row {
    fn last(&mut self) -> (&mut Sequence, &mut Position) {
        (&mut self.version, &mut self.position)
    }
}

impl Row {
    fn after(self, event: &Event) -> Result<Self, ApplyError> {
        let fulfilment = self.fulfilment.after(event)?;
        let row = Self { fulfilment, ..self };
        Ok(match event {
            Event::HeldForReview { .. } => Self { status: Status::Held, ..row },
            Event::ReleasedFromReview { .. } => Self { status: Status::Placed, ..row },
            Event::Cancelled { reason, note, .. } => Self {
                status: Status::Cancelled,
                cancel_reason: Some(*reason),
                cancel_note: note.clone(),
                ..row
            },
            Event::EditApplied { lines, total, .. } => row.restated(lines, *total)?,
            Event::Confirmed { .. }
            | Event::LinesCancelled { .. }
            | Event::Shipped { .. }
            | Event::Delivered { .. }
            | Event::ReturnReceived { .. } => Self { status: row.fulfilment.status(), ..row },
            Event::Placed(_)
            | Event::TrackingChanged { .. }
            | Event::TransitNoted { .. }
            | Event::EditBegun { .. }
            | Event::EditStaged { .. }
            | Event::EditCommitted { .. }
            | Event::EditAbandoned { .. }
            | Event::EditRejected { .. }
            | Event::ReturnRequested { .. }
            | Event::ReturnApproved { .. }
            | Event::ReturnRejected { .. }
            | Event::ReturnRefunded { .. }
            | Event::Invoiced { .. }
            | Event::CreditNoteIssued(_) => row,
        })
    }

    fn restated(mut self, lines: &[Line], total: Money) -> Result<Self, ApplyError> {
        let restated = Restated { total: total.amount, line_count: count(lines), lines: text(&lines)? };
        match &mut self.placed {
            Some(placed) => {
                placed.units = placed.units - placed.ordered + self.fulfilment.ordered;
                placed.ordered = self.fulfilment.ordered;
                placed.total = total;
                placed.line_count = restated.line_count;
                placed.lines = restated.lines;
            }
            None => self.restated = Some(restated),
        }
        Ok(self)
    }
}

fn sale(placed: &Sold) -> Result<Placed, ApplyError> {
    Ok(Placed {
        kind: Kind::Sale,
        customer: placed.customer.clone(),
        source: placed.source.clone(),
        credits: None,
        placed_at: placed.placed_at,
        total: placed.total,
        units: units(&placed.lines, &placed.charges),
        ordered: fulfilment::units(&placed.lines),
        line_count: count(&placed.lines),
        lines: text(&placed.lines)?,
        charges: text(&placed.charges)?,
        payment: placed.payment.as_ref().map(|terms| terms.payment.clone()),
        country: placed.country.clone(),
        delivery: placed.delivery.as_ref().map(text).transpose()?,
    })
}

fn credit_note(issued: &CreditNoteIssued) -> Result<Placed, ApplyError> {
    Ok(Placed {
        kind: Kind::CreditNote,
        customer: issued.customer.clone(),
        source: issued.source.clone(),
        credits: issued.order.clone(),
        placed_at: issued.issued_at,
        total: issued.total,
        units: units(&issued.lines, &issued.charges),
        ordered: fulfilment::units(&issued.lines),
        line_count: count(&issued.lines),
        lines: text(&issued.lines)?,
        charges: text(&issued.charges)?,
        payment: None,
        country: issued.country.clone(),
        delivery: None,
    })
}

fn units(lines: &[Line], charges: &[Charge]) -> i64 {
    let charges = charges.iter().map(|charge| i64::from(charge.quantity.get()));
    fulfilment::units(lines) + charges.sum::<i64>()
}

fn count(lines: &[Line]) -> i64 {
    i64::try_from(lines.len()).unwrap_or(i64::MAX)
}
