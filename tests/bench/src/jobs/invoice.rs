//! Rendering an invoice for the first time: invokes `render-invoice` as Lambda does, cold and warm.

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
/// The number of invoices of each kind that a warm function renders.
const WARM_INVOICES: usize = 200;
/// The number of cold starts per round. They are short, and their durations vary.
const COLD_STARTS_PER_ROUND: usize = 4;

/// A kind of invoice: its name in the report, its content, and the requested media type.
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

/// Measures each kind. `binary` is the path of `render-invoice`.
///
/// # Errors
/// If a response is not an invoice.
pub(super) async fn measure(binary: &Path, rounds: usize) -> anyhow::Result<Section> {
    let mut measured: Vec<Measurements> = KINDS.iter().map(|_| Measurements::default()).collect();
    for _ in 0..rounds.saturating_mul(COLD_STARTS_PER_ROUND) {
        for (kind, measured) in KINDS.into_iter().zip(&mut measured) {
            measured.cold.push(measure_cold(binary, kind).await?);
        }
    }
    let mut rows = Vec::new();
    for (kind, measured) in KINDS.into_iter().zip(&mut measured) {
        measured.measure_warm(binary, kind).await?;
        rows.push(measured.row(kind));
    }
    Ok(Section {
        title: "Invoice",
        description: format!(
            "An invoice that has not been rendered before: read, rendered, stored and returned by `render-invoice`, invoked as \
Lambda invokes it. Tables and bucket are in the benchmark's memory and respond immediately. **Cold** is from the start of the \
process to the response, the median of {} starts; **warm** are {WARM_INVOICES} invoices one after the other.",
            rounds.saturating_mul(COLD_STARTS_PER_ROUND)
        ),
        columns: vec!["invoice", "KB", "cold ms", "warm p50 ms", "warm p99 ms", "peak MB"],
        rows,
    })
}

#[derive(Default)]
struct Measurements {
    cold: Vec<Duration>,
    warm: Vec<Duration>,
    bytes: usize,
    peak_kib: u64,
}

/// The services of the function, with invoices of this kind.
fn services(kind: Kind) -> Arc<Services<Invoices>> {
    Arc::new(Services::new(Invoices(kind), Duration::ZERO))
}

/// The time from the start of a process to its first response.
async fn measure_cold(binary: &Path, kind: Kind) -> anyhow::Result<Duration> {
    services(kind)
        .with_function(FUNCTION, binary, async |process, init, function| {
            let (duration, response) = process.invoke_with(event(&function.sample, kind, 0)?).await?;
            document_size(&response)?;
            Ok(init.wall + duration)
        })
        .await
}

impl Measurements {
    async fn measure_warm(&mut self, binary: &Path, kind: Kind) -> anyhow::Result<()> {
        services(kind)
            .with_function(FUNCTION, binary, async |process, _, function| {
                let sample = &function.sample;
                process.invoke_with(event(sample, kind, 0)?).await?;
                for number in 1..=WARM_INVOICES {
                    let (duration, response) = process.invoke_with(event(sample, kind, number)?).await?;
                    self.bytes = document_size(&response)?;
                    self.warm.push(duration);
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

/// The size in bytes of the document in a response.
fn document_size(response: &Value) -> anyhow::Result<usize> {
    let body = response["body"].as_str().unwrap_or_default();
    let is_document = body.starts_with("JVBERi") || body.starts_with("<!doctype html>");
    ensure!(is_document, "not an invoice, but {response}");
    let is_base64 = response["isBase64Encoded"] == true;
    Ok(if is_base64 { body.trim_end_matches('=').len() * 3 / 4 } else { body.len() })
}

fn order_id(number: usize) -> OrderId {
    let number = u128::try_from(number).unwrap_or_default();
    OrderId::from(Uuid::from_u128(0x01a2_07e7_51d0_774b_bcce_0000_0000_0000 + number))
}

/// The sample event with another order.
fn event(sample: &Bytes, kind: Kind, number: usize) -> anyhow::Result<Bytes> {
    let mut event: Value = serde_json::from_slice(sample)?;
    let id = order_id(number).to_string();
    event["path"] = format!("/orders/{id}/invoice").into();
    event["pathParameters"]["order_id"] = id.into();
    event["headers"]["Accept"] = kind.accept.into();
    event["multiValueHeaders"]["Accept"] = json!([kind.accept]);
    Ok(event.to_string().into())
}

/// A table with an invoice of this kind for every order.
struct Invoices(Kind);

impl Tables for Invoices {
    async fn handle(&self, operation: &str, body: &Value) -> anyhow::Result<Value> {
        ensure!(operation == "GetItem", "render-invoice does not use {operation}");
        let key = body["Key"]["id"]["S"].as_str().and_then(|id| id.strip_prefix("order/"));
        let order: OrderId =
            key.context("the key is not that of an order")?.parse().context("invalid order id")?;
        // The request of the function during init.
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
    use invoices::{Invoice, pdf};

    use super::*;

    #[test]
    fn each_kind_is_a_valid_invoice() {
        for kind in KINDS {
            let invoice: Invoice = serde_json::from_value(invoice(kind, order_id(1))).unwrap();
            assert_eq!(invoice.lines.len(), kind.lines, "{kind:?}");
            assert!(pdf::render(&invoice).unwrap().starts_with(b"%PDF"), "{kind:?}");
        }
    }

    #[test]
    fn a_problem_is_not_a_document() {
        assert_eq!(document_size(&json!({ "body": "JVBERi0x", "isBase64Encoded": true })).unwrap(), 6);
        assert!(document_size(&json!({ "statusCode": 404, "body": "{}" })).is_err());
    }
}
