//! What each event makes of an order.

use super::{Book, Credit, EditEnd, Event, Invoice, Order, ReturnStage, Shipment};
use crate::value::Money;

impl Order {
    pub(super) fn evolve_event(self, event: Event) -> Self {
        match event {
            Event::Placed(placed) => match self {
                Self::Unplaced => {
                    let total = placed.total;
                    Self::Placed { placement: placed.into_placement(), total }
                }
                state => state,
            },
            Event::CreditNoteIssued(issued) => {
                let total = issued.total;
                self.credited(issued.into_credit(), total)
            }
            Event::HeldForReview { reason } => match self {
                Self::Placed { placement, total } => Self::Held { placement, total, reason },
                state => state,
            },
            Event::ReleasedFromReview { .. } => match self {
                Self::Held { placement, total, .. } => Self::Placed { placement, total },
                state => state,
            },
            Event::Confirmed { .. } => match self {
                Self::Placed { placement, total } => Self::Confirmed { book: Book::new(placement, total) },
                state => state,
            },
            Event::Cancelled { reason, .. } => match self {
                Self::Placed { placement, total } | Self::Held { placement, total, .. } => {
                    Self::Withdrawn { placement, total, reason }
                }
                Self::Confirmed { book } => Self::Cancelled { book, reason },
                state => state,
            },
            Event::Invoiced { year, number, issued_at } => self.invoiced(Invoice { year, number, issued_at }),
            event @ (Event::LinesCancelled { .. }
            | Event::Shipped { .. }
            | Event::TrackingChanged { .. }
            | Event::TransitNoted { .. }
            | Event::Delivered { .. }
            | Event::EditBegun { .. }
            | Event::EditStaged { .. }
            | Event::EditCommitted { .. }
            | Event::EditAbandoned { .. }
            | Event::EditApplied { .. }
            | Event::EditRejected { .. }
            | Event::ReturnRequested { .. }
            | Event::ReturnApproved { .. }
            | Event::ReturnRejected { .. }
            | Event::ReturnReceived { .. }
            | Event::ReturnRefunded { .. }) => match self {
                Self::Confirmed { mut book } => {
                    book.happened(event);
                    Self::Confirmed { book }
                }
                state => state,
            },
        }
    }

    fn credited(self, credit: Credit, total: Money) -> Self {
        match self {
            Self::Unplaced => Self::CreditNote { credit, total, invoice: None },
            state => state,
        }
    }

    fn invoiced(mut self, issued: Invoice) -> Self {
        match &mut self {
            Self::Confirmed { book: Book { invoice, .. } }
            | Self::Cancelled { book: Book { invoice, .. }, .. }
            | Self::CreditNote { invoice, .. } => *invoice = invoice.or(Some(issued)),
            Self::Unplaced | Self::Placed { .. } | Self::Held { .. } | Self::Withdrawn { .. } => {}
        }
        self
    }
}

impl Book {
    fn happened(&mut self, event: Event) {
        match event {
            Event::LinesCancelled { cancellation, lines, .. } => self.units_cancelled(cancellation, lines),
            Event::Shipped { shipment, carrier, tracking, lines, value, .. } => {
                let shipped_as = (carrier.clone(), tracking.clone());
                self.units_shipped(
                    shipment,
                    Shipment {
                        lines,
                        value,
                        carrier,
                        tracking,
                        transit: None,
                        delivered: false,
                        shipped_as,
                        transits: 0,
                    },
                );
            }
            Event::TrackingChanged { shipment, carrier, tracking } => {
                self.tracking_changed(&shipment, carrier, tracking);
            }
            Event::TransitNoted { shipment, transit } => self.transit_noted(&shipment, transit),
            Event::Delivered { shipment, .. } => self.units_delivered(&shipment),
            Event::EditBegun { edit } => self.edit_begun(edit),
            Event::EditStaged { edit, changes } => self.edit_staged(&edit, changes),
            Event::EditCommitted { edit, .. } => self.edit_committed(&edit),
            Event::EditAbandoned { edit } => self.edit_ended(edit, EditEnd::Abandoned),
            Event::EditApplied { edit, lines, total } => {
                self.restate(lines, total);
                self.edit_ended(edit, EditEnd::Applied);
            }
            Event::EditRejected { edit, .. } => self.edit_ended(edit, EditEnd::Rejected),
            Event::ReturnRequested { return_id, lines, reason } => {
                self.return_requested(return_id, lines, reason);
            }
            Event::ReturnApproved { return_id } => self.return_is(&return_id, ReturnStage::Approved),
            Event::ReturnRejected { return_id, .. } => self.return_is(&return_id, ReturnStage::Rejected),
            Event::ReturnReceived { return_id, lines, value, .. } => {
                self.units_returned(&return_id, lines, value);
            }
            Event::ReturnRefunded { return_id, amount } => self.return_refunded(&return_id, amount),
            Event::Placed(_)
            | Event::CreditNoteIssued(_)
            | Event::HeldForReview { .. }
            | Event::ReleasedFromReview { .. }
            | Event::Confirmed { .. }
            | Event::Cancelled { .. }
            | Event::Invoiced { .. } => {}
        }
    }
}
