//! A guest's cart goes into a customer's: what each of the two says.

use super::{
    Basket, Cart, Decline, Event, LINE_UNITS_MAX, LINES_MAX, LeftOut, Line, Refusal,
    line::{tighter, total, with_these},
};
use crate::value::{CartId, Currency, CustomerId, Quantity, Time};

/// What another cart held.
pub(super) struct Taking {
    pub from: CartId,
    pub customer: CustomerId,
    pub currency: Currency,
    pub lines: Vec<Line>,
    pub expires_at: Option<Time>,
}

impl Cart {
    pub(super) fn merge_into(&self, into: CartId, customer: CustomerId) -> Result<Vec<Event>, Refusal> {
        if let Self::Merged { into: there, customer: whose, .. } = self
            && *there == into
            && *whose == customer
        {
            return Ok(vec![]);
        }
        let basket = self.basket()?;
        if basket.customer.as_ref().is_some_and(|customer| !customer.is_guest()) {
            return Err(Refusal::NotAGuestCart);
        }
        Ok(vec![Event::MergedInto {
            into,
            customer,
            currency: basket.currency,
            lines: basket.lines.clone(),
            expires_at: basket.expires_at,
        }])
    }

    pub(super) fn take_lines(&self, taking: Taking) -> Vec<Event> {
        let declined = |reason| vec![Event::LinesDeclined { from: taking.from.clone(), reason }];
        if self.has_taken(&taking.from) {
            return vec![];
        }
        match self {
            Self::Unopened => {
                let (customer, currency) = (Some(taking.customer.clone()), taking.currency);
                let basket = Basket::new(customer.clone(), currency);
                let opened = Event::Opened { customer, currency, expires_at: None };
                vec![opened, basket.taken_from(taking)]
            }
            Self::Open(basket) if basket.customer.as_ref() != Some(&taking.customer) => {
                declined(Decline::NotTheirs)
            }
            Self::Open(basket) if basket.currency != taking.currency => declined(Decline::OtherCurrency),
            Self::Open(basket) => vec![basket.taken_from(taking)],
            Self::CheckedOut { .. } | Self::Expired { .. } | Self::Merged { .. } => declined(Decline::Closed),
        }
    }

    pub(super) fn undo_merge(&self, into: CartId) -> Vec<Event> {
        match self {
            Self::Merged { into: there, basket, .. } if *there == into => {
                vec![Event::MergeUndone { into, expires_at: basket.expires_at }]
            }
            Self::Unopened
            | Self::Open(_)
            | Self::CheckedOut { .. }
            | Self::Expired { .. }
            | Self::Merged { .. } => vec![],
        }
    }

    fn has_taken(&self, from: &CartId) -> bool {
        match self {
            Self::Unopened => false,
            Self::Open(Basket { taken, .. })
            | Self::CheckedOut { taken, .. }
            | Self::Expired { taken, .. }
            | Self::Merged { basket: Basket { taken, .. }, .. } => taken.contains(from),
        }
    }
}

impl Basket {
    fn taken_from(&self, taking: Taking) -> Event {
        let (mut filled, mut changed, mut left_out) = (self.clone(), Vec::<Line>::new(), Vec::new());
        for line in taking.lines {
            let room = filled.room(&line).min(line.quantity.get());
            if let Ok(quantity) = Quantity::new(line.quantity.get() - room) {
                left_out.push(LeftOut { sku: line.sku.clone(), quantity });
            }
            if let Some(grown) = filled.grown(line, room) {
                filled.lines = with_these(filled.lines, vec![grown.clone()]);
                changed = with_these(changed, vec![grown]);
            }
        }
        let expires_at = self.later(taking.expires_at);
        Event::LinesTaken { from: taking.from, lines: changed, left_out, expires_at }
    }

    /// How many more units of a line fit, by every limit that there is.
    fn room(&self, line: &Line) -> u32 {
        let there = self.line(&line.sku);
        if there.is_none() && self.lines.len() >= LINES_MAX {
            return 0;
        }
        let counts = there.unwrap_or(line);
        let Ok(total) = total(self.currency, &self.lines) else { return 0 };
        let left = i64::MAX.saturating_sub(total.amount);
        let affordable = match counts.unit_price {
            price if price.currency != self.currency || price.amount < 0 => 0,
            price => left.checked_div(price.amount).unwrap_or(i64::MAX),
        };
        let limit = tighter(counts.purchase_limit, line.purchase_limit);
        let most = limit.map_or(LINE_UNITS_MAX, |limit| limit.get().min(LINE_UNITS_MAX));
        let units = most.saturating_sub(there.map_or(0, |there| there.quantity.get()));
        units.min(u32::try_from(affordable).unwrap_or(u32::MAX))
    }

    /// The line with so many more units: ours, where there is one, keeps its own price, and takes the tighter limit.
    fn grown(&self, line: Line, units: u32) -> Option<Line> {
        let more = Quantity::new(units).ok()?;
        match self.line(&line.sku) {
            None => Some(Line { quantity: more, ..line }),
            Some(ours) => Some(Line {
                quantity: ours.quantity.plus(more)?,
                purchase_limit: tighter(ours.purchase_limit, line.purchase_limit),
                ..ours.clone()
            }),
        }
    }
}
