//! What never gets lost: every unit and every penny of a confirmed order.

use std::collections::BTreeMap;

use super::*;
use crate::value::Sku;

/// Each line's units are somewhere, and only once.
pub fn check_edges(order: &Order) {
    let Some(book) = order.book() else { return };
    for (line, count) in book.placement().lines.iter().zip(book.counts()) {
        assert!(u64::from(count.cancelled) + u64::from(count.shipped) <= u64::from(line.quantity.get()));
        assert!(count.delivered <= count.shipped, "{count:?}");
        assert!(count.returned <= count.shipped, "{count:?}");
    }
    assert!(book.value_left().amount >= 0);
}

/// What the events of one order say, added up since its lines were stated last.
#[derive(Default)]
pub struct Totals {
    lines: Vec<Line>,
    include_tax: bool,
    confirmed: bool,
    total: i64,
    shipped: i64,
    cancelled: i64,
    returned: i64,
    /// Units that stock has given to the order and not got back.
    allocated: BTreeMap<Sku, i64>,
    wanted: Vec<(SkuUnits, i64)>,
}

impl Totals {
    pub fn of(events: &[Event]) -> Self {
        events.iter().fold(Self::default(), Self::after)
    }

    fn move_units(&mut self, units: &[SkuUnits], sign: i64) {
        for SkuUnits { sku, quantity } in units {
            *self.allocated.entry(sku.clone()).or_default() += sign * i64::from(quantity.get());
        }
    }

    fn after(mut self, event: &Event) -> Self {
        match event {
            Event::Placed(placed) => {
                (self.lines, self.total) = (placed.lines.clone(), placed.total.amount);
                self.include_tax = placed.prices_include_tax;
            }
            Event::Confirmed { lines, total, .. } => {
                assert_eq!(total.unwrap().amount, self.total);
                self.confirmed = true;
                self.move_units(lines, 1);
            }
            Event::Cancelled { units, value, confirmed, credit, .. } => {
                assert_eq!(*confirmed, self.confirmed);
                let value = value.unwrap().amount;
                self.cancelled += value;
                self.move_units(units, -1);
                self.check_credit(credit.as_ref(), value);
            }
            Event::LinesCancelled { units, value, credit, .. } => {
                assert!(value.amount >= 0);
                self.cancelled += value.amount;
                self.move_units(units, -1);
                self.check_credit(credit.as_ref(), value.amount);
            }
            Event::Shipped { lines, value, .. } => {
                assert!(value.amount >= 0);
                self.shipped += value.amount;
                let skus = lines.iter().map(|units| SkuUnits {
                    sku: self.lines[usize::try_from(units.line).unwrap()].sku.clone(),
                    quantity: units.quantity,
                });
                self.move_units(&skus.collect::<Vec<_>>(), -1);
            }
            Event::EditCommitted { add, remove, total, previous_total, payment, .. } => {
                assert!(payment.is_none() || total.amount > previous_total.amount);
                assert_eq!(previous_total.amount, self.total - self.cancelled);
                let signed = |sign: i64| move |units: &SkuUnits| (units.clone(), sign);
                self.wanted = add.iter().map(signed(1)).chain(remove.iter().map(signed(-1))).collect();
            }
            Event::EditApplied { lines, total, .. } => {
                for (units, sign) in std::mem::take(&mut self.wanted) {
                    self.move_units(&[units], sign);
                }
                (self.lines, self.total, self.cancelled) = (lines.clone(), total.amount, 0);
            }
            Event::ReturnReceived { value, credit, .. } => {
                assert!(value.amount >= 0);
                self.returned += value.amount;
                self.check_credit(Some(credit), value.amount);
            }
            _ => {}
        }
        self
    }

    /// A credit note gives back what the units were worth, to the penny.
    fn check_credit(&self, credit: Option<&CreditDue>, value: i64) {
        if let Some(credit) = credit.filter(|credit| !credit.lines.is_empty()) {
            let total = bill::total(&credit.lines, &credit.charges, credit.prices_include_tax).unwrap();
            assert_eq!(total.amount, value, "{credit:?}");
        }
    }

    pub fn check(&self, order: &Order) {
        let Some(left) = order.value_left() else { return };
        assert_eq!(self.shipped + self.cancelled + left.amount, self.total);
        assert_eq!(order.total().unwrap().amount, self.total);
        let Some(book) = order.book() else { return };
        assert_eq!(book.placement().lines, self.lines);
        let mut units_left = BTreeMap::<Sku, i64>::new();
        if order.cancelled().is_none() {
            for SkuUnits { sku, quantity } in book.by_sku(book.all_left()) {
                *units_left.entry(sku).or_default() += i64::from(quantity.get());
            }
        }
        let allocated: BTreeMap<_, _> = self
            .allocated
            .iter()
            .filter(|(_, units)| **units != 0)
            .map(|(sku, units)| (sku.clone(), *units))
            .collect();
        assert_eq!(allocated, units_left);
        self.check_returns(book);
    }

    /// All that was shipped is worth the same when it has come back; the charges are not part of that.
    fn check_returns(&self, book: &Book) {
        let goods: i64 = self.lines.iter().map(|line| bill::gross(line, self.include_tax)).sum();
        let charges = if book.shipments().is_empty() { 0 } else { (self.total - goods).max(0) };
        let progress = book.progress();
        assert!(self.returned <= self.shipped - charges);
        if progress.returned == progress.shipped {
            assert_eq!(self.returned, self.shipped - charges);
        }
    }
}
