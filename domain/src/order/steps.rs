//! What is under way for a confirmed order: shipments, edits and returns.

use serde::{Deserialize, Serialize};

use super::{Change, ReceivedUnits, Transit, Units};
use crate::value::{EditId, Money, Text};

/// Units that left the house together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shipment {
    /// What is in it.
    pub lines: Vec<Units>,
    /// What that is worth, with the charges that went along.
    pub value: Money,
    /// Who carries it.
    pub carrier: Text,
    /// Its name with the carrier.
    pub tracking: Option<Text>,
    /// The carrier's last word of it while it was under way.
    pub transit: Option<Transit>,
    /// Whether it arrived.
    pub delivered: bool,
    /// Carrier and tracking as they were when it was shipped: they tell a repeat.
    pub(super) shipped_as: (Text, Option<Text>),
    /// How many words of its carrier were noted.
    pub(super) transits: u32,
}

/// How far a return has come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ReturnStage {
    /// The buyer asked for it.
    Requested,
    /// It may come.
    Approved,
    /// It will not come.
    Rejected,
    /// It came.
    Received {
        /// What came.
        lines: Vec<ReceivedUnits>,
        /// What that is worth.
        value: Money,
        /// What the buyer got for it so far.
        refunded: Option<Money>,
    },
}

/// Units that the buyer sends back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Return {
    /// What was asked for.
    pub lines: Vec<Units>,
    /// Why.
    pub reason: Text,
    /// How far it has come.
    pub stage: ReturnStage,
}

/// How far an edit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EditStage {
    /// The changes may still change.
    Open,
    /// Stock and payment are being asked.
    Committed,
}

/// An edit that is not over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// Which.
    pub id: EditId,
    /// What is to change.
    pub changes: Vec<Change>,
    /// How far it has come.
    pub stage: EditStage,
}

/// How an edit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EditEnd {
    /// The order was changed.
    Applied,
    /// The changes could not be made.
    Rejected,
    /// The changes were forgotten.
    Abandoned,
}

impl Return {
    /// Whether it may still come.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        match self.stage {
            ReturnStage::Requested | ReturnStage::Approved => true,
            ReturnStage::Rejected | ReturnStage::Received { .. } => false,
        }
    }

    /// Whether it will not come, or has come and the buyer has the money for it.
    #[must_use]
    pub const fn is_settled(&self) -> bool {
        match self.stage {
            ReturnStage::Requested | ReturnStage::Approved => false,
            ReturnStage::Received { refunded, .. } => refunded.is_some(),
            ReturnStage::Rejected => true,
        }
    }
}
