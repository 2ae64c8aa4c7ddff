//! What each event makes of a payment.

use super::{
    Attempt, DisputeStage, Event, Hold, Intent, Ledger, Method, Payment, Pending,
    RefundStage::{self, Done, Failed},
    Seeking,
};
use crate::value::{AttemptId, CaptureId, Money, RefundId, Text};

impl Payment {
    pub(super) fn evolve_event(self, event: Event) -> Self {
        match event {
            Event::IntentOpened { order, amount, method, capture } => {
                self.opened(Intent { order, amount, method, capture })
            }
            Event::AuthorizationRequested { attempt, .. } => self.authorization_requested(attempt),
            Event::Authorized { attempt, reference, .. } => self.approved(&attempt, reference),
            Event::Declined { attempt, .. } | Event::AuthorizationTimedOut { attempt, .. } => {
                self.not_approved(&attempt)
            }
            Event::CaptureRequested { capture, amount, .. } => self.capture_requested(capture, amount),
            Event::Captured { capture, amount, .. } => self.capture_done(capture, amount),
            Event::CaptureFailed { capture, .. } => self.capture_failed(&capture),
            Event::VoidRequested { reference, .. } => self.void_requested(&reference),
            Event::Voided { .. } => self.voided(),
            Event::VoidFailed { .. } => self.void_failed(),
            Event::SurplusVoidFailed { reference, .. } => {
                self.surplus_is(&reference, |attempt| attempt.voiding = false)
            }
            Event::SurplusVoided { reference, .. } => self.surplus_is(&reference, let_go),
            Event::RefundRequested { refund, amount, .. } => self.refund_requested(refund, amount),
            Event::Refunded { refund, amount, .. } => self.refund_answered(refund, amount, Done),
            Event::RefundFailed { refund, amount, .. } => self.refund_answered(refund, amount, Failed),
            Event::AnswerDeferred { asked, .. } => self.seeking_is(&asked, Seeking::Next(1)),
            Event::AnswerSought { asked, nth, .. } => {
                self.seeking_is(&asked, Seeking::Next(nth.saturating_add(1)))
            }
            Event::AnswerMissing { asked, .. } => self.seeking_is(&asked, Seeking::Over),
            Event::DisputeOpened { dispute, amount, .. } => {
                self.dispute_is(dispute, amount, DisputeStage::Open)
            }
            Event::DisputeWon { dispute, amount, .. } => self.dispute_is(dispute, amount, DisputeStage::Won),
            Event::DisputeLost { dispute, amount, .. } => {
                self.dispute_is(dispute, amount, DisputeStage::Lost)
            }
        }
    }

    /// Whether the gateway has answered everything, and holds nothing that is neither captured nor let go.
    pub(super) fn is_settled(&self) -> bool {
        let all_captured = |intent: &Intent, ledger: &Ledger| {
            ledger.is_settled() && ledger.capturable(intent.amount).amount == 0
        };
        match self {
            Self::Unopened | Self::Open { .. } | Self::Authorizing { .. } => false,
            Self::Held { intent, attempts, hold } => {
                let pending = hold.pending.is_some();
                !pending && all_captured(intent, &hold.ledger) && no_surplus(attempts, Some(&hold.reference))
            }
            Self::Collected { intent, ledger } => all_captured(intent, ledger),
            Self::Released { attempts, reference, ledger, .. } => {
                ledger.is_settled() && no_surplus(attempts, Some(reference))
            }
            Self::Voided { attempts, .. } => no_surplus(attempts, None),
        }
    }

    fn opened(self, intent: Intent) -> Self {
        match self {
            Self::Unopened => Self::Open { intent, attempts: vec![] },
            state => state,
        }
    }

    fn authorization_requested(self, attempt: AttemptId) -> Self {
        match self {
            Self::Open { intent, mut attempts } => {
                attempts.push(Attempt {
                    id: attempt.clone(),
                    reference: None,
                    voiding: false,
                    released: false,
                    seeking: Seeking::No,
                });
                Self::Authorizing { intent, attempts, attempt }
            }
            state => state,
        }
    }

    fn approved(mut self, attempt: &AttemptId, reference: Text) -> Self {
        match self.attempts_mut().iter_mut().find(|known| known.id == *attempt) {
            Some(known) => known.reference = Some(reference.clone()),
            None => return self,
        }
        match self {
            Self::Open { intent, attempts }
            | Self::Authorizing { intent, attempts, .. }
            | Self::Voided { intent, attempts } => {
                let ledger = Ledger::new(Money::zero(intent.amount.currency));
                Self::Held {
                    intent,
                    attempts,
                    hold: Hold { reference, pending: None, seeking: Seeking::No, ledger },
                }
            }
            state @ (Self::Held { .. } | Self::Released { .. } | Self::Unopened | Self::Collected { .. }) => {
                state
            }
        }
    }

    fn not_approved(self, answered: &AttemptId) -> Self {
        match self {
            Self::Authorizing { intent, mut attempts, attempt } if attempt == *answered => {
                let answered = attempts.iter_mut().filter(|known| known.id == attempt);
                answered.for_each(|known| known.seeking = Seeking::Over);
                Self::Open { intent, attempts }
            }
            state => state,
        }
    }

    fn capture_requested(self, capture: CaptureId, amount: Money) -> Self {
        self.with_hold(|hold| match hold {
            Hold { pending: None, ledger, .. } => Hold {
                pending: Some(Pending::Capture { capture: capture.clone(), amount }),
                seeking: Seeking::No,
                ledger: ledger.capture_asked(capture, amount),
                ..hold
            },
            hold => hold,
        })
    }

    fn capture_done(self, capture: CaptureId, amount: Money) -> Self {
        match self {
            Self::Open { intent: intent @ Intent { method: Method::CashOnDelivery, .. }, .. } => {
                let ledger = Ledger::new(Money::zero(intent.amount.currency));
                Self::Collected { intent, ledger: ledger.capture_asked(capture, amount).capture_done(amount) }
            }
            Self::Collected { intent, ledger } => {
                Self::Collected { intent, ledger: ledger.capture_asked(capture, amount).capture_done(amount) }
            }
            state => state.with_hold(|hold| {
                if hold.is_capturing(&capture) {
                    Hold { pending: None, ledger: hold.ledger.capture_done(amount), ..hold }
                } else {
                    hold
                }
            }),
        }
    }

    fn capture_failed(self, capture: &CaptureId) -> Self {
        self.with_hold(|hold| if hold.is_capturing(capture) { Hold { pending: None, ..hold } } else { hold })
    }

    /// A void of another reference lets go of a surplus hold and leaves this one alone.
    fn void_requested(self, reference: &Text) -> Self {
        if self.at_gateway().is_none_or(|(_, used, _)| used != reference) {
            return self.surplus_is(reference, |attempt| {
                (attempt.voiding, attempt.seeking) = (true, Seeking::No);
            });
        }
        self.with_hold(|hold| match hold.pending {
            None => Hold { pending: Some(Pending::Void), seeking: Seeking::No, ..hold },
            Some(_) => hold,
        })
    }

    fn voided(self) -> Self {
        match self {
            Self::Open { intent, attempts } | Self::Authorizing { intent, attempts, .. } => {
                Self::Voided { intent, attempts }
            }
            Self::Held {
                intent,
                mut attempts,
                hold: Hold { reference, pending: Some(Pending::Void), ledger, .. },
            } => {
                those_of(&mut attempts, &reference).for_each(let_go);
                if ledger.captured().amount > 0 {
                    Self::Released { intent, attempts, reference, ledger }
                } else {
                    Self::Voided { intent, attempts }
                }
            }
            state => state,
        }
    }

    /// Something became of a hold beside the one in use.
    fn surplus_is(mut self, reference: &Text, change: impl FnMut(&mut Attempt)) -> Self {
        those_of(self.attempts_mut(), reference).for_each(change);
        self
    }

    pub(super) fn attempts_mut(&mut self) -> &mut [Attempt] {
        match self {
            Self::Open { attempts, .. }
            | Self::Authorizing { attempts, .. }
            | Self::Held { attempts, .. }
            | Self::Released { attempts, .. }
            | Self::Voided { attempts, .. } => attempts,
            Self::Unopened | Self::Collected { .. } => &mut [],
        }
    }

    fn void_failed(self) -> Self {
        self.with_hold(|hold| match hold.pending {
            Some(Pending::Void) => Hold { pending: None, ..hold },
            Some(Pending::Capture { .. }) | None => hold,
        })
    }

    fn refund_requested(self, refund: RefundId, amount: Money) -> Self {
        self.with_gateway_ledger(|ledger| ledger.refund_is(refund, amount, RefundStage::Pending))
    }

    fn refund_answered(self, refund: RefundId, amount: Money, stage: RefundStage) -> Self {
        match self {
            Self::Collected { intent, ledger } => {
                Self::Collected { intent, ledger: ledger.refund_is(refund, amount, stage) }
            }
            state => state.with_gateway_ledger(|ledger| match ledger.refund_pending(&refund) {
                Some(amount) => ledger.refund_is(refund, amount, stage),
                None => ledger,
            }),
        }
    }

    /// Changes what a gateway has taken and given back.
    pub(super) fn with_gateway_ledger(self, change: impl FnOnce(Ledger) -> Ledger) -> Self {
        match self {
            Self::Held { intent, attempts, hold } => {
                Self::Held { intent, attempts, hold: Hold { ledger: change(hold.ledger), ..hold } }
            }
            Self::Released { intent, attempts, reference, ledger } => {
                Self::Released { intent, attempts, reference, ledger: change(ledger) }
            }
            state => state,
        }
    }

    fn with_hold(self, change: impl FnOnce(Hold) -> Hold) -> Self {
        match self {
            Self::Held { intent, attempts, hold } => Self::Held { intent, attempts, hold: change(hold) },
            state => state,
        }
    }
}

/// Whether every approval but the one that counts was let go.
fn no_surplus(attempts: &[Attempt], counts: Option<&Text>) -> bool {
    let known = |attempt: &Attempt| attempt.reference.is_none() || attempt.reference.as_ref() == counts;
    attempts.iter().all(|attempt| attempt.released || known(attempt))
}

pub(super) fn those_of<'a>(
    attempts: &'a mut [Attempt],
    reference: &Text,
) -> impl Iterator<Item = &'a mut Attempt> {
    attempts.iter_mut().filter(move |attempt| attempt.reference.as_ref() == Some(reference))
}

const fn let_go(attempt: &mut Attempt) {
    (attempt.voiding, attempt.released) = (false, true);
}
