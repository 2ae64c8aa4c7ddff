//! What becomes of the units of a confirmed order, line by line, and what they are worth.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Charge, Count, CreditDue, Edit, EditEnd, Invoice, Line, Placement, Progress, Refusal, Return, Shipment,
    SkuUnits, Terms, Units,
    bill::{gross, worths},
    entry::{Entry, Part, Share, merged, sum, tally},
};
use crate::value::{CancellationId, EditId, Money, Quantity, ReturnId, ShipmentId, Text};

/// A confirmed order's lines, what became of each unit, and everything under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Book {
    placement: Placement,
    total: Money,
    /// The lines that it was placed with, once an edit has changed them: they tell a repeat.
    placed_lines: Option<Vec<Line>>,
    entries: Vec<Entry>,
    /// What is to be paid besides the lines and has not gone with a shipment yet.
    pub(super) charges: i64,
    pub(super) shipments: BTreeMap<ShipmentId, Shipment>,
    pub(super) cancellations: BTreeMap<CancellationId, Vec<Units>>,
    pub(super) returns: BTreeMap<ReturnId, Return>,
    pub(super) edit: Option<Edit>,
    pub(super) edits_ended: BTreeMap<EditId, EditEnd>,
    pub(super) invoice: Option<Invoice>,
}

impl Book {
    pub(super) fn new(placement: Placement, total: Money) -> Self {
        let mut book = Self {
            placement,
            total,
            placed_lines: None,
            entries: vec![],
            charges: 0,
            shipments: BTreeMap::new(),
            cancellations: BTreeMap::new(),
            returns: BTreeMap::new(),
            edit: None,
            edits_ended: BTreeMap::new(),
            invoice: None,
        };
        book.open();
        book
    }

    /// These are the lines from now on.
    pub(super) fn restate(&mut self, lines: Vec<Line>, total: Money) {
        let replaced = std::mem::replace(&mut self.placement.lines, lines);
        self.placed_lines.get_or_insert(replaced);
        self.total = total;
        self.open();
    }

    pub(super) fn was_placed_with(&self, placement: &Placement) -> bool {
        match &self.placed_lines {
            None => self.placement == *placement,
            Some(lines) => Placement { lines: lines.clone(), ..self.placement.clone() } == *placement,
        }
    }

    fn open(&mut self) {
        let lines = &self.placement.lines;
        let (worths, charges) = worths(lines, self.total, self.placement.prices_include_tax);
        let tax = |line: &Line| line.tax.map_or(0, |tax| tax.amount);
        let entry =
            |(line, value): (&Line, i64)| Entry::new(line.quantity.get(), Share { value, tax: tax(line) });
        self.entries = lines.iter().zip(worths).map(entry).collect();
        self.charges = charges;
    }

    /// What it was placed with; after an applied edit, with the lines of now.
    #[must_use]
    pub const fn placement(&self) -> &Placement {
        &self.placement
    }

    /// The sum of its lines and charges as they stand, cancelled units included.
    #[must_use]
    pub const fn total(&self) -> Money {
        self.total
    }

    /// What is still to be shipped, with the charges that go with it.
    #[must_use]
    pub fn value_left(&self) -> Money {
        let goods = self.entries.iter().map(|entry| entry.next(entry.left()).value);
        self.money(goods.fold(self.charges, i64::saturating_add))
    }

    /// What became of each line, in their order.
    pub fn counts(&self) -> impl Iterator<Item = Count> {
        self.entries.iter().map(|entry| entry.count)
    }

    /// What became of all units.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let ordered = self.entries.iter().map(|entry| u64::from(entry.ordered));
        Progress::of(ordered.fold(0, u64::saturating_add), self.counts())
    }

    /// Every shipment.
    #[must_use]
    pub const fn shipments(&self) -> &BTreeMap<ShipmentId, Shipment> {
        &self.shipments
    }

    /// Every return.
    #[must_use]
    pub const fn returns(&self) -> &BTreeMap<ReturnId, Return> {
        &self.returns
    }

    /// The edit that is not over.
    #[must_use]
    pub const fn edit(&self) -> Option<&Edit> {
        self.edit.as_ref()
    }

    /// Its number in the invoice book.
    #[must_use]
    pub const fn invoice(&self) -> Option<Invoice> {
        self.invoice
    }

    /// Whether everything that was not cancelled has arrived, no edit is under way, and every return is settled: nothing
    /// is left to be done, unless the buyer sends something back.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        let progress = self.progress();
        let done = progress.left() == 0 && progress.delivered >= progress.shipped;
        // Of an order that is not paid through Daybook no refund is heard of.
        let paid_here = self.placement.payment.is_some();
        done && self.edit.is_none()
            && self.returns.values().all(|asked| asked.is_settled() || !paid_here && !asked.is_open())
    }

    pub(super) const fn money(&self, amount: i64) -> Money {
        Money::new(amount, self.total.currency)
    }

    pub(super) fn terms(&self) -> Option<Terms> {
        self.placement.payment.clone()
    }

    fn entry(&self, line: u32) -> Option<&Entry> {
        self.entries.get(usize::try_from(line).ok()?)
    }

    pub(super) fn line(&self, line: u32) -> Option<&Line> {
        self.placement.lines.get(usize::try_from(line).ok()?)
    }

    /// Units of a line that were neither cancelled nor shipped.
    pub(super) fn left(&self, line: u32) -> u32 {
        self.entry(line).map_or(0, Entry::left)
    }

    /// Units of a line that were shipped and have not come back.
    pub(super) fn out(&self, line: u32) -> u32 {
        self.entry(line).map_or(0, Entry::out)
    }

    /// The tax on the units of a line that are left.
    pub(super) fn tax_left(&self, line: u32) -> i64 {
        self.entry(line).map_or(0, |entry| entry.next(entry.left()).tax)
    }

    /// All units that are left.
    pub(super) fn all_left(&self) -> Vec<Units> {
        let left = (0..).zip(&self.entries).map(|(line, entry)| (line, entry.left()));
        left.filter_map(|(line, left)| Some(Units { line, quantity: Quantity::new(left).ok()? })).collect()
    }

    /// One entry a line, in the lines' order, if there is room for all of them.
    pub(super) fn checked(&self, lines: &[Units], room: impl Fn(u32) -> u32) -> Result<Vec<Units>, Refusal> {
        if lines.is_empty() {
            return Err(Refusal::Empty);
        }
        let fits = |(line, units): (u32, u64)| {
            if self.entry(line).is_none() {
                return Err(Refusal::NoSuchLine { line });
            }
            let left = room(line);
            let fitting = u32::try_from(units).ok().filter(|units| *units <= left);
            let quantity = fitting.and_then(|units| Quantity::new(units).ok());
            quantity.map(|quantity| Units { line, quantity }).ok_or(Refusal::TooManyUnits { line, left })
        };
        merged(lines).into_iter().map(fits).collect()
    }

    /// The shares of units that leave now.
    pub(super) fn parts(&self, lines: &[Units]) -> Vec<Part> {
        let share = |units: &Units| self.entry(units.line).map(|entry| entry.next(units.quantity.get()));
        lines.iter().filter_map(|units| Some(Part { units: *units, share: share(units)? })).collect()
    }

    /// The shares of units that come back now.
    pub(super) fn parts_back(&self, lines: &[Units]) -> Vec<Part> {
        let share = |units: &Units| self.entry(units.line).map(|entry| entry.next_back(units.quantity.get()));
        lines.iter().filter_map(|units| Some(Part { units: *units, share: share(units)? })).collect()
    }

    /// The units by SKU.
    pub(super) fn by_sku(&self, lines: impl IntoIterator<Item = Units>) -> Vec<SkuUnits> {
        let skus = lines
            .into_iter()
            .filter_map(|units| Some((&self.line(units.line)?.sku, u64::from(units.quantity.get()))));
        tally(skus)
    }

    /// What a credit note for these units says.
    pub(super) fn credit(&self, parts: &[Part], mut charges: Vec<Charge>) -> CreditDue {
        let Placement { customer, source, prices_include_tax, country, .. } = &self.placement;
        let credited = |part: &Part| {
            let line = self.line(part.units.line)?;
            let tax = line.tax.map(|tax| Money { amount: part.share.tax, ..tax });
            Some(Line { quantity: part.units.quantity, tax, ..line.clone() })
        };
        let lines: Vec<Line> = parts.iter().filter_map(credited).collect();
        let goods = lines.iter().map(|line| gross(line, *prices_include_tax));
        let off = sum(parts).saturating_sub(goods.fold(0, i64::saturating_add));
        if off != 0
            && let (Ok(code), Ok(quantity)) = (Text::new("DISCOUNT"), Quantity::new(1))
        {
            charges.push(Charge { code, title: None, quantity, unit_amount: self.money(off), tax: None });
        }
        CreditDue {
            customer: customer.clone(),
            source: source.clone(),
            lines,
            charges,
            prices_include_tax: *prices_include_tax,
            country: country.clone(),
        }
    }

    pub(super) fn each(&mut self, lines: &[Units], change: impl Fn(&mut Entry, u32)) {
        for units in lines {
            if let Some(entry) = usize::try_from(units.line).ok().and_then(|line| self.entries.get_mut(line))
            {
                change(entry, units.quantity.get());
            }
        }
    }
}
