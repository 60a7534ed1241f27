//! Parses the header and the rows into the domain's types.

use std::fmt;

use domain::money::Currency;
use domain::{Money, ProductName, Sku, TaxRate};
use serde::{Deserialize, Serialize};
use strum::{EnumIter, EnumString, IntoEnumIterator, IntoStaticStr};

use super::records::{MAX_FIELDS, MAX_ROW_BYTES, Record, Truncation};
use crate::request::MAX_DELIVERY_QUANTITY;

/// A column of a file. The format is documented in `docs/IMPORT.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumIter, EnumString, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Column {
    /// The SKU of the product.
    Sku,
    /// The name of the product.
    Name,
    /// The price of one piece, including tax, in the major unit of the currency.
    Price,
    /// The currency of the price (ISO 4217).
    Currency,
    /// The rate of the tax included in the price, in percent. The only optional column.
    TaxRate,
    /// The number of pieces delivered.
    Quantity,
    /// A column that `rejected.csv` adds. It is ignored, so that the file can be corrected and uploaded
    /// again.
    #[strum(disabled)]
    Ignored,
}

impl Column {
    /// The name of the column in the header; `None` for an ignored column.
    pub fn name(self) -> Option<&'static str> {
        (self != Self::Ignored).then(|| self.into())
    }
}

/// The columns that `rejected.csv` adds before those of the file.
pub const REJECTED_COLUMNS: [&str; 3] = ["rejected_line", "rejected_column", "rejected_reason"];

/// The header of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The separator between fields.
    pub separator: u8,
    /// The column of each field of a row.
    pub columns: Vec<Column>,
}

/// The reason why a row or a file is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowError {
    /// The name of the column; several names are separated by spaces. Empty if the error concerns the whole
    /// row.
    pub column: String,
    /// What is wrong, and how to correct it.
    pub reason: String,
}

impl RowError {
    /// An error in a column.
    pub fn new(column: &str, reason: impl fmt::Display) -> Self {
        Self { column: column.to_owned(), reason: reason.to_string() }
    }

    /// An error that concerns the whole row.
    pub fn of_row(reason: impl fmt::Display) -> Self {
        Self::new("", reason)
    }

    /// Combines the errors of a row; `None` if there are none.
    fn combine(errors: Vec<Self>) -> Option<Self> {
        let columns: Vec<&str> = errors.iter().map(|error| error.column.as_str()).collect();
        let reasons: Vec<String> = match errors.as_slice() {
            [] => return None,
            [one] => vec![one.reason.clone()],
            several => several.iter().map(|error| format!("{}: {}", error.column, error.reason)).collect(),
        };
        Some(Self { column: columns.join(" "), reason: reasons.join("; ") })
    }
}

/// A valid row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The SKU of the product.
    pub sku: Sku,
    /// The name of the product.
    pub name: ProductName,
    /// The price of one piece, including tax.
    pub price: Money,
    /// The tax rate.
    pub tax: Tax,
    /// The number of pieces delivered; 0 if only the name, price or tax rate is updated.
    pub quantity: u32,
}

/// The tax rate in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tax {
    /// The file has no such column: the rate of the product stays unchanged.
    Unchanged,
    /// This rate; `None` for the shop's standard rate, if the field is empty.
    Rate(Option<TaxRate>),
}

impl Header {
    /// Parses the first record of a file.
    ///
    /// # Errors
    /// When a column is unknown, occurs twice, or is missing.
    pub fn parse(separator: u8, record: &Record) -> Result<Self, RowError> {
        let known = Column::iter().filter_map(Column::name).collect::<Vec<_>>().join(", ");
        let expected = format!("the first line must name the columns, which are {known}");
        if record.truncation.is_some() {
            return Err(RowError::of_row(expected));
        }
        let mut columns = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let name = String::from_utf8_lossy(field).trim().to_lowercase();
            let found = name.parse().ok();
            let ignored = REJECTED_COLUMNS.contains(&name.as_str()).then_some(Column::Ignored);
            let Some(column) = found.or(ignored) else {
                let shown: String = name.chars().take(40).collect();
                return Err(RowError::new(&shown, format!("unknown column: {expected}")));
            };
            if column != Column::Ignored && columns.contains(&column) {
                return Err(RowError::new(&name, "the column occurs twice"));
            }
            columns.push(column);
        }
        let missing = |column: &Column| *column != Column::TaxRate && !columns.contains(column);
        match Column::iter().find(missing).and_then(Column::name) {
            Some(name) => Err(RowError::new(name, format!("the column is missing: {expected}"))),
            None => Ok(Self { separator, columns }),
        }
    }

    /// Whether a record is a row. Spreadsheets also write lines that consist of separators only.
    pub fn is_row(record: &Record) -> bool {
        record.truncation.is_some() || record.fields.iter().any(|field| !field.trim_ascii().is_empty())
    }

    /// Parses a row.
    ///
    /// # Errors
    /// All errors of the row.
    pub fn parse_row(&self, record: &Record) -> Result<Row, RowError> {
        match record.truncation {
            Some(Truncation::TooLong) => {
                return Err(RowError::of_row(format!(
                    "the row has more than {MAX_ROW_BYTES} bytes, up to line {}: \
                     check for an unclosed quotation mark",
                    record.end.line
                )));
            }
            Some(Truncation::TooManyFields) => {
                return Err(RowError::of_row(format!("the row has more than {MAX_FIELDS} fields")));
            }
            None => {}
        }
        if record.fields.len() != self.columns.len() {
            return Err(RowError::of_row(format!(
                "the row has {} fields, the first line has {}: check for a separator in an unquoted field",
                record.fields.len(),
                self.columns.len()
            )));
        }
        let mut errors = Vec::new();
        let sku = self.parse_field(record, Column::Sku, &mut errors, |text| text.parse::<Sku>());
        let name = self.parse_field(record, Column::Name, &mut errors, |text| {
            // Programs write this in place of a character that they could not decode.
            if text.contains(char::REPLACEMENT_CHARACTER) {
                return Err("has characters that were lost in an earlier conversion: retype them".to_owned());
            }
            text.parse::<ProductName>().map_err(|error| error.to_string())
        });
        let currency = self
            .parse_field(record, Column::Currency, &mut errors, |text| Currency::try_from(text.to_owned()));
        let price = self.parse_field(record, Column::Price, &mut errors, |text| match currency {
            Some(currency) => Money::from_decimal(text, currency).map(Some),
            None => Ok(None),
        });
        let tax = if self.columns.contains(&Column::TaxRate) {
            self.parse_field(record, Column::TaxRate, &mut errors, |text| {
                if text.is_empty() { Ok(None) } else { TaxRate::from_percent(text).map(Some) }
            })
            .map(Tax::Rate)
        } else {
            Some(Tax::Unchanged)
        };
        let quantity = self.parse_field(record, Column::Quantity, &mut errors, parse_quantity);
        match (sku, name, price.flatten(), tax, quantity) {
            (Some(sku), Some(name), Some(price), Some(tax), Some(quantity)) => {
                Ok(Row { sku, name, price, tax, quantity })
            }
            _ => Err(RowError::combine(errors).unwrap_or_else(|| RowError::of_row("the row is not valid"))),
        }
    }

    /// Parses a field, without surrounding blanks.
    fn parse_field<T, E: fmt::Display>(
        &self,
        record: &Record,
        column: Column,
        errors: &mut Vec<RowError>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let name = column.name().unwrap_or_default();
        let mut fields = self.columns.iter().zip(&record.fields);
        let field = fields.find(|(known, _)| **known == column).map(|(_, field)| field.as_slice());
        let text = std::str::from_utf8(field.unwrap_or_default())
            .map_err(|_| "has bytes that are not valid UTF-8: export the file as \"CSV UTF-8\"".to_owned());
        match text.and_then(|text| parse(text.trim()).map_err(|error| error.to_string())) {
            Ok(value) => Some(value),
            Err(reason) => {
                errors.push(RowError::new(name, reason));
                None
            }
        }
    }
}

fn parse_quantity(text: &str) -> Result<u32, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if is_number { text.parse().ok() } else { None };
    number
        .filter(|number| *number <= MAX_DELIVERY_QUANTITY)
        .ok_or_else(|| format!("must be a whole number from 0 to {MAX_DELIVERY_QUANTITY}, in digits only"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::records::{Position, RecordReader};

    fn record(text: &str) -> Record {
        record_of(text.as_bytes())
    }

    fn record_of(mut text: &[u8]) -> Record {
        let mut reader = RecordReader::new(b',', Position::START);
        reader.next(&mut text).or_else(|| reader.finish()).unwrap()
    }

    fn header(text: &str) -> Result<Header, String> {
        Header::parse(b',', &record(text)).map_err(|error| format!("{}: {}", error.column, error.reason))
    }

    fn row_error(row: &[u8]) -> (String, String) {
        let header = header("sku,name,price,currency,tax_rate,quantity").unwrap();
        let error = header.parse_row(&record_of(row)).unwrap_err();
        (error.column, error.reason)
    }

    #[test]
    fn columns_may_be_in_any_order_and_case() {
        let header = header("Quantity, NAME ,sku,currency,price,rejected_line").unwrap();
        let row = header.parse_row(&record("3, Tee ,T-1,EUR,\"12,5\",17")).unwrap();
        assert_eq!((row.sku.as_str(), row.name.as_str(), row.quantity), ("T-1", "Tee", 3));
        assert_eq!((row.price.to_string(), row.tax), ("12.50 EUR".to_owned(), Tax::Unchanged));
    }

    #[test]
    fn an_invalid_header_is_rejected() {
        for (text, why) in [
            ("T-1,Tea,12.50,EUR,19,5", "t-1: unknown column"),
            ("sku,name,price,currency,quantity,colour", "colour: unknown column"),
            ("sku,name,price,currency", "quantity: the column is missing"),
            ("sku,name,price,currency,quantity,SKU", "sku: the column occurs twice"),
        ] {
            let error = header(text).unwrap_err();
            assert!(error.starts_with(why), "{text}: {error}");
        }
        assert!(header(&"x".repeat(MAX_ROW_BYTES + 1)).unwrap_err().contains("first line"));
    }

    #[test]
    fn all_errors_of_a_row_are_reported() {
        for (row, column, why) in [
            (b"T 1,Tea,1,EUR,19,5".as_slice(), "sku", "may contain only letters"),
            (b"T-1,T\0a,1,EUR,19,5", "name", "printable"),
            (b"T-1,Gr\xfcner Tee,1,EUR,19,5", "name", "UTF-8"),
            ("T-1,Gr\u{fffd}ner Tee,1,EUR,19,5".as_bytes(), "name", "lost"),
            (b"T-1,Tea,-1,EUR,19,5", "price", "must be 0 to 999999.99 EUR"),
            (b"T-1,Tea,99999999999999999999,EUR,19,5", "price", "must be"),
            (b"T-1,Tea,1,Euro,19,5", "currency", "ISO 4217"),
            (b"T-1,Tea,1,EUR,101,5", "tax_rate", "percent"),
            (b"T-1,Tea,1,EUR,19,-5", "quantity", "must be a whole number from 0 to 1000000"),
            (b"T-1,Tea,1,EUR,19,4294967297", "quantity", "must be"),
            (b"T-1,Tea,1,EUR,19,5.0", "quantity", "whole"),
            (b"T-1,Tea,1,EUR,19", "", "has 5 fields, the first line has 6"),
            (b"T-1,Tea,1,5,EUR,19,5", "", "has 7 fields"),
            (b",,1,EUR,19,x", "sku name quantity", "sku: must have 1 to 40 characters, has 0; name:"),
        ] {
            let found = row_error(row);
            assert!(
                found.0 == column && found.1.contains(why),
                "{}: {found:?}",
                String::from_utf8_lossy(row)
            );
        }
        assert!(!Header::is_row(&record(", ,,,,")) && Header::is_row(&record(",,,,,1")));
    }
}
