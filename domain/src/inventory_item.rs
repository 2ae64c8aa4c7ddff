//! The stock of one SKU: what is on hand, what is reserved, and who holds it.
//!
//! Units are on hand until they are allocated to an order; available = on hand − reserved, never below zero.

use std::{collections::BTreeMap, num::NonZeroI32};

use serde::{Deserialize, Serialize};

use crate::{
    Aggregate,
    value::{Quantity, ReservationId, Text, Time},
};

/// On hand never exceeds this, so that sums fit everywhere.
pub const ON_HAND_MAX: i64 = 1_000_000_000_000;

/// Why a count was corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdjustReason {
    /// Stock that was there before the log began.
    Opening,
    /// A count found another number.
    Count,
    /// Broken, spoilt or thrown away.
    Damaged,
    /// Gone, nobody knows where.
    Lost,
    /// Turned up again.
    Found,
    /// Came back from a buyer.
    Returned,
    /// Anything else; the reference says what.
    Other,
}

/// What may be asked of a SKU's stock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Command {
    /// Goods came in.
    Receive { quantity: Quantity, #[serde(default)] reference: Option<Text> },
    /// The count is corrected.
    Adjust { delta: NonZeroI32, reason: AdjustReason, #[serde(default)] reference: Option<Text> },
    /// Hold units for somebody until `expires_at`; without it, until released or allocated.
    Reserve { reservation: ReservationId, quantity: Quantity, #[serde(default)] expires_at: Option<Time>, now: Time },
    /// Give held units back. Nothing happens when they are not held.
    Release { reservation: ReservationId },
    /// Hand held units over to their order.
    Allocate { reservation: ReservationId, now: Time },
}

/// What happened to a SKU's stock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Goods came in.
    Received { quantity: Quantity, #[serde(default, skip_serializing_if = "Option::is_none")] reference: Option<Text> },
    /// The count was corrected.
    Adjusted { delta: NonZeroI32, reason: AdjustReason, #[serde(default, skip_serializing_if = "Option::is_none")] reference: Option<Text> },
    /// Units are held.
    Reserved { reservation: ReservationId, quantity: Quantity, #[serde(default, skip_serializing_if = "Option::is_none")] expires_at: Option<Time> },
    /// Held units were given back.
    Released { reservation: ReservationId, quantity: Quantity },
    /// A hold ran out before it was used.
    Expired { reservation: ReservationId, quantity: Quantity },
    /// Held units left for their order.
    Allocated { reservation: ReservationId, quantity: Quantity },
}

/// Why stock may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
pub enum Refusal {
    /// Fewer units are available than were asked for.
    #[error("{requested} were asked for and {available} are available")]
    #[serde(rename = "inventory.insufficient")]
    Insufficient { requested: Quantity, available: i64 },
    /// The correction would leave less on hand than is reserved.
    #[error("a correction by {delta} would leave less than the {reserved} reserved of {on_hand} on hand")]
    #[serde(rename = "inventory.below_reserved")]
    BelowReserved { delta: NonZeroI32, on_hand: i64, reserved: i64 },
    /// The reservation's name is taken by another quantity.
    #[error("reservation {reservation} already holds {quantity}")]
    #[serde(rename = "inventory.reservation_exists")]
    ReservationExists { reservation: ReservationId, quantity: Quantity },
    /// Nothing is held under that name: it was never reserved, was released, or ran out.
    #[error("reservation {reservation} holds nothing")]
    #[serde(rename = "inventory.reservation_missing")]
    ReservationMissing { reservation: ReservationId },
    /// More on hand than can be counted.
    #[error("on hand would exceed {max}")]
    #[serde(rename = "inventory.too_much")]
    TooMuch { max: i64 },
}

/// Units held for somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reservation {
    /// How many.
    pub quantity: Quantity,
    /// Until when, if not for good.
    pub expires_at: Option<Time>,
}

/// The state of a SKU's stock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InventoryItem {
    on_hand: i64,
    reserved: i64,
    reservations: BTreeMap<ReservationId, Reservation>,
}
