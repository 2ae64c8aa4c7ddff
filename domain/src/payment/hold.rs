//! What a gateway was asked to hold, what it holds, and what it has not answered.

use serde::{Deserialize, Serialize};

use super::{Ledger, Seeking};
use crate::value::{AttemptId, CaptureId, Money, Text};

/// A try at having the amount held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// The gateway's name for what it holds, once it approved; any other answer may still be followed by that one.
    pub reference: Option<Text>,
    /// Whether the gateway was asked to let go of it because it came on top of the one in use, and has not answered.
    pub voiding: bool,
    /// Whether the gateway has let go of it.
    pub released: bool,
    /// How far it has come with the answer that is awaited, if that was to come later.
    pub seeking: Seeking,
}

/// A request that the gateway has not answered yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Pending {
    /// Take so much.
    Capture {
        /// Under which id.
        capture: CaptureId,
        /// How much.
        amount: Money,
    },
    /// Let go.
    Void,
}

/// An amount that the gateway holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    /// The gateway's name for it.
    pub reference: Text,
    /// What the gateway was asked to do with it and has not answered.
    pub pending: Option<Pending>,
    /// How far it has come with that answer, if it was to come later.
    pub seeking: Seeking,
    /// What was taken of it and given back.
    pub ledger: Ledger,
}

impl Hold {
    pub(super) fn is_capturing(&self, wanted: &CaptureId) -> bool {
        matches!(&self.pending, Some(Pending::Capture { capture, .. }) if capture == wanted)
    }
}
