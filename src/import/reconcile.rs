//! Compares what a file says with what the read models say, day by day and in total.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
    ops::AddAssign,
};

use serde::{Serialize, Serializer};
use time::Date;

use super::Imported;

/// What a day, or all days, come to. Values are in minor units (pence).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// Orders with at least one line that is worth something.
    pub orders: i64,
    /// Units on them: goods and charges.
    pub units: i64,
    /// What they come to.
    pub sale_value: i64,
    /// What was credited, above zero.
    pub returned_value: i64,
}

/// What one day comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The day on which the invoices were written.
    pub date: Date,
    /// What they come to.
    pub sums: Sums,
}

/// What was not booked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RejectedSums {
    /// Lines of the file.
    pub lines: u64,
    /// Units on them, without their sign.
    pub units: u64,
    /// What they are worth in minor units: always nothing.
    pub value: i64,
}

/// Where the lines of a file went; the first is the sum of the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// All of them, without the header.
    pub total: u64,
    /// On orders and credit notes.
    pub imported: u64,
    /// Only a correction of stock.
    pub adjustments: u64,
    /// In the rejects file.
    pub rejected: u64,
}

/// Both sides, and what explains the rest of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What the file says.
    pub file: Sums,
    /// What the read models say.
    pub read_model: Sums,
    /// What was not booked.
    pub rejected: RejectedSums,
}

/// One day's comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ComparedDay {
    /// Which day.
    #[serde(serialize_with = "date_text")]
    pub date: Date,
    /// Both sides.
    #[serde(flatten)]
    pub sides: Comparison,
}

/// Whether the read models say what the file says; serialises as the answer of `import retail --json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every day and the total agree.
    pub ok: bool,
    /// Events that the import added.
    pub new_events: u64,
    /// Where the lines of the file went.
    pub lines: Lines,
    /// Day by day.
    pub days: Vec<ComparedDay>,
    /// All days.
    pub total: Comparison,
}

/// Compares the sums of a file with those that the read models have of the same invoices, on whatever day they have them.
///
/// What else the read models hold was not in the file; that nothing was booked beside its invoices is told by how many
/// orders the import has booked.
#[must_use]
pub fn reconcile(file: &[Day], read_model: &[Day], imported: &Imported) -> Report {
    let mut days: BTreeMap<Date, Comparison> = BTreeMap::new();
    let mut total = Comparison::default();
    for day in file {
        days.entry(day.date).or_default().file += day.sums;
        total.file += day.sums;
    }
    for day in read_model {
        days.entry(day.date).or_default().read_model += day.sums;
        total.read_model += day.sums;
    }
    for day in &imported.rejected {
        days.entry(day.date).or_default().rejected += day.sums;
        total.rejected += day.sums;
    }
    let days: Vec<_> = days.into_iter().map(|(date, sides)| ComparedDay { date, sides }).collect();
    let booked = i64::try_from(imported.orders).is_ok_and(|orders| orders == total.file.orders);
    Report {
        ok: booked && total.agrees() && days.iter().all(|day| day.sides.agrees()),
        new_events: imported.new_events,
        lines: imported.lines,
        days,
        total,
    }
}

impl Comparison {
    /// Whether both sides say the same, and nothing of value is missing from both.
    #[must_use]
    pub fn agrees(&self) -> bool {
        self.file == self.read_model && self.rejected.value == 0
    }
}

impl Report {
    /// The dates that differ.
    #[must_use]
    pub fn differing(&self) -> BTreeSet<Date> {
        let differing = self.days.iter().filter(|day| !day.sides.agrees());
        differing.map(|day| day.date).collect()
    }
}

/// A table for people: a line for each day, two where the sides differ.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<12}{:<12}{:>8}{:>10}{:>16}{:>16}{:>10}",
            "day", "", "orders", "units", "sold", "returned", "rejected"
        )?;
        for day in &self.days {
            rows(f, &day.date.to_string(), &day.sides)?;
        }
        rows(f, "total", &self.total)?;
        writeln!(
            f,
            "{} lines = {} imported + {} stock adjustments + {} rejected; {} new events",
            self.lines.total,
            self.lines.imported,
            self.lines.adjustments,
            self.lines.rejected,
            self.new_events
        )?;
        if self.ok {
            write!(f, "the read models say what the file says")
        } else {
            match self.differing().len() {
                0 => write!(f, "the import has booked other orders than those of the file"),
                days => {
                    write!(f, "the read models differ from the file on {days} of {} days", self.days.len())
                }
            }
        }
    }
}

fn rows(f: &mut fmt::Formatter<'_>, name: &str, sides: &Comparison) -> fmt::Result {
    if sides.agrees() {
        return row(f, [name, ""], &sides.file, sides.rejected.lines);
    }
    row(f, [name, "file"], &sides.file, sides.rejected.lines)?;
    row(f, ["  differs", "read model"], &sides.read_model, 0)
}

fn row(f: &mut fmt::Formatter<'_>, names: [&str; 2], sums: &Sums, rejected: u64) -> fmt::Result {
    writeln!(
        f,
        "{:<12}{:<12}{:>8}{:>10}{:>16}{:>16}{:>10}",
        names[0],
        names[1],
        sums.orders,
        sums.units,
        pounds(sums.sale_value),
        pounds(sums.returned_value),
        rejected
    )
}

/// Minor units as people write them, such as `823,746.14`.
fn pounds(pence: i64) -> String {
    let whole = (pence.unsigned_abs() / 100).to_string();
    let mut text = String::new();
    if pence < 0 {
        text.push('-');
    }
    for (place, digit) in whole.char_indices() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    // Writing into a String cannot fail.
    let _ = write!(text, ".{:02}", pence.unsigned_abs() % 100);
    text
}

fn date_text<S: Serializer>(date: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(date)
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        self.orders += other.orders;
        self.units += other.units;
        self.sale_value += other.sale_value;
        self.returned_value += other.returned_value;
    }
}

impl AddAssign for RejectedSums {
    fn add_assign(&mut self, other: Self) {
        self.lines += other.lines;
        self.units += other.units;
        self.value += other.value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_in_groups_of_three() {
        let written = [82_374_614, -7_478_912, 100, 99_999, 0].map(pounds);
        assert_eq!(written, ["823,746.14", "-74,789.12", "1.00", "999.99", "0.00"]);
    }
}
