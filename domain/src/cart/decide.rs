//! What a cart says to each command.

use super::{
    Basket, Cart, Command, Event, LINE_UNITS_MAX, LINES_MAX, Line, Price, Refusal,
    check_out::{Ask, attempts},
    line::{changes, total, with, with_prices, with_quantity},
    merge::Taking,
};
use crate::value::{Currency, CustomerId, Quantity, Sku, Time};

impl Cart {
    pub(super) fn decide_command(&self, command: Command) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Open { customer, currency, expires_at } => self.open(customer, currency, expires_at),
            Command::AddLine { line, expires_at } => self.add_line(line, expires_at),
            Command::SetQuantity { sku, quantity, expires_at } => {
                self.set_quantity(sku, quantity, expires_at)
            }
            Command::RemoveLine { sku } => self.remove_line(sku),
            Command::AcceptPrices { prices } => self.accept_prices(&prices),
            Command::CheckOut { order, .. } if self.order() == Some(&order) => Ok(vec![]),
            Command::CheckOut {
                order,
                payment,
                method,
                delivery,
                expected_total,
                pay_by,
                now,
                prices,
                quote,
                capture,
                attempts_max,
                review,
            } => {
                let bill = self.bill(Ask { expected_total, now, prices, quote })?;
                Ok(vec![Event::CheckedOut {
                    customer: bill.customer,
                    order,
                    payment,
                    method,
                    delivery,
                    lines: bill.lines,
                    total: bill.total,
                    pay_by,
                    quote: bill.quote,
                    capture,
                    attempts_max: attempts(attempts_max),
                    review,
                }])
            }
            Command::Expire { now } => Ok(self.expire(now)),
            Command::MergeInto { into, customer } => self.merge_into(into, customer),
            Command::TakeLines { from, customer, currency, lines, expires_at } => {
                Ok(self.take_lines(Taking { from, customer, currency, lines, expires_at }))
            }
            Command::UndoMerge { into } => Ok(self.undo_merge(into)),
        }
    }

    fn open(
        &self,
        customer: Option<CustomerId>,
        currency: Currency,
        expires_at: Option<Time>,
    ) -> Result<Vec<Event>, Refusal> {
        if matches!(self, Self::Unopened) {
            return Ok(vec![Event::Opened { customer, currency, expires_at }]);
        }
        let basket = self.basket()?;
        if basket.customer == customer && basket.currency == currency {
            Ok(vec![])
        } else {
            Err(Refusal::AlreadyOpen)
        }
    }

    fn add_line(&self, line: Line, expires_at: Option<Time>) -> Result<Vec<Event>, Refusal> {
        let basket = self.basket()?;
        if line.unit_price.currency != basket.currency {
            return Err(Refusal::CurrencyMismatch { cart: basket.currency, price: line.unit_price.currency });
        }
        let there = basket.line(&line.sku);
        if there.is_none() && basket.lines.len() >= LINES_MAX {
            return Err(Refusal::TooManyLines { max: LINES_MAX });
        }
        let quantity = there.map_or(Some(line.quantity), |there| there.quantity.plus(line.quantity));
        check_units(&line, quantity)?;
        total(basket.currency, &with(basket.lines.clone(), line.clone()))?;
        Ok(vec![Event::LineAdded { line, expires_at: basket.later(expires_at) }])
    }

    fn set_quantity(
        &self,
        sku: Sku,
        quantity: Quantity,
        expires_at: Option<Time>,
    ) -> Result<Vec<Event>, Refusal> {
        let basket = self.basket()?;
        match basket.line(&sku) {
            None => Err(Refusal::NoSuchLine { sku }),
            Some(line) if line.quantity == quantity => Ok(vec![]),
            Some(line) => {
                check_units(line, Some(quantity))?;
                total(basket.currency, &with_quantity(basket.lines.clone(), &sku, quantity))?;
                Ok(vec![Event::QuantitySet { sku, quantity, expires_at: basket.later(expires_at) }])
            }
        }
    }

    fn remove_line(&self, sku: Sku) -> Result<Vec<Event>, Refusal> {
        let there = self.basket()?.line(&sku).is_some();
        Ok(there.then_some(Event::LineRemoved { sku }).into_iter().collect())
    }

    fn accept_prices(&self, prices: &[Price]) -> Result<Vec<Event>, Refusal> {
        let basket = self.basket()?;
        let changes = changes(&basket.lines, prices);
        let foreign = changes.iter().find(|change| change.now.currency != basket.currency);
        if let Some(change) = foreign {
            return Err(Refusal::CurrencyMismatch { cart: basket.currency, price: change.now.currency });
        }
        total(basket.currency, &with_prices(basket.lines.clone(), &changes))?;
        Ok((!changes.is_empty()).then_some(Event::PricesAccepted { changes }).into_iter().collect())
    }

    fn expire(&self, now: Time) -> Vec<Event> {
        match self {
            Self::Open(basket) if basket.expires_at.is_some_and(|at| at <= now) => vec![Event::Expired {}],
            Self::Unopened
            | Self::Open(_)
            | Self::CheckedOut { .. }
            | Self::Expired { .. }
            | Self::Merged { .. } => vec![],
        }
    }

    /// What can still be changed.
    pub(super) fn basket(&self) -> Result<&Basket, Refusal> {
        match self {
            Self::Unopened => Err(Refusal::NotOpen),
            Self::Open(basket) => Ok(basket),
            Self::CheckedOut { order, .. } => Err(Refusal::AlreadyCheckedOut { order: order.clone() }),
            Self::Expired { at, .. } => Err(Refusal::Expired { expired_at: *at }),
            Self::Merged { into, .. } => Err(Refusal::Merged { into: into.clone() }),
        }
    }
}

impl Basket {
    pub(super) fn line(&self, sku: &Sku) -> Option<&Line> {
        self.lines.iter().find(|line| line.sku == *sku)
    }
}

pub(super) fn check_units(line: &Line, quantity: Option<Quantity>) -> Result<(), Refusal> {
    let quantity = quantity.filter(|quantity| quantity.get() <= LINE_UNITS_MAX);
    match (quantity, line.purchase_limit) {
        (None, _) => Err(Refusal::TooManyUnits { max: LINE_UNITS_MAX }),
        (Some(quantity), Some(limit)) if quantity > limit => {
            Err(Refusal::PurchaseLimit { sku: line.sku.clone(), limit })
        }
        (Some(_), _) => Ok(()),
    }
}
