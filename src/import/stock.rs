//! Knows the running balance of every SKU over the file: what must have been there before, and whose turn it is.
//!
//! Opening stock is the deepest deficit of that balance in the order of the file, and not one unit more. It is enough
//! only when the log takes each SKU's changes in that order, too: hence the turns.

use std::{collections::HashMap, num::NonZeroI32};

use domain::value::Sku;
use tokio::sync::watch;

use super::error::{InputError, Problem};

/// The place of a change among all changes of its SKU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Which SKU, by its place in the file.
    item: usize,
    /// How many changes come before.
    nth: u32,
}

/// The balances while the file is read.
#[derive(Debug, Default)]
pub struct Stock {
    places: HashMap<Sku, usize>,
    items: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    sku: Sku,
    balance: i64,
    lowest: i64,
    changes: u32,
    lowest_line: u64,
}

/// What must have been there before the file begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// Of what.
    pub sku: Sku,
    /// How many.
    pub delta: NonZeroI32,
}

impl Stock {
    /// Takes note of a change by `units`, and says when it is due.
    pub fn moves(&mut self, sku: &Sku, units: i64, line: u64) -> Turn {
        let place = match self.places.get(sku) {
            Some(place) => *place,
            None => self.enter(sku),
        };
        let item = &mut self.items[place];
        let turn = Turn { item: place, nth: item.changes };
        item.changes += 1;
        item.balance = item.balance.saturating_add(units);
        if item.balance < item.lowest {
            (item.lowest, item.lowest_line) = (item.balance, line);
        }
        turn
    }

    fn enter(&mut self, sku: &Sku) -> usize {
        self.items.push(Item { sku: sku.clone(), balance: 0, lowest: 0, changes: 0, lowest_line: 0 });
        self.places.insert(sku.clone(), self.items.len() - 1);
        self.items.len() - 1
    }

    /// The opening stock of every SKU that needs some, in the order of the file.
    pub fn openings(&self) -> Result<Vec<Opening>, InputError> {
        let short = self.items.iter().filter(|item| item.lowest < 0);
        short
            .map(|item| {
                let delta = item.lowest.checked_neg().and_then(|units| i32::try_from(units).ok());
                Ok(Opening {
                    sku: item.sku.clone(),
                    delta: delta
                        .and_then(NonZeroI32::new)
                        .ok_or_else(|| Problem::TooMuch.at(item.lowest_line, Some("Quantity")))?,
                })
            })
            .collect()
    }

    /// The turns of every SKU, with nobody having had theirs.
    pub fn turns(&self) -> Turns {
        Turns(self.items.iter().map(|_| watch::Sender::new(0)).collect())
    }
}

/// Whose turn it is, for every SKU.
#[derive(Debug)]
pub struct Turns(Vec<watch::Sender<u32>>);

impl Turns {
    /// Returns when everything before has been answered.
    pub async fn wait(&self, turn: Turn) {
        let mut done = self.0[turn.item].subscribe();
        // The sender is borrowed here, so it cannot be gone.
        let _ = done.wait_for(|done| *done == turn.nth).await;
    }

    /// Lets the next one go.
    pub fn pass(&self, turn: Turn) {
        self.0[turn.item].send_replace(turn.nth + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opening_stock_is_the_deepest_deficit_in_the_order_of_the_file() {
        let mut stock = Stock::default();
        let (short, never) = (Sku::new("22423").unwrap(), Sku::new("22424").unwrap());
        for units in [-3, 2, -4, 9, -1] {
            stock.moves(&short, units, 1);
        }
        stock.moves(&never, 5, 1);
        stock.moves(&never, -5, 1);
        let openings = stock.openings().unwrap();
        assert_eq!(openings, [Opening { sku: short, delta: NonZeroI32::new(5).unwrap() }]);
    }

    #[test]
    fn more_than_a_count_of_stock_can_hold_is_bad_input() {
        let mut stock = Stock::default();
        let sku = Sku::new("22423").unwrap();
        stock.moves(&sku, -i64::from(i32::MAX), 7);
        stock.moves(&sku, -1, 8);
        assert_eq!(stock.openings().unwrap_err().line, 8);
    }
}
