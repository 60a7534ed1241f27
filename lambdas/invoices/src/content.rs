//! The content of an invoice in the customer's language, which the PDF and the page share.

use crate::address::{address_lines, country_name};
use crate::language::{InvoiceTexts, Labels, Language};
use crate::record::Invoice;
use crate::tax::totals_by_rate;

/// The content of an invoice, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Content {
    pub language: Language,
    pub number: String,
    /// The name, address and tax id of the seller.
    pub seller: Vec<String>,
    /// The name and address of the buyer.
    pub buyer: Vec<String>,
    /// The number, the dates and the order, each with its label.
    pub details: Vec<(&'static str, String)>,
    /// One row for each line of the order.
    pub rows: Vec<Row>,
    /// The rate, net, tax and gross amounts for each tax rate.
    pub taxes: Vec<[String; 4]>,
    pub total: String,
    /// When and how the invoice was paid, or that there was nothing to pay.
    pub payment_note: String,
}

/// A line of the invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields say it")]
pub struct Row {
    pub sku: String,
    /// The name of the product, or its SKU if the name is unknown.
    pub name: String,
    pub quantity: String,
    pub unit_price: String,
    /// The tax rate.
    pub rate: String,
    /// The price of all pieces.
    pub price: String,
}

impl Content {
    /// Creates the content of an invoice.
    pub fn from_invoice(invoice: &Invoice) -> Self {
        let language = Language::from_preference(invoice.buyer.language.as_ref());
        let labels = language.labels();
        let seller = &invoice.seller;
        let tax_id = (!seller.tax_id.is_empty()).then(|| with_label(language, labels.tax_id, &seller.tax_id));
        let rows = invoice.lines.iter().map(|line| Row {
            sku: line.sku.to_string(),
            name: line.name.as_ref().map_or_else(|| line.sku.to_string(), ToString::to_string),
            quantity: language.format_count(line.quantity.get()),
            unit_price: language.format_money(line.unit_price),
            rate: language.format_rate(line.tax_rate),
            price: language.format_money(line.price),
        });
        let taxes = totals_by_rate(&invoice.lines).into_iter().map(|sum| {
            let units = |units| language.format_minor_units(units, invoice.total);
            [language.format_rate(sum.rate), units(sum.net), units(sum.tax), units(sum.gross)]
        });
        Self {
            language,
            number: invoice.number.to_string(),
            seller: [seller.name.clone()]
                .into_iter()
                .chain(seller_lines(&seller.address, language))
                .chain(tax_id)
                .collect(),
            buyer: match &invoice.buyer.address {
                Some(address) => address_lines(address, language),
                None => vec![invoice.buyer.name.as_str().to_owned()],
            },
            details: vec![
                (labels.number, invoice.number.to_string()),
                (labels.issued, language.format_date(invoice.issued_on)),
                (labels.paid, language.format_date(invoice.paid_on)),
                (labels.ordered, language.format_date(invoice.ordered_on)),
                (labels.order, invoice.order_id.to_string()),
            ],
            rows: rows.collect(),
            taxes: taxes.collect(),
            total: language.format_money(invoice.total),
            payment_note: match &invoice.payment_intent {
                Some(payment) => language.payment_note(invoice.paid_on, payment.as_str()),
                None => language.nothing_to_pay_note().to_owned(),
            },
        }
    }

    /// Returns the labels in the language of the invoice.
    pub fn labels(&self) -> &'static Labels {
        self.language.labels()
    }

    /// Returns the title of the document.
    pub fn title(&self) -> String {
        format!("{} {}", self.labels().invoice, self.number)
    }
}

fn with_label(language: Language, label: &str, text: &str) -> String {
    let space = if language == Language::French { "\u{a0}" } else { "" };
    format!("{label}{space}: {text}")
}

/// The lines of the seller's address. A country code as the last line becomes the country's name.
fn seller_lines(lines: &[String], language: Language) -> Vec<String> {
    let mut lines = lines.to_vec();
    if let Some(last) = lines.last_mut()
        && let Some(name) = country_name(last, language)
    {
        *last = name.to_owned();
    }
    lines
}
