//! What it takes to render an invoice that nobody has asked for before: `render-invoice` itself, called as Lambda calls
//! it, from its start and when it is warm.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use domain::OrderId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Section;
use super::services::{Services, Tables};
use crate::statistics::{decimal, hundredths, median, megabytes, milliseconds, percentile};

/// Its name on the command line.
pub(super) const JOB: &str = "invoice";
const FUNCTION: &str = "render-invoice";
/// Invoices of each kind that a warm function renders.
const WARM: usize = 200;
/// So many times as many cold starts as other jobs have rounds: they are short, and differ.
const COLD_STARTS: usize = 4;

/// An invoice: what it is called here, its lines, a name on it, and what is asked for.
#[derive(Debug, Clone, Copy)]
struct Kind {
    name: &'static str,
    lines: usize,
    buyer: &'static str,
    language: &'static str,
    accept: &'static str,
}

const PDF: &str = "application/pdf";
const KINDS: [Kind; 4] = [
    Kind { name: "three lines", lines: 3, buyer: "Ada Lovelace", language: "en", accept: PDF },
    Kind { name: "50 lines", lines: 50, buyer: "Ada Lovelace", language: "de", accept: PDF },
    Kind { name: "three lines, in Japanese", lines: 3, buyer: "山田 花子", language: "ja", accept: PDF },
    Kind {
        name: "three lines, as a page",
        lines: 3,
        buyer: "Ada Lovelace",
        language: "en",
        accept: "text/html",
    },
];

/// Measures each kind. `binary` is `render-invoice`, built.
///
/// # Errors
/// When it gives no invoice.
pub(super) async fn measure(binary: &Path, rounds: usize) -> anyhow::Result<Section> {
    let mut measured: Vec<Measured> = KINDS.iter().map(|_| Measured::default()).collect();
    for _ in 0..rounds.saturating_mul(COLD_STARTS) {
        for (kind, measured) in KINDS.into_iter().zip(&mut measured) {
            measured.cold.push(cold(binary, kind).await?);
        }
    }
    let mut rows = Vec::new();
    for (kind, measured) in KINDS.into_iter().zip(&mut measured) {
        measured.warm(binary, kind).await?;
        rows.push(measured.row(kind));
    }
    Ok(Section {
        title: "Invoice",
        about: format!(
            "An invoice that nobody has asked for before, read, rendered, kept and answered by `render-invoice`, called as \
Lambda calls it. Tables and bucket are in the benchmark's memory and answer at once. **Cold** is from the start of the process to \
the answer, the median of {} starts; **warm** are {WARM} invoices one after the other.",
            rounds.saturating_mul(COLD_STARTS)
        ),
        columns: vec!["invoice", "KB", "cold ms", "warm p50 ms", "warm p99 ms", "peak MB"],
        rows,
    })
}

#[derive(Default)]
struct Measured {
    cold: Vec<Duration>,
    warm: Vec<Duration>,
    bytes: usize,
    peak_kib: u64,
}

/// The function's services, where every invoice is of this kind.
fn services(kind: Kind) -> Arc<Services<Invoices>> {
    Arc::new(Services::new(Invoices(kind), Duration::ZERO))
}

/// From the start of a process to its first answer.
async fn cold(binary: &Path, kind: Kind) -> anyhow::Result<Duration> {
    services(kind)
        .with_function(FUNCTION, binary, async |process, init, function| {
            let (answered, answer) = process.invoke_with(event(&function.sample, kind, 0)?).await?;
            size(&answer)?;
            Ok(init.wall + answered)
        })
        .await
}

impl Measured {
    async fn warm(&mut self, binary: &Path, kind: Kind) -> anyhow::Result<()> {
        services(kind)
            .with_function(FUNCTION, binary, async |process, _, function| {
                let sample = &function.sample;
                process.invoke_with(event(sample, kind, 0)?).await?;
                for number in 1..=WARM {
                    let (took, answer) = process.invoke_with(event(sample, kind, number)?).await?;
                    self.bytes = size(&answer)?;
                    self.warm.push(took);
                }
                self.peak_kib = process.peak_memory()?;
                Ok(())
            })
            .await
    }

    fn row(&self, kind: Kind) -> Vec<String> {
        let warm = |percent| milliseconds(percentile(self.warm.iter().copied(), percent));
        vec![
            kind.name.to_owned(),
            decimal(hundredths(u128::try_from(self.bytes).unwrap_or_default(), 1000)),
            milliseconds(median(self.cold.iter().copied())),
            warm(50),
            warm(99),
            megabytes(self.peak_kib * 1024),
        ]
    }
}

/// How large the document is that was answered.
fn size(answer: &Value) -> anyhow::Result<usize> {
    let body = answer["body"].as_str().unwrap_or_default();
    let is_document = body.starts_with("JVBERi") || body.starts_with("<!doctype html>");
    ensure!(is_document, "no invoice, but {answer}");
    let is_base64 = answer["isBase64Encoded"] == true;
    Ok(if is_base64 { body.trim_end_matches('=').len() * 3 / 4 } else { body.len() })
}

fn order_id(number: usize) -> OrderId {
    let number = u128::try_from(number).unwrap_or_default();
    OrderId::from(Uuid::from_u128(0x01a2_07e7_51d0_774b_bcce_0000_0000_0000 + number))
}

/// The sample event, with another order.
fn event(sample: &Bytes, kind: Kind, number: usize) -> anyhow::Result<Bytes> {
    let mut event: Value = serde_json::from_slice(sample)?;
    let id = order_id(number).to_string();
    event["path"] = format!("/orders/{id}/invoice").into();
    event["pathParameters"]["order_id"] = id.into();
    event["headers"]["Accept"] = kind.accept.into();
    event["multiValueHeaders"]["Accept"] = json!([kind.accept]);
    Ok(event.to_string().into())
}

/// A table with an invoice for every order.
struct Invoices(Kind);

impl Tables for Invoices {
    async fn answer(&self, operation: &str, body: &Value) -> anyhow::Result<Value> {
        ensure!(operation == "GetItem", "who renders has no use for {operation}");
        let key = body["Key"]["id"]["S"].as_str().and_then(|id| id.strip_prefix("order/"));
        let order: OrderId = key.context("no order")?.parse().context("an id that is none")?;
        // What the function asks for before it has an event.
        if order == OrderId::from(Uuid::nil()) {
            return Ok(json!({}));
        }
        Ok(json!({ "Item": { "invoice": { "S": invoice(self.0, order).to_string() } } }))
    }
}

fn invoice(kind: Kind, order: OrderId) -> Value {
    let currency = if kind.language == "ja" { "JPY" } else { "EUR" };
    let money = |amount: usize| json!({ "amount": amount, "currency": currency });
    let price = |line: usize| 1250 + line * 10;
    let lines: Vec<Value> = (0..kind.lines)
        .map(|line| {
            json!({
                "sku": format!("TEA-{line:03}"), "name": format!("Darjeeling First Flush, garden {line}"), "quantity": 2,
                "unit_price": money(price(line)), "price": money(2 * price(line)),
                "tax_rate": if line % 2 == 0 { 700 } else { 1900 },
            })
        })
        .collect();
    let total: usize = (0..kind.lines).map(|line| 2 * price(line)).sum();
    json!({
        "number": "2026-000042", "order_id": order, "issued_at": "2026-11-23T10:17:00Z", "issued_on": "2026-11-23",
        "ordered_on": "2026-11-23", "paid_on": "2026-11-23", "payment_intent": "pi_bench",
        "seller": { "name": "The Tea Shop", "address": ["Teestraße 1", "10115 Berlin"], "tax_id": "DE123456789" },
        "buyer": {
            "id": "9f3f1c60-50d1-4b3e-9a1b-1f7f3c1b7a10", "name": kind.buyer, "language": kind.language,
            "address": {
                "recipient": kind.buyer, "street": "12 St James's Square", "postal_code": "SW1Y 4JH",
                "city": "London", "country": "GB",
            },
        },
        "lines": lines, "total": money(total),
    })
}

#[cfg(test)]
mod tests {
    use documents::invoice::{Invoice, pdf};

    use super::*;

    #[test]
    fn each_kind_is_an_invoice() {
        for kind in KINDS {
            let invoice: Invoice = serde_json::from_value(invoice(kind, order_id(1))).unwrap();
            assert_eq!(invoice.lines.len(), kind.lines, "{kind:?}");
            assert!(pdf::render(&invoice).unwrap().starts_with(b"%PDF"), "{kind:?}");
        }
    }

    #[test]
    fn a_problem_is_no_document() {
        assert_eq!(size(&json!({ "body": "JVBERi0x", "isBase64Encoded": true })).unwrap(), 6);
        assert!(size(&json!({ "statusCode": 404, "body": "{}" })).is_err());
    }
}
