//! What can have happened to a SKU's stock, and what each event does to its figures.

use std::num::NonZeroI32;

use serde::{Deserialize, Serialize};

use super::{AdjustReason, StockPolicy};
use crate::value::{LocationId, Quantity, ReservationId, Text, Time};

/// Units at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct At {
    /// Where.
    pub location: LocationId,
    /// How many.
    pub quantity: Quantity,
}

/// What happened to a SKU's stock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Event {
    /// Goods came in.
    Received {
        location: LocationId,
        quantity: Quantity,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Text>,
    },
    /// The count was corrected.
    Adjusted {
        location: LocationId,
        delta: NonZeroI32,
        reason: AdjustReason,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Text>,
    },
    /// A count found another number than there was in the book.
    Counted {
        location: LocationId,
        was: i64,
        counted: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<Text>,
    },
    /// Units went from one place to another.
    Transferred { transfer: Text, from: LocationId, to: LocationId, quantity: Quantity },
    /// Units are held.
    Reserved {
        reservation: ReservationId,
        quantity: Quantity,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Time>,
    },
    /// Units are held, and `short` of them are still to come.
    Backordered {
        reservation: ReservationId,
        quantity: Quantity,
        short: Quantity,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        promised_at: Option<Time>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires_at: Option<Time>,
    },
    /// So many of the units that a hold was short of are there now.
    BackorderFilled { reservation: ReservationId, quantity: Quantity },
    /// A hold lasts longer.
    Extended { reservation: ReservationId, expires_at: Time },
    /// A hold that is short lasts until its units are there, and they go to its order then.
    Committed { reservation: ReservationId },
    /// A hold was given back; it was for `quantity` units, and `short` of them never came.
    Released { reservation: ReservationId, quantity: Quantity, short: u32 },
    /// A hold ran out before it was used; it was for `quantity` units, and `short` of them never came.
    Expired { reservation: ReservationId, quantity: Quantity, short: u32 },
    /// Held units left for their order.
    Allocated { reservation: ReservationId, quantity: Quantity, from: Vec<At> },
    /// What happens when more is asked for than is available was decided.
    PolicySet { policy: StockPolicy },
    /// How few available units are few was decided.
    ReorderPointSet {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        units: Option<u32>,
    },
    /// Few units are available. Told once, and again only after there were more.
    LowStock { available: i64, reorder_point: u32 },
}

/// What an event does to a SKU's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Units that came, or left when below zero.
    pub on_hand: i64,
    /// Units that are held from now on, or no more.
    pub reserved: i64,
    /// Units that are still to come from now on, or no more.
    pub backordered: i64,
}

impl Event {
    /// What the event does to the figures.
    #[must_use]
    pub fn change(&self) -> Change {
        let none = Change::default();
        match self {
            Self::Received { quantity, .. } => Change { on_hand: units(*quantity), ..none },
            Self::Adjusted { delta, .. } => Change { on_hand: i64::from(delta.get()), ..none },
            Self::Counted { was, counted, .. } => {
                Change { on_hand: i64::from(*counted).saturating_sub(*was), ..none }
            }
            Self::Reserved { quantity, .. } => Change { reserved: units(*quantity), ..none },
            Self::Backordered { quantity, short, .. } => {
                let held = units(*quantity).saturating_sub(units(*short));
                Change { reserved: held, backordered: units(*short), ..none }
            }
            Self::BackorderFilled { quantity, .. } => {
                Change { reserved: units(*quantity), backordered: -units(*quantity), ..none }
            }
            Self::Released { quantity, short, .. } | Self::Expired { quantity, short, .. } => {
                let short = i64::from(*short);
                Change { reserved: short.saturating_sub(units(*quantity)), backordered: -short, ..none }
            }
            Self::Allocated { quantity, .. } => {
                Change { on_hand: -units(*quantity), reserved: -units(*quantity), ..none }
            }
            Self::Transferred { .. }
            | Self::Extended { .. }
            | Self::Committed { .. }
            | Self::PolicySet { .. }
            | Self::ReorderPointSet { .. }
            | Self::LowStock { .. } => none,
        }
    }

    /// What comes to each place, or leaves it when below zero.
    pub fn moves(&self) -> impl Iterator<Item = (&LocationId, i64)> {
        let (one, other, taken): (_, _, &[At]) = match self {
            Self::Received { location, quantity, .. } => (Some((location, units(*quantity))), None, &[]),
            Self::Adjusted { location, .. } | Self::Counted { location, .. } => {
                (Some((location, self.change().on_hand)), None, &[])
            }
            Self::Transferred { from, to, quantity, .. } => {
                (Some((from, -units(*quantity))), Some((to, units(*quantity))), &[])
            }
            Self::Allocated { from, .. } => (None, None, from),
            Self::Reserved { .. }
            | Self::Backordered { .. }
            | Self::BackorderFilled { .. }
            | Self::Extended { .. }
            | Self::Committed { .. }
            | Self::Released { .. }
            | Self::Expired { .. }
            | Self::PolicySet { .. }
            | Self::ReorderPointSet { .. }
            | Self::LowStock { .. } => (None, None, &[]),
        };
        let taken = taken.iter().map(|At { location, quantity }| (location, -units(*quantity)));
        one.into_iter().chain(other).chain(taken)
    }
}

pub(super) fn units(quantity: Quantity) -> i64 {
    i64::from(quantity.get())
}

impl crate::Event for Event {
    const TYPES: &'static [(&'static str, &'static str)] = &[
        ("Received", "2"),
        ("Adjusted", "2"),
        ("Counted", "1"),
        ("Transferred", "1"),
        ("Reserved", "1"),
        ("Backordered", "1"),
        ("BackorderFilled", "1"),
        ("Extended", "1"),
        ("Committed", "1"),
        ("Released", "2"),
        ("Expired", "2"),
        ("Allocated", "2"),
        ("PolicySet", "1"),
        ("ReorderPointSet", "1"),
        ("LowStock", "1"),
    ];

    fn event_type(&self) -> &'static str {
        match self {
            Self::Received { .. } => "Received",
            Self::Adjusted { .. } => "Adjusted",
            Self::Counted { .. } => "Counted",
            Self::Transferred { .. } => "Transferred",
            Self::Reserved { .. } => "Reserved",
            Self::Backordered { .. } => "Backordered",
            Self::BackorderFilled { .. } => "BackorderFilled",
            Self::Extended { .. } => "Extended",
            Self::Committed { .. } => "Committed",
            Self::Released { .. } => "Released",
            Self::Expired { .. } => "Expired",
            Self::Allocated { .. } => "Allocated",
            Self::PolicySet { .. } => "PolicySet",
            Self::ReorderPointSet { .. } => "ReorderPointSet",
            Self::LowStock { .. } => "LowStock",
        }
    }
}
