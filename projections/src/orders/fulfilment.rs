//! What becomes of an order after it was placed: its review, its units, its edit, its number.

use std::collections::BTreeMap;

use domain::{
    order::{self, Count, Event, Invoice, ReceivedUnits, Transit, Units},
    value::{EditId, Money, PaymentId, ReturnId, ShipmentId, Text},
};
use serde::{Deserialize, Serialize};
use store::follow::ApplyError;

use super::Status;
use crate::rows::words;

/// Units that left the house together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Shipment {
    /// Its id.
    pub id: ShipmentId,
    /// Who carries it.
    pub carrier: Text,
    /// Its name with the carrier.
    pub tracking: Option<Text>,
    /// What is in it.
    pub lines: Vec<Units>,
    /// What that is worth, with the charges that went along.
    pub value: Money,
    /// The carrier's last word of it while it was under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transit: Option<Transit>,
    /// Whether it arrived.
    pub delivered: bool,
}

words! {
    /// How far a return has come.
    ReturnStatus {
        /// The buyer asked for it.
        Requested = "requested",
        /// It may come.
        Approved = "approved",
        /// It will not come.
        Rejected = "rejected",
        /// It came.
        Received = "received",
        /// The buyer got the money for it.
        Refunded = "refunded",
    }
}

/// Units that the buyer sends back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Return {
    /// Its id.
    pub id: ReturnId,
    /// How far it has come.
    pub status: ReturnStatus,
    /// What was asked for.
    pub lines: Vec<Units>,
    /// Why.
    pub reason: Text,
    /// What was said when it was rejected.
    pub note: Option<Text>,
    /// What came.
    pub received: Vec<ReceivedUnits>,
    /// What that is worth.
    pub value: Option<Money>,
    /// What the buyer got for it.
    pub refunded: Option<Money>,
}

/// An edit that is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = OrderEdit))]
pub struct Edit {
    /// Its id.
    pub id: EditId,
    /// Whether stock and payment are being asked.
    pub committed: bool,
    /// The payment that a dearer order waits for, once the edit is committed.
    #[serde(default)]
    pub payment: Option<PaymentId>,
}

/// What became of the units of one line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LineProgress {
    /// The line's place among the order's lines, from 0.
    pub line: u32,
    /// Called off before they were shipped.
    pub cancelled: u32,
    /// Shipped, whatever became of them then.
    pub shipped: u32,
    /// Delivered, of those shipped.
    pub delivered: u32,
    /// Come back, of those shipped.
    pub returned: u32,
}

/// Everything of it that is short.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Progress {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<u32, Count>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edit: Option<Edit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice: Option<Invoice>,
}

impl Progress {
    /// The lines of which anything became something.
    pub fn lines(&self) -> Vec<LineProgress> {
        let line = |(line, count): (&u32, &Count)| LineProgress {
            line: *line,
            cancelled: count.cancelled,
            shipped: count.shipped,
            delivered: count.delivered,
            returned: count.returned,
        };
        self.counts.iter().map(line).collect()
    }
}

/// An order's columns that change as it is fulfilled.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Fulfilment {
    /// Units on its lines.
    pub ordered: i64,
    pub progress: Progress,
    pub shipments: Vec<Shipment>,
    pub returns: Vec<Return>,
}

impl Fulfilment {
    pub fn of(ordered: i64) -> Self {
        Self { ordered, ..Self::default() }
    }

    /// How far an order has come that was confirmed and not called off.
    pub fn status(&self) -> Status {
        let ordered = u64::try_from(self.ordered).unwrap_or_default();
        order::Progress::of(ordered, self.progress.counts.values().copied()).status().into()
    }

    /// After an event about the order's units or its edit; other events leave it as it was.
    pub fn after(mut self, event: &Event) -> Result<Self, ApplyError> {
        match event {
            Event::LinesCancelled { lines, .. } => {
                self.count(lines, |count, units| count.cancelled = count.cancelled.saturating_add(units));
            }
            Event::Shipped { shipment, carrier, tracking, lines, value, .. } => {
                self.count(lines, |count, units| count.shipped = count.shipped.saturating_add(units));
                self.shipments.push(Shipment {
                    id: shipment.clone(),
                    carrier: carrier.clone(),
                    tracking: tracking.clone(),
                    lines: lines.clone(),
                    value: *value,
                    transit: None,
                    delivered: false,
                });
            }
            Event::TrackingChanged { shipment, carrier, tracking } => {
                let known = self.shipment(shipment)?;
                (known.carrier, known.tracking) = (carrier.clone(), tracking.clone());
            }
            Event::TransitNoted { shipment, transit } => self.shipment(shipment)?.transit = Some(*transit),
            Event::Delivered { shipment, .. } => {
                let known = self.shipment(shipment)?;
                known.delivered = true;
                let lines = known.lines.clone();
                self.count(&lines, |count, units| count.delivered = count.delivered.saturating_add(units));
            }
            Event::EditBegun { .. }
            | Event::EditStaged { .. }
            | Event::EditCommitted { .. }
            | Event::EditAbandoned { .. }
            | Event::EditApplied { .. }
            | Event::EditRejected { .. } => self.edited(event),
            Event::ReturnRequested { .. }
            | Event::ReturnApproved { .. }
            | Event::ReturnRejected { .. }
            | Event::ReturnReceived { .. }
            | Event::ReturnRefunded { .. } => self.returned(event)?,
            Event::HeldForReview { reason } => self.progress.held = Some(reason.clone()),
            Event::ReleasedFromReview { .. } | Event::Cancelled { .. } => self.progress.held = None,
            Event::Invoiced { year, number, issued_at } => {
                let (year, number, issued_at) = (*year, *number, *issued_at);
                self.progress.invoice = Some(Invoice { year, number, issued_at });
            }
            Event::Placed(_) | Event::Confirmed { .. } | Event::CreditNoteIssued(_) => {}
        }
        Ok(self)
    }

    fn edited(&mut self, event: &Event) {
        match event {
            Event::EditBegun { edit } => {
                self.progress.edit = Some(Edit { id: edit.clone(), committed: false, payment: None });
            }
            Event::EditCommitted { edit, payment, .. } => {
                self.progress.edit =
                    Some(Edit { id: edit.clone(), committed: true, payment: payment.clone() });
            }
            Event::EditApplied { lines, .. } => {
                self.ordered = units(lines);
                self.progress.counts = BTreeMap::new();
                self.progress.edit = None;
            }
            Event::EditAbandoned { .. } | Event::EditRejected { .. } => self.progress.edit = None,
            _ => {}
        }
    }

    fn returned(&mut self, event: &Event) -> Result<(), ApplyError> {
        match event {
            Event::ReturnRequested { return_id, lines, reason } => self.returns.push(Return {
                id: return_id.clone(),
                status: ReturnStatus::Requested,
                lines: lines.clone(),
                reason: reason.clone(),
                note: None,
                received: vec![],
                value: None,
                refunded: None,
            }),
            Event::ReturnApproved { return_id } => {
                self.known_return(return_id)?.status = ReturnStatus::Approved;
            }
            Event::ReturnRejected { return_id, note } => {
                let known = self.known_return(return_id)?;
                (known.status, known.note) = (ReturnStatus::Rejected, note.clone());
            }
            Event::ReturnReceived { return_id, lines, value, .. } => {
                let known = self.known_return(return_id)?;
                (known.status, known.value) = (ReturnStatus::Received, Some(*value));
                known.received.clone_from(lines);
                let lines: Vec<Units> = lines.iter().map(ReceivedUnits::units).collect();
                self.count(&lines, |count, units| count.returned = count.returned.saturating_add(units));
            }
            Event::ReturnRefunded { return_id, amount } => {
                let known = self.known_return(return_id)?;
                (known.status, known.refunded) = (ReturnStatus::Refunded, Some(*amount));
            }
            _ => {}
        }
        Ok(())
    }

    fn count(&mut self, lines: &[Units], change: impl Fn(&mut Count, u32)) {
        for units in lines {
            change(self.progress.counts.entry(units.line).or_default(), units.quantity.get());
        }
    }

    fn shipment(&mut self, id: &ShipmentId) -> Result<&mut Shipment, ApplyError> {
        let known = self.shipments.iter_mut().find(|known| known.id == *id);
        known.ok_or_else(|| ApplyError::Poison(format!("there is no shipment {id}")))
    }

    fn known_return(&mut self, id: &ReturnId) -> Result<&mut Return, ApplyError> {
        let known = self.returns.iter_mut().find(|known| known.id == *id);
        known.ok_or_else(|| ApplyError::Poison(format!("there is no return {id}")))
    }
}

/// Units on all lines.
pub(super) fn units(lines: &[order::Line]) -> i64 {
    // At most 2,000 of at most 2^32 each: far below what fits.
    lines.iter().map(|line| i64::from(line.quantity.get())).sum()
}
