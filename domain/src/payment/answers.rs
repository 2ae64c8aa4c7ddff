//! Answers that a gateway says will come later: sought after a while, and more rarely the longer it takes, for a day.

use serde::{Deserialize, Serialize};

use super::{Event, Hold, Payment, Pending, evolve::those_of};
use crate::value::{AttemptId, CaptureId, RefundId, Text};

/// An answer is sought so often at most: three times within the first half hour or so, and then hourly for a day.
pub const SEEKS_MAX: u32 = 27;

/// What a gateway was asked, by the name that its answer goes by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Asked {
    /// To hold the amount.
    Authorization { attempt: AttemptId },
    /// To take so much of it.
    Capture { capture: CaptureId },
    /// To let go of it.
    Void { reference: Text },
    /// To give so much back.
    Refund { refund: RefundId },
}

/// How far it has come with an answer that is to come later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seeking {
    /// The gateway has not said that it comes later.
    #[default]
    No,
    /// It is sought for that time next, counted from 1.
    Next(u32),
    /// It came, or is sought no longer.
    Over,
}

impl Payment {
    /// The gateway will answer later: once is enough to know it.
    pub(super) fn record_pending(&self, asked: Asked) -> Vec<Event> {
        let intent = self.intent().filter(|_| self.seeking(&asked) == Some(Seeking::No));
        let order = intent.map(|intent| intent.order.clone());
        order.map(|order| Event::AnswerDeferred { order, asked }).into_iter().collect()
    }

    /// Time to ask again, or to give up. Of an attempt that nobody waits for any more it is not told that no answer came: the
    /// gateway was asked to close it as often as it was asked what became of it.
    pub(super) fn seek_answer(&self, asked: Asked, nth: u32) -> Vec<Event> {
        let intent = self.intent().filter(|_| self.seeking(&asked) == Some(Seeking::Next(nth)));
        let Some(order) = intent.map(|intent| intent.order.clone()) else {
            return vec![];
        };
        if nth <= SEEKS_MAX {
            return vec![Event::AnswerSought { order, asked, nth }];
        }
        let is_waited_for = match &asked {
            Asked::Authorization { attempt } => {
                matches!(self, Self::Authorizing { attempt: current, .. } if current == attempt)
            }
            Asked::Capture { .. } | Asked::Void { .. } | Asked::Refund { .. } => true,
        };
        if is_waited_for { vec![Event::AnswerMissing { order, asked }] } else { vec![] }
    }

    pub(super) fn seeking_is(mut self, asked: &Asked, seeking: Seeking) -> Self {
        if let Some(kept) = self.kept_seeking(asked) {
            *kept = seeking;
        }
        self
    }

    /// How it stands with an answer, so rarely asked that it is looked for in a copy; `None` while none is awaited.
    fn seeking(&self, asked: &Asked) -> Option<Seeking> {
        self.clone().kept_seeking(asked).copied()
    }

    fn kept_seeking(&mut self, asked: &Asked) -> Option<&mut Seeking> {
        match asked {
            Asked::Authorization { attempt } => self
                .attempts_mut()
                .iter_mut()
                .find(|known| known.id == *attempt && known.reference.is_none())
                .map(|known| &mut known.seeking),
            Asked::Capture { capture } => match self {
                Self::Held { hold, .. } => hold.is_capturing(capture).then_some(&mut hold.seeking),
                _ => None,
            },
            Asked::Void { reference } => {
                let is_in_use = matches!(self, Self::Held { hold, .. } if hold.reference == *reference);
                if !is_in_use {
                    let mut others = those_of(self.attempts_mut(), reference);
                    return others.find(|attempt| attempt.voiding).map(|attempt| &mut attempt.seeking);
                }
                match self {
                    Self::Held { hold, .. } => {
                        (hold.pending == Some(Pending::Void)).then_some(&mut hold.seeking)
                    }
                    _ => None,
                }
            }
            Asked::Refund { refund } => match self {
                Self::Held { hold: Hold { ledger, .. }, .. } | Self::Released { ledger, .. } => {
                    ledger.seeking(refund)
                }
                _ => None,
            },
        }
    }
}
