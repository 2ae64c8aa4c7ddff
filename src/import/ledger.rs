//! Sums up a retailer's file by itself: it shares no code with the import that it is there to check.
//!
//! It has its own reader, its own numbers and its own idea of an invoice, and knows nothing of SKUs or stock. It asks
//! only what the file is worth; whether the file is well formed in every column is the import's business.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
};

use flate2::bufread::MultiGzDecoder;
use time::{Date, Month};

use super::reconcile::{Day, Sums};

/// Why a file has no sums.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A record cannot be summed.
    #[error("line {line}: {wrong}")]
    Record {
        /// The line that the record ends on, from 1.
        line: u64,
        /// What is wrong.
        wrong: &'static str,
    },
}

/// What a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    /// Orders, units and values of every day in the file, in the order of the days.
    ///
    /// A day is the date of an invoice's first line. Units are counted without their sign.
    pub days: Vec<Day>,
    /// The numbers of all invoices, as the read models call what was imported of them.
    pub names: Vec<String>,
}

/// Sums up a file.
///
/// # Errors
/// When the file cannot be read or is not a retailer's.
pub fn sum(file: &Path) -> Result<Books, LedgerError> {
    let broken = |source| LedgerError::File { path: file.to_owned(), source };
    let mut plain = BufReader::new(File::open(file).map_err(broken)?);
    if plain.fill_buf().map_err(broken)?.starts_with(&[31, 139]) {
        book(&mut BufReader::new(MultiGzDecoder::new(plain)), &broken)
    } else {
        book(&mut plain, &broken)
    }
}

fn book(input: &mut impl BufRead, broken: &dyn Fn(io::Error) -> LedgerError) -> Result<Books, LedgerError> {
    let mut records = Records::new(input);
    let mut invoices: BTreeMap<Vec<u8>, Invoice> = BTreeMap::new();
    let header = records.next().map_err(broken)?.unwrap_or_default();
    let columns = Columns::of(&header)
        .ok_or(LedgerError::Record { line: 1, wrong: "the columns are not a retailer's" })?;
    while let Some(record) = records.next().map_err(broken)? {
        let wrong = |wrong| LedgerError::Record { line: records.line, wrong };
        if record.len() != header.len() {
            return Err(wrong("another number of fields than in the header"));
        }
        let number = record[columns.invoice].clone();
        let date = date(&record[columns.date]).ok_or_else(|| wrong("the date is not one"))?;
        let quantity =
            integer(&record[columns.quantity]).ok_or_else(|| wrong("the quantity is not a number"))?;
        let price = decimal(&record[columns.price]).ok_or_else(|| wrong("the price is not a number"))?;
        let value =
            quantity.checked_mul(price).map(pennies).ok_or_else(|| wrong("the value is too large"))?;
        let invoice = invoices.entry(number).or_insert(Invoice { date, units: 0, value: 0, valued: false });
        if value != 0 {
            invoice.valued = true;
            invoice.units = invoice.units.saturating_add(quantity.saturating_abs());
            invoice.value = invoice.value.saturating_add(value);
        }
    }
    let names = invoices.keys().map(|number| format!("retail:{}", String::from_utf8_lossy(number))).collect();
    Ok(Books { days: days(&invoices), names })
}

struct Invoice {
    date: Date,
    units: i64,
    value: i64,
    valued: bool,
}

fn days(invoices: &BTreeMap<Vec<u8>, Invoice>) -> Vec<Day> {
    let mut days: BTreeMap<Date, Sums> = BTreeMap::new();
    for (number, invoice) in invoices {
        let sums = days.entry(invoice.date).or_default();
        if number.first() == Some(&b'C') || invoice.value < 0 {
            sums.returned_value -= invoice.value;
        } else if invoice.valued {
            sums.orders += 1;
            sums.units += invoice.units;
            sums.sale_value += invoice.value;
        }
    }
    days.into_iter().map(|(date, sums)| Day { date, sums }).collect()
}

struct Columns {
    invoice: usize,
    quantity: usize,
    date: usize,
    price: usize,
}

impl Columns {
    fn of(header: &[Vec<u8>]) -> Option<Self> {
        let place = |name: &str| header.iter().position(|field| field == name.as_bytes());
        Some(Self {
            invoice: place("InvoiceNo")?,
            quantity: place("Quantity")?,
            date: place("InvoiceDate")?,
            price: place("UnitPrice")?,
        })
    }
}

/// Records of comma-separated fields; a field in quotes may hold commas, line breaks and doubled quotes.
struct Records<'a, R> {
    input: &'a mut R,
    line: u64,
}

impl<'a, R: BufRead> Records<'a, R> {
    const fn new(input: &'a mut R) -> Self {
        Self { input, line: 0 }
    }

    fn next(&mut self) -> io::Result<Option<Vec<Vec<u8>>>> {
        let mut text = Vec::new();
        loop {
            if self.input.read_until(b'\n', &mut text)? == 0 {
                return Ok(if text.is_empty() { None } else { Some(fields(&text)) });
            }
            self.line += 1;
            if self.line == 1 && text.starts_with("\u{feff}".as_bytes()) {
                text.drain(..3);
            }
            if open_quote(&text) {
                continue;
            }
            while text.last().is_some_and(|last| b"\r\n".contains(last)) {
                text.pop();
            }
            if !text.is_empty() {
                return Ok(Some(fields(&text)));
            }
        }
    }
}

/// Whether the text ends inside a quoted field.
fn open_quote(text: &[u8]) -> bool {
    let (mut quoted, mut at_start) = (false, true);
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        match (quoted, byte) {
            (true, b'"') if bytes.peek() == Some(&&b'"') => {
                bytes.next();
            }
            (true, b'"') => quoted = false,
            (false, b'"') if at_start => quoted = true,
            _ => {}
        }
        at_start = !quoted && *byte == b',';
    }
    quoted
}

fn fields(text: &[u8]) -> Vec<Vec<u8>> {
    let mut fields = vec![Vec::new()];
    let (mut quoted, mut at_start) = (false, true);
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        let starts = std::mem::replace(&mut at_start, false);
        let field = fields.len() - 1;
        match (quoted, byte) {
            (true, b'"') if bytes.peek() == Some(&b'"') => {
                bytes.next();
                fields[field].push(b'"');
            }
            (true, b'"') => quoted = false,
            (false, b'"') if starts => quoted = true,
            (false, b',') => {
                fields.push(Vec::new());
                at_start = true;
            }
            _ => fields[field].push(byte),
        }
    }
    fields
}

fn integer(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text.split_first()? {
        (b'-', rest) => (true, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut number = 0_i64;
    for digit in digits {
        let digit = digit.is_ascii_digit().then(|| i64::from(digit - b'0'))?;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    Some(if negative { -number } else { number })
}

/// An amount in ten-thousandths.
fn decimal(text: &[u8]) -> Option<i64> {
    let point = text.iter().position(|byte| *byte == b'.').unwrap_or(text.len());
    let part = text.get(point + 1..).unwrap_or_default();
    let mut digits = text[..point].to_vec();
    digits.extend_from_slice(part);
    digits.extend_from_slice(&b"0000"[part.len().min(4)..]);
    if point == 0 || part.len() > 4 {
        return None;
    }
    integer(&digits)
}

/// Ten-thousandths of a pound as whole pennies, to the nearest.
const fn pennies(value: i64) -> i64 {
    (value / 50 + value.signum()) / 2
}

fn date(text: &[u8]) -> Option<Date> {
    let number = |from, to| integer(text.get(from..to)?);
    let month = Month::try_from(u8::try_from(number(5, 7)?).ok()?).ok()?;
    let day = u8::try_from(number(8, 10)?).ok()?;
    Date::from_calendar_date(i32::try_from(number(0, 4)?).ok()?, month, day).ok()
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
