//! How the simulated gateway answers: what the buyer's token says, and nothing else.

use std::time::Duration;

use domain::{
    payment::{Authorization, DisputeStage, Settlement},
    value::{DisputeId, Invalid, Text},
};
use store::executor::derived_id;
use uuid::Uuid;

/// Late answers come after this.
pub const LATE_AFTER: Duration = Duration::from_secs(3);

const DISPUTED: &str = "disputed";
const WON: &str = "dispute_won";
const LOST: &str = "dispute_lost";

/// What a gateway says about an authorization.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// At once.
    pub first: First,
    /// By itself, [`LATE_AFTER`] later.
    pub late: Option<Late>,
}

/// A gateway's first reaction.
#[derive(Clone, Debug, PartialEq)]
pub enum First {
    /// It answers.
    Answered(Authorization),
    /// It says that it will answer later.
    Pending,
    /// It says nothing.
    Silent,
}

/// An approval that comes by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Late {
    /// What the gateway calls this message.
    pub delivery_id: Uuid,
    /// What it says.
    pub outcome: Authorization,
}

/// What becomes of a request to authorize with a token.
///
/// # Errors
/// When the token holds what cannot be part of a reference.
pub fn authorization(request_id: Uuid, token: &Text) -> Result<Behaviour, Invalid> {
    let behaviour = token.as_str().strip_prefix("tok_").unwrap_or_default();
    let reference = Text::new(format!("sim-{behaviour}-{}", request_id.simple()))?;
    let approved = Authorization::Approved { reference };
    let late = Late { delivery_id: derived_id(request_id, "late", 0), outcome: approved.clone() };
    let (first, late) = match behaviour {
        "approve" | "capture_fails" | "void_fails" | "refund_fails" | DISPUTED | WON | LOST => {
            (First::Answered(approved), None)
        }
        "decline" => (declined("card_declined")?, None),
        "timeout" => (First::Silent, None),
        "late" => (First::Pending, Some(late)),
        "undecided" => (First::Pending, None),
        "twice" => (First::Answered(approved), Some(late)),
        "decline_then_approve" => (declined("card_declined")?, Some(late)),
        _ => (declined("unknown_token")?, None),
    };
    Ok(Behaviour { first, late })
}

/// What becomes of a capture.
///
/// # Errors
/// Never: the reasons given are texts.
pub fn capture(reference: &Text) -> Result<Settlement, Invalid> {
    settled(reference, "capture_fails")
}

/// What becomes of a void.
///
/// # Errors
/// Never: the reasons given are texts.
pub fn void(reference: &Text) -> Result<Settlement, Invalid> {
    settled(reference, "void_fails")
}

/// What becomes of a refund.
///
/// # Errors
/// Never: the reasons given are texts.
pub fn refund(reference: &Text) -> Result<Settlement, Invalid> {
    settled(reference, "refund_fails")
}

/// What the gateway tells of a dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// How long after the capture.
    pub after: Duration,
    /// What the gateway calls this message.
    pub delivery_id: Uuid,
    /// The dispute.
    pub dispute: DisputeId,
    /// Why.
    pub reason: Text,
    /// How it stands.
    pub stage: DisputeStage,
}

/// The disputes about what was captured by that request: each opens [`LATE_AFTER`] it, and ends as much later.
///
/// # Errors
/// Never: the reason given is a text.
pub fn disputes(request_id: Uuid, reference: &Text) -> Result<Vec<Word>, Invalid> {
    let named = reference.as_str().strip_prefix("sim-").and_then(|rest| rest.rsplit_once('-'));
    let end = match named.map(|(behaviour, _)| behaviour) {
        Some(DISPUTED) => None,
        Some(WON) => Some(DisputeStage::Won),
        Some(LOST) => Some(DisputeStage::Lost),
        _ => return Ok(vec![]),
    };
    let dispute = DisputeId::new(format!("sim-dispute-{}", request_id.simple()))?;
    let word = |nth: u32, stage| {
        Ok(Word {
            after: LATE_AFTER * nth,
            delivery_id: derived_id(request_id, "dispute", i64::from(nth)),
            dispute: dispute.clone(),
            reason: Text::new("fraudulent")?,
            stage,
        })
    };
    let opened = word(1, DisputeStage::Open);
    std::iter::once(opened).chain(end.map(|end| word(2, end))).collect()
}

fn declined(reason: &str) -> Result<First, Invalid> {
    Ok(First::Answered(Authorization::Declined { reason: Text::new(reason)? }))
}

fn settled(reference: &Text, failing: &str) -> Result<Settlement, Invalid> {
    let behaviour = reference.as_str().strip_prefix("sim-").unwrap_or_default();
    if behaviour.starts_with(failing) {
        return Ok(Settlement::Failed { reason: Text::new(failing)? });
    }
    Ok(Settlement::Done)
}
