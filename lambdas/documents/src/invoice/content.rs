//! What stands on an invoice, in the customer's language: what the PDF and the page both show.

use domain::Address;

use super::language::{Tongue, Words};
use super::record::Invoice;
use super::tax::by_rate;

/// All that stands on an invoice, as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// In which language.
    pub tongue: Tongue,
    /// The number.
    pub number: String,
    /// The seller: name, address, tax id.
    pub seller: Vec<String>,
    /// The buyer: name and address.
    pub buyer: Vec<String>,
    /// Number, days, order: what each is called, and what it is.
    pub facts: Vec<(&'static str, String)>,
    /// What was bought.
    pub rows: Vec<Row>,
    /// For each rate of tax: rate, net, tax, gross.
    pub taxes: Vec<[String; 4]>,
    /// The total.
    pub total: String,
    /// How it was paid.
    pub paid: String,
}

/// A line of the invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which product.
    pub sku: String,
    /// What it is called, or its SKU again.
    pub name: String,
    /// How many.
    pub quantity: String,
    /// The price of one.
    pub unit_price: String,
    /// The rate of tax.
    pub rate: String,
    /// The price of all.
    pub price: String,
}

impl Content {
    /// What stands on `invoice`.
    pub fn of(invoice: &Invoice) -> Self {
        let tongue = Tongue::of(invoice.buyer.language.as_ref());
        let words = tongue.words();
        let seller = &invoice.seller;
        let tax_id = (!seller.tax_id.is_empty()).then(|| labelled(tongue, words.tax_id, &seller.tax_id));
        let rows = invoice.lines.iter().map(|line| Row {
            sku: line.sku.to_string(),
            name: line.name.as_ref().map_or_else(|| line.sku.to_string(), ToString::to_string),
            quantity: tongue.count(line.quantity.get()),
            unit_price: tongue.money(line.unit_price),
            rate: tongue.rate(line.tax_rate),
            price: tongue.money(line.price),
        });
        let taxes = by_rate(&invoice.lines).into_iter().map(|sum| {
            let units = |units| tongue.units(units, invoice.total);
            [tongue.rate(sum.rate), units(sum.net), units(sum.tax), units(sum.gross)]
        });
        Self {
            tongue,
            number: invoice.number.to_string(),
            seller: [seller.name.clone()].into_iter().chain(seller.address.clone()).chain(tax_id).collect(),
            buyer: match &invoice.buyer.address {
                Some(address) => written(address),
                None => vec![invoice.buyer.name.as_str().to_owned()],
            },
            facts: vec![
                (words.number, invoice.number.to_string()),
                (words.issued, tongue.date(invoice.issued_on)),
                (words.paid, tongue.date(invoice.paid_on)),
                (words.ordered, tongue.date(invoice.ordered_on)),
                (words.order, invoice.order_id.to_string()),
            ],
            rows: rows.collect(),
            taxes: taxes.collect(),
            total: tongue.money(invoice.total),
            paid: tongue.paid_in_full(invoice.paid_on, invoice.payment_intent.as_str()),
        }
    }

    /// The words of its language.
    pub fn words(&self) -> &'static Words {
        self.tongue.words()
    }

    /// What the document is called.
    pub fn title(&self) -> String {
        format!("{} {}", self.words().invoice, self.number)
    }
}

fn labelled(tongue: Tongue, label: &str, text: &str) -> String {
    let space = if tongue == Tongue::French { "\u{a0}" } else { "" };
    format!("{label}{space}: {text}")
}

/// An address, line by line, with the postal code before the city: as most countries do.
fn written(address: &Address) -> Vec<String> {
    let text = |line: &domain::address::AddressLine| line.as_str().to_owned();
    let code = address.postal_code.as_ref().map(|code| format!("{} ", code.as_str())).unwrap_or_default();
    let region = address.region.as_ref().map(|region| format!(", {}", region.as_str())).unwrap_or_default();
    let mut lines = vec![address.recipient.as_str().to_owned(), text(&address.street)];
    lines.extend(address.addition.as_ref().map(text));
    lines.push(format!("{code}{}{region}", address.city.as_str()));
    lines.push(address.country.as_str().to_owned());
    lines
}
