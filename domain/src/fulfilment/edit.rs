//! An edit of the order: reserve what it adds, have the difference paid, allocate, apply; or undo.

use super::{Books, Command, EditPlan, EditStage, Event, Step};
use crate::{
    order::EditFailure,
    payment::Method,
    process::Refused,
    value::{EditId, PaymentId, Time},
};

impl Books {
    pub(super) fn learn_of_edit(&self, command: Command) -> Vec<Event> {
        match command {
            Command::EditCommitted(plan) => match &self.edit {
                None if unpayable(&plan) => vec![fail(plan, EditFailure::NotPaid, false, all)],
                None => vec![Event::EditStarted(plan)],
                Some(_) => vec![],
            },
            Command::EditApplied { edit, total, .. } => match self.edit_in(EditStage::Applying, &edit) {
                Some(plan) => vec![Event::EditDone { plan: plan.clone() }, self.costs(total)],
                None => vec![],
            },
            Command::EditRejected { edit, .. } => match &self.edit {
                Some((plan, _)) if plan.edit == edit => self.end_edit(),
                _ => vec![],
            },
            Command::EditPayByPassed { edit, .. } => match self.edit_in(EditStage::AwaitingPayment, &edit) {
                Some(plan) => vec![fail(plan.clone(), EditFailure::NotPaid, false, |_| vec![])],
                None => vec![],
            },
            Command::Answered { step, refused, at } => self.edit_answered(step, &refused, at),
            _ => vec![],
        }
    }

    fn edit_answered(&self, step: Step, refused: &[Refused], at: Time) -> Vec<Event> {
        let Some((plan, stage)) = &self.edit else {
            return vec![];
        };
        let lost = |plan: &EditPlan| {
            let adds = u32::try_from(plan.add.len()).unwrap_or(u32::MAX);
            refused.iter().map(|refused| refused.index).filter(|index| *index < adds).collect()
        };
        match (step, stage) {
            (Step::ReserveEdit, EditStage::Reserving) if !refused.is_empty() => {
                vec![fail(plan.clone(), EditFailure::OutOfStock, false, lost)]
            }
            (Step::ReserveEdit, EditStage::Reserving) if self.must_be_authorized(plan) => {
                vec![Event::EditReserved { plan: plan.clone() }]
            }
            (Step::ReserveEdit, EditStage::Reserving) => vec![Event::EditAccepted { plan: plan.clone(), at }],
            (Step::AllocateEdit, EditStage::Allocating) if !refused.is_empty() => {
                vec![fail(plan.clone(), EditFailure::OutOfStock, true, lost)]
            }
            (Step::AllocateEdit, EditStage::Allocating) => {
                vec![Event::EditAllocated { plan: plan.clone(), at }]
            }
            (Step::ApplyEdit, EditStage::Applying) if !refused.is_empty() => {
                vec![fail(plan.clone(), EditFailure::OrderClosed, true, |_| vec![])]
            }
            _ => vec![],
        }
    }

    /// An authorization may come before the answers to the reservations: it is noted, and counts once they are there.
    fn must_be_authorized(&self, plan: &EditPlan) -> bool {
        let noted = |payment: &PaymentId| {
            self.accounts.iter().any(|account| account.payment == *payment && account.authorized > 0)
        };
        plan.difference.amount > 0
            && self.terms.method != Method::CashOnDelivery
            && !plan.payment.as_ref().is_some_and(noted)
    }

    /// The payment that an edit waits for has come.
    pub(super) fn paid_for_edit(&self, payment: &PaymentId, at: Time) -> Option<Event> {
        match &self.edit {
            Some((plan, EditStage::AwaitingPayment)) if plan.payment.as_ref() == Some(payment) => {
                Some(Event::EditAccepted { plan: plan.clone(), at })
            }
            _ => None,
        }
    }

    /// The order is called off, or refused the edit: whatever was done for it is undone.
    pub(super) fn end_edit(&self) -> Vec<Event> {
        let Some((plan, stage)) = &self.edit else {
            return vec![];
        };
        // While answers are awaited nobody knows what there is to undo; releasing what is not held does nothing.
        let allocated = *stage == EditStage::Applying;
        vec![fail(plan.clone(), EditFailure::OrderClosed, allocated, |_| vec![])]
    }

    fn edit_in(&self, stage: EditStage, edit: &EditId) -> Option<&EditPlan> {
        match &self.edit {
            Some((plan, known)) if *known == stage && plan.edit == *edit => Some(plan),
            _ => None,
        }
    }
}

/// What costs more and names no payment can never be paid.
fn unpayable(plan: &EditPlan) -> bool {
    plan.difference.amount > 0 && plan.payment.is_none()
}

fn all(plan: &EditPlan) -> Vec<u32> {
    (0..).take(plan.add.len()).collect()
}

fn fail(plan: EditPlan, reason: EditFailure, allocated: bool, lost: impl Fn(&EditPlan) -> Vec<u32>) -> Event {
    Event::EditFailed { lost: lost(&plan), plan, reason, allocated }
}
