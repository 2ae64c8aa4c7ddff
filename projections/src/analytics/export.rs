//! Takes events and makes the files of an export of them.

use std::{
    collections::{BTreeMap, HashMap},
    io::Write,
    path::PathBuf,
};

use domain::AggregateType;
use store::log::{LogError, Position, Seen};

use super::{
    AnalyticsError, Day, Format, Layout, Table, Work, csv as records, ndjson,
    parquet::{File, Rows, whole},
};

/// Bytes of text that are kept before they are written.
const TEXT_BYTES: usize = 4 << 20;
/// Bytes of columns that are kept before they are written: with what writing them takes, twice that is in memory.
pub(super) const COLUMN_BYTES: usize = 48 << 20;
/// Positions after which it is noted how far the export has come even if nothing was selected.
const POSITIONS: i64 = 1 << 22;

/// Where an export goes.
pub enum Target {
    /// A file or a folder, by way of the folder beside it.
    Place(Work),
    /// Whoever reads on: nothing can be gone on with there.
    Stream(Box<dyn Write + Send>),
}

/// What was exported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Rows, those of interrupted runs included.
    pub rows: u64,
    /// Files and their bytes; none of a stream.
    pub files: Vec<(PathBuf, u64)>,
}

/// An export at work.
pub struct Export {
    layout: Layout,
    out: Out,
    tables: Tables,
    /// What is not written yet, by file.
    parts: BTreeMap<Key, Part>,
    /// Its bytes, about.
    bytes: usize,
    /// Files that were added to since the last note.
    touched: Vec<String>,
    /// Rows since the last note.
    rows: u64,
    noted: Position,
    total: u64,
    scratch: Vec<u8>,
}

enum Out {
    Place(Work),
    Stream(Box<dyn Write + Send>),
    Parquet(Option<File<Box<dyn Write + Send>>>),
}

/// Which file a row goes to: its table, and its day where they are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    table: usize,
    day: Option<Day>,
}

enum Part {
    Lines(Vec<u8>),
    Records(csv::Writer<Vec<u8>>),
    Rows(Rows),
}

/// The tables that rows have gone to.
#[derive(Default)]
struct Tables {
    all: Vec<Table>,
    /// Their numbers by their names.
    known: HashMap<String, usize>,
    name: String,
}

impl Tables {
    /// The table of an event.
    fn of(&mut self, seen: &Seen, by_type: bool) -> Result<usize, AnalyticsError> {
        self.name.clear();
        if by_type {
            for part in [seen.stored.aggregate_type(), ".", seen.event_type()] {
                self.name.push_str(part);
            }
        }
        if let Some(nth) = self.known.get(&self.name) {
            return Ok(*nth);
        }
        let kind: Option<AggregateType> = seen.stored.aggregate_type().parse().ok();
        let table = match kind.filter(|_| by_type) {
            Some(kind) => Table::of_type(kind, seen.event_type())?,
            None => Table::of_all(),
        };
        self.all.push(table);
        self.known.insert(self.name.clone(), self.all.len() - 1);
        Ok(self.all.len() - 1)
    }
}

impl Export {
    /// An export that goes there.
    ///
    /// # Errors
    /// When what is written to a stream is not taken.
    pub fn begin(layout: Layout, target: Target) -> Result<Self, AnalyticsError> {
        let mut tables = Tables::default();
        let mut total = 0;
        let mut noted = 0;
        let out = match target {
            Target::Place(work) => {
                (total, noted) = (work.rows(), work.after());
                Out::Place(work)
            }
            Target::Stream(stream) if layout.format == Format::Parquet => {
                let table = Table::of_all();
                let file = File::begin(&table, stream)?;
                tables.all.push(table);
                tables.known.insert(String::new(), 0);
                Out::Parquet(Some(file))
            }
            Target::Stream(stream) => Out::Stream(stream),
        };
        let parts = BTreeMap::new();
        let (bytes, touched, rows, scratch) = (0, vec![], 0, vec![]);
        Ok(Self { layout, out, tables, parts, bytes, touched, rows, noted, total, scratch })
    }

    /// Takes events, in order, of a log that has been read up to there.
    ///
    /// # Errors
    /// When one cannot be put into columns, or what is written is not taken.
    pub fn take(&mut self, events: &[Seen], upto: Position) -> Result<(), AnalyticsError> {
        for (nth, seen) in events.iter().enumerate() {
            self.add(seen)?;
            let last_part =
                events.get(nth + 1).is_none_or(|next| next.stored.position != seen.stored.position);
            let full = self.bytes >= self.bytes_max();
            // Columns are written as a row group, which belongs to a note; text is written at any time.
            let columns = self.layout.format == Format::Parquet;
            if last_part && (self.rows >= self.layout.checkpoint_rows || full && columns) {
                self.note(seen.stored.position)?;
            } else if full && !columns {
                self.write()?;
            }
        }
        if matches!(self.out, Out::Stream(_)) {
            // Whoever reads on sees it at once.
            self.write()?;
        }
        if upto - self.noted >= POSITIONS {
            self.note(upto)?;
        }
        Ok(())
    }

    /// All is taken: puts the export in its place.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn finish(mut self, upto: Position) -> Result<Exported, AnalyticsError> {
        self.note(upto)?;
        let rows = self.total;
        match self.out {
            Out::Place(work) => {
                let empty = work.rows() == 0;
                let files = match (empty, self.layout.format, self.layout.by_type || self.layout.by_day) {
                    // A table without rows still has its columns.
                    (true, format, false) if format != Format::Ndjson => finish_empty(work, format)?,
                    _ => work.finish()?,
                };
                Ok(Exported { rows, files })
            }
            Out::Stream(mut stream) => {
                if rows == 0 && self.layout.format == Format::Csv {
                    stream.write_all(&empty_csv()?)?;
                }
                stream.flush()?;
                Ok(Exported { rows, files: vec![] })
            }
            Out::Parquet(file) => {
                if let Some(file) = file {
                    file.end()?.flush()?;
                }
                Ok(Exported { rows, files: vec![] })
            }
        }
    }

    fn bytes_max(&self) -> usize {
        if self.layout.format == Format::Parquet { COLUMN_BYTES } else { TEXT_BYTES }
    }

    fn add(&mut self, seen: &Seen) -> Result<(), AnalyticsError> {
        let nth = self.tables.of(seen, self.layout.by_type)?;
        let day = match self.layout.by_day {
            true => {
                let brief = seen.stored.brief().map_err(|source| LogError::of_event(&seen.stored, source))?;
                Some(Day::of_millis(brief.occurred_at.millis()))
            }
            false => None,
        };
        let Some(table) = self.tables.all.get(nth) else { return Ok(()) };
        let part = match self.parts.entry(Key { table: nth, day }) {
            std::collections::btree_map::Entry::Occupied(part) => part.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => place.insert(match self.layout.format {
                Format::Ndjson => Part::Lines(vec![]),
                Format::Csv => {
                    let mut out = csv::Writer::from_writer(vec![]);
                    let is_new = match &self.out {
                        Out::Place(work) => work.is_new(&path(&table.name, day, self.layout.format)),
                        Out::Stream(_) | Out::Parquet(_) => self.total == 0 && self.rows == 0,
                    };
                    if is_new {
                        records::heading(table, &mut out)?;
                    }
                    Part::Records(out)
                }
                Format::Parquet => Part::Rows(Rows::of(table)),
            }),
        };
        self.bytes += match part {
            Part::Lines(lines) => {
                let before = lines.len();
                ndjson::line(table, seen, lines)?;
                lines.len() - before
            }
            Part::Records(out) => {
                records::record(table, seen, &mut self.scratch, out)?;
                // About: what is quoted is a little longer.
                seen.payload().len() + 256
            }
            Part::Rows(rows) => {
                let before = rows.bytes;
                rows.push(table, seen)?;
                rows.bytes - before
            }
        };
        self.rows += 1;
        Ok(())
    }

    /// Writes what is kept.
    fn write(&mut self) -> Result<(), AnalyticsError> {
        let mut pieces = vec![];
        for (key, part) in std::mem::take(&mut self.parts) {
            let Some(table) = self.tables.all.get(key.table) else { continue };
            let file = path(&table.name, key.day, self.layout.format);
            let bytes = match part {
                Part::Lines(lines) => lines,
                Part::Records(out) => out.into_inner().map_err(|error| error.into_error())?,
                Part::Rows(rows) => match &mut self.out {
                    Out::Parquet(Some(file)) => {
                        file.write(table, rows)?;
                        continue;
                    }
                    _ => {
                        pieces.push((file, whole(table, rows)?));
                        continue;
                    }
                },
            };
            match &mut self.out {
                Out::Place(work) => {
                    work.append(&file, &bytes)?;
                    if !self.touched.contains(&file) {
                        self.touched.push(file);
                    }
                }
                Out::Stream(stream) => stream.write_all(&bytes)?,
                Out::Parquet(_) => {}
            }
        }
        if let Out::Place(work) = &mut self.out
            && !pieces.is_empty()
        {
            work.add_segment(&pieces)?;
        }
        self.bytes = 0;
        Ok(())
    }

    /// Writes what is kept, and notes that everything up to a position is written.
    fn note(&mut self, after: Position) -> Result<(), AnalyticsError> {
        self.write()?;
        if let Out::Place(work) = &mut self.out {
            work.done(after, self.rows, &self.touched)?;
        }
        self.touched.clear();
        self.total += self.rows;
        (self.noted, self.rows) = (after, 0);
        Ok(())
    }
}

/// A file's path within the export.
pub(super) fn path(table: &str, day: Option<Day>, format: Format) -> String {
    let name = format!("{table}.{}", format.as_str());
    day.map_or(name.clone(), |day| format!("day={day}/{name}"))
}

fn empty_csv() -> Result<Vec<u8>, AnalyticsError> {
    let mut out = csv::Writer::from_writer(vec![]);
    records::heading(&Table::of_all(), &mut out)?;
    Ok(out.into_inner().map_err(|error| error.into_error())?)
}

fn finish_empty(mut work: Work, format: Format) -> Result<Vec<(PathBuf, u64)>, AnalyticsError> {
    let table = Table::of_all();
    let bytes = match format {
        Format::Parquet => whole(&table, Rows::of(&table))?,
        _ => empty_csv()?,
    };
    work.append(&path(&table.name, None, format), &bytes)?;
    work.finish()
}
