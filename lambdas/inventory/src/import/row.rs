//! Parses the header and the rows into the domain's types.

use std::borrow::Cow;
use std::fmt;

use domain::money::Currency;
use domain::{Money, ProductName, Sku, TaxRate};
use platform::csv::unescape_formulas;
use serde::{Deserialize, Serialize};
use strum::{EnumIter, EnumString, IntoEnumIterator, IntoStaticStr};

use super::records::{Defect, DefectKind, MAX_FIELDS, MAX_ROW_BYTES, Record};
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
    /// A column without a name, between others. All of its fields must be empty.
    #[strum(disabled)]
    Unnamed,
}

impl Column {
    /// The name of the column in the header; `None` for an ignored column and one without a name.
    pub fn name(self) -> Option<&'static str> {
        (!matches!(self, Self::Ignored | Self::Unnamed)).then(|| self.into())
    }
}

/// The columns that `rejected.csv` adds before those of the file.
pub const REJECTED_COLUMNS: [&str; 3] = ["rejected_line", "rejected_column", "rejected_reason"];

/// What spreadsheets write in place of a value that they could not calculate, such as that of a name that
/// starts with `=`.
const SPREADSHEET_ERRORS: [&str; 7] = ["#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"];

/// The header of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The separator between fields.
    pub separator: u8,
    /// The column of each field of a row, without the unnamed ones at the end.
    pub columns: Vec<Column>,
    /// The number of columns with those.
    #[serde(default)]
    pub width: usize,
}

/// The reason why a row or a file is rejected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowError {
    /// The name of the column, or its number if it has no name, such as `column 7`; several names are
    /// separated by spaces. Empty if the error concerns the whole file.
    pub column: String,
    /// What is wrong, and how to correct it.
    pub reason: String,
}

impl RowError {
    /// An error in a column.
    pub fn new(column: &str, reason: impl fmt::Display) -> Self {
        Self { column: column.to_owned(), reason: reason.to_string() }
    }

    /// An error that concerns no column.
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
        if let Some(defect) = record.defect {
            let column = format!("column {}", defect.field.saturating_add(1));
            return Err(RowError::new(&column, format!("{}: {expected}", describe(defect.kind))));
        }
        let mut columns = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let name = String::from_utf8_lossy(field).trim().to_lowercase();
            let found = name.parse().ok();
            let column = match name.as_str() {
                "" => Column::Unnamed,
                name if REJECTED_COLUMNS.contains(&name) => Column::Ignored,
                name => found.ok_or_else(|| {
                    let shown: String = name.chars().take(40).collect();
                    RowError::new(&shown, format!("unknown column: {expected}"))
                })?,
            };
            if column.name().is_some() && columns.contains(&column) {
                return Err(RowError::new(&name, "the column occurs twice"));
            }
            columns.push(column);
        }
        let width = columns.len();
        while columns.pop_if(|column| *column == Column::Unnamed).is_some() {}
        let missing = |column: &Column| *column != Column::TaxRate && !columns.contains(column);
        match Column::iter().find(missing).and_then(Column::name) {
            Some(name) => Err(RowError::new(name, format!("the column is missing: {expected}"))),
            None => Ok(Self { separator, columns, width }),
        }
    }

    /// Whether a record is a row. Spreadsheets also write lines that consist of separators only.
    pub fn is_row(record: &Record) -> bool {
        record.defect.is_some() || !record.fields.iter().all(|field| is_blank(field))
    }

    /// Whether the file is one of rejected rows, in which formulas are escaped. The columns that were added to
    /// it say so.
    pub fn is_escaped(&self) -> bool {
        self.columns.contains(&Column::Ignored)
    }

    /// The name of a column, or its number if it has none. `index` starts at 0.
    fn column_name(&self, index: usize) -> String {
        let name = self.columns.get(index).and_then(|column| column.name());
        name.map_or_else(|| format!("column {}", index.saturating_add(1)), str::to_owned)
    }

    /// Parses a row.
    ///
    /// # Errors
    /// All errors of the row.
    pub fn parse_row(&self, record: &Record) -> Result<Row, RowError> {
        self.check_shape(record)?;
        let mut errors = Vec::new();
        let sku = self.parse_field(record, Column::Sku, &mut errors, |text| text.parse::<Sku>());
        let name = self.parse_field(record, Column::Name, &mut errors, |text| {
            // Programs write this in place of a character that they could not decode.
            if text.contains(char::REPLACEMENT_CHARACTER) {
                return Err("has characters that were lost in an earlier conversion: retype them".to_owned());
            }
            if SPREADSHEET_ERRORS.contains(&text) {
                return Err("is the error of a formula in a spreadsheet: retype it".to_owned());
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

    /// Checks that a record has exactly the fields of the named columns.
    fn check_shape(&self, record: &Record) -> Result<(), RowError> {
        if let Some(Defect { field, kind }) = record.defect {
            return Err(RowError::new(&self.column_name(field), describe(kind)));
        }
        let (found, expected) = (record.fields.len(), self.columns.len());
        let surplus = record.fields.iter().rposition(|field| !is_blank(field));
        if let Some(last) = surplus.filter(|last| *last >= expected) {
            let reason = format!(
                "the row has {} fields, the first line has {expected}: check for a separator in an unquoted field",
                last.saturating_add(1)
            );
            return Err(RowError::new(&self.column_name(expected), reason));
        }
        // An empty field at the end is one of a column without a name if all fields have moved to the left.
        let has_moved = found < self.width && record.fields.get(..expected).is_some_and(ends_blank);
        if found < expected || has_moved {
            let reason = format!(
                "the row has {found} fields, the first line has {}: check for a missing separator",
                self.width.max(expected)
            );
            return Err(RowError::new(&self.column_name(found.min(expected.saturating_sub(1))), reason));
        }
        let mut fields = self.columns.iter().zip(&record.fields);
        if let Some(index) = fields.position(|(column, field)| *column == Column::Unnamed && !is_blank(field))
        {
            return Err(RowError::new(&self.column_name(index), "the column has no name in the first line"));
        }
        Ok(())
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
        let parsed = text.and_then(|text| {
            let text =
                if self.is_escaped() { Cow::Owned(unescape_formulas(text)) } else { Cow::Borrowed(text) };
            let text = text.trim();
            parse(text).map_err(|error| {
                let hint = if text.contains(['\r', '\n']) {
                    ": the field has several lines, check for an unclosed quotation mark"
                } else {
                    ""
                };
                format!("{error}{hint}")
            })
        });
        match parsed {
            Ok(value) => Some(value),
            Err(reason) => {
                errors.push(RowError::new(name, reason));
                None
            }
        }
    }
}

fn ends_blank(fields: &[Vec<u8>]) -> bool {
    fields.last().is_some_and(|field| is_blank(field))
}

fn is_blank(field: &[u8]) -> bool {
    field.trim_ascii().is_empty()
}

/// Says what is wrong with a row, and how to correct it.
fn describe(defect: DefectKind) -> String {
    match defect {
        DefectKind::TooLong => format!("the row has more than {MAX_ROW_BYTES} bytes"),
        DefectKind::TooManyFields => format!("the row has more than {MAX_FIELDS} fields"),
        DefectKind::QuoteInField => "has a quotation mark inside: enclose the field in quotation marks, and \
                                     double those inside it (\"Tea \"\"Best\"\"\")"
            .to_owned(),
        DefectKind::TextAfterQuote => {
            "has text after its closing quotation mark: double the quotation marks \
                                       inside the field (\"Tea \"\"Best\"\"\")"
                .to_owned()
        }
        DefectKind::UnclosedQuote => "has a quotation mark that is not closed on this line: close it, and \
                                      double those inside the field (\"Tea \"\"Best\"\"\")"
            .to_owned(),
    }
}

fn parse_quantity(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    number
        .filter(|number| *number <= MAX_DELIVERY_QUANTITY)
        .ok_or_else(|| format!("must be a whole number from 0 to {MAX_DELIVERY_QUANTITY}, in digits only"))
}

#[cfg(test)]
mod tests;
