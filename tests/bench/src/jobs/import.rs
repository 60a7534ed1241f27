//! Import of a stock file: invokes `import-stock` as Lambda does, until nothing is left to do.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use platform::lock;
use serde_json::{Value, json};

use super::services::{JobRun, Services, Tables};
use super::{Section, rate};
use crate::statistics::{decimal, hundredths, megabytes};

/// Its name on the command line.
pub(super) const JOB: &str = "import";
/// The numbers of rows, with the latencies of a table.
const IMPORTS: [(u64, Duration); 3] =
    [(100_000, Duration::ZERO), (1_000_000, Duration::ZERO), (1_000_000, Duration::from_millis(10))];
/// One row in so many has an invalid price.
const INVALID_INTERVAL: u64 = 50;
/// The object that the sample event names: bucket and key.
const FILE: &str = "ImportsBucket/incoming/autumn.csv";

/// Measures each import. `binary` is the path of `import-stock`.
///
/// # Errors
/// If an import is not completed, or does not have the expected counts.
pub(super) async fn measure(binary: &Path) -> anyhow::Result<Section> {
    let mut rows = Vec::new();
    for (count, latency) in IMPORTS {
        rows.push(import(binary, count, latency).await?);
    }
    Ok(Section {
        title: "Import of stock",
        description: format!(
            "A CSV file of new products, one row in {INVALID_INTERVAL} of them invalid, imported by `import-stock`, invoked as \
Lambda invokes it, as many times as it requests. Bucket and tables are in the benchmark's memory, on the same two cores. \
**Response** is the simulated latency of a table: 0 shows the function's own work, 10 ms the effect of waiting for DynamoDB. A \
million rows average out, so each is run once."
        ),
        columns: vec!["rows", "file MB", "response ms", "s", "rate", "runs", "peak MB"],
        rows,
    })
}

async fn import(binary: &Path, count: u64, latency: Duration) -> anyhow::Result<Vec<String>> {
    let file = file(count);
    let size = file.len();
    let services = Arc::new(Services::new(ImportTables::default(), latency));
    services.put(FILE, file);
    let JobRun { duration, runs, peak_kib } = services.run_to_end("import-stock", binary).await?;
    let import = services.tables.import()?;
    let counts = &import["progress"]["counts"];
    let invalid = (0..count).filter(|number| is_invalid(*number)).count();
    ensure!(
        import["progress"]["stage"]["done"] == "read"
            && counts["rows"] == count
            && counts["rejected"] == invalid,
        "the import of {count} rows, {invalid} of them invalid, has the counts {counts} and the stage {}",
        import["progress"]["stage"]
    );
    Ok(vec![
        count.to_string(),
        megabytes(u64::try_from(size)?),
        latency.as_millis().to_string(),
        decimal(hundredths(duration.as_nanos(), 1_000_000_000)),
        format!("{} rows/s", rate(count, 1, duration)),
        runs.to_string(),
        megabytes(peak_kib * 1024),
    ])
}

fn is_invalid(number: u64) -> bool {
    number % INVALID_INTERVAL == 7
}

fn file(count: u64) -> Bytes {
    let mut text = "sku,name,price,currency,tax_rate,quantity\n".to_owned();
    for number in 0..count {
        let price = if is_invalid(number) { "free" } else { "12.50" };
        let quantity = number % 90;
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "SKU-{number:09},Darjeeling first flush number {number:09},{price},EUR,7,{quantity:02}"
        );
    }
    text.into()
}

/// Tables that are always empty, whatever is written, except for the import itself.
#[derive(Default)]
struct ImportTables(Mutex<HashMap<String, Value>>);

impl ImportTables {
    /// The current state of the only import.
    fn import(&self) -> anyhow::Result<Value> {
        let items = lock(&self.0);
        let item = items.values().next().context("there is no import")?;
        Ok(serde_json::from_str(item["import"]["S"].as_str().context("the item has no import")?)?)
    }
}

impl Tables for ImportTables {
    async fn handle(&self, operation: &str, body: &Value) -> anyhow::Result<Value> {
        let mut items = lock(&self.0);
        let id = |of: &Value| of["import_id"]["S"].as_str().map(str::to_owned).context("no import_id");
        Ok(match operation {
            "GetItem" => items.get(&id(&body["Key"])?).map_or_else(|| json!({}), |it| json!({ "Item": it })),
            "PutItem" => {
                items.insert(id(&body["Item"])?, body["Item"].clone());
                json!({})
            }
            "BatchGetItem" => {
                let tables = body["RequestItems"].as_object().context("no tables")?;
                let empty: serde_json::Map<String, Value> =
                    tables.keys().map(|table| (table.clone(), json!([]))).collect();
                json!({ "Responses": empty, "UnprocessedKeys": {} })
            }
            "TransactWriteItems" => json!({}),
            _ => anyhow::bail!("an import does not use {operation}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench::functions::Function;

    #[test]
    fn the_file_has_the_expected_rows() {
        let file = file(120);
        let text = std::str::from_utf8(&file).unwrap();
        assert_eq!(text.lines().count(), 121);
        assert_eq!(text.lines().filter(|line| line.contains("free")).count(), 3);
        assert_eq!((0..120).filter(|number| is_invalid(*number)).count(), 3);
    }

    #[test]
    fn the_sample_event_names_the_file() {
        let function = Function::named("import-stock").unwrap();
        let sample = String::from_utf8(function.sample.to_vec()).unwrap();
        assert!(sample.contains(FILE.split_once('/').unwrap().1), "{sample}");
    }

    #[tokio::test]
    async fn the_import_is_stored_and_products_are_not() {
        let imports = ImportTables::default();
        let item = json!({ "import_id": { "S": "i" }, "import": { "S": "{\"rows\":1}" } });
        let key = json!({ "Key": { "import_id": { "S": "i" } } });
        assert_eq!(imports.handle("GetItem", &key).await.unwrap(), json!({}));
        imports.handle("PutItem", &json!({ "Item": item })).await.unwrap();
        assert_eq!(imports.handle("GetItem", &key).await.unwrap(), json!({ "Item": item }));
        assert_eq!(imports.import().unwrap(), json!({ "rows": 1 }));
        let request = json!({ "RequestItems": { "Products": {} } });
        let response = imports.handle("BatchGetItem", &request).await.unwrap();
        assert_eq!(response["Responses"], json!({ "Products": [] }));
        assert!(imports.handle("DeleteItem", &json!({})).await.is_err());
    }
}
