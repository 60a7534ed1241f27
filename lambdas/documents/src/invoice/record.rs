//! What an invoice says.

use std::fmt;
use std::str::FromStr;

use domain::order::Quantity;
use domain::{
    Address, CustomerId, Language, Money, OrderId, PaymentIntentId, PersonName, ProductName, Sku, TaxRate,
};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// An invoice, with all that it shows, as it was when it was issued. Never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invoice {
    /// Its number.
    pub number: InvoiceNumber,
    /// What it is for.
    pub order_id: OrderId,
    /// When it was issued.
    pub issued_at: Timestamp,
    /// The same, as a day in the shop's time zone.
    pub issued_on: Date,
    /// The day when the order was placed, in the shop's time zone.
    pub ordered_on: Date,
    /// The day when it was paid, in the shop's time zone. What was bought is taken to be supplied on that day.
    pub paid_on: Date,
    /// Where the payment provider has the payment.
    pub payment_intent: PaymentIntentId,
    /// Who sold.
    pub seller: Seller,
    /// Who bought.
    pub buyer: Buyer,
    /// What was bought, in the order's order.
    pub lines: Vec<InvoiceLine>,
    /// What was paid: the sum of the lines.
    pub total: Money,
}

/// Who sells: the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seller {
    /// What it is called.
    pub name: String,
    /// Its address, line by line.
    pub address: Vec<String>,
    /// Under which number the tax office knows it. Empty where it has none.
    pub tax_id: String,
}

/// Who bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buyer {
    /// Which customer.
    pub id: CustomerId,
    /// What they are called.
    pub name: PersonName,
    /// Where the invoice is made out to, where they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// The language that they read, where they said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
}

/// So many pieces of one product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvoiceLine {
    /// Which product.
    pub sku: Sku,
    /// What it was called. `None` where nobody knew it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<ProductName>,
    /// How many.
    pub quantity: Quantity,
    /// The price of one, with the tax.
    pub unit_price: Money,
    /// The price of all, with the tax.
    pub price: Money,
    /// The tax within the price.
    pub tax_rate: TaxRate,
}

/// The number of an invoice: a year, and a count that starts at 1 in each and leaves none out. `2026-000042`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InvoiceNumber {
    year: i16,
    serial: u32,
}

/// A text that is no number of an invoice.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not an invoice number such as 2026-000042")]
pub struct InvalidInvoiceNumber;

impl InvoiceNumber {
    /// The number after the `last` one of a year: 0 where there is none yet. `None` at the end of all numbers.
    pub fn after(year: i16, last: u32) -> Option<Self> {
        Some(Self { year, serial: last.checked_add(1)? })
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.year
    }

    /// Its place among those of the year, from 1.
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
        // One spelling for each, and no serial 0.
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
