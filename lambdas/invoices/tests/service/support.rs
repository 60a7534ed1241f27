//! Paid orders, a shop, and its products.

use std::sync::Arc;

use domain::{Event, OrderId, TaxRate};
use invoices::adapters::memory::InMemoryInvoices;
use invoices::issue::IssueInvoice;
use invoices::settings::Settings;
use invoices::{Invoice, Seller};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use platform::memory::ManualClock;
use product_catalogue::memory::InMemoryCatalogue;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) fn settings() -> Settings {
    Settings {
        seller: Seller {
            name: "The Tea Shop".to_owned(),
            address: vec!["Teestraße 1".to_owned(), "10115 Berlin".to_owned(), "DE".to_owned()],
            tax_id: "DE123456789".to_owned(),
        },
        time_zone: TimeZone::get("Europe/Berlin").unwrap(),
        standard_tax_rate: TaxRate::try_from(1900).unwrap(),
    }
}

pub(crate) struct Shop {
    pub(crate) invoices: Arc<InMemoryInvoices>,
    pub(crate) products: Arc<InMemoryCatalogue>,
    pub(crate) clock: Arc<ManualClock>,
}

impl Shop {
    /// Creates a shop with this current time.
    pub(crate) fn at(now: &str) -> Self {
        let products = InMemoryCatalogue::default();
        products.put("TEA-001", "Darjeeling First Flush", Some(700)).unwrap();
        products.put("POT-001", "Teapot", None).unwrap();
        let clock = Arc::new(ManualClock::new(now.parse().unwrap()));
        Self { invoices: Arc::default(), products: Arc::new(products), clock }
    }

    pub(crate) fn issuer(&self) -> IssueInvoice {
        IssueInvoice::new(self.invoices.clone(), self.products.clone(), settings(), self.clock.clone())
    }
}

pub(crate) fn id(number: u128) -> OrderId {
    OrderId::from(Uuid::from_u128(0x01a2_07e7_51d0_774b_bcce_0000_0000_0000 + number))
}

pub(crate) fn line(sku: &str, quantity: u32, cents: u32) -> Value {
    json!({ "sku": sku, "quantity": quantity, "unit_price": { "amount": cents, "currency": "EUR" } })
}

/// `payment.succeeded` for an order of Ada's, with this time.
pub(crate) fn paid(order: OrderId, time: &str, lines: &[Value]) -> Event {
    let cents =
        |line: &Value| line["quantity"].as_u64().unwrap() * line["unit_price"]["amount"].as_u64().unwrap();
    let total = json!({ "amount": lines.iter().map(cents).sum::<u64>(), "currency": lines[0]["unit_price"]["currency"] });
    let data = json!({
        "order": {
            "customer": {
                "id": "ada", "name": "Ada Lovelace", "email": "ada@example.com", "language": "de",
                "address": {
                    "recipient": "Ada Lovelace", "street": "12 St James's Square", "addition": "2nd floor",
                    "postal_code": "SW1Y 4JH", "city": "London", "country": "GB",
                },
            },
            "lines": lines, "total": total, "payment_method": "pm_card_visa", "placed_at": "2026-11-23T10:15:30Z",
        },
        "payment_intent": "pi_1", "amount": total,
    });
    event(order, time, "payment.succeeded", &data)
}

pub(crate) fn event(order: OrderId, time: &str, kind: &str, data: &Value) -> Event {
    let event = json!({
        "specversion": "1.0", "type": kind, "source": "payments", "id": Uuid::from_u128(7), "subject": order,
        "time": time, "correlationid": "request-1", "data": data,
    });
    serde_json::from_value(event).unwrap()
}

pub(crate) fn tea(order: OrderId) -> Event {
    paid(order, "2026-11-23T10:16:00Z", &[line("TEA-001", 2, 1250), line("POT-001", 1, 3999)])
}

/// An invoice with these lines and this buyer.
pub(crate) fn invoice(
    language: &str,
    buyer: &Value,
    currency: &str,
    lines: &[(&str, &str, u32, u32, u16)],
) -> Invoice {
    let money = |amount: u32| json!({ "amount": amount, "currency": currency });
    let total: u32 = lines.iter().map(|(_, _, quantity, price, _)| quantity * price).sum();
    let lines: Vec<Value> = lines
        .iter()
        .map(|(sku, name, quantity, price, rate)| {
            json!({
                "sku": sku, "name": name, "quantity": quantity, "unit_price": money(*price),
                "price": money(quantity * price), "tax_rate": rate,
            })
        })
        .collect();
    let mut buyer = buyer.clone();
    buyer["id"] = "ada".into();
    buyer["language"] = language.into();
    serde_json::from_value(json!({
        "number": "2026-000042", "order_id": id(1), "issued_at": "2026-11-23T10:17:00Z", "issued_on": "2026-11-23",
        "ordered_on": "2026-11-23", "paid_on": "2026-11-23", "payment_intent": "pi_3PqRsT2eZvKYlo2C1a2b3c4d",
        "seller": settings().seller, "buyer": buyer, "lines": lines, "total": money(total),
    }))
    .unwrap()
}

pub(crate) fn ada() -> Value {
    json!({
        "name": "Ada Lovelace",
        "address": {
            "recipient": "Ada Lovelace", "street": "12 St James's Square", "addition": "2nd floor",
            "postal_code": "SW1Y 4JH", "city": "London", "country": "GB",
        },
    })
}

/// An invoice with the maximum number of lines and the maximum length of names, in several scripts.
pub(crate) fn largest(language: &str) -> Invoice {
    let names: Vec<String> = (0..50_usize)
        .map(|number| {
            let words = [
                "Darjeeling First Flush, organic, from the slopes of Kurseong; ",
                "紅茶 ダージリン ",
                "홍차 다즐링 퍼스트 플러시 ",
                "Ceai negru de Darjeeling cu arome de muscat; ",
                "Unbreakable",
            ];
            words[number % words.len()].chars().cycle().take(200).collect()
        })
        .collect();
    let skus: Vec<String> = (0..50).map(|number| format!("TEA-{number:036}")).collect();
    let lines: Vec<(&str, &str, u32, u32, u16)> = names
        .iter()
        .zip(&skus)
        .enumerate()
        .map(|(index, (name, sku))| (sku.as_str(), name.as_str(), 999, 2000, [0, 700, 1900, 550][index % 4]))
        .collect();
    invoice(language, &ada(), "EUR", &lines)
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}
