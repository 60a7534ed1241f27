//! Parquet (<https://parquet.apache.org/docs/file-format/>): one row per order line.
//!
//! A Parquet file is a sequence of row groups, followed by a footer with their offsets. The library writes a
//! file in one go, and keeps the data of the footer in memory. To be able to resume in another process, this
//! module writes each row group as a file of its own, and takes only the row group and the footer from it.
//! The final footer combines these footers, with the offsets adjusted to the actual positions.

use std::sync::Arc;

use ::parquet::basic::Compression;
use ::parquet::data_type::{ByteArray, ByteArrayType, DataType, Int32Type, Int64Type};
use ::parquet::file::metadata::{
    ColumnChunkMetaData, FileMetaData, ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
    RowGroupMetaData,
};
use ::parquet::file::properties::{EnabledStatistics, WriterProperties};
use ::parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use ::parquet::schema::parser::parse_message_type;
use ::parquet::schema::types::{SchemaDescriptor, TypePtr};
use anyhow::Context;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{OrderLine, from_base64, order_lines, to_base64};
use crate::ledger::sale::Sale;

/// The bytes with which a file starts and ends.
const MAGIC: &[u8; 4] = b"PAR1";
/// The length of the file's end after the footer: the footer length and the magic bytes.
const TAIL_BYTES: usize = 8;

/// Amounts are in minor units, because a column has one scale and the number of decimal places depends on the
/// currency.
const SCHEMA: &str = "message order_line {
    REQUIRED BYTE_ARRAY order_id (STRING);
    REQUIRED INT64 placed_at (TIMESTAMP(MICROS, true));
    REQUIRED BYTE_ARRAY status (STRING);
    REQUIRED BYTE_ARRAY customer_id (STRING);
    REQUIRED BYTE_ARRAY customer_name (STRING);
    REQUIRED BYTE_ARRAY customer_email (STRING);
    REQUIRED BYTE_ARRAY currency (STRING);
    REQUIRED INT64 order_total_minor;
    OPTIONAL INT64 paid_at (TIMESTAMP(MICROS, true));
    REQUIRED INT64 refunded_minor;
    REQUIRED INT32 line_number;
    REQUIRED BYTE_ARRAY sku (STRING);
    REQUIRED INT32 quantity;
    REQUIRED INT64 unit_price_minor;
    REQUIRED INT64 line_total_minor;
}";

/// The state of a file in progress, without the encoded bytes.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct ParquetState {
    /// The lines of the next row group.
    lines: Vec<OrderLine>,
    /// The row groups written so far.
    groups: Vec<Group>,
}

/// A row group that has been written.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Group {
    /// Its offset in the file.
    offset: u64,
    /// The footer of a file that contains only this row group.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    footer: Vec<u8>,
}

pub(super) fn write_header(out: &mut Vec<u8>) {
    out.extend_from_slice(MAGIC);
}

fn schema() -> anyhow::Result<TypePtr> {
    Ok(Arc::new(parse_message_type(SCHEMA)?))
}

impl ParquetState {
    pub(super) fn push(&mut self, sale: &Sale) {
        self.lines.extend(order_lines(sale));
    }

    pub(super) fn pending(&self) -> usize {
        self.lines.len()
    }

    /// Appends the pending lines to `out` as a row group. `taken` is the number of bytes before `out`.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>, taken: u64) -> anyhow::Result<()> {
        let lines = std::mem::take(&mut self.lines);
        if lines.is_empty() {
            return Ok(());
        }
        let mut file = encode_single_group(&lines)?;
        // The row group is followed by the footer, the length of the footer in four bytes, and the magic
        // bytes.
        let tail = file.len().checked_sub(TAIL_BYTES).context("the Parquet file has no tail")?;
        let length = file
            .get(tail..)
            .and_then(|tail| tail.first_chunk::<4>())
            .context("the Parquet file has no footer length")?;
        let footer_at = tail
            .checked_sub(usize::try_from(u32::from_le_bytes(*length))?)
            .context("the Parquet file has no footer")?;
        file.truncate(tail);
        let footer = file.split_off(footer_at);
        let offset = taken.saturating_add(u64::try_from(out.len())?);
        out.extend_from_slice(file.get(MAGIC.len()..).context("the Parquet file has no row group")?);
        self.groups.push(Group { offset, footer });
        Ok(())
    }

    /// Writes the footer of the file.
    pub(super) fn write_footer(&mut self, out: &mut Vec<u8>) -> anyhow::Result<()> {
        let mut row_groups = Vec::with_capacity(self.groups.len());
        let mut rows: i64 = 0;
        for group in std::mem::take(&mut self.groups) {
            let metadata = ParquetMetaDataReader::decode_metadata(&group.footer)?;
            let shift = i64::try_from(group.offset)? - i64::try_from(MAGIC.len())?;
            for row_group in metadata.row_groups() {
                rows = rows.saturating_add(row_group.num_rows());
                row_groups.push(relocate(row_group.clone(), shift, row_groups.len())?);
            }
        }
        let schema = Arc::new(SchemaDescriptor::new(schema()?));
        let file = FileMetaData::new(1, rows, Some(created_by()), None, schema, None);
        ParquetMetaDataWriter::new(out, &ParquetMetaData::new(file, row_groups)).finish()?;
        Ok(())
    }
}

/// Moves the offsets in the metadata of a row group by `shift` bytes.
fn relocate(group: RowGroupMetaData, shift: i64, number: usize) -> anyhow::Result<RowGroupMetaData> {
    let column = |column: &ColumnChunkMetaData| {
        let data = column.data_page_offset().saturating_add(shift);
        let dictionary = column.dictionary_page_offset().map(|offset| offset.saturating_add(shift));
        let relocated = column.clone().into_builder().set_data_page_offset(data);
        relocated.set_dictionary_page_offset(dictionary).build()
    };
    let columns = group.columns().iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let offset = group.file_offset().unwrap_or_default().saturating_add(shift);
    let relocated = group.into_builder().set_column_metadata(columns).set_file_offset(offset);
    // The ordinal of a row group is a 16-bit number. Readers count the row groups themselves where it is
    // missing.
    let relocated = match i16::try_from(number) {
        Ok(number) => relocated.set_ordinal(number.into()),
        Err(_) => relocated,
    };
    Ok(relocated.build()?)
}

fn created_by() -> String {
    format!("{} version {}", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
}

/// Encodes a file with these lines as its only row group. It has no indexes, which would follow the row
/// group.
fn encode_single_group(lines: &[OrderLine]) -> anyhow::Result<Vec<u8>> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .set_created_by(created_by())
        .build();
    let mut file = SerializedFileWriter::new(Vec::new(), schema()?, Arc::new(properties))?;
    let mut group = file.next_row_group()?;
    write_texts(&mut group, lines, |line| &line.order_id)?;
    write_timestamps(&mut group, lines, |line| line.placed_at)?;
    write_texts(&mut group, lines, |line| &line.status)?;
    write_texts(&mut group, lines, |line| &line.customer_id)?;
    write_texts(&mut group, lines, |line| &line.customer_name)?;
    write_texts(&mut group, lines, |line| &line.customer_email)?;
    write_texts(&mut group, lines, |line| &line.currency)?;
    write_amounts(&mut group, lines, |line| line.order_total)?;
    let paid: Vec<Timestamp> = lines.iter().filter_map(|line| line.paid_at).collect();
    let paid: Vec<i64> = paid.into_iter().map(Timestamp::as_microsecond).collect();
    let is_paid: Vec<i16> = lines.iter().map(|line| i16::from(line.paid_at.is_some())).collect();
    write_column::<Int64Type>(&mut group, &paid, Some(&is_paid))?;
    write_amounts(&mut group, lines, |line| line.refunded)?;
    write_counts(&mut group, lines, |line| line.line_number)?;
    write_texts(&mut group, lines, |line| &line.sku)?;
    write_counts(&mut group, lines, |line| line.quantity)?;
    write_amounts(&mut group, lines, |line| line.unit_price)?;
    write_amounts(&mut group, lines, |line| line.line_total)?;
    group.close()?;
    Ok(file.into_inner()?)
}

type Writer<'a> = SerializedRowGroupWriter<'a, Vec<u8>>;

fn write_texts(
    group: &mut Writer<'_>,
    lines: &[OrderLine],
    get: fn(&OrderLine) -> &str,
) -> anyhow::Result<()> {
    let values: Vec<ByteArray> = lines.iter().map(|line| ByteArray::from(get(line))).collect();
    write_column::<ByteArrayType>(group, &values, None)
}

fn write_timestamps(
    group: &mut Writer<'_>,
    lines: &[OrderLine],
    get: fn(&OrderLine) -> Timestamp,
) -> anyhow::Result<()> {
    let values: Vec<i64> = lines.iter().map(|line| get(line).as_microsecond()).collect();
    write_column::<Int64Type>(group, &values, None)
}

fn write_amounts(
    group: &mut Writer<'_>,
    lines: &[OrderLine],
    get: fn(&OrderLine) -> u64,
) -> anyhow::Result<()> {
    let values: Vec<i64> = lines.iter().map(|line| i64::try_from(get(line))).collect::<Result<_, _>>()?;
    write_column::<Int64Type>(group, &values, None)
}

fn write_counts(
    group: &mut Writer<'_>,
    lines: &[OrderLine],
    get: fn(&OrderLine) -> u32,
) -> anyhow::Result<()> {
    let values: Vec<i32> = lines.iter().map(|line| i32::try_from(get(line))).collect::<Result<_, _>>()?;
    write_column::<Int32Type>(group, &values, None)
}

/// Writes the next column. For an optional column, `present` tells for each row whether it has a value.
fn write_column<T: DataType>(
    group: &mut Writer<'_>,
    values: &[T::T],
    present: Option<&[i16]>,
) -> anyhow::Result<()> {
    let mut column = group.next_column()?.context("the schema has fewer columns")?;
    column.typed::<T>().write_batch(values, present, None)?;
    column.close()?;
    Ok(())
}
