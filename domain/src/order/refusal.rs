//! Why an order may say no.

use serde::{Deserialize, Serialize};

use super::CancelReason;
use crate::value::{CancellationId, EditId, ReturnId, ShipmentId, Text};

/// Why an order may say no.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", content = "values")]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Refusal {
    /// There is no such order.
    #[error("the order was never placed")]
    #[serde(rename = "order.not_placed")]
    NotPlaced,
    /// The id stands for another order or credit note.
    #[error("the id is taken by another order")]
    #[serde(rename = "order.already_placed")]
    AlreadyPlaced,
    /// It was called off.
    #[error("the order was cancelled")]
    #[serde(rename = "order.cancelled")]
    Cancelled { reason: CancelReason },
    /// A credit note is neither confirmed nor cancelled.
    #[error("this is a credit note")]
    #[serde(rename = "order.is_credit_note")]
    IsCreditNote,
    /// Nothing is on it.
    #[error("there is nothing in it")]
    #[serde(rename = "order.empty")]
    Empty,
    /// More is on it than may be.
    #[error("an order has at most {max} lines and as many charges")]
    #[serde(rename = "order.too_many_lines")]
    TooManyLines { max: usize },
    /// The prices are below zero, of several currencies, or too large to add.
    #[error("the prices do not add up to a total")]
    #[serde(rename = "order.bad_total")]
    BadTotal,
    /// Somebody has to look at it first.
    #[error("the order is held for review")]
    #[serde(rename = "order.held_for_review")]
    HeldForReview { reason: Text },
    /// Nobody holds it.
    #[error("the order is not held for review")]
    #[serde(rename = "order.not_held")]
    NotHeld,
    /// It is not going to be fulfilled yet.
    #[error("the order is not confirmed")]
    #[serde(rename = "order.not_confirmed")]
    NotConfirmed,
    /// It is going to be fulfilled.
    #[error("the order is confirmed")]
    #[serde(rename = "order.already_confirmed")]
    AlreadyConfirmed,
    /// Something left the house.
    #[error("a part of the order was shipped")]
    #[serde(rename = "order.already_shipped")]
    AlreadyShipped,
    /// No line stands there, or nothing is left of it.
    #[error("the order has no line {line}")]
    #[serde(rename = "order.no_such_line")]
    NoSuchLine { line: u32 },
    /// More is asked for than there is.
    #[error("line {line} has {left} units left for that")]
    #[serde(rename = "order.too_many_units")]
    TooManyUnits { line: u32, left: u32 },
    /// The cancellation's id stands for other units.
    #[error("cancellation {cancellation} is of other units")]
    #[serde(rename = "order.cancellation_exists")]
    CancellationExists { cancellation: CancellationId },
    /// The shipment's id stands for another one.
    #[error("shipment {shipment} is another one")]
    #[serde(rename = "order.shipment_exists")]
    ShipmentExists { shipment: ShipmentId },
    /// Nothing was shipped under that id.
    #[error("the order has no shipment {shipment}")]
    #[serde(rename = "order.no_such_shipment")]
    NoSuchShipment { shipment: ShipmentId },
    /// Nobody pays it, so nobody settles what a change of it costs more or less.
    #[error("the order has no payment that a change could be settled with")]
    #[serde(rename = "order.no_terms")]
    NoTerms,
    /// Somebody is changing it.
    #[error("edit {edit} is open")]
    #[serde(rename = "order.edit_open")]
    EditOpen { edit: EditId },
    /// The changes are being made.
    #[error("edit {edit} is being made")]
    #[serde(rename = "order.edit_committed")]
    EditCommitted { edit: EditId },
    /// The changes are not wanted yet.
    #[error("edit {edit} is not committed")]
    #[serde(rename = "order.edit_not_committed")]
    EditNotCommitted { edit: EditId },
    /// The changes were made, forgotten or turned down.
    #[error("edit {edit} is over")]
    #[serde(rename = "order.edit_ended")]
    EditEnded { edit: EditId },
    /// Nobody began it.
    #[error("the order has no edit {edit}")]
    #[serde(rename = "order.no_such_edit")]
    NoSuchEdit { edit: EditId },
    /// The changes change nothing.
    #[error("the edit changes nothing")]
    #[serde(rename = "order.nothing_to_edit")]
    NothingToEdit,
    /// The return's id stands for another one.
    #[error("return {return_id} is another one")]
    #[serde(rename = "order.return_exists")]
    ReturnExists { return_id: ReturnId },
    /// Nobody asked for it.
    #[error("the order has no return {return_id}")]
    #[serde(rename = "order.no_such_return")]
    NoSuchReturn { return_id: ReturnId },
    /// Nobody has said yet that it may come.
    #[error("return {return_id} is not approved")]
    #[serde(rename = "order.return_not_approved")]
    ReturnNotApproved { return_id: ReturnId },
    /// It came.
    #[error("return {return_id} was received")]
    #[serde(rename = "order.return_received")]
    ReturnReceived { return_id: ReturnId },
    /// It was turned down.
    #[error("return {return_id} was rejected")]
    #[serde(rename = "order.return_rejected")]
    ReturnRejected { return_id: ReturnId },
    /// Nothing came back that could be refunded.
    #[error("return {return_id} was not received")]
    #[serde(rename = "order.return_not_received")]
    ReturnNotReceived { return_id: ReturnId },
    /// The buyer got another amount for it.
    #[error("return {return_id} was refunded with another amount")]
    #[serde(rename = "order.return_refunded")]
    ReturnRefunded { return_id: ReturnId },
    /// It has another number.
    #[error("the order has number {number} of {year}")]
    #[serde(rename = "order.already_invoiced")]
    AlreadyInvoiced { year: u16, number: u64 },
    /// Too many shipments, cancellations, edits or returns.
    #[error("an order takes at most {max} shipments, cancellations, edits and returns each")]
    #[serde(rename = "order.too_many_steps")]
    TooManySteps { max: usize },
}

impl crate::Refusal for Refusal {
    const CODES: &[&str] = &[
        "order.not_placed",
        "order.already_placed",
        "order.cancelled",
        "order.is_credit_note",
        "order.empty",
        "order.too_many_lines",
        "order.bad_total",
        "order.held_for_review",
        "order.not_held",
        "order.not_confirmed",
        "order.already_confirmed",
        "order.already_shipped",
        "order.no_such_line",
        "order.too_many_units",
        "order.cancellation_exists",
        "order.shipment_exists",
        "order.no_such_shipment",
        "order.no_terms",
        "order.edit_open",
        "order.edit_committed",
        "order.edit_not_committed",
        "order.edit_ended",
        "order.no_such_edit",
        "order.nothing_to_edit",
        "order.return_exists",
        "order.no_such_return",
        "order.return_not_approved",
        "order.return_received",
        "order.return_rejected",
        "order.return_not_received",
        "order.return_refunded",
        "order.already_invoiced",
        "order.too_many_steps",
    ];

    fn code(&self) -> &'static str {
        match self {
            Self::NotPlaced => "order.not_placed",
            Self::AlreadyPlaced => "order.already_placed",
            Self::Cancelled { .. } => "order.cancelled",
            Self::IsCreditNote => "order.is_credit_note",
            Self::Empty => "order.empty",
            Self::TooManyLines { .. } => "order.too_many_lines",
            Self::BadTotal => "order.bad_total",
            Self::HeldForReview { .. } => "order.held_for_review",
            Self::NotHeld => "order.not_held",
            Self::NotConfirmed => "order.not_confirmed",
            Self::AlreadyConfirmed => "order.already_confirmed",
            Self::AlreadyShipped => "order.already_shipped",
            Self::NoSuchLine { .. } => "order.no_such_line",
            Self::TooManyUnits { .. } => "order.too_many_units",
            Self::CancellationExists { .. } => "order.cancellation_exists",
            Self::ShipmentExists { .. } => "order.shipment_exists",
            Self::NoSuchShipment { .. } => "order.no_such_shipment",
            Self::NoTerms => "order.no_terms",
            Self::EditOpen { .. } => "order.edit_open",
            Self::EditCommitted { .. } => "order.edit_committed",
            Self::EditNotCommitted { .. } => "order.edit_not_committed",
            Self::EditEnded { .. } => "order.edit_ended",
            Self::NoSuchEdit { .. } => "order.no_such_edit",
            Self::NothingToEdit => "order.nothing_to_edit",
            Self::ReturnExists { .. } => "order.return_exists",
            Self::NoSuchReturn { .. } => "order.no_such_return",
            Self::ReturnNotApproved { .. } => "order.return_not_approved",
            Self::ReturnReceived { .. } => "order.return_received",
            Self::ReturnRejected { .. } => "order.return_rejected",
            Self::ReturnNotReceived { .. } => "order.return_not_received",
            Self::ReturnRefunded { .. } => "order.return_refunded",
            Self::AlreadyInvoiced { .. } => "order.already_invoiced",
            Self::TooManySteps { .. } => "order.too_many_steps",
        }
    }
}
