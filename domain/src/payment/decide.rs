//! What a payment answers to each command.

use super::{
    Attempt, Authorization, Command, Event, Hold, Intent, Ledger, Method, Payment, Pending, Refusal,
    Settlement, TRIES_MAX, Token,
};
use crate::value::{AttemptId, CaptureId, CustomerId, Money, Text};

impl Payment {
    pub(super) fn decide_command(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::OpenIntent { order, amount, method, capture } => {
                self.open_intent(Intent { order, amount, method, capture })
            }
            Command::Authorize { attempt, token, keep_for } => self.authorize(attempt, token, keep_for),
            Command::RecordAuthorization { attempt, outcome } => {
                Ok(self.record_authorization(attempt, outcome))
            }
            Command::Capture { capture, amount } => self.capture(capture, amount),
            Command::RecordCapture { capture, outcome } => Ok(self.record_capture(&capture, outcome)),
            Command::Void {} => self.void(),
            Command::RecordVoid { reference, outcome } => Ok(self.record_void(&reference, outcome)),
            Command::VoidSurplus { reference } => Ok(self.void_surplus(reference)),
            Command::Refund { refund, amount, reason } => self.refund(refund, amount, reason),
            Command::RecordRefund { refund, outcome } => Ok(self.record_refund(refund, outcome)),
            Command::RecordPending { asked } => Ok(self.record_pending(asked)),
            Command::SeekAnswer { asked, nth } => Ok(self.seek_answer(asked, nth)),
            Command::RecordDispute { dispute, amount, reason, stage } => {
                Ok(self.record_dispute(dispute, amount, reason, stage))
            }
        }
    }

    fn open_intent(&self, intent: Intent) -> Result<Vec<Event>, Refusal> {
        if intent.amount.amount <= 0 {
            return Err(Refusal::BadAmount);
        }
        match self.intent() {
            Some(opened) if *opened == intent => Ok(vec![]),
            Some(_) => Err(Refusal::AlreadyOpened),
            None => {
                let Intent { order, amount, method, capture } = intent;
                Ok(vec![Event::IntentOpened { order, amount, method, capture }])
            }
        }
    }

    fn authorize(
        &self,
        attempt: AttemptId,
        token: Token,
        keep_for: Option<CustomerId>,
    ) -> Result<Vec<Event>, Refusal> {
        if self.attempts().iter().any(|known| known.id == attempt) {
            return Ok(vec![]);
        }
        match self {
            Self::Unopened => Err(Refusal::NotOpened),
            Self::Open { intent: Intent { method: Method::CashOnDelivery, .. }, .. }
            | Self::Collected { .. } => Err(Refusal::NeedsNoAuthorization),
            Self::Open { attempts, .. } if attempts.len() >= TRIES_MAX => {
                Err(Refusal::TooManyTries { max: TRIES_MAX })
            }
            Self::Open { intent, .. } => Ok(vec![Event::AuthorizationRequested {
                order: intent.order.clone(),
                attempt,
                token,
                amount: intent.amount,
                keep_for,
            }]),
            Self::Authorizing { attempt, .. } => Err(Refusal::InProgress { attempt: attempt.clone() }),
            Self::Held { .. } => Err(Refusal::AlreadyAuthorized),
            Self::Released { .. } | Self::Voided { .. } => Err(Refusal::Voided),
        }
    }

    /// Approvals count whenever they come: the gateway holds the money, whatever this side had concluded.
    fn record_authorization(&self, attempt: AttemptId, outcome: Authorization) -> Vec<Event> {
        let Some(intent) = self.intent() else {
            return vec![];
        };
        if !self.attempts().iter().any(|known| known.id == attempt && known.reference.is_none()) {
            return vec![];
        }
        let in_progress = matches!(self, Self::Authorizing { attempt: current, .. } if *current == attempt);
        let (order, amount) = (intent.order.clone(), intent.amount);
        match outcome {
            Authorization::Approved { reference } => {
                let surplus = self.surplus(&reference);
                let authorized = Event::Authorized { order, attempt, reference, amount };
                [authorized].into_iter().chain(surplus).collect()
            }
            Authorization::Declined { reason } if in_progress => {
                vec![Event::Declined { order, attempt, reason }]
            }
            Authorization::TimedOut if in_progress => vec![Event::AuthorizationTimedOut { order, attempt }],
            Authorization::Declined { .. } | Authorization::TimedOut => vec![],
        }
    }

    /// When an earlier attempt turned out approved after all, the gateway holds the amount twice: one must go. So must
    /// one that comes when a part was captured and the rest let go of.
    fn surplus(&self, approved: &Text) -> Option<Event> {
        let (intent, reference, _) = self.at_gateway()?;
        let (order, reference) = (reference != approved).then(|| (intent.order.clone(), approved.clone()))?;
        Some(Event::VoidRequested { order, reference, amount: intent.amount })
    }

    fn capture(&self, capture: CaptureId, amount: Option<Money>) -> Result<Vec<Event>, Refusal> {
        if let Some(known) = self.ledger().and_then(|ledger| ledger.captures().get(&capture)) {
            return match amount {
                Some(amount) if amount != *known => Err(Refusal::CaptureExists { capture }),
                Some(_) | None => Ok(vec![]),
            };
        }
        match self {
            Self::Unopened => Err(Refusal::NotOpened),
            Self::Open { intent: intent @ Intent { method: Method::CashOnDelivery, .. }, .. } => {
                let ledger = Ledger::new(Money::zero(intent.amount.currency));
                Ok(collect(intent, capture, to_capture(intent, &ledger, amount)?))
            }
            Self::Collected { intent, ledger } => {
                Ok(collect(intent, capture, to_capture(intent, ledger, amount)?))
            }
            Self::Open { .. } | Self::Authorizing { .. } => Err(Refusal::NotAuthorized),
            Self::Held { hold: Hold { pending: Some(_), .. }, .. } => Err(Refusal::AwaitingGateway),
            Self::Held { intent, hold, .. } => {
                let amount = to_capture(intent, &hold.ledger, amount)?;
                let request = amount.map(|amount| Event::CaptureRequested {
                    order: intent.order.clone(),
                    capture,
                    reference: hold.reference.clone(),
                    amount,
                });
                Ok(request.into_iter().collect())
            }
            Self::Released { .. } | Self::Voided { .. } => Err(Refusal::Voided),
        }
    }

    fn record_capture(&self, answered: &CaptureId, outcome: Settlement) -> Vec<Event> {
        let Self::Held {
            intent, hold: Hold { pending: Some(Pending::Capture { capture, amount }), .. }, ..
        } = self
        else {
            return vec![];
        };
        if capture != answered {
            return vec![];
        }
        let (order, capture, amount) = (intent.order.clone(), capture.clone(), *amount);
        vec![match outcome {
            Settlement::Done => Event::Captured { order, capture, amount },
            Settlement::Failed { reason } => Event::CaptureFailed { order, capture, amount, reason },
        }]
    }

    fn void(&self) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unopened => Err(Refusal::NotOpened),
            Self::Open { intent, .. } | Self::Authorizing { intent, .. } => {
                Ok(vec![Event::Voided { order: intent.order.clone() }])
            }
            Self::Held { intent, hold, .. } => match hold.pending {
                Some(Pending::Capture { .. }) => Err(Refusal::AwaitingGateway),
                Some(Pending::Void) => Ok(vec![]),
                None => {
                    let amount = hold.ledger.capturable(intent.amount);
                    if amount.amount == 0 {
                        return Err(Refusal::AlreadyCaptured);
                    }
                    let (order, reference) = (intent.order.clone(), hold.reference.clone());
                    Ok(vec![Event::VoidRequested { order, reference, amount }])
                }
            },
            Self::Collected { .. } => Err(Refusal::AlreadyCaptured),
            Self::Released { .. } | Self::Voided { .. } => Ok(vec![]),
        }
    }

    /// An answer for a hold that is gone already changes nothing.
    fn record_void(&self, answered: &Text, outcome: Settlement) -> Vec<Event> {
        match self {
            Self::Held { intent, hold: Hold { reference, pending: Some(Pending::Void), .. }, .. }
                if reference == answered =>
            {
                let order = intent.order.clone();
                match outcome {
                    Settlement::Done => vec![Event::Voided { order }],
                    Settlement::Failed { reason } => vec![Event::VoidFailed { order, reason }],
                }
            }
            _ => self.record_void_of_surplus(answered, outcome),
        }
    }

    /// That the gateway failed counts once for each time that it was asked; that it did it counts whenever it is told.
    fn record_void_of_surplus(&self, answered: &Text, outcome: Settlement) -> Vec<Event> {
        let Some((intent, attempt)) = self.intent().zip(self.surplus_hold(answered)) else {
            return vec![];
        };
        let (order, reference) = (intent.order.clone(), answered.clone());
        match outcome {
            Settlement::Done => vec![Event::SurplusVoided { order, reference }],
            Settlement::Failed { reason } if attempt.voiding => {
                vec![Event::SurplusVoidFailed { order, reference, reason }]
            }
            Settlement::Failed { .. } => vec![],
        }
    }

    fn void_surplus(&self, reference: Text) -> Vec<Event> {
        let intent =
            self.intent().filter(|_| self.surplus_hold(&reference).is_some_and(|attempt| !attempt.voiding));
        let request = intent.map(|intent| Event::VoidRequested {
            order: intent.order.clone(),
            reference,
            amount: intent.amount,
        });
        request.into_iter().collect()
    }

    /// What the gateway holds under that name beside what is in use.
    fn surplus_hold(&self, reference: &Text) -> Option<&Attempt> {
        let in_use = self.at_gateway().is_some_and(|(_, used, _)| used == reference);
        let held = |attempt: &&Attempt| attempt.reference.as_ref() == Some(reference) && !attempt.released;
        self.attempts().iter().find(held).filter(|_| !in_use)
    }

    /// What a gateway holds or has taken, under which name, and what became of it.
    pub(super) const fn at_gateway(&self) -> Option<(&Intent, &Text, &Ledger)> {
        match self {
            Self::Held { intent, hold: Hold { reference, ledger, .. }, .. }
            | Self::Released { intent, reference, ledger, .. } => Some((intent, reference, ledger)),
            Self::Unopened
            | Self::Open { .. }
            | Self::Authorizing { .. }
            | Self::Collected { .. }
            | Self::Voided { .. } => None,
        }
    }
}

fn collect(intent: &Intent, capture: CaptureId, amount: Option<Money>) -> Vec<Event> {
    let order = intent.order.clone();
    amount.map(|amount| Event::Captured { order, capture, amount }).into_iter().collect()
}

/// How much to capture; nothing when the rest is asked for and there is none.
fn to_capture(intent: &Intent, ledger: &Ledger, asked: Option<Money>) -> Result<Option<Money>, Refusal> {
    let capturable = ledger.capturable(intent.amount);
    let amount = asked.unwrap_or(capturable);
    if asked.is_none() && capturable.amount == 0 {
        return Ok(None);
    }
    if amount.amount <= 0 {
        return Err(Refusal::BadAmount);
    }
    if amount.currency != capturable.currency || amount.amount > capturable.amount {
        return Err(Refusal::ExceedsAuthorized { requested: amount, capturable });
    }
    if ledger.captures().len() >= TRIES_MAX {
        return Err(Refusal::TooManyTries { max: TRIES_MAX });
    }
    Ok(Some(amount))
}
