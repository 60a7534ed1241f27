//! Export of orders: invokes `export-orders` as Lambda does, until nothing is left to do.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use platform::lock;
use sales::export::{Export, ExportRequest, Format, State};
use sales::ledger::sale::Sale;
use sales::ledger::store::Row;
use serde_json::{Value, json};
use uuid::Uuid;

use super::services::{JobRun, Services, Tables};
use super::{Section, rate};
use crate::statistics::{decimal, hundredths, megabytes};
use bench::functions::Function;

/// Its name on the command line.
pub(super) const JOB: &str = "export";
const ORDERS: usize = 100_000;
const FORMATS: [(&str, Format); 3] =
    [("CSV", Format::Csv), ("JSON Lines", Format::JsonLines), ("Parquet", Format::Parquet)];
/// The time of the first order in seconds since the Unix epoch. One order per minute follows.
const START: i64 = 1_783_000_000;

/// Measures each format. `binary` is the path of `export-orders`.
///
/// # Errors
/// If an export is not completed, or does not contain all orders.
pub(super) async fn measure(binary: &Path) -> anyhow::Result<Section> {
    let partitions = Arc::new(partitions(ORDERS)?);
    let mut rows = Vec::new();
    for (name, format) in FORMATS {
        rows.push(export(binary, name, format, &partitions).await?);
    }
    Ok(Section {
        title: "Export of orders",
        description: format!(
            "{ORDERS} orders of three lines, exported by `export-orders`, invoked as Lambda invokes it, as many times as it \
requests. Bucket and tables are in the benchmark's memory, on the same two cores, and respond immediately. A hundred thousand \
orders average out, so each format is run once."
        ),
        columns: vec!["format", "file MB", "s", "rate", "runs", "peak MB"],
        rows,
    })
}

async fn export(
    binary: &Path,
    name: &str,
    format: Format,
    partitions: &Arc<Partitions>,
) -> anyhow::Result<Vec<String>> {
    let sample = Function::named("export-orders")?.sample;
    let ledger = Ledger::new(Arc::clone(partitions), &requested_export(&sample, format)?)?;
    let services = Arc::new(Services::new(ledger, Duration::ZERO));
    let JobRun { duration, runs, peak_kib } = services.run_to_end("export-orders", binary).await?;
    let State::Done { orders, bytes, .. } = services.tables.export()?.state else {
        anyhow::bail!("the export as {name} was not completed");
    };
    ensure!(orders == u64::try_from(ORDERS)?, "{orders} orders of {ORDERS} were exported");
    Ok(vec![
        name.to_owned(),
        megabytes(bytes),
        decimal(hundredths(duration.as_nanos(), 1_000_000_000)),
        format!("{} orders/s", rate(orders, 1, duration)),
        runs.to_string(),
        megabytes(peak_kib * 1024),
    ])
}

/// The export with the id in the sample event, of all orders.
fn requested_export(sample: &Bytes, format: Format) -> anyhow::Result<Export> {
    let event: Value = serde_json::from_slice(sample)?;
    let message = event["Records"][0]["body"].as_str().context("an event without a message")?;
    let message: Value = serde_json::from_str(message)?;
    let end = placed_at(ORDERS);
    let id = serde_json::from_value(message["export_id"].clone())?;
    let request = ExportRequest { from: placed_at(0), until: end, statuses: Default::default(), format };
    Ok(Export::new(id, request, "bench".to_owned(), end))
}

fn placed_at(order: usize) -> Timestamp {
    let minutes = i64::try_from(order).unwrap_or_default();
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(START) + SignedDuration::from_mins(minutes)
}

/// A sale: an order that was paid a minute after it was placed.
fn sale(number: usize) -> anyhow::Result<Sale> {
    let id = Uuid::from_u128(0x01a2_07e7_51d0_774b_bcce_0000_0000_0000 + u128::try_from(number)?);
    let price = |amount: usize| json!({ "amount": amount, "currency": "EUR" });
    let lines: Vec<Value> = (0..3)
        .map(|line| {
            let sku = format!("TEA-{:04}", (number * 7 + line) % 1000);
            json!({ "sku": sku, "quantity": 1 + line, "unit_price": price(500 + number % 100) })
        })
        .collect();
    let total = price(6 * (500 + number % 100));
    let event = json!({
        "specversion": "1.0", "type": "payment.succeeded", "source": "payments", "id": id, "subject": id,
        "time": placed_at(number) + SignedDuration::from_mins(1), "correlationid": "bench",
        "data": {
            "order": {
                "customer": {
                    "id": format!("customer-{}", number % 20_000), "name": "Ada Lovelace",
                    "email": format!("ada.{}@example.com", number % 20_000),
                },
                "lines": lines, "total": total, "payment_method": "pm_card_visa", "placed_at": placed_at(number),
            },
            "payment_intent": "pi_1", "amount": total,
        },
    });
    Sale::from_event(&serde_json::from_value(event)?).context("the event is not about a sale")
}

/// The index of the ledger's table: the items of each partition by their sort key, as DynamoDB returns them.
type Partitions = HashMap<String, BTreeMap<String, Value>>;

fn partitions(orders: usize) -> anyhow::Result<Partitions> {
    let mut partitions = Partitions::new();
    for number in 0..orders {
        let sale = sale(number)?;
        let (shelf, position) = (sale.partition().to_string(), sale.position().to_string());
        let item = json!({
            "order_id": { "S": sale.order_id },
            "name": { "S": "sale" },
            "shelf": { "S": shelf },
            "position": { "S": position },
            "version": { "N": "1" },
            "content": { "S": serde_json::to_string(&sale)? },
        });
        partitions.entry(shelf).or_default().insert(position, item);
    }
    Ok(partitions)
}

/// The ledger, and the only item of the exports table.
struct Ledger {
    partitions: Arc<Partitions>,
    export: Mutex<Value>,
}

impl Ledger {
    fn new(partitions: Arc<Partitions>, export: &Export) -> anyhow::Result<Self> {
        let row = json!({
            "export_id": { "S": export.id },
            "version": { "N": "1" },
            "expires_at": { "N": "1" },
            "export": { "S": serde_json::to_string(export)? },
        });
        Ok(Self { partitions, export: Mutex::new(row) })
    }

    /// The current state of the export.
    fn export(&self) -> anyhow::Result<Export> {
        let row = lock(&self.export);
        Ok(serde_json::from_str(row["export"]["S"].as_str().context("the item has no export")?)?)
    }

    fn page(&self, body: &Value) -> anyhow::Result<Value> {
        let value = |name: &str| {
            let value = body["ExpressionAttributeValues"][name]["S"].as_str();
            value.map(str::to_owned).with_context(|| format!("no {name}"))
        };
        let limit = usize::try_from(body["Limit"].as_u64().context("no limit")?)?;
        let (shelf, from, until) = (value(":shelf")?, value(":from")?, value(":until")?);
        let rows = self.partitions.get(&shelf).map(|rows| rows.range(from..=until)).into_iter().flatten();
        let mut items = Vec::new();
        let mut last = None;
        for (position, item) in rows {
            if items.len() == limit {
                let key = json!({ "shelf": { "S": shelf }, "position": { "S": last } });
                return Ok(json!({ "Items": items, "Count": limit, "LastEvaluatedKey": key }));
            }
            items.push(item.clone());
            last = Some(position);
        }
        Ok(json!({ "Items": items, "Count": items.len() }))
    }
}

impl Tables for Ledger {
    async fn handle(&self, operation: &str, body: &Value) -> anyhow::Result<Value> {
        let mut row = lock(&self.export);
        match operation {
            "Query" => self.page(body),
            "GetItem" => Ok(json!({ "Item": *row })),
            "PutItem" => {
                *row = body["Item"].clone();
                Ok(json!({}))
            }
            _ => anyhow::bail!("an export does not use {operation}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_partition_is_read_page_by_page() {
        let orders = 3000;
        let partitions = Arc::new(partitions(orders).unwrap());
        assert_eq!(partitions.values().map(BTreeMap::len).sum::<usize>(), orders);
        let (shelf, rows) = partitions.iter().max_by_key(|(_, rows)| rows.len()).unwrap();
        let sample =
            json!({ "Records": [{ "body": "{\"export_id\":\"01a207e7-51d0-774b-bcce-b302099a9111\"}" }] });
        let export = requested_export(&sample.to_string().into(), Format::Csv).unwrap();
        let ledger = Ledger::new(Arc::clone(&partitions), &export).unwrap();
        assert_eq!(ledger.export().unwrap(), export);
        let mut from = "2".to_owned();
        let mut read = 0;
        loop {
            let query = json!({ "Limit": 7, "ExpressionAttributeValues": {
                ":shelf": { "S": shelf }, ":from": { "S": from }, ":until": { "S": "3" } } });
            let page = ledger.handle("Query", &query).await.unwrap();
            read += page["Items"].as_array().unwrap().len();
            let Some(last) = page["LastEvaluatedKey"]["position"]["S"].as_str() else { break };
            from = format!("{last}!");
        }
        assert_eq!(read, rows.len());
    }
}
