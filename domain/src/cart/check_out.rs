//! What a cart comes to at the checkout, and what it is compared with before.

use super::{
    ATTEMPTS_DEFAULT, ATTEMPTS_MAX, Cart, Line, Price, Refusal,
    decide::check_units,
    line::{changes, total, with_limits},
};
use crate::{
    pricing::Quote,
    value::{CustomerId, Money, Time},
};

/// What the buyer was shown, and what counts now.
pub(super) struct Ask {
    pub expected_total: Option<Money>,
    pub now: Option<Time>,
    pub prices: Vec<Price>,
    pub quote: Option<Quote>,
}

/// What is bought, by whom, for how much.
pub(super) struct Bill {
    pub customer: Option<CustomerId>,
    pub lines: Vec<Line>,
    pub quote: Option<Quote>,
    pub total: Money,
}

impl Cart {
    pub(super) fn bill(&self, ask: Ask) -> Result<Bill, Refusal> {
        let basket = self.basket()?;
        if let (Some(expired_at), Some(now)) = (basket.expires_at, ask.now)
            && expired_at <= now
        {
            return Err(Refusal::Expired { expired_at });
        }
        if basket.lines.is_empty() {
            return Err(Refusal::Empty);
        }
        let changes = changes(&basket.lines, &ask.prices);
        if !changes.is_empty() {
            return Err(Refusal::PriceChanged { changes });
        }
        // A limit that was lowered since the line was added counts.
        let lines = with_limits(basket.lines.clone(), &ask.prices);
        for line in &lines {
            check_units(line, Some(line.quantity))?;
        }
        let goods = total(basket.currency, &lines)?;
        let total = match &ask.quote {
            None => goods,
            Some(quote) if quote.fits(goods, lines.len()) => quote.total,
            Some(_) => return Err(Refusal::BadQuote),
        };
        match ask.expected_total {
            Some(expected) if expected != total => Err(Refusal::TotalChanged { total, expected }),
            _ => Ok(Bill { customer: basket.customer.clone(), lines, quote: ask.quote, total }),
        }
    }
}

/// How often the buyer may try to pay, within bounds.
pub(super) fn attempts(wanted: Option<u32>) -> u32 {
    wanted.unwrap_or(ATTEMPTS_DEFAULT).clamp(1, ATTEMPTS_MAX)
}
