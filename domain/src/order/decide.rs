//! What an order says to each command; what concerns its units is decided in the files of their themes.

use super::{
    Book, CancelReason, Command, Credit, CreditNoteIssued, Event, Invoice, Order, Placed, Placement, Refusal,
    bill,
};
use crate::value::Text;

impl Order {
    pub(super) fn decide_command(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Place(placement) => self.place(placement),
            Command::HoldForReview { reason } => self.hold(reason),
            Command::ReleaseFromReview { note } => self.release(note),
            Command::RejectAfterReview { note } => self.reject(note),
            Command::Confirm {} => self.confirm(),
            Command::Cancel { reason, note } => self.cancel(reason, note),
            Command::CancelLines { cancellation, lines, note } => {
                self.in_book(|book| book.cancel_lines(cancellation, &lines, note))
            }
            Command::Ship { shipment, carrier, tracking, lines } => {
                self.in_book(|book| book.ship(shipment, (carrier, tracking), &lines))
            }
            Command::ChangeTracking { shipment, carrier, tracking } => {
                self.in_book(|book| book.change_tracking(shipment, carrier, tracking))
            }
            Command::RecordTransit { shipment, transit } => {
                self.in_book(|book| book.record_transit(shipment, transit))
            }
            Command::Deliver { shipment } => self.in_book(|book| book.deliver(shipment)),
            Command::BeginEdit { edit } => self.in_book(|book| book.begin_edit(edit)),
            Command::StageEdit { edit, changes } => self.in_book(|book| book.stage_edit(edit, changes)),
            Command::CommitEdit { edit, payment, pay_by, now } => {
                self.in_book(|book| book.commit_edit(edit, payment, pay_by, now))
            }
            Command::AbandonEdit { edit } => self.in_book(|book| book.abandon_edit(edit)),
            Command::ApplyEdit { edit } => self.in_book(|book| book.apply_edit(edit)),
            Command::RejectEdit { edit, reason } => self.in_book(|book| book.reject_edit(edit, reason)),
            Command::RequestReturn { return_id, lines, reason } => {
                self.in_book(|book| book.request_return(return_id, &lines, reason))
            }
            Command::ApproveReturn { return_id } => self.in_book(|book| book.approve_return(return_id)),
            Command::RejectReturn { return_id, note } => {
                self.in_book(|book| book.reject_return(return_id, note))
            }
            Command::ReceiveReturn { return_id, lines, issued_at } => {
                self.in_book(|book| book.receive_return(return_id, lines, issued_at))
            }
            Command::RecordReturnRefunded { return_id, amount } => {
                self.in_book(|book| book.record_refund(return_id, amount))
            }
            Command::RecordInvoice { year, number, issued_at } => {
                self.record_invoice(Invoice { year, number, issued_at })
            }
            Command::IssueCreditNote(credit) => self.issue_credit_note(credit),
        }
    }

    /// Decides about the units of a confirmed order. One that was called off since only recognises what it did before.
    fn in_book(
        &self,
        decide: impl FnOnce(&Book) -> Result<Vec<Event>, Refusal>,
    ) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => Err(Refusal::NotPlaced),
            Self::Placed { .. } | Self::Held { .. } => Err(Refusal::NotConfirmed),
            Self::Confirmed { book } => decide(book),
            Self::Withdrawn { reason, .. } => Err(Refusal::Cancelled { reason: *reason }),
            Self::Cancelled { book, reason } => match decide(book) {
                Ok(events) if events.is_empty() => Ok(events),
                Ok(_) | Err(_) => Err(Refusal::Cancelled { reason: *reason }),
            },
            Self::CreditNote { .. } => Err(Refusal::IsCreditNote),
        }
    }

    fn place(&self, placement: Placement) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => {
                let total = bill::total(&placement.lines, &placement.charges, placement.prices_include_tax)?;
                Ok(vec![Event::Placed(Placed::new(placement, total))])
            }
            _ if self.was_placed_with(&placement) => Ok(vec![]),
            _ => Err(Refusal::AlreadyPlaced),
        }
    }

    fn was_placed_with(&self, placement: &Placement) -> bool {
        self.book()
            .map_or_else(|| self.placement() == Some(placement), |book| book.was_placed_with(placement))
    }

    fn hold(&self, reason: Text) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => Err(Refusal::NotPlaced),
            Self::Placed { .. } => Ok(vec![Event::HeldForReview { reason }]),
            Self::Held { .. } => Ok(vec![]),
            Self::Confirmed { .. } => Err(Refusal::AlreadyConfirmed),
            Self::Withdrawn { reason, .. } | Self::Cancelled { reason, .. } => {
                Err(Refusal::Cancelled { reason: *reason })
            }
            Self::CreditNote { .. } => Err(Refusal::IsCreditNote),
        }
    }

    fn release(&self, note: Option<Text>) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => Err(Refusal::NotPlaced),
            Self::Placed { .. } | Self::Confirmed { .. } => Ok(vec![]),
            Self::Held { .. } => Ok(vec![Event::ReleasedFromReview { note }]),
            Self::Withdrawn { reason, .. } | Self::Cancelled { reason, .. } => {
                Err(Refusal::Cancelled { reason: *reason })
            }
            Self::CreditNote { .. } => Err(Refusal::IsCreditNote),
        }
    }

    fn reject(&self, note: Option<Text>) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => Err(Refusal::NotPlaced),
            Self::Placed { .. } => Err(Refusal::NotHeld),
            Self::Held { placement, total, .. } => {
                Ok(vec![withdrawn(placement, *total, CancelReason::Rejected, note)])
            }
            Self::Confirmed { .. } => Err(Refusal::AlreadyConfirmed),
            Self::Withdrawn { reason: CancelReason::Rejected, .. } => Ok(vec![]),
            Self::Withdrawn { reason, .. } | Self::Cancelled { reason, .. } => {
                Err(Refusal::Cancelled { reason: *reason })
            }
            Self::CreditNote { .. } => Err(Refusal::IsCreditNote),
        }
    }

    fn confirm(&self) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => Err(Refusal::NotPlaced),
            Self::Placed { placement, total } => {
                let book = Book::new(placement.clone(), *total);
                let lines = book.by_sku(book.all_left());
                Ok(vec![Event::Confirmed { terms: book.terms(), total: Some(*total), lines }])
            }
            Self::Held { reason, .. } => Err(Refusal::HeldForReview { reason: reason.clone() }),
            Self::Confirmed { .. } => Ok(vec![]),
            Self::Withdrawn { reason, .. } | Self::Cancelled { reason, .. } => {
                Err(Refusal::Cancelled { reason: *reason })
            }
            Self::CreditNote { .. } => Err(Refusal::IsCreditNote),
        }
    }

    fn cancel(&self, reason: CancelReason, note: Option<Text>) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => Err(Refusal::NotPlaced),
            Self::Placed { placement, total } | Self::Held { placement, total, .. } => {
                Ok(vec![withdrawn(placement, *total, reason, note)])
            }
            Self::Confirmed { book } => book.cancel(reason, note),
            Self::Withdrawn { .. } | Self::Cancelled { .. } => Ok(vec![]),
            Self::CreditNote { .. } => Err(Refusal::IsCreditNote),
        }
    }

    /// A number that was taken for an order stays its number, whatever became of it meanwhile.
    fn record_invoice(&self, invoice: Invoice) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => Err(Refusal::NotPlaced),
            Self::Placed { .. } | Self::Held { .. } => Err(Refusal::NotConfirmed),
            Self::Withdrawn { reason, .. } => Err(Refusal::Cancelled { reason: *reason }),
            Self::Confirmed { .. } | Self::Cancelled { .. } | Self::CreditNote { .. } => {
                match self.invoice() {
                    None => {
                        let Invoice { year, number, issued_at } = invoice;
                        Ok(vec![Event::Invoiced { year, number, issued_at }])
                    }
                    Some(known) if (known.year, known.number) == (invoice.year, invoice.number) => Ok(vec![]),
                    Some(Invoice { year, number, .. }) => Err(Refusal::AlreadyInvoiced { year, number }),
                }
            }
        }
    }

    fn issue_credit_note(&self, credit: Credit) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unplaced => {
                let total = bill::total(&credit.lines, &credit.charges, credit.prices_include_tax)?;
                Ok(vec![Event::CreditNoteIssued(CreditNoteIssued::new(credit, total))])
            }
            _ if self.credit() == Some(&credit) => Ok(vec![]),
            _ => Err(Refusal::AlreadyPlaced),
        }
    }
}

/// Called off before it was confirmed: nothing was allocated, and nothing invoiced.
fn withdrawn(
    placement: &Placement,
    total: crate::value::Money,
    reason: CancelReason,
    note: Option<Text>,
) -> Event {
    Event::Cancelled {
        reason,
        note,
        confirmed: false,
        terms: placement.payment.clone(),
        units: vec![],
        value: Some(total),
        credit: None,
    }
}
