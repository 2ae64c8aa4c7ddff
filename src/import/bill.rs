//! Turns one invoice's lines into what is booked for it: an order or a credit note, and the stock that moves.

use domain::{
    Aggregate as _,
    order::{self, CHARGES_MAX, Charge, Credit, LINES_MAX, Order, Placement, Source},
    value::{Currency, Money, OrderId, Quantity, Sku, Text, Time},
};

use super::{
    SOURCE,
    classify::{Class, classify},
    error::{InputError, Problem},
    line::{COLUMNS, Line},
    moves::{self, Move},
    rejects::Rejected,
    stock::Stock,
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

/// An invoice's lines with their classes, in the order of the file.
pub struct Classified<'a> {
    /// The lines of a credit note.
    pub cancels: bool,
    /// Each with its class.
    pub lines: Vec<(&'a Line, Class)>,
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
            moves: moves::of(&classified, first, stock)?,
            adjustments: moves::adjustments(&classified).count() as u64,
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
                        tax: None,
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
                        tax: None,
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
                prices_include_tax: true,
                country,
                issued_at: first.at,
            })
        } else {
            Document::Order(Placement {
                customer,
                source,
                lines,
                charges,
                prices_include_tax: true,
                payment: None,
                delivery: None,
                country,
                placed_at: first.at,
            })
        })
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
    if taken.len() < max { Ok(()) } else { Err(Problem::TooLong { max, of }.at(line.number, None)) }
}

/// The line's code as a product's.
pub fn sku(line: &Line) -> Result<Sku, InputError> {
    Sku::new(line.code.as_ref())
        .map_err(|_| Problem::wrong(&line.code, "a SKU").at(line.number, Some(COLUMNS[1])))
}

fn code(line: &Line) -> Result<Text, InputError> {
    Text::new(line.code.as_ref())
        .map_err(|_| Problem::wrong(&line.code, "a charge's code").at(line.number, Some(COLUMNS[1])))
}

/// A text that stock or a document refers to.
pub fn reference(text: &str, line: &Line) -> Result<Text, InputError> {
    Text::new(text).map_err(|_| Problem::wrong(text, "a reference").at(line.number, Some(COLUMNS[0])))
}

/// So many units, without their sign.
pub fn quantity(units: i64, line: &Line) -> Result<Quantity, InputError> {
    u32::try_from(units.unsigned_abs())
        .ok()
        .and_then(|units| Quantity::new(units).ok())
        .ok_or_else(|| Problem::TooMuch.at(line.number, Some(COLUMNS[3])))
}

const fn pounds(pence: i64) -> Money {
    Money::new(pence, Currency::GBP)
}
