//! An order: what was bought, and how far it has come; or a credit note for what came back.
//!
//! It alone knows what its units are worth. Every unit has its share of its line, tax and discount included, and the
//! shares of what ships, is cancelled and is left always add up to the total exactly.

mod bill;
mod book;
mod command;
mod decide;
mod document;
mod edit;
mod entry;
mod event;
mod evolve;
pub mod policy;
mod progress;
mod refusal;
mod returns;
mod shipping;
mod steps;
#[cfg(test)]
mod tests;
mod words;

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    value::{Money, ReturnId, ShipmentId, Text, Time},
};

pub use book::Book;
pub use command::Command;
pub use document::{CreditNoteIssued, Placed};
pub use event::Event;
pub use progress::{Count, Progress, Status};
pub use refusal::Refusal;
pub use steps::{Edit, EditEnd, EditStage, Return, ReturnStage, Shipment};
pub use words::{
    CancelReason, Change, Charge, Credit, CreditDue, Disposition, EditFailure, Line, Placement,
    ReceivedUnits, SkuUnits, Source, Terms, Transit, Units,
};

/// An order has at most this many lines.
pub const LINES_MAX: usize = 2_000;
/// An order has at most this many charges.
pub const CHARGES_MAX: usize = 2_000;
/// An order takes at most this many shipments, cancellations, edits and returns each.
pub const STEPS_MAX: usize = 1_000;

/// A number in the invoice book of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// Whose book.
    pub year: u16,
    /// The number.
    pub number: u64,
    /// When it was issued, in business time.
    pub issued_at: Time,
}

/// A shipment takes at most this many words of its carrier; further ones are passed over, since it arrives all the same.
pub const TRANSITS_MAX: u32 = 100;

/// The state of an order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Order {
    /// Never placed.
    #[default]
    Unplaced,
    /// Placed, not yet certain.
    Placed {
        /// With what.
        placement: Placement,
        /// The sum of its lines and charges.
        total: Money,
    },
    /// Placed, and held until somebody has looked at it.
    Held {
        /// With what it was placed.
        placement: Placement,
        /// The sum of its lines and charges.
        total: Money,
        /// Why it is held.
        reason: Text,
    },
    /// Going to be fulfilled, or fulfilled.
    Confirmed {
        /// What became of its units.
        book: Book,
    },
    /// Called off before it was confirmed.
    Withdrawn {
        /// With what it was placed.
        placement: Placement,
        /// The sum of its lines and charges.
        total: Money,
        /// Why.
        reason: CancelReason,
    },
    /// Called off after it was confirmed and before anything shipped.
    Cancelled {
        /// What had become of its units.
        book: Book,
        /// Why.
        reason: CancelReason,
    },
    /// Not an order but a credit note.
    CreditNote {
        /// With what it was issued.
        credit: Credit,
        /// What the buyer gets.
        total: Money,
        /// Its number, once it has one.
        invoice: Option<Invoice>,
    },
}

impl Aggregate for Order {
    const TYPE: &'static str = "order";
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        self.decide_command(command)
    }

    fn evolve(self, event: Event) -> Self {
        self.evolve_event(event)
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Unplaced | Self::Placed { .. } | Self::Held { .. } => false,
            Self::Confirmed { book } => book.is_closed(),
            Self::Withdrawn { .. } | Self::Cancelled { .. } | Self::CreditNote { .. } => true,
        }
    }
}

impl Order {
    /// What it was placed with; after an applied edit, with the lines of now.
    #[must_use]
    pub const fn placement(&self) -> Option<&Placement> {
        match self {
            Self::Placed { placement, .. }
            | Self::Held { placement, .. }
            | Self::Withdrawn { placement, .. } => Some(placement),
            Self::Confirmed { book } | Self::Cancelled { book, .. } => Some(book.placement()),
            Self::Unplaced | Self::CreditNote { .. } => None,
        }
    }

    /// What the credit note was issued with.
    #[must_use]
    pub const fn credit(&self) -> Option<&Credit> {
        match self {
            Self::CreditNote { credit, .. } => Some(credit),
            Self::Unplaced
            | Self::Placed { .. }
            | Self::Held { .. }
            | Self::Confirmed { .. }
            | Self::Withdrawn { .. }
            | Self::Cancelled { .. } => None,
        }
    }

    /// What became of its units, once it was confirmed.
    #[must_use]
    pub const fn book(&self) -> Option<&Book> {
        match self {
            Self::Confirmed { book } | Self::Cancelled { book, .. } => Some(book),
            Self::Unplaced
            | Self::Placed { .. }
            | Self::Held { .. }
            | Self::Withdrawn { .. }
            | Self::CreditNote { .. } => None,
        }
    }

    /// The sum of its lines and charges as they stand, cancelled units included.
    #[must_use]
    pub const fn total(&self) -> Option<Money> {
        match self {
            Self::Placed { total, .. }
            | Self::Held { total, .. }
            | Self::Withdrawn { total, .. }
            | Self::CreditNote { total, .. } => Some(*total),
            Self::Confirmed { book } | Self::Cancelled { book, .. } => Some(book.total()),
            Self::Unplaced => None,
        }
    }

    /// What is still to be shipped, with the charges that go with it; nothing once it was called off.
    #[must_use]
    pub fn value_left(&self) -> Option<Money> {
        match self {
            Self::Placed { total, .. } | Self::Held { total, .. } => Some(*total),
            Self::Confirmed { book } => Some(book.value_left()),
            Self::Withdrawn { total, .. } => Some(Money::zero(total.currency)),
            Self::Cancelled { book, .. } => Some(Money::zero(book.total().currency)),
            Self::Unplaced | Self::CreditNote { .. } => None,
        }
    }

    /// Everything that was shipped.
    pub fn shipments(&self) -> impl Iterator<Item = (&ShipmentId, &Shipment)> {
        self.book().into_iter().flat_map(|book| book.shipments())
    }

    /// Every return that was asked for.
    pub fn returns(&self) -> impl Iterator<Item = (&ReturnId, &Return)> {
        self.book().into_iter().flat_map(|book| book.returns())
    }

    /// Why it was called off.
    #[must_use]
    pub const fn cancelled(&self) -> Option<CancelReason> {
        match self {
            Self::Withdrawn { reason, .. } | Self::Cancelled { reason, .. } => Some(*reason),
            Self::Unplaced
            | Self::Placed { .. }
            | Self::Held { .. }
            | Self::Confirmed { .. }
            | Self::CreditNote { .. } => None,
        }
    }

    /// Its number in the invoice book, or that of the credit note.
    #[must_use]
    pub const fn invoice(&self) -> Option<Invoice> {
        match self {
            Self::Confirmed { book } | Self::Cancelled { book, .. } => book.invoice(),
            Self::CreditNote { invoice, .. } => *invoice,
            Self::Unplaced | Self::Placed { .. } | Self::Held { .. } | Self::Withdrawn { .. } => None,
        }
    }

    /// How far it has come; `None` before it was placed.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Unplaced => None,
            Self::Placed { .. } => Some(Status::Placed),
            Self::Held { .. } => Some(Status::Held),
            Self::Confirmed { book } => Some(book.progress().status()),
            Self::Withdrawn { .. } | Self::Cancelled { .. } => Some(Status::Cancelled),
            Self::CreditNote { .. } => Some(Status::CreditNote),
        }
    }
}
