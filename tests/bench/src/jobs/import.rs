//! What it takes to count a file of stock in: `import-stock` itself, called as Lambda calls it until there is nothing
//! left to do.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use platform::memory::lock;
use serde_json::{Value, json};

use super::services::{Done, Services, Tables};
use super::{Section, rate};
use crate::statistics::{decimal, hundredths, megabytes};

/// Its name on the command line.
pub(super) const JOB: &str = "import";
/// How many rows, and how long a table takes to answer.
const IMPORTS: [(u64, Duration); 3] =
    [(100_000, Duration::ZERO), (1_000_000, Duration::ZERO), (1_000_000, Duration::from_millis(10))];
/// One in so many has a price that is none.
const WRONG: u64 = 50;
/// Where the sample event says that the file is.
const FILE: &str = "ImportsBucket/incoming/autumn.csv";

/// Measures each. `binary` is `import-stock`, built.
///
/// # Errors
/// When it does not count the file in, and that exactly.
pub(super) async fn measure(binary: &Path) -> anyhow::Result<Section> {
    let mut rows = Vec::new();
    for (count, latency) in IMPORTS {
        rows.push(import(binary, count, latency).await?);
    }
    Ok(Section {
        title: "Import of stock",
        about: format!(
            "A CSV file of new products, one row in {WRONG} of them wrong, counted in by `import-stock`, called as Lambda \
calls it, and again as often as it asks for. Bucket and tables are in the benchmark's memory, on the same two cores. **Answer** \
is how long a table takes for one: at once shows what the function's own work takes, 10 ms what waiting for DynamoDB makes of it. \
A million rows even out, so each is done once."
        ),
        columns: vec!["rows", "file MB", "answer ms", "s", "rate", "runs", "peak MB"],
        rows,
    })
}

async fn import(binary: &Path, count: u64, latency: Duration) -> anyhow::Result<Vec<String>> {
    let file = file(count);
    let size = file.len();
    let services = Arc::new(Services::new(Imports::default(), latency));
    services.put(FILE, file);
    let Done { took, runs, peak_kib } = services.run_to_end("import-stock", binary).await?;
    let done = services.tables.import()?;
    let counts = &done["progress"]["counts"];
    let wrong = (0..count).filter(|number| is_wrong(*number)).count();
    ensure!(
        done["progress"]["stage"]["done"] == "read" && counts["rows"] == count && counts["rejected"] == wrong,
        "{count} rows, {wrong} of them wrong, were counted as {counts}, and the import is {}",
        done["progress"]["stage"]
    );
    Ok(vec![
        count.to_string(),
        megabytes(u64::try_from(size)?),
        latency.as_millis().to_string(),
        decimal(hundredths(took.as_nanos(), 1_000_000_000)),
        format!("{} rows/s", rate(count, 1, took)),
        runs.to_string(),
        megabytes(peak_kib * 1024),
    ])
}

fn is_wrong(number: u64) -> bool {
    number % WRONG == 7
}

fn file(count: u64) -> Bytes {
    let mut text = "sku,name,price,currency,tax_rate,quantity\n".to_owned();
    for number in 0..count {
        let price = if is_wrong(number) { "free" } else { "12.50" };
        let quantity = number % 90;
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "SKU-{number:09},Darjeeling first flush number {number:09},{price},EUR,7,{quantity:02}"
        );
    }
    text.into()
}

/// Tables in which no product is, and that forget those that are written; the import itself is remembered.
#[derive(Default)]
struct Imports(Mutex<HashMap<String, Value>>);

impl Imports {
    /// The only import, as it stands.
    fn import(&self) -> anyhow::Result<Value> {
        let known = lock(&self.0);
        let item = known.values().next().context("there was no import")?;
        Ok(serde_json::from_str(item["import"]["S"].as_str().context("an import without one")?)?)
    }
}

impl Tables for Imports {
    async fn answer(&self, operation: &str, body: &Value) -> anyhow::Result<Value> {
        let mut known = lock(&self.0);
        let id = |of: &Value| of["import_id"]["S"].as_str().map(str::to_owned).context("no import_id");
        Ok(match operation {
            "GetItem" => known.get(&id(&body["Key"])?).map_or_else(|| json!({}), |it| json!({ "Item": it })),
            "PutItem" => {
                known.insert(id(&body["Item"])?, body["Item"].clone());
                json!({})
            }
            "BatchGetItem" => {
                let tables = body["RequestItems"].as_object().context("no tables")?;
                let none: serde_json::Map<String, Value> =
                    tables.keys().map(|table| (table.clone(), json!([]))).collect();
                json!({ "Responses": none, "UnprocessedKeys": {} })
            }
            "TransactWriteItems" => json!({}),
            _ => anyhow::bail!("an import has no use for {operation}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench::functions::Function;

    #[test]
    fn the_file_has_the_rows_that_are_counted() {
        let file = file(120);
        let text = std::str::from_utf8(&file).unwrap();
        assert_eq!(text.lines().count(), 121);
        assert_eq!(text.lines().filter(|line| line.contains("free")).count(), 3);
        assert_eq!((0..120).filter(|number| is_wrong(*number)).count(), 3);
    }

    #[test]
    fn the_sample_event_names_the_file() {
        let function = Function::named("import-stock").unwrap();
        let sample = String::from_utf8(function.sample.to_vec()).unwrap();
        assert!(sample.contains(FILE.split_once('/').unwrap().1), "{sample}");
    }

    #[tokio::test]
    async fn an_import_is_remembered_and_products_are_not() {
        let imports = Imports::default();
        let item = json!({ "import_id": { "S": "i" }, "import": { "S": "{\"rows\":1}" } });
        let key = json!({ "Key": { "import_id": { "S": "i" } } });
        assert_eq!(imports.answer("GetItem", &key).await.unwrap(), json!({}));
        imports.answer("PutItem", &json!({ "Item": item })).await.unwrap();
        assert_eq!(imports.answer("GetItem", &key).await.unwrap(), json!({ "Item": item }));
        assert_eq!(imports.import().unwrap(), json!({ "rows": 1 }));
        let asked = json!({ "RequestItems": { "Products": {} } });
        let answer = imports.answer("BatchGetItem", &asked).await.unwrap();
        assert_eq!(answer["Responses"], json!({ "Products": [] }));
        assert!(imports.answer("DeleteItem", &json!({})).await.is_err());
    }
}
