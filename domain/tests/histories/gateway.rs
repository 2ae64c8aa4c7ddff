//! A payment gateway that keeps its own books, and holds Daybook to them.

use std::collections::BTreeMap;

use domain::{
    AnyEvent,
    payment::{Authorization, Command, Event, Settlement},
    value::{AttemptId, CaptureId, RefundId, Text},
};

/// What the gateway holds under a reference.
#[derive(Clone, Debug, Default)]
pub struct Hold {
    pub authorized: i64,
    pub captured: i64,
    pub refunded: i64,
    pub released: bool,
}

#[derive(Clone, Debug)]
enum Question {
    Authorize { attempt: AttemptId, amount: i64, approved: Option<bool> },
    Capture { capture: CaptureId, reference: Text, amount: i64 },
    Void { reference: Text },
    Refund { refund: RefundId, reference: Text, amount: i64 },
}

#[derive(Clone, Debug)]
struct Asked {
    name: String,
    payment: String,
    question: Question,
    /// How often it was answered.
    answers: usize,
}

#[derive(Default)]
pub struct Gateway {
    asked: Vec<Asked>,
    /// By payment and reference.
    pub holds: BTreeMap<(String, String), Hold>,
}

impl Gateway {
    pub fn hear(&mut self, id: &str, event: &AnyEvent, place: usize) {
        let AnyEvent::Payment(event) = event else { return };
        let question = match event.clone() {
            Event::AuthorizationRequested { attempt, amount, .. } => {
                Question::Authorize { attempt, amount: amount.amount, approved: None }
            }
            Event::CaptureRequested { capture, reference, amount, .. } => {
                Question::Capture { capture, reference, amount: amount.amount }
            }
            Event::VoidRequested { reference, .. } => Question::Void { reference },
            Event::RefundRequested { refund, reference, amount, .. } => {
                Question::Refund { refund, reference, amount: amount.amount }
            }
            _ => return,
        };
        self.asked.push(Asked {
            name: format!("gateway:{place}"),
            payment: id.to_owned(),
            question,
            answers: 0,
        });
    }

    pub fn has_questions(&self) -> bool {
        self.asked.iter().any(|asked| asked.answers == 0)
    }

    /// The answer to one question; unanswered ones first when `pick` is 0. An authorization may be answered again, with
    /// the same words; other answers come once.
    pub fn answer(&mut self, pick: usize, well: bool) -> Option<(String, String, Command)> {
        let open: Vec<usize> = (0..self.asked.len())
            .filter(|place| {
                let asked = &self.asked[*place];
                asked.answers == 0 || pick > 0 && matches!(asked.question, Question::Authorize { .. })
            })
            .collect();
        let place = *open.get(pick % open.len().max(1))?;
        let Asked { name, payment, question, answers } = &mut self.asked[place];
        *answers += 1;
        let name = format!("{name}:{answers}");
        let reference = Text::new(format!("hold-{place}")).unwrap();
        let failed = || Settlement::Failed { reason: Text::new("not today").unwrap() };
        let holds = &mut self.holds;
        let mut hold = |reference: &Text| {
            holds.get_mut(&(payment.clone(), reference.to_string())).expect("a reference of ours").clone()
        };
        let command = match question {
            Question::Authorize { attempt, amount, approved } => {
                let attempt = attempt.clone();
                if *approved.get_or_insert(well) {
                    let hold = Hold { authorized: *amount, ..Hold::default() };
                    self.holds.entry((payment.clone(), reference.to_string())).or_insert(hold);
                    Command::RecordAuthorization { attempt, outcome: Authorization::Approved { reference } }
                } else {
                    let outcome = Authorization::Declined { reason: Text::new("no funds").unwrap() };
                    Command::RecordAuthorization { attempt, outcome }
                }
            }
            Question::Capture { capture, reference, amount } => {
                let mut known = hold(reference);
                let outcome = if well {
                    known.captured += *amount;
                    assert!(!known.released && known.captured <= known.authorized, "captured {known:?}");
                    Settlement::Done
                } else {
                    failed()
                };
                self.holds.insert((payment.clone(), reference.to_string()), known);
                Command::RecordCapture { capture: capture.clone(), outcome }
            }
            Question::Void { reference } => {
                let mut known = hold(reference);
                let outcome = if well {
                    assert!(!known.released, "let go of {known:?} twice");
                    known.released = true;
                    Settlement::Done
                } else {
                    failed()
                };
                self.holds.insert((payment.clone(), reference.to_string()), known);
                Command::RecordVoid { reference: reference.clone(), outcome }
            }
            Question::Refund { refund, reference, amount } => {
                let mut known = hold(reference);
                let outcome = if well {
                    known.refunded += *amount;
                    assert!(known.refunded <= known.captured, "gave back {known:?}");
                    Settlement::Done
                } else {
                    failed()
                };
                self.holds.insert((payment.clone(), reference.to_string()), known);
                Command::RecordRefund { refund: refund.clone(), outcome }
            }
        };
        Some((name, payment.clone(), command))
    }

    /// The gateway stays silent about an authorization for too long.
    pub fn time_out(&self, pick: usize) -> Option<(String, Command)> {
        let open: Vec<&Asked> = self
            .asked
            .iter()
            .filter(|asked| matches!(asked.question, Question::Authorize { approved: None, .. }))
            .collect();
        let asked = open.get(pick % open.len().max(1))?;
        let Question::Authorize { attempt, .. } = &asked.question else { return None };
        let command =
            Command::RecordAuthorization { attempt: attempt.clone(), outcome: Authorization::TimedOut };
        Some((asked.payment.clone(), command))
    }

    /// What was taken and not given back of a payment, and what is still held of it.
    pub fn balance(&self, payment: &str) -> (i64, i64) {
        let holds = self.holds.iter().filter(|((known, _), _)| known == payment).map(|(_, hold)| hold);
        holds.fold((0, 0), |(taken, held), hold| {
            let left = if hold.released { 0 } else { hold.authorized - hold.captured };
            (taken + hold.captured - hold.refunded, held + left)
        })
    }
}
