//! Turns one invoice's lines into what is booked for it: an order or a credit note, and the stock that moves.

use std::{collections::BTreeMap, num::NonZeroI32};

use domain::{
    Aggregate as _,
    inventory_item::AdjustReason,
    order::{self, CHARGES_MAX, Charge, Credit, LINES_MAX, Order, Placement, Source},
    value::{Currency, Money, OrderId, Quantity, Sku, Text, Time},
};

use super::{
    SOURCE,
    classify::{Class, adjust_reason, classify},
    error::{InputError, Problem},
    line::{COLUMNS, Line},
    rejects::Rejected,
    stock::{Stock, Turn},
};

/// One invoice, ready to be booked.
#[derive(Debug)]
pub struct Bill {
    /// Its number; the order's id, too.
    pub id: OrderId,
    /// Where it starts in the file.
    pub line: u64,
    /// How many lines of the file it has.
    pub lines: u64,
    /// The timestamp of its first line.
    pub at: Time,
    /// What is booked; nothing when no line of it is worth anything.
    pub document: Document,
    /// What happens to stock, in order.
    pub moves: Vec<Move>,
    /// How many of its lines only correct stock.
    pub adjustments: u64,
}

/// What an invoice becomes.
#[derive(Debug)]
pub enum Document {
    /// Nothing.
    None,
    /// An order.
    Order(Placement),
    /// A credit note.
    CreditNote(Credit),
}

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

/// An invoice's lines with their classes, in the order of the file.
struct Classified<'a> {
    cancels: bool,
    lines: Vec<(&'a Line, Class)>,
}

impl Bill {
    /// What is booked for these lines of one invoice, and which of them are rejected. `None` without any line.
    pub fn of(
        lines: &[Line],
        stock: &mut Stock,
        rejected: &mut Vec<Rejected>,
    ) -> Result<Option<Self>, InputError> {
        let Some(first) = lines.first() else {
            return Ok(None);
        };
        let classified = Classified::of(lines)?;
        rejected.extend(classified.lines.iter().filter_map(|(line, class)| match class {
            Class::Rejected(reason) => Some(Rejected::new(line, first.day, *reason)),
            Class::Goods { .. } | Class::Charge { .. } | Class::Adjustment => None,
        }));
        Ok(Some(Self {
            id: first.invoice.clone(),
            line: first.number,
            lines: lines.len() as u64,
            at: first.at,
            document: classified.document(first)?,
            moves: classified.moves(first, stock)?,
            adjustments: classified.adjustments().count() as u64,
        }))
    }
}

impl<'a> Classified<'a> {
    fn of(lines: &'a [Line]) -> Result<Self, InputError> {
        let worth = |line: &Line| i128::from(line.price.pence().unwrap_or(0)) * i128::from(line.quantity);
        // Cancellations are told by their number; bad debts and the like (`A…`) by going below zero.
        let cancels = (lines.first()).is_some_and(|first| first.invoice.as_str().starts_with('C'))
            || lines.iter().map(worth).sum::<i128>() < 0;
        let lines = lines
            .iter()
            .map(|line| Ok((line, classify(line, cancels)?)))
            .collect::<Result<_, InputError>>()?;
        Ok(Self { cancels, lines })
    }

    /// The quantity as the document counts it: above zero is sold on an order, and comes back on a credit note.
    fn counted(&self, line: &Line) -> i64 {
        let quantity = i64::from(line.quantity);
        if self.cancels { -quantity } else { quantity }
    }

    fn document(&self, first: &Line) -> Result<Document, InputError> {
        let (mut lines, mut charges) = (Vec::new(), Vec::new());
        for (line, class) in &self.lines {
            let counted = self.counted(line);
            match class {
                Class::Goods { pence } if counted > 0 => {
                    room(&lines, LINES_MAX, "lines", line)?;
                    lines.push(order::Line {
                        sku: sku(line)?,
                        title: line.description.clone(),
                        quantity: quantity(counted, line)?,
                        unit_price: pounds(*pence),
                    });
                }
                // Goods that go the other way than their invoice keep their value as a charge with the other sign.
                Class::Goods { pence } | Class::Charge { pence } => {
                    room(&charges, CHARGES_MAX, "charges", line)?;
                    charges.push(Charge {
                        code: code(line)?,
                        title: line.description.clone(),
                        quantity: quantity(counted, line)?,
                        unit_amount: pounds(pence * counted.signum()),
                    });
                }
                Class::Adjustment | Class::Rejected(_) => {}
            }
        }
        if lines.is_empty() && charges.is_empty() {
            return Ok(Document::None);
        }
        let document = self.headed(first, lines, charges)?;
        // The order's own rules speak before anything is applied.
        let verdict = document.command().map(|command| Order::default().decide(command));
        match verdict {
            Some(Err(refusal)) => Err(Problem::Bill(refusal).at(first.number, None)),
            Some(Ok(_)) | None => Ok(document),
        }
    }

    fn headed(
        &self,
        first: &Line,
        lines: Vec<order::Line>,
        charges: Vec<Charge>,
    ) -> Result<Document, InputError> {
        let source = Source::Import(reference(&format!("{SOURCE}{}", first.invoice), first)?);
        let (customer, country) = (first.customer.clone(), first.country.clone());
        Ok(if self.cancels {
            Document::CreditNote(Credit {
                customer,
                source,
                order: None,
                lines,
                charges,
                country,
                issued_at: first.at,
            })
        } else {
            Document::Order(Placement {
                customer,
                source,
                lines,
                charges,
                payment: None,
                delivery: None,
                country,
                placed_at: first.at,
            })
        })
    }

    fn adjustments(&self) -> impl Iterator<Item = &'a Line> {
        let adjustments = self.lines.iter().filter(|(_, class)| *class == Class::Adjustment);
        adjustments.map(|(line, _)| *line)
    }

    /// Returns first, then sales, then what else went.
    fn moves(&self, first: &Line, stock: &mut Stock) -> Result<Vec<Move>, InputError> {
        let number = reference(first.invoice.as_str(), first)?;
        let (mut back, mut sold, mut gone) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (line, class) in &self.lines {
            if let Class::Goods { .. } = class {
                let units = i64::from(line.quantity);
                let way = match (units > 0, self.cancels) {
                    (true, false) => &mut sold,
                    (false, _) => &mut back,
                    (true, true) => &mut gone,
                };
                *way.entry(sku(line)?).or_insert(0_i64) += units.abs();
            }
        }
        let mut moves = Vec::new();
        let mut add = |sku: Sku, units: i64, what: String, change: Change| {
            let turn = stock.moves(&sku, units, first.number);
            moves.push(Move {
                sku,
                turn,
                what,
                change,
            });
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
        let mut nths = BTreeMap::new();
        for line in self.adjustments() {
            let sku = sku(line)?;
            let nth = nths.entry(sku.clone()).or_insert(0_u32);
            *nth += 1;
            let what = if *nth == 1 {
                "adjust".to_owned()
            } else {
                format!("adjust-{nth}")
            };
            let units = i64::from(line.quantity);
            let words = line.description.as_ref().unwrap_or(&number);
            add(
                sku,
                units,
                what,
                adjust(units, adjust_reason(words.as_str()), words, line)?,
            );
        }
        Ok(moves)
    }
}

impl Document {
    /// The command that books it.
    pub fn command(&self) -> Option<order::Command> {
        match self {
            Self::None => None,
            Self::Order(placement) => Some(order::Command::Place(placement.clone())),
            Self::CreditNote(credit) => Some(order::Command::IssueCreditNote(credit.clone())),
        }
    }
}

fn room<T>(taken: &[T], max: usize, of: &'static str, line: &Line) -> Result<(), InputError> {
    if taken.len() < max {
        Ok(())
    } else {
        Err(Problem::TooLong { max, of }.at(line.number, None))
    }
}

fn sku(line: &Line) -> Result<Sku, InputError> {
    Sku::new(line.code.as_ref())
        .map_err(|_| Problem::wrong(&line.code, "a SKU").at(line.number, Some(COLUMNS[1])))
}

fn code(line: &Line) -> Result<Text, InputError> {
    Text::new(line.code.as_ref())
        .map_err(|_| Problem::wrong(&line.code, "a charge's code").at(line.number, Some(COLUMNS[1])))
}

fn reference(text: &str, line: &Line) -> Result<Text, InputError> {
    Text::new(text).map_err(|_| Problem::wrong(text, "a reference").at(line.number, Some(COLUMNS[0])))
}

fn quantity(units: i64, line: &Line) -> Result<Quantity, InputError> {
    u32::try_from(units.unsigned_abs())
        .ok()
        .and_then(|units| Quantity::new(units).ok())
        .ok_or_else(|| Problem::TooMuch.at(line.number, Some(COLUMNS[3])))
}

fn adjust(delta: i64, reason: AdjustReason, reference: &Text, line: &Line) -> Result<Change, InputError> {
    let delta = i32::try_from(delta).ok().and_then(NonZeroI32::new);
    Ok(Change::Adjust {
        delta: delta.ok_or_else(|| Problem::TooMuch.at(line.number, Some(COLUMNS[3])))?,
        reason,
        reference: Some(reference.clone()),
    })
}

const fn pounds(pence: i64) -> Money {
    Money::new(pence, Currency::GBP)
}
