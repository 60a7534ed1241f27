//! The header and the rows, read with the domain's types.

use std::fmt;

use domain::money::Currency;
use domain::{Money, ProductName, Sku, TaxRate};
use serde::{Deserialize, Serialize};

use super::lines::{Cut, LONGEST_ROW, MOST_FIELDS, Record};
use crate::request::LARGEST_DELIVERY;

/// A column that files may have. `docs/IMPORT.md` says what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// Which product.
    Sku,
    /// What it is called.
    Name,
    /// The price of one, with the tax, in the currency's main unit.
    Price,
    /// The currency of the price.
    Currency,
    /// The tax within the price, in percent. The only column that may be missing.
    TaxRate,
    /// How many pieces were delivered.
    Quantity,
    /// What `rejected.csv` says of a row, so that it can be mended and dropped again.
    Ignored,
}

const COLUMNS: [(&str, Column); 6] = [
    ("sku", Column::Sku),
    ("name", Column::Name),
    ("price", Column::Price),
    ("currency", Column::Currency),
    ("tax_rate", Column::TaxRate),
    ("quantity", Column::Quantity),
];

impl Column {
    /// As files call it; none of what is ignored.
    pub fn name(self) -> Option<&'static str> {
        COLUMNS.iter().find(|(_, column)| *column == self).map(|(name, _)| *name)
    }
}

/// The columns that `rejected.csv` has before those of the file.
pub const REJECTED_COLUMNS: [&str; 3] = ["rejected_line", "rejected_column", "rejected_reason"];

/// What a file's first line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// What stands between fields.
    pub separator: u8,
    /// What each field of a row is.
    pub columns: Vec<Column>,
}

/// What is wrong with a row or a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// In which column, where it is in one.
    pub column: String,
    /// What, and what to do.
    pub reason: String,
}

impl Fault {
    /// One of a column.
    pub fn new(column: &str, reason: impl fmt::Display) -> Self {
        Self { column: column.to_owned(), reason: reason.to_string() }
    }

    /// One of the whole row.
    pub fn of_row(reason: impl fmt::Display) -> Self {
        Self::new("", reason)
    }

    /// All of several, for one line.
    fn all(faults: Vec<Self>) -> Option<Self> {
        let columns: Vec<&str> = faults.iter().map(|fault| fault.column.as_str()).collect();
        let reasons: Vec<String> = match faults.as_slice() {
            [] => return None,
            [one] => vec![one.reason.clone()],
            more => more.iter().map(|fault| format!("{}: {}", fault.column, fault.reason)).collect(),
        };
        Some(Self { column: columns.join(" "), reason: reasons.join("; ") })
    }
}

/// What a row asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which product.
    pub sku: Sku,
    /// What it is called.
    pub name: ProductName,
    /// The price of one, with the tax.
    pub price: Money,
    /// The tax within the price.
    pub tax: Tax,
    /// How many pieces were delivered; none where only the offer is told.
    pub quantity: u32,
}

/// What a row says of the tax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tax {
    /// The file has no such column: it stays as it is.
    AsItIs,
    /// This rate; the shop's usual one where the field is empty.
    Rate(Option<TaxRate>),
}

impl Header {
    /// Reads the first record of a file.
    ///
    /// # Errors
    /// When it names a column that there is none of, or twice, or leaves one out.
    pub fn read(separator: u8, record: &Record) -> Result<Self, Fault> {
        let known = COLUMNS.map(|(name, _)| name).join(", ");
        let first = format!("the first line has to name the columns, which are {known}");
        if record.cut.is_some() {
            return Err(Fault::of_row(first));
        }
        let mut columns = Vec::with_capacity(record.fields.len());
        for field in &record.fields {
            let name = String::from_utf8_lossy(field).trim().to_lowercase();
            let found = COLUMNS.iter().find(|(known, _)| *known == name).map(|(_, column)| *column);
            let ignored = REJECTED_COLUMNS.contains(&name.as_str()).then_some(Column::Ignored);
            let Some(column) = found.or(ignored) else {
                let shown: String = name.chars().take(40).collect();
                return Err(Fault::new(&shown, format!("there is no such column: {first}")));
            };
            if column != Column::Ignored && columns.contains(&column) {
                return Err(Fault::new(&name, "the column is there twice"));
            }
            columns.push(column);
        }
        let missing = |(_, column): &&(&str, Column)| *column != Column::TaxRate && !columns.contains(column);
        match COLUMNS.iter().find(missing) {
            Some((name, _)) => Err(Fault::new(name, format!("the column is missing: {first}"))),
            None => Ok(Self { separator, columns }),
        }
    }

    /// Whether a record is a row at all: spreadsheets write lines of nothing but separators.
    pub fn is_row(record: &Record) -> bool {
        record.cut.is_some() || record.fields.iter().any(|field| !field.trim_ascii().is_empty())
    }

    /// Reads a row.
    ///
    /// # Errors
    /// With all that is wrong with it.
    pub fn row(&self, record: &Record) -> Result<Row, Fault> {
        match record.cut {
            Some(Cut::TooLong) => {
                return Err(Fault::of_row(format!(
                    "the row has more than {LONGEST_ROW} bytes, up to line {}: is a quotation mark not closed?",
                    record.end.line
                )));
            }
            Some(Cut::TooManyFields) => {
                return Err(Fault::of_row(format!("the row has more than {MOST_FIELDS} fields")));
            }
            None => {}
        }
        if record.fields.len() != self.columns.len() {
            return Err(Fault::of_row(format!(
                "the row has {} fields, the first line {}: is a separator within a field that is not quoted?",
                record.fields.len(),
                self.columns.len()
            )));
        }
        let mut faults = Vec::new();
        let sku = self.field(record, Column::Sku, &mut faults, |text| text.parse::<Sku>());
        let name = self.field(record, Column::Name, &mut faults, |text| {
            // What a program writes in place of a letter that it could not read.
            if text.contains(char::REPLACEMENT_CHARACTER) {
                return Err("has letters that were lost: write them again".to_owned());
            }
            text.parse::<ProductName>().map_err(|error| error.to_string())
        });
        let currency =
            self.field(record, Column::Currency, &mut faults, |text| Currency::try_from(text.to_owned()));
        let price = self.field(record, Column::Price, &mut faults, |text| match currency {
            Some(currency) => Money::from_decimal(text, currency).map(Some),
            None => Ok(None),
        });
        let tax = if self.columns.contains(&Column::TaxRate) {
            self.field(record, Column::TaxRate, &mut faults, |text| {
                if text.is_empty() { Ok(None) } else { TaxRate::from_percent(text).map(Some) }
            })
            .map(Tax::Rate)
        } else {
            Some(Tax::AsItIs)
        };
        let quantity = self.field(record, Column::Quantity, &mut faults, quantity);
        match (sku, name, price.flatten(), tax, quantity) {
            (Some(sku), Some(name), Some(price), Some(tax), Some(quantity)) => {
                Ok(Row { sku, name, price, tax, quantity })
            }
            _ => Err(Fault::all(faults).unwrap_or_else(|| Fault::of_row("the row is not understood"))),
        }
    }

    /// One field, without the blanks around it.
    fn field<T, E: fmt::Display>(
        &self,
        record: &Record,
        column: Column,
        faults: &mut Vec<Fault>,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let name = column.name().unwrap_or_default();
        let mut fields = self.columns.iter().zip(&record.fields);
        let field = fields.find(|(known, _)| **known == column).map(|(_, field)| field.as_slice());
        let text = std::str::from_utf8(field.unwrap_or_default())
            .map_err(|_| "has bytes that are no UTF-8: export the file as \"CSV UTF-8\"".to_owned());
        match text.and_then(|text| read(text.trim()).map_err(|error| error.to_string())) {
            Ok(value) => Some(value),
            Err(reason) => {
                faults.push(Fault::new(name, reason));
                None
            }
        }
    }
}

fn quantity(text: &str) -> Result<u32, String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number
        .filter(|number| *number <= LARGEST_DELIVERY)
        .ok_or_else(|| format!("must be 0 to {LARGEST_DELIVERY} whole pieces, digits and nothing else"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::lines::{Lines, Position};

    fn record(text: &str) -> Record {
        record_of(text.as_bytes())
    }

    fn record_of(mut text: &[u8]) -> Record {
        let mut lines = Lines::new(b',', Position::START);
        lines.next(&mut text).or_else(|| lines.finish()).unwrap()
    }

    fn header(text: &str) -> Result<Header, String> {
        Header::read(b',', &record(text)).map_err(|fault| format!("{}: {}", fault.column, fault.reason))
    }

    fn fault(row: &[u8]) -> (String, String) {
        let fault =
            header("sku,name,price,currency,tax_rate,quantity").unwrap().row(&record_of(row)).unwrap_err();
        (fault.column, fault.reason)
    }

    #[test]
    fn columns_come_in_any_order_and_case() {
        let header = header("Quantity, NAME ,sku,currency,price,rejected_line").unwrap();
        let row = header.row(&record("3, Tee ,T-1,EUR,\"12,5\",17")).unwrap();
        assert_eq!((row.sku.as_str(), row.name.as_str(), row.quantity), ("T-1", "Tee", 3));
        assert_eq!((row.price.to_string(), row.tax), ("12.50 EUR".to_owned(), Tax::AsItIs));
    }

    #[test]
    fn a_header_is_whole_or_refused() {
        for (text, why) in [
            ("T-1,Tea,12.50,EUR,19,5", "t-1: there is no such column"),
            ("sku,name,price,currency,quantity,colour", "colour: there is no such column"),
            ("sku,name,price,currency", "quantity: the column is missing"),
            ("sku,name,price,currency,quantity,SKU", "sku: the column is there twice"),
        ] {
            let error = header(text).unwrap_err();
            assert!(error.starts_with(why), "{text}: {error}");
        }
        assert!(header(&"x".repeat(LONGEST_ROW + 1)).unwrap_err().contains("first line"));
    }

    #[test]
    fn a_row_says_all_that_is_wrong_with_it() {
        for (row, column, why) in [
            (b"T 1,Tea,1,EUR,19,5".as_slice(), "sku", "may contain only letters"),
            (b"T-1,T\0a,1,EUR,19,5", "name", "printed"),
            (b"T-1,Gr\xfcner Tee,1,EUR,19,5", "name", "UTF-8"),
            ("T-1,Gr\u{fffd}ner Tee,1,EUR,19,5".as_bytes(), "name", "lost"),
            (b"T-1,Tea,-1,EUR,19,5", "price", "must be 0 to 999999.99 EUR"),
            (b"T-1,Tea,99999999999999999999,EUR,19,5", "price", "must be"),
            (b"T-1,Tea,1,Euro,19,5", "currency", "ISO 4217"),
            (b"T-1,Tea,1,EUR,101,5", "tax_rate", "percent"),
            (b"T-1,Tea,1,EUR,19,-5", "quantity", "must be 0 to 1000000"),
            (b"T-1,Tea,1,EUR,19,4294967297", "quantity", "must be"),
            (b"T-1,Tea,1,EUR,19,5.0", "quantity", "whole"),
            (b"T-1,Tea,1,EUR,19", "", "has 5 fields, the first line 6"),
            (b"T-1,Tea,1,5,EUR,19,5", "", "has 7 fields"),
            (b",,1,EUR,19,x", "sku name quantity", "sku: must have 1 to 40 characters, has 0; name:"),
        ] {
            let found = fault(row);
            assert!(
                found.0 == column && found.1.contains(why),
                "{}: {found:?}",
                String::from_utf8_lossy(row)
            );
        }
        assert!(!Header::is_row(&record(", ,,,,")) && Header::is_row(&record(",,,,,1")));
    }
}
