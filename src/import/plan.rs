//! The whole file, read and checked: what will be booked, before anything is.

use std::{
    collections::{HashMap, hash_map::Entry},
    fs,
    path::Path,
};

use domain::value::{OrderId, Time};

use super::{
    bill::{Bill, Document},
    bytes,
    error::{ImportError, InputError},
    line::{self, Line},
    reconcile::Lines,
    rejects::{self, RejectedDay},
    stock::{Opening, Stock, Turns},
};

/// Opening stock is there this long before the earliest invoice.
const OPENED_BEFORE_MS: i64 = 1_000;

/// What a file comes to.
#[derive(Debug)]
pub struct Plan {
    /// Its invoices, in the order in which they begin.
    pub bills: Vec<Bill>,
    /// What must have been there before.
    pub openings: Vec<Opening>,
    /// Since when it was there.
    pub opened_at: Time,
    /// Where its lines go.
    pub lines: Lines,
    /// What is rejected, by day.
    pub rejected: Vec<RejectedDay>,
    stock: Stock,
}

impl Plan {
    /// Reads the whole file, and writes what it rejects.
    pub fn lay(file: &Path, rejects: &Path) -> Result<Self, ImportError> {
        if let (Ok(file), Ok(over)) = (fs::canonicalize(file), fs::canonicalize(rejects))
            && file == over
        {
            return Err(ImportError::RejectsOverFile { path: file });
        }
        let bytes = bytes::read(file)?;
        let mut rejected = Vec::new();
        let mut stock = Stock::default();
        let mut bills = Vec::new();
        for lines in invoices(line::lines(&bytes)?) {
            bills.extend(Bill::of(&lines, &mut stock, &mut rejected)?);
        }
        let plan = Self::of(bills, stock, &rejected)?;
        rejects::write(rejects, &bytes, &rejected)?;
        Ok(plan)
    }

    fn of(bills: Vec<Bill>, stock: Stock, rejected: &[rejects::Rejected]) -> Result<Self, InputError> {
        let total = bills.iter().map(|bill| bill.lines).sum();
        let adjustments = bills.iter().map(|bill| bill.adjustments).sum();
        let earliest = bills.iter().map(|bill| bill.at).min();
        Ok(Self {
            openings: stock.openings()?,
            opened_at: earliest.unwrap_or(Time::from_millis(0)).plus_millis(-OPENED_BEFORE_MS),
            lines: Lines {
                total,
                imported: total - adjustments - rejected.len() as u64,
                adjustments,
                rejected: rejected.len() as u64,
            },
            rejected: rejects::by_day(rejected),
            bills,
            stock,
        })
    }

    /// How many invoices are orders.
    pub fn orders(&self) -> u64 {
        self.count(|document| matches!(document, Document::Order(_)))
    }

    /// How many invoices are credit notes.
    pub fn credit_notes(&self) -> u64 {
        self.count(|document| matches!(document, Document::CreditNote(_)))
    }

    /// The turns of every SKU, with nobody having had theirs.
    pub fn turns(&self) -> Turns {
        self.stock.turns()
    }

    fn count(&self, which: fn(&Document) -> bool) -> u64 {
        self.bills.iter().filter(|bill| which(&bill.document)).count() as u64
    }
}

/// The lines of each invoice, in the order in which the invoices begin.
fn invoices(lines: Vec<Line>) -> Vec<Vec<Line>> {
    let mut places: HashMap<OrderId, usize> = HashMap::new();
    let mut invoices: Vec<Vec<Line>> = Vec::new();
    for line in lines {
        match places.entry(line.invoice.clone()) {
            Entry::Occupied(place) => invoices[*place.get()].push(line),
            Entry::Vacant(place) => {
                place.insert(invoices.len());
                invoices.push(vec![line]);
            }
        }
    }
    invoices
}
