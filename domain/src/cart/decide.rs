//! What a cart says to each command.

use super::{Cart, Event, LINE_UNITS_MAX, LINES_MAX, Line, Refusal, total, with, with_quantity};
use crate::value::{Currency, CustomerId, Money, Quantity, Sku};

impl Cart {
    pub(super) fn open(
        &self,
        customer: Option<CustomerId>,
        currency: Currency,
    ) -> Result<Vec<Event>, Refusal> {
        match self {
            Self::Unopened => Ok(vec![Event::Opened { customer, currency }]),
            Self::Open { customer: ours, currency: used, .. } if *ours == customer && *used == currency => {
                Ok(vec![])
            }
            Self::Open { .. } => Err(Refusal::AlreadyOpen),
            Self::CheckedOut { order } => Err(Refusal::AlreadyCheckedOut { order: order.clone() }),
        }
    }

    pub(super) fn add_line(&self, line: Line) -> Result<Vec<Event>, Refusal> {
        let (currency, lines) = self.filling()?;
        if line.unit_price.currency != currency {
            return Err(Refusal::CurrencyMismatch { cart: currency, price: line.unit_price.currency });
        }
        let there = lines.iter().find(|there| there.sku == line.sku);
        if there.is_none() && lines.len() >= LINES_MAX {
            return Err(Refusal::TooManyLines { max: LINES_MAX });
        }
        let quantity = there.map_or(Some(line.quantity), |there| there.quantity.plus(line.quantity));
        check_units(quantity)?;
        total(currency, &with(lines.to_vec(), line.clone()))?;
        Ok(vec![Event::LineAdded(line)])
    }

    pub(super) fn set_quantity(&self, sku: Sku, quantity: Quantity) -> Result<Vec<Event>, Refusal> {
        let (currency, lines) = self.filling()?;
        match lines.iter().find(|line| line.sku == sku) {
            None => Err(Refusal::NoSuchLine { sku }),
            Some(line) if line.quantity == quantity => Ok(vec![]),
            Some(_) => {
                check_units(Some(quantity))?;
                total(currency, &with_quantity(lines.to_vec(), &sku, quantity))?;
                Ok(vec![Event::QuantitySet { sku, quantity }])
            }
        }
    }

    pub(super) fn remove_line(&self, sku: Sku) -> Result<Vec<Event>, Refusal> {
        let (_, lines) = self.filling()?;
        let there = lines.iter().any(|line| line.sku == sku);
        Ok(there.then_some(Event::LineRemoved { sku }).into_iter().collect())
    }

    pub(super) fn bill(
        &self,
        expected: Option<Money>,
    ) -> Result<(Option<CustomerId>, Vec<Line>, Money), Refusal> {
        let (currency, lines) = self.filling()?;
        if lines.is_empty() {
            return Err(Refusal::Empty);
        }
        let total = total(currency, lines)?;
        match expected {
            Some(expected) if expected != total => Err(Refusal::TotalChanged { total, expected }),
            _ => Ok((self.customer().cloned(), lines.to_vec(), total)),
        }
    }

    fn filling(&self) -> Result<(Currency, &[Line]), Refusal> {
        match self {
            Self::Unopened => Err(Refusal::NotOpen),
            Self::Open { currency, lines, .. } => Ok((*currency, lines)),
            Self::CheckedOut { order } => Err(Refusal::AlreadyCheckedOut { order: order.clone() }),
        }
    }
}

fn check_units(quantity: Option<Quantity>) -> Result<(), Refusal> {
    match quantity {
        Some(quantity) if quantity.get() <= LINE_UNITS_MAX => Ok(()),
        _ => Err(Refusal::TooManyUnits { max: LINE_UNITS_MAX }),
    }
}
