//! Knows how an invoice moves stock: what comes back, what is sold, and what goes without being sold.

use std::{collections::BTreeMap, num::NonZeroI32};

use domain::{
    inventory_item::AdjustReason,
    value::{Quantity, Sku, Text},
};

use super::{
    bill::{Classified, quantity, reference, sku},
    classify::{Class, adjust_reason},
    error::{InputError, Problem},
    line::{COLUMNS, Line},
    stock::{Stock, Turn},
};

/// One change of a SKU's stock.
#[derive(Debug)]
pub struct Move {
    /// Whose stock.
    pub sku: Sku,
    /// When it is due among that SKU's changes.
    pub turn: Turn,
    /// Its name among the invoice's commands.
    pub what: String,
    /// What changes.
    pub change: Change,
}

/// How stock changes.
#[derive(Clone, Debug)]
pub enum Change {
    /// Sold: held for the order, and handed over when that is confirmed.
    Reserve(Quantity),
    /// Corrected.
    Adjust {
        /// By how much.
        delta: NonZeroI32,
        /// Why.
        reason: AdjustReason,
        /// According to what.
        reference: Option<Text>,
    },
}

/// Units by SKU, so that a SKU on several lines moves once.
type Units = BTreeMap<Sku, i64>;

/// The changes of an invoice: returns first, then sales, then what else went.
pub fn of(invoice: &Classified<'_>, first: &Line, stock: &mut Stock) -> Result<Vec<Move>, InputError> {
    let number = reference(first.invoice.as_str(), first)?;
    let (mut back, mut sold, mut gone) = (Units::new(), Units::new(), Units::new());
    for (line, class) in &invoice.lines {
        if let Class::Goods { .. } = class {
            let units = i64::from(line.quantity);
            let way = match (units > 0, invoice.cancels) {
                (true, false) => &mut sold,
                (false, _) => &mut back,
                (true, true) => &mut gone,
            };
            *way.entry(sku(line)?).or_insert(0) += units.abs();
        }
    }
    let mut moves = Vec::new();
    let mut add = |sku: Sku, units: i64, what: String, change: Change| {
        let turn = stock.moves(&sku, units, first.number);
        moves.push(Move { sku, turn, what, change });
    };
    for (sku, units) in back {
        let change = adjust(units, AdjustReason::Returned, &number, first)?;
        add(sku, units, "returned".to_owned(), change);
    }
    for (sku, units) in sold {
        let change = Change::Reserve(quantity(units, first)?);
        add(sku, -units, "reserve".to_owned(), change);
    }
    for (sku, units) in gone {
        let change = adjust(-units, AdjustReason::Other, &number, first)?;
        add(sku, -units, "gone".to_owned(), change);
    }
    // Each correction keeps its own words, and needs a name of its own for that.
    let mut nths = BTreeMap::new();
    for line in adjustments(invoice) {
        let sku = sku(line)?;
        let nth = nths.entry(sku.clone()).or_insert(0_u32);
        *nth += 1;
        let words = line.description.as_ref().unwrap_or(&number);
        let units = i64::from(line.quantity);
        let change = adjust(units, adjust_reason(words.as_str()), words, line)?;
        add(sku, units, numbered("adjust", *nth), change);
    }
    Ok(moves)
}

/// The lines that only correct stock.
pub fn adjustments<'a>(invoice: &Classified<'a>) -> impl Iterator<Item = &'a Line> {
    let adjustments = invoice.lines.iter().filter(|(_, class)| *class == Class::Adjustment);
    adjustments.map(|(line, _)| *line)
}

fn numbered(what: &str, nth: u32) -> String {
    if nth == 1 { what.to_owned() } else { format!("{what}-{nth}") }
}

fn adjust(delta: i64, reason: AdjustReason, reference: &Text, line: &Line) -> Result<Change, InputError> {
    let delta = i32::try_from(delta).ok().and_then(NonZeroI32::new);
    Ok(Change::Adjust {
        delta: delta.ok_or_else(|| Problem::TooMuch.at(line.number, Some(COLUMNS[3])))?,
        reason,
        reference: Some(reference.clone()),
    })
}
