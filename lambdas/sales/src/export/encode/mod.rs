//! Encodes orders in a file format. The state of an encoder can be serialized as JSON and restored; the
//! resulting file is the same, byte for byte.

mod csv;
mod json_lines;
mod parquet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::parquet::ParquetState;
use super::Format;
use crate::ledger::sale::Sale;

/// An encoder for a file in progress.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Encoder {
    format: Format,
    /// The number of lines per row group of a Parquet file.
    #[serde(rename = "group_rows")]
    row_group_size: usize,
    /// Encoded bytes that have not been taken yet.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    out: Vec<u8>,
    /// The number of bytes taken so far.
    taken: u64,
    parquet: ParquetState,
}

impl Encoder {
    /// Starts a file and writes its header. A Parquet encoder buffers at most `row_group_size` lines, plus
    /// the lines of one order.
    ///
    /// # Errors
    /// When the header cannot be encoded.
    pub fn new(format: Format, row_group_size: usize) -> anyhow::Result<Self> {
        let mut out = Vec::new();
        match format {
            Format::Csv => csv::write_header(&mut out),
            Format::JsonLines => {}
            Format::Parquet => parquet::write_header(&mut out),
        }
        Ok(Self { format, row_group_size, out, taken: 0, parquet: ParquetState::default() })
    }

    /// Encodes an order.
    ///
    /// # Errors
    /// When the order cannot be encoded.
    pub fn push(&mut self, sale: &Sale) -> anyhow::Result<()> {
        match self.format {
            Format::Csv => csv::push(&mut self.out, sale),
            Format::JsonLines => json_lines::push(&mut self.out, sale)?,
            Format::Parquet => {
                self.parquet.push(sale);
                if self.parquet.pending() >= self.row_group_size {
                    self.parquet.flush(&mut self.out, self.taken)?;
                }
            }
        }
        Ok(())
    }

    /// Encodes the rest of the file after the last order.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn finish(&mut self) -> anyhow::Result<()> {
        if self.format == Format::Parquet {
            self.parquet.flush(&mut self.out, self.taken)?;
            self.parquet.write_footer(&mut self.out)?;
        }
        Ok(())
    }

    /// Returns the number of bytes that can be taken.
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Whether no bytes can be taken.
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Takes all bytes encoded so far.
    pub fn take(&mut self) -> Bytes {
        let bytes = std::mem::take(&mut self.out);
        self.taken = self.taken.saturating_add(u64::try_from(bytes.len()).unwrap_or_default());
        bytes.into()
    }

    /// Returns the total number of encoded bytes, whether taken or not.
    pub fn written(&self) -> u64 {
        self.taken.saturating_add(u64::try_from(self.out.len()).unwrap_or_default())
    }
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64_STANDARD.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    BASE64_STANDARD.decode(text).map_err(serde::de::Error::custom)
}

/// A line of an order, with the data of the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct OrderLine {
    order_id: String,
    placed_at: Timestamp,
    status: String,
    customer_id: String,
    customer_name: String,
    customer_email: String,
    currency: String,
    /// The number of decimal places of the currency.
    digits: usize,
    /// All amounts are in minor units.
    order_total: u64,
    paid_at: Option<Timestamp>,
    refunded: u64,
    line_number: u32,
    sku: String,
    quantity: u32,
    unit_price: u64,
    line_total: u64,
}

/// Returns the lines of an order, numbered from 1.
fn order_lines(sale: &Sale) -> impl Iterator<Item = OrderLine> {
    let order = &sale.order;
    order.lines.iter().zip(1..).map(|(line, line_number)| {
        let currency = line.unit_price.currency;
        let unit_price = u64::from(line.unit_price.minor_units());
        let quantity = line.quantity.get();
        OrderLine {
            order_id: sale.order_id.to_string(),
            placed_at: order.placed_at,
            status: sale.status().name().to_owned(),
            customer_id: order.customer_id.to_string(),
            customer_name: order.customer_name.as_str().to_owned(),
            customer_email: order.customer_email.as_str().to_owned(),
            currency: currency.code().to_owned(),
            digits: currency.decimal_places(),
            order_total: order.lines.total().minor_units().into(),
            paid_at: sale.paid.as_ref().map(|paid| paid.at),
            refunded: sale.refunded(),
            line_number,
            sku: line.sku.to_string(),
            quantity,
            unit_price,
            line_total: unit_price.saturating_mul(u64::from(quantity)),
        }
    })
}
