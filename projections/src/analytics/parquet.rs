//! Rows as Parquet: columns in memory, a row group of them, and files put together of row groups that were written before.

use std::{io::Write, sync::Arc};

use bytes::Bytes;
use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical},
    column::writer::ColumnCloseResult,
    data_type::{BoolType, ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type},
    file::{
        metadata::ParquetMetaDataReader,
        properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterPropertiesPtr},
        writer::{SerializedColumnWriter, SerializedFileWriter},
    },
    schema::types::{ColumnPath, Type, TypePtr},
};

use super::{AnalyticsError, Cell, Column, Kind, Table, row};
use store::log::Seen;

/// Bytes of a UUID.
const ID_BYTES: usize = 16;

/// Rows of a table, column by column.
#[derive(Debug)]
pub(super) struct Rows {
    pub count: usize,
    /// About how many bytes they take.
    pub bytes: usize,
    columns: Vec<Values>,
}

/// What stands in a column: the values that are there, one behind the other, and in which rows there is one.
#[derive(Debug)]
struct Values {
    held: Held,
    present: Vec<i16>,
    optional: bool,
}

#[derive(Debug)]
enum Held {
    Integers(Vec<i64>),
    Bools(Vec<bool>),
    /// Texts and UUIDs: where each ends.
    Bytes(Vec<u8>, Vec<usize>),
}

impl Rows {
    pub(super) fn of(table: &Table) -> Self {
        let columns = table.columns.iter().map(|column| Values {
            held: match column.kind {
                Kind::Integer | Kind::Millis | Kind::Micros => Held::Integers(vec![]),
                Kind::Bool => Held::Bools(vec![]),
                Kind::Text | Kind::Json | Kind::Id => Held::Bytes(vec![], vec![]),
            },
            present: vec![],
            optional: column.optional,
        });
        Self { count: 0, bytes: 0, columns: columns.collect() }
    }

    /// Adds an event's row.
    pub(super) fn push(&mut self, table: &Table, seen: &Seen) -> Result<(), AnalyticsError> {
        row(table, seen, |nth, cell| {
            self.put(nth, &cell);
            Ok::<_, AnalyticsError>(())
        })?;
        self.count += 1;
        Ok(())
    }

    /// Adds a cell of the next row to a column; the row counts when all of them are there.
    pub(super) fn put(&mut self, nth: usize, cell: &Cell<'_>) {
        if let Some(values) = self.columns.get_mut(nth) {
            self.bytes += values.push(cell);
        }
    }
}

impl Values {
    /// Adds a value; about how many bytes that took.
    fn push(&mut self, cell: &Cell<'_>) -> usize {
        if self.optional {
            self.present.push(i16::from(*cell != Cell::Null));
        }
        let mut add = |new: &[u8]| match &mut self.held {
            Held::Bytes(bytes, ends) => {
                bytes.extend_from_slice(new);
                ends.push(bytes.len());
                new.len() + size_of::<usize>()
            }
            Held::Integers(_) | Held::Bools(_) => 0,
        };
        match cell {
            Cell::Null => 2,
            Cell::Text(text) => add(text.as_bytes()),
            Cell::Id(id) => add(id.as_bytes()),
            Cell::Integer(number) => match &mut self.held {
                Held::Integers(numbers) => {
                    numbers.push(*number);
                    size_of::<i64>()
                }
                Held::Bools(_) | Held::Bytes(..) => 0,
            },
            Cell::Bool(yes) => match &mut self.held {
                Held::Bools(bools) => {
                    bools.push(*yes);
                    1
                }
                Held::Integers(_) | Held::Bytes(..) => 0,
            },
        }
    }

    fn write(self, kind: Kind, into: &mut SerializedColumnWriter<'_>) -> Result<(), AnalyticsError> {
        let present = self.optional.then_some(&*self.present);
        match self.held {
            Held::Integers(numbers) => {
                into.typed::<Int64Type>().write_batch(&numbers, present, None)?;
            }
            Held::Bools(bools) => {
                into.typed::<BoolType>().write_batch(&bools, present, None)?;
            }
            Held::Bytes(bytes, ends) => {
                let bytes = Bytes::from(bytes);
                let begins = std::iter::once(0).chain(ends.iter().copied());
                let values = begins.zip(&ends).map(|(begin, end)| ByteArray::from(bytes.slice(begin..*end)));
                if kind == Kind::Id {
                    let ids: Vec<FixedLenByteArray> = values.map(Into::into).collect();
                    into.typed::<FixedLenByteArrayType>().write_batch(&ids, present, None)?;
                } else {
                    let texts: Vec<ByteArray> = values.collect();
                    into.typed::<ByteArrayType>().write_batch(&texts, present, None)?;
                }
            }
        }
        Ok(())
    }
}

/// A file that is being written, one row group behind the other.
pub(super) struct File<W: Write + Send>(SerializedFileWriter<W>);

impl<W: Write + Send> File<W> {
    pub(super) fn begin(table: &Table, into: W) -> Result<Self, AnalyticsError> {
        Ok(Self(SerializedFileWriter::new(into, schema(table)?, properties(table))?))
    }

    /// A file with the columns of another one.
    pub(super) fn like(whole: &Bytes, into: W) -> Result<Self, AnalyticsError> {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(whole)?;
        let schema = metadata.file_metadata().schema_descr().root_schema_ptr();
        Ok(Self(SerializedFileWriter::new(into, schema, Arc::new(base().build()))?))
    }

    /// Writes rows as one group.
    pub(super) fn write(&mut self, table: &Table, rows: Rows) -> Result<(), AnalyticsError> {
        let mut group = self.0.next_row_group()?;
        for (column, values) in table.columns.iter().zip(rows.columns) {
            if let Some(mut writer) = group.next_column()? {
                values.write(column.kind, &mut writer)?;
                writer.close()?;
            }
        }
        group.close()?;
        Ok(())
    }

    /// Adds the row groups of a whole file as they are.
    pub(super) fn append(&mut self, whole: &Bytes) -> Result<(), AnalyticsError> {
        let metadata = ParquetMetaDataReader::new().parse_and_finish(whole)?;
        for group in metadata.row_groups() {
            let mut into = self.0.next_row_group()?;
            for column in group.columns() {
                let closed = ColumnCloseResult {
                    bytes_written: u64::try_from(column.compressed_size()).unwrap_or_default(),
                    rows_written: u64::try_from(group.num_rows()).unwrap_or_default(),
                    metadata: column.clone(),
                    bloom_filter: None,
                    column_index: None,
                    offset_index: None,
                };
                into.append_column(whole, closed)?;
            }
            into.close()?;
        }
        Ok(())
    }

    /// Writes the footer; gives back what it was written to.
    pub(super) fn end(self) -> Result<W, AnalyticsError> {
        Ok(self.0.into_inner()?)
    }
}

/// Rows as a whole file in memory.
pub(super) fn whole(table: &Table, rows: Rows) -> Result<Vec<u8>, AnalyticsError> {
    let mut file = File::begin(table, vec![])?;
    file.write(table, rows)?;
    file.end()
}

fn schema(table: &Table) -> Result<TypePtr, AnalyticsError> {
    let columns = table.columns.iter().map(|column| Ok(Arc::new(leaf(column)?)));
    let columns = columns.collect::<Result<Vec<_>, AnalyticsError>>()?;
    Ok(Arc::new(Type::group_type_builder("event").with_fields(columns).build()?))
}

fn leaf(column: &Column) -> Result<Type, AnalyticsError> {
    let (physical, logical) = match column.kind {
        Kind::Integer => (Physical::INT64, None),
        Kind::Bool => (Physical::BOOLEAN, None),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Json => (Physical::BYTE_ARRAY, Some(LogicalType::Json)),
        Kind::Id => (Physical::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)),
        Kind::Millis => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
        Kind::Micros => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
    };
    let repetition = if column.optional { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let length = if column.kind == Kind::Id { ID_BYTES as i32 } else { -1 };
    let leaf = Type::primitive_type_builder(&column.name, physical).with_logical_type(logical);
    Ok(leaf.with_repetition(repetition).with_length(length).build()?)
}

fn base() -> WriterPropertiesBuilder {
    WriterProperties::builder()
        .set_created_by(concat!("daybook version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        // The rows are in one group, however many they are.
        .set_max_row_group_row_count(None)
}

fn properties(table: &Table) -> WriterPropertiesPtr {
    let mut properties = base();
    for column in &table.columns {
        // What is never twice the same is not looked up in a dictionary.
        let unique = matches!(column.name.as_str(), "position" | "event_id" | "recorded_at" | "payload");
        if unique {
            let path = ColumnPath::from(column.name.as_str());
            properties = properties.set_column_dictionary_enabled(path.clone(), false);
            if matches!(column.kind, Kind::Json | Kind::Id) {
                properties = properties.set_column_statistics_enabled(path, EnabledStatistics::None);
            }
        }
    }
    Arc::new(properties.build())
}
