//! Writes down the lines that cannot be booked, as they stand in the file, with their place and the reason.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Write as _},
    ops::Range,
    path::Path,
};

use csv::{ReaderBuilder, StringRecord, Writer};
use time::Date;

use super::{
    classify::Reason,
    error::ImportError,
    line::{COLUMNS, Line},
    reconcile::RejectedSums,
};

/// A line that cannot be booked.
#[derive(Clone, Debug)]
pub struct Rejected {
    number: u64,
    span: Range<usize>,
    day: Date,
    reason: Reason,
    units: u64,
}

/// What was rejected of one day's invoices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectedDay {
    /// The day.
    pub date: Date,
    /// How much.
    pub sums: RejectedSums,
}

impl Rejected {
    /// A line of an invoice of that day.
    pub fn new(line: &Line, day: Date, reason: Reason) -> Self {
        Self {
            number: line.number,
            span: line.span.clone(),
            day,
            reason,
            units: u64::from(line.quantity.unsigned_abs()),
        }
    }
}

/// What was rejected, day by day. Its value is nothing: a line that is worth a penny is never rejected.
pub fn by_day(rejected: &[Rejected]) -> Vec<RejectedDay> {
    let mut days: BTreeMap<Date, RejectedSums> = BTreeMap::new();
    for line in rejected {
        let sums = days.entry(line.day).or_default();
        sums.lines += 1;
        sums.units += line.units;
    }
    let days = days.into_iter();
    days.map(|(date, sums)| RejectedDay { date, sums }).collect()
}

/// Writes the rejected lines beside `path` and moves them there, so that the file is whole whenever it is there.
pub fn write(path: &Path, file: &[u8], rejected: &[Rejected]) -> Result<(), ImportError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.tmp", std::process::id()));
    let beside = Path::new(&beside);
    let written = lines(beside, file, rejected).and_then(|()| fs::rename(beside, path));
    written.map_err(|source| {
        // What is left of it is of no use, and may not even be there.
        let _ = fs::remove_file(beside);
        ImportError::Rejects { path: path.to_owned(), source }
    })
}

fn lines(path: &Path, file: &[u8], rejected: &[Rejected]) -> io::Result<()> {
    let mut writer = Writer::from_writer(BufWriter::new(File::create(path)?));
    writer.write_record(COLUMNS.iter().copied().chain(["Line", "Reason"]))?;
    for line in rejected {
        let mut record = StringRecord::new();
        ReaderBuilder::new()
            .has_headers(false)
            .from_reader(&file[line.span.clone()])
            .read_record(&mut record)?;
        record.push_field(&line.number.to_string());
        record.push_field(line.reason.as_str());
        writer.write_record(&record)?;
    }
    let mut writer = writer.into_inner().map_err(csv::IntoInnerError::into_error)?;
    writer.flush()?;
    writer.get_ref().sync_all()
}
