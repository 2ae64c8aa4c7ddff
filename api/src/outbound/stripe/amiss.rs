//! Whether a PaymentIntent is for what was asked: another amount or currency is never taken for the one that was meant.

use domain::value::Money;
use store::gateway::Ask;

use super::{
    Stripe, amount,
    wire::{Intent, Status},
};

/// Why a payment fails whose PaymentIntent is for something else.
pub(super) const AMISS: &str = "amount_mismatch";

impl Intent {
    /// Whether it is for so much, and holds all of it where it holds anything that was not taken.
    pub fn is_for(&self, whole: Money) -> bool {
        let named = self.currency.as_deref().is_some_and(|code| code == amount::code(whole.currency));
        let capturable = self.amount_capturable.map(|rest| rest.saturating_add(self.amount_received));
        let held =
            self.status != Status::RequiresCapture || capturable.is_none_or(|all| Some(all) == self.amount);
        named && held && self.amount.is_some() && self.amount == amount::to_stripe(whole)
    }

    /// Whether it is for what was asked, and exactly so much was taken in all: more was taken by somebody else.
    pub(super) fn has_taken(&self, ask: &Ask, upto: i64) -> bool {
        self.amount_received == upto && self.is_for(ask.intent.amount)
    }
}

impl Stripe {
    /// Rings: somebody has to look at what Stripe holds or has taken.
    pub(super) fn amiss(&self, ask: &Ask, intent: &Intent) {
        self.tally.mismatched();
        tracing::error!(
            payment = %ask.payment, intent = intent.id, asked = %ask.intent.amount, amount = ?intent.amount,
            currency = ?intent.currency, received = intent.amount_received,
            "Stripe's PaymentIntent is for something else than was asked"
        );
    }
}
