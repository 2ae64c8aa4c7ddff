//! Knows the file's columns: reads every record into typed values, or says which line and column is wrong.

use std::{ops::Range, str::FromStr};

use csv::{ByteRecord, ReaderBuilder};
use domain::value::{CustomerId, OrderId, Text, Time};
use time::{Date, PrimitiveDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::error::{InputError, Problem};

/// The header, column by column.
pub const COLUMNS: [&str; 8] = [
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
];

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");

/// One record of the file.
#[derive(Clone, Debug)]
pub struct Line {
    /// The line in the file on which it starts, from 1.
    pub number: u64,
    /// Its bytes in the file.
    pub span: Range<usize>,
    /// The invoice that it belongs to.
    pub invoice: OrderId,
    /// The product's or charge's code without surrounding blanks; may be empty.
    pub code: Box<str>,
    /// What it is called, if anything.
    pub description: Option<Text>,
    /// How many; below zero when they come back.
    pub quantity: i32,
    /// When the invoice was written.
    pub at: Time,
    /// On which day.
    pub day: Date,
    /// The price of one.
    pub price: Price,
    /// Who bought, unless a guest.
    pub customer: Option<CustomerId>,
    /// Where.
    pub country: Option<Text>,
}

/// The price of one unit, in hundredths of a penny: a few real prices are that small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price(i64);

impl Price {
    /// The price in pence; `None` when it is not a whole number of them.
    pub const fn pence(self) -> Option<i64> {
        if self.0 % 100 == 0 { Some(self.0 / 100) } else { None }
    }

    /// Whether so many are worth less than half a penny.
    pub fn is_nothing(self, quantity: i32) -> bool {
        (i128::from(self.0) * i128::from(quantity)).abs() < 50
    }
}

impl FromStr for Price {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (sign, digits) = match text.strip_prefix('-') {
            Some(digits) => (-1, digits),
            None => (1, text),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(part) || whole.len() > 12 || part.len() > 4 {
            return Err(());
        }
        let hundredths: i64 = format!("{whole}{part:0<4}").parse().map_err(|_| ())?;
        Ok(Self(sign * hundredths))
    }
}

/// Every record after the header.
pub fn lines(file: &[u8]) -> Result<Vec<Line>, InputError> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
    let mut record = ByteRecord::new();
    let mut lines = Vec::new();
    let (mut start, mut number, mut header_seen) = (0, 1, false);
    loop {
        // Reading from memory cannot fail, and a record of any width is taken.
        let more = reader.read_byte_record(&mut record).unwrap_or(false);
        let end = usize::try_from(reader.position().byte()).unwrap_or(file.len());
        if !more {
            break;
        }
        // A record's bytes begin behind the line breaks that the one before it left.
        while start < end && matches!(file[start], b'\r' | b'\n') {
            number += u64::from(file[start] == b'\n');
            start += 1;
        }
        if header_seen {
            lines.push(line(&record, number, start..end)?);
        } else {
            header(&record, number)?;
            header_seen = true;
        }
        number += file[start..end].iter().filter(|byte| **byte == b'\n').count() as u64;
        start = end;
    }
    if header_seen { Ok(lines) } else { Err(Problem::wrong("", HEADER).at(1, None)) }
}

const HEADER: &str =
    "the header InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";

fn header(record: &ByteRecord, number: u64) -> Result<(), InputError> {
    if record.len() != COLUMNS.len() {
        let found = String::from_utf8_lossy(record.as_slice());
        return Err(Problem::wrong(&found, HEADER).at(number, None));
    }
    for (field, column) in record.iter().zip(COLUMNS) {
        if field != column.as_bytes() {
            let found = String::from_utf8_lossy(field);
            return Err(Problem::wrong(&found, "this column's header").at(number, Some(column)));
        }
    }
    Ok(())
}

fn line(record: &ByteRecord, number: u64, span: Range<usize>) -> Result<Line, InputError> {
    if record.len() != COLUMNS.len() {
        let fields = Problem::Fields { found: record.len(), wanted: COLUMNS.len() };
        return Err(fields.at(number, None));
    }
    let mut fields = [""; COLUMNS.len()];
    for ((bytes, field), column) in record.iter().zip(&mut fields).zip(COLUMNS) {
        *field = text(bytes, column).map_err(|problem| problem.at(number, Some(column)))?;
    }
    let [invoice, code, description, quantity, at, price, customer, country] = fields;
    let wrong = |value: &str, column: usize, wanted| {
        Problem::wrong(value, wanted).at(number, COLUMNS.get(column).copied())
    };
    let at = PrimitiveDateTime::parse(at, DATE)
        .map_err(|_| wrong(at, 4, "a date and time such as 2010-12-01 08:26:00"))?;
    Ok(Line {
        number,
        span,
        invoice: OrderId::new(invoice)
            .map_err(|_| wrong(invoice, 0, "an invoice number: 1 to 64 of A-Z a-z 0-9 _ -"))?,
        code: code.trim().into(),
        description: Text::new(description).ok(),
        quantity: whole(quantity).ok_or_else(|| wrong(quantity, 3, "a whole number that fits 32 bits"))?,
        at: Time::from_millis(at.assume_utc().unix_timestamp() * 1_000),
        day: at.date(),
        price: price
            .parse()
            .map_err(|()| wrong(price, 5, "an amount such as 2.55, with at most four decimals"))?,
        customer: buyer(customer).map_err(|()| wrong(customer, 6, "a customer's number, or nothing"))?,
        country: Text::new(country).ok(),
    })
}

/// A field as text. Line breaks and the like may stand in a description only: elsewhere they are a stray quote's work.
fn text<'a>(bytes: &'a [u8], column: &str) -> Result<&'a str, Problem> {
    let text = std::str::from_utf8(bytes).map_err(Problem::NotUtf8)?;
    let stray = |char: char| char == '\0' || (char.is_control() && column != COLUMNS[2]);
    if text.contains(stray) {
        return Err(Problem::wrong(text, "text without control characters"));
    }
    Ok(text)
}

fn whole(text: &str) -> Option<i32> {
    // A leading plus is no number here.
    if text.starts_with('+') { None } else { text.parse().ok() }
}

/// Customers' numbers went through a spreadsheet that made them `17850.0`.
fn buyer(text: &str) -> Result<Option<CustomerId>, ()> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let number = text.strip_suffix(".0").unwrap_or(text);
    CustomerId::new(number).map(Some).map_err(|_| ())
}
