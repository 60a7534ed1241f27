//! The record of an invoice.

use std::fmt;
use std::str::FromStr;

use domain::{
    Address, CustomerId, Language, Money, OrderId, PaymentIntentId, PersonName, ProductName, Quantity, Sku,
    TaxRate,
};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// An invoice with everything that it shows, as of its issue. It never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Invoice {
    pub number: InvoiceNumber,
    pub order_id: OrderId,
    /// The time of issue.
    pub issued_at: Timestamp,
    /// The date of issue in the shop's time zone.
    pub issued_on: Date,
    /// The date of the order in the shop's time zone.
    pub ordered_on: Date,
    /// The date of payment in the shop's time zone, which is also taken as the date of supply.
    pub paid_on: Date,
    /// The id of the payment at the payment provider; `None` if the total is 0, which is not charged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_intent: Option<PaymentIntentId>,
    pub seller: Seller,
    pub buyer: Buyer,
    /// The lines, in the order of the order's lines.
    pub lines: Vec<InvoiceLine>,
    /// The paid amount: the sum of the lines.
    pub total: Money,
}

/// The seller: the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Seller {
    pub name: String,
    /// The lines of the address.
    pub address: Vec<String>,
    /// The tax id; empty if the shop has none.
    pub tax_id: String,
}

/// Whom the invoice is addressed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Buyer {
    /// The customer id.
    pub id: CustomerId,
    pub name: PersonName,
    /// The billing address, if the customer gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The preferred language, if the customer gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// A line of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct InvoiceLine {
    pub sku: Sku,
    /// The name of the product. `None` if the inventory no longer has the product.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ProductName>,
    pub quantity: Quantity,
    /// The price of one piece, including tax.
    pub unit_price: Money,
    /// The price of all pieces, including tax.
    pub price: Money,
    /// The rate of the tax that is included in the price.
    pub tax_rate: TaxRate,
}

/// The number of an invoice, such as `2026-000042`: the year, and a serial that starts at 1 each year and has
/// no gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InvoiceNumber {
    year: i16,
    serial: u32,
}

/// The error for a text that is not an invoice number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not an invoice number such as 2026-000042")]
pub struct InvalidInvoiceNumber;

impl InvoiceNumber {
    /// Returns the number after the `last` serial of a year, which is 0 if there is none. `None` if no serial
    /// is left.
    pub fn after(year: i16, last: u32) -> Option<Self> {
        Some(Self { year, serial: last.checked_add(1)? })
    }

    /// Returns the year.
    pub fn year(self) -> i16 {
        self.year
    }

    /// Returns the serial, from 1.
    pub fn serial(self) -> u32 {
        self.serial
    }
}

impl fmt::Display for InvoiceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:06}", self.year, self.serial)
    }
}

impl FromStr for InvoiceNumber {
    type Err = InvalidInvoiceNumber;

    fn from_str(text: &str) -> Result<Self, InvalidInvoiceNumber> {
        let (year, serial) = text.split_once('-').ok_or(InvalidInvoiceNumber)?;
        let number = Self {
            year: year.parse().map_err(|_| InvalidInvoiceNumber)?,
            serial: serial.parse().map_err(|_| InvalidInvoiceNumber)?,
        };
        // Each number has exactly one spelling, and no serial is 0.
        if number.serial > 0 && number.to_string() == text { Ok(number) } else { Err(InvalidInvoiceNumber) }
    }
}

impl TryFrom<String> for InvoiceNumber {
    type Error = InvalidInvoiceNumber;

    fn try_from(text: String) -> Result<Self, InvalidInvoiceNumber> {
        text.parse()
    }
}

impl From<InvoiceNumber> for String {
    fn from(number: InvoiceNumber) -> Self {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_exactly_one_spelling() {
        let number = InvoiceNumber::after(2026, 41).unwrap();
        assert_eq!(number.to_string(), "2026-000042");
        assert_eq!("2026-000042".parse(), Ok(number));
        assert_eq!("2026-1234567".parse(), Ok(InvoiceNumber { year: 2026, serial: 1_234_567 }));
        for bad in
            ["", "2026", "2026-42", "2026-0000042", "2026-000000", "26-000001", "2026-+00042", "2026-00004x"]
        {
            assert_eq!(bad.parse::<InvoiceNumber>(), Err(InvalidInvoiceNumber), "{bad}");
        }
        assert_eq!(InvoiceNumber::after(2026, u32::MAX), None);
    }
}
