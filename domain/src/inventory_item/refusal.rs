//! Why stock may say no.

use serde::{Deserialize, Serialize};

use crate::value::{LocationId, Quantity, ReservationId, Text, Time};

/// Why stock may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Refusal {
    /// Fewer units can be had, backorders included, than were asked for.
    #[error("{requested} were asked for and {available} are available")]
    #[serde(rename = "inventory.insufficient")]
    Insufficient { requested: Quantity, available: i64 },
    /// The correction would leave less on hand than is reserved.
    #[error("a correction by {delta} would leave less than the {reserved} reserved of {on_hand} on hand")]
    #[serde(rename = "inventory.below_reserved")]
    BelowReserved { delta: i64, on_hand: i64, reserved: i64 },
    /// The correction would leave less than nothing at the place.
    #[error("only {on_hand} are at {location}")]
    #[serde(rename = "inventory.below_zero")]
    BelowZero { location: LocationId, on_hand: i64 },
    /// Something has moved since the place was counted.
    #[error("{on_hand} are there in the book, not the {expected} that were expected")]
    #[serde(rename = "inventory.count_changed")]
    CountChanged { expected: i64, on_hand: i64 },
    /// Fewer units are at the place than are to leave it.
    #[error("{requested} are to leave {location}, where {on_hand} are")]
    #[serde(rename = "inventory.insufficient_at")]
    InsufficientAt { location: LocationId, on_hand: i64, requested: Quantity },
    /// A transfer needs two places.
    #[error("units cannot move from a place to itself")]
    #[serde(rename = "inventory.same_location")]
    SameLocation,
    /// The transfer's name is taken by another one.
    #[error("transfer {transfer} has moved other units, or from or to another place")]
    #[serde(rename = "inventory.transfer_exists")]
    TransferExists { transfer: Text },
    /// The units lie in too many places.
    #[error("the units of a SKU lie in at most {max} places")]
    #[serde(rename = "inventory.too_many_locations")]
    TooManyLocations { max: usize },
    /// The reservation's name is taken by another quantity.
    #[error("reservation {reservation} already holds {quantity}")]
    #[serde(rename = "inventory.reservation_exists")]
    ReservationExists { reservation: ReservationId, quantity: Quantity },
    /// Nothing is held under that name: it was never reserved, was released, or ran out.
    #[error("reservation {reservation} holds nothing")]
    #[serde(rename = "inventory.reservation_missing")]
    ReservationMissing { reservation: ReservationId },
    /// The reservation was extended before; that is done once.
    #[error("the reservation was extended already")]
    #[serde(rename = "inventory.already_extended")]
    AlreadyExtended,
    /// The reservation's time is over.
    #[error("the reservation's time is over")]
    #[serde(rename = "inventory.reservation_expired")]
    ReservationExpired { expired_at: Time },
    /// More on hand than can be counted.
    #[error("on hand would exceed {max}")]
    #[serde(rename = "inventory.too_much")]
    TooMuch { max: i64 },
}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &[
        "inventory.insufficient",
        "inventory.below_reserved",
        "inventory.below_zero",
        "inventory.count_changed",
        "inventory.insufficient_at",
        "inventory.same_location",
        "inventory.transfer_exists",
        "inventory.too_many_locations",
        "inventory.reservation_exists",
        "inventory.reservation_missing",
        "inventory.already_extended",
        "inventory.reservation_expired",
        "inventory.too_much",
    ];

    fn code(&self) -> &'static str {
        match self {
            Self::Insufficient { .. } => "inventory.insufficient",
            Self::BelowReserved { .. } => "inventory.below_reserved",
            Self::BelowZero { .. } => "inventory.below_zero",
            Self::CountChanged { .. } => "inventory.count_changed",
            Self::InsufficientAt { .. } => "inventory.insufficient_at",
            Self::SameLocation => "inventory.same_location",
            Self::TransferExists { .. } => "inventory.transfer_exists",
            Self::TooManyLocations { .. } => "inventory.too_many_locations",
            Self::ReservationExists { .. } => "inventory.reservation_exists",
            Self::ReservationMissing { .. } => "inventory.reservation_missing",
            Self::AlreadyExtended => "inventory.already_extended",
            Self::ReservationExpired { .. } => "inventory.reservation_expired",
            Self::TooMuch { .. } => "inventory.too_much",
        }
    }
}
