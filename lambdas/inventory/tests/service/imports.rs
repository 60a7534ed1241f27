//! `import-stock`: realistic files, and imports that are interrupted at any point.

use std::sync::Arc;
use std::time::Duration;

use inventory::adapters::memory::{InMemoryImports, InMemoryInventory};
use inventory::import::ImportStock;
use inventory::import::sniff::check_is_text;
use inventory::import::store::{Imports, ResumeQueue, Stock};
use inventory::import::upload::UploadedFile;
use inventory::product::Product;
use inventory::store::{DeliveryOutcome, Products};
use jiff::SignedDuration;
use jiff::Timestamp;
use platform::memory::{Bucket, ManualClock};
use platform::objects::{Object, ObjectStore};
use platform::{Clock, Failure, MessageHandler};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::faults::{FaultInjector, Faulty};

pub(crate) const TIME: Duration = Duration::from_secs(100);
pub(crate) const HEADER: &str = "sku,name,price,currency,tax_rate,quantity\n";

/// The in-memory ports of an import.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) files: Arc<Bucket>,
    pub(crate) imports: Arc<InMemoryImports>,
    pub(crate) inventory: Arc<InMemoryInventory>,
    clock: Option<Arc<ManualClock>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { clock: Some(Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH))), ..Self::default() }
    }

    pub(crate) fn clock(&self) -> &Arc<ManualClock> {
        self.clock.as_ref().unwrap()
    }

    /// The function, with ports that inject faults.
    pub(crate) fn function(&self, injector: &Arc<FaultInjector>) -> ImportStock {
        ImportStock {
            files: Arc::new(Faulty::new(Arc::clone(&self.files), injector)) as Arc<dyn ObjectStore>,
            imports: Arc::new(Faulty::new(Arc::clone(&self.imports), injector)) as Arc<dyn Imports>,
            stock: Arc::new(Faulty::new(Arc::clone(&self.inventory), injector)) as Arc<dyn Stock>,
            resume_queue: Arc::new(Faulty::new(Arc::clone(&self.imports), injector)) as Arc<dyn ResumeQueue>,
            clock: Arc::clone(self.clock()) as Arc<dyn Clock>,
        }
    }

    /// Uploads a file and returns its S3 event.
    pub(crate) async fn upload(&self, name: &str, body: impl Into<Vec<u8>>) -> Value {
        let key = format!("incoming/{name}");
        let file = Object { key: key.clone(), content_type: "text/csv".into(), body: body.into().into() };
        self.files.write(file).await.unwrap();
        let etag = self.files.read(&key, 0, None).await.unwrap().unwrap().etag;
        json!({"detail-type": "Object Created", "detail": {"object": {"key": key, "etag": etag.trim_matches('"')}}})
    }

    pub(crate) async fn call(&self, message: &Value, injector: &Arc<FaultInjector>) -> Result<(), Failure> {
        self.function(injector)
            .handle_message(message.clone(), TIME)
            .await
            .map(|events| assert!(events.is_empty()))
    }

    /// Handles a message and those that resume the import, without faults.
    pub(crate) async fn handle(&self, message: &Value) {
        self.call(message, &FaultInjector::none()).await.unwrap();
        for message in self.imports.take_messages() {
            Box::pin(self.handle(&message)).await;
        }
    }

    fn result(&self, file: &str) -> Vec<String> {
        let found = |key: &String| {
            let file = key.ends_with(file).then(|| self.files.get(key))??;
            Some(String::from_utf8(file.body.to_vec()).unwrap())
        };
        self.files.keys().iter().filter_map(found).collect()
    }

    pub(crate) fn summary(&self) -> Value {
        let summaries = self.result("summary.json");
        assert_eq!(summaries.len(), 1, "{summaries:?}");
        serde_json::from_str(&summaries[0]).unwrap()
    }

    pub(crate) fn rejected(&self) -> String {
        self.result("rejected.csv").concat()
    }

    pub(crate) fn product(&self, sku: &str) -> Option<Product> {
        self.inventory.products().into_iter().find(|product| product.sku.as_str() == sku)
    }
}

/// Imports a file, and returns the status and the counts of the summary.
pub(crate) async fn import(body: impl Into<Vec<u8>>) -> (World, String, [u64; 3]) {
    let world = World::new();
    let message = world.upload("a.csv", body).await;
    world.handle(&message).await;
    let summary = world.summary();
    let counts = ["rows", "applied", "rejected"].map(|count| summary[count].as_u64().unwrap());
    let status = summary["status"].as_str().unwrap().to_owned();
    assert_eq!(world.files.pending_uploads(), 0);
    assert!(!world.files.keys().iter().any(|key| key.starts_with("work/")), "{:?}", world.files.keys());
    (world, status, counts)
}

#[tokio::test]
async fn a_spreadsheet_export_is_imported() {
    let body = "\u{feff}Sku,Name,Price,Currency,Tax_Rate,Quantity\r\n\
                T-1,\"Grüner \"\"Tee\"\", lose\",12.5,EUR,7,3\r\n\
                T-2,Tasse,900,JPY,,0\r\n,,,,,\r\n";
    let (world, status, counts) = import(body).await;
    assert_eq!((status.as_str(), counts), ("imported", [2, 2, 0]));
    let tea = world.product("T-1").unwrap();
    assert_eq!(
        (tea.name.as_str(), tea.price.to_string(), tea.available),
        ("Grüner \"Tee\", lose", "12.50 EUR".into(), 3)
    );
    let cup = world.product("T-2").unwrap();
    assert_eq!((cup.tax_rate, cup.available, cup.price.to_string()), (None, 0, "900 JPY".into()));
    assert_eq!((world.rejected().as_str(), &world.summary()["rejected_file"]), ("", &Value::Null));
}

#[tokio::test]
async fn invalid_files_are_refused_with_the_reason() {
    let utf_16: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with_bom = [b"\xff\xfe".to_vec(), utf_16.clone()].concat();
    let big_endian: Vec<u8> = HEADER.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (body, expected) in [
        (Vec::new(), "the file is empty"),
        (b"\n\r\n".to_vec(), "the first line must name the columns"),
        (utf_16, "UTF-16"),
        (with_bom, "UTF-16"),
        // Without the byte order mark, neither could be told from other text.
        (b"\xff\xfe\x46\x55\xc1\x54".to_vec(), "UTF-16"),
        (b"\xfe\xff\x55\x46\x54\xc1".to_vec(), "UTF-16"),
        (big_endian, "UTF-16"),
        (b"\x1f\x8b\x08\0\0\0\0\0".to_vec(), "gzip"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "PNG"),
        (b"PK\x03\x04\x14\0\x06\0".to_vec(), "Excel"),
        (b"T-1,Tea,1,EUR,19,5\n".to_vec(), "t-1: unknown column"),
        (b"sku,name,price,currency\nT-1,Tea,1,EUR\n".to_vec(), "quantity: the column is missing"),
        (format!("colour,{HEADER}").into_bytes(), "colour: unknown column"),
        (b"\0\xff\xfe\0\x80".to_vec(), "unknown column"),
        (vec![b'x'; 3 << 20], "the first line must name"),
    ] {
        let (world, status, counts) = import(body.clone()).await;
        let summary = world.summary();
        let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
        assert_eq!((status.as_str(), counts), ("refused", [0, 0, 0]), "{shown}");
        assert!(summary["reason"].as_str().unwrap().contains(expected), "{shown}: {summary}");
        let reason = expected.split_once(": ").map_or(expected, |(_, reason)| reason);
        assert!(world.rejected().contains(reason), "{shown}: {}", world.rejected());
        assert!(world.inventory.products().is_empty());
    }
    let (world, status, counts) = import(HEADER).await;
    assert_eq!((status.as_str(), counts, world.rejected()), ("imported", [0, 0, 0], String::new()));
}

#[test]
fn a_quarter_of_nul_characters_at_every_other_place_is_not_utf_16() {
    let text = |nuls: usize| [b"\0x".repeat(nuls), vec![b'x'; 100 - 2 * nuls]].concat();
    assert!(check_is_text(&text(25)).is_ok() && check_is_text(&text(26)).is_err());
}

#[tokio::test]
async fn an_invalid_row_is_rejected_and_the_others_are_applied() {
    for (row, line, column, expected) in [
        (b"T-2,Gr\xfcner Tee,1,EUR,19,5".to_vec(), 3, "name", "UTF-8"),
        (b"T-2,Tea\0,1,EUR,19,5".to_vec(), 3, "name", "printable"),
        (b"T-2,\"two\r\nlines\",1,EUR,19,5".to_vec(), 3, "name", "printable"),
        (b"T-2,Tea,-1,EUR,19,5".to_vec(), 3, "price", "999999.99"),
        (b"T-2,Tea,1,EUR,19,-5".to_vec(), 3, "quantity", "1000000"),
        (b"T-2,Tea,1,EUR,19,99999999999999999999999".to_vec(), 3, "quantity", "1000000"),
        (b"T-2,Tea,1,EUR,19".to_vec(), 3, "quantity", "has 5 fields"),
        (b"T-2,Tea,1,EUR,19,5,6".to_vec(), 3, "column 7", "has 7 fields"),
        (b"T-2,\"Tea \\\"Best\\\"\",1,EUR,19,5".to_vec(), 3, "name", "text after its closing quotation mark"),
        (b"T-1,Tea,1,EUR,19,5".to_vec(), 3, "sku", "is already on line 2"),
        (b"T-2,Tea,1,EUR,19,5\r\nT-2,Tea,1,EUR,19,5".to_vec(), 4, "sku", "is already on line 3"),
        (
            [b"T-2,".to_vec(), vec![b'x'; 1 << 20], b",1,EUR,19,5".to_vec()].concat(),
            3,
            "name",
            "more than 16384 bytes",
        ),
        ([vec![b','; 5000], b"x".to_vec()].concat(), 3, "column 5001", "more than 32 fields"),
    ] {
        let body = [HEADER.as_bytes(), b"T-1,Tea,1,EUR,19,5\n", &row, b"\nT-9,Tea,1,EUR,19,5"].concat();
        let (world, status, [rows, applied, rejected]) = import(body).await;
        let shown = String::from_utf8_lossy(&row[..row.len().min(60)]).into_owned();
        assert_eq!((status.as_str(), rows - applied, rejected), ("imported_in_part", 1, 1), "{shown}");
        let text = world.rejected();
        let rejected = text.split("\r\n").nth(1).unwrap();
        let start = format!("{line},{column},");
        assert!(rejected.starts_with(&start) && rejected.contains(expected), "{shown}: {text}");
        assert!(text.len() < 1000, "an oversized row is truncated");
        assert!(world.product("T-9").is_some() && world.product("T-1").is_some(), "{shown}");
    }
}

#[tokio::test]
async fn the_rows_after_an_unclosed_quotation_mark_are_applied() {
    let rows: String = (0..2000).map(|number| format!("T-{number},Tea,1,EUR,19,5\n")).collect();
    let (world, _, counts) = import(format!("{HEADER}T,Tea,1,EUR,19,5\nU,\"Tea,1,EUR,19,5\n{rows}")).await;
    assert_eq!(counts, [2002, 2001, 1]);
    assert!(
        world.rejected().contains("\r\n3,name,\"has a quotation mark that is not closed"),
        "{}",
        world.rejected()
    );
    assert!(world.product("T-1999").is_some() && world.product("U").is_none());
}

#[tokio::test]
async fn rejected_rows_can_be_corrected_and_uploaded_again() {
    let world = World::new();
    let message = world.upload("a.csv", format!("{HEADER}T-1,Tea,one,EUR,19,5\nT-2,Tea,1,EUR,19,5\n")).await;
    world.handle(&message).await;
    let corrected = world.rejected().replace("one", "1");
    let message = world.upload("b.csv", corrected).await;
    world.handle(&message).await;
    assert_eq!(world.product("T-1").unwrap().available, 5);
    assert_eq!(world.product("T-2").unwrap().available, 5);
}

#[tokio::test]
async fn the_same_content_is_applied_once_under_any_name() {
    let world = World::new();
    let body = format!("{HEADER}T-1,Tea,1,EUR,19,5\n");
    for name in ["a.csv", "a.csv", "b.csv"] {
        let message = world.upload(name, body.clone()).await;
        world.handle(&message).await;
        assert_eq!(world.product("T-1").unwrap().available, 5);
    }
    let statuses: Vec<Value> = world
        .result("summary.json")
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).unwrap()["status"].clone())
        .collect();
    assert_eq!(statuses, ["imported", "repeated"]);
    let other = world.upload("c.csv", format!("{body}\n")).await;
    world.handle(&other).await;
    assert_eq!(world.product("T-1").unwrap().available, 10);
}

#[tokio::test]
async fn a_row_that_exceeds_the_maximum_stock_is_rejected() {
    let world = World::new();
    let offer = format!("{HEADER}T-1,Tea,1,EUR,19,1000000\n");
    world.handle(&world.upload("a.csv", offer).await).await;
    for delivery in 0..998 {
        let (sku, delivery) = ("T-1".parse().unwrap(), format!("d-{delivery}").parse().unwrap());
        assert_eq!(
            world.inventory.record_delivery(&sku, &delivery, 1_000_000).await.unwrap(),
            DeliveryOutcome::Recorded
        );
    }
    world.handle(&world.upload("b.csv", format!("{HEADER}\nT-1,Tea,1,EUR,19,1000000\n")).await).await;
    assert_eq!(world.product("T-1").unwrap().available, 1_000_000_000, "the maximum");
    world
        .handle(&world.upload("c.csv", format!("{HEADER}T-1,Tea,2,EUR,19,1\nT-2,Tea,1,EUR,,1\n")).await)
        .await;
    assert!(world.rejected().contains("the stock would exceed 1000000000 pieces"), "{}", world.rejected());
    assert_eq!(world.product("T-1").unwrap().price.to_string(), "1.00 EUR", "no part of the row is applied");
}

#[tokio::test]
async fn a_missing_tax_column_leaves_the_rate_unchanged() {
    let world = World::new();
    world
        .handle(&world.upload("a.csv", format!("{HEADER}T-1,Tea,1,EUR,7,1\nT-2,Tea,1,EUR,7,1\n")).await)
        .await;
    let without = "sku,name,price,currency,quantity\nT-1,Tea,1,EUR,1\n";
    world.handle(&world.upload("b.csv", without).await).await;
    world.handle(&world.upload("c.csv", format!("{HEADER}T-2,Tea,1,EUR,,1\n")).await).await;
    let tax = |sku| world.product(sku).unwrap().tax_rate.map(domain::TaxRate::basis_points);
    assert_eq!((tax("T-1"), tax("T-2")), (Some(700), None));
    assert_eq!((world.product("T-1").unwrap().revision, world.product("T-2").unwrap().revision), (1, 2));
}

#[tokio::test]
async fn a_replaced_file_is_not_imported() {
    let world = World::new();
    let old = world.upload("a.csv", format!("{HEADER}T-1,Tea,1,EUR,19,5\n")).await;
    world.upload("a.csv", format!("{HEADER}T-2,Tea,1,EUR,19,5\n")).await;
    world.handle(&old).await;
    assert_eq!(world.summary()["status"], "gone");
    assert!(world.inventory.products().is_empty());
}

#[tokio::test]
async fn duplicate_messages_are_not_processed_concurrently() {
    let world = World::new();
    let message = world.upload("a.csv", format!("{HEADER}T-1,Tea,1,EUR,19,5\n")).await;
    // Interrupted at the third call, after the lease has been acquired.
    let injector = FaultInjector::interrupt_after(2);
    let interrupted = world.call(&message, &injector);
    assert!(tokio::time::timeout(Duration::from_millis(20), interrupted).await.is_err());
    let failure = world.call(&message, &FaultInjector::none()).await.unwrap_err();
    let Failure::Leased { until } = failure else { panic!("{failure}") };
    assert_eq!(until.duration_since(world.clock().now()), SignedDuration::from_secs(105));
    world.clock().advance(SignedDuration::from_secs(105));
    world.handle(&message).await;
    assert_eq!(world.product("T-1").unwrap().available, 5);
}

#[tokio::test]
async fn messages_without_an_uploaded_file_are_poison() {
    let world = World::new();
    let file = |key: &str| json!({"detail": {"object": {"key": key, "etag": "1"}}});
    let too_long = format!("incoming/{}", "x".repeat(1016));
    for message in
        [json!({}), json!({"detail": {"object": {"key": "results/x", "etag": "1"}}}), file(&too_long)]
    {
        assert!(matches!(world.call(&message, &FaultInjector::none()).await, Err(Failure::Poison(_))));
    }
    UploadedFile::from_message(&file(&too_long[..1024])).unwrap();
    let folder = file("incoming/2026/");
    world.call(&folder, &FaultInjector::none()).await.unwrap();
    assert!(world.imports.all().is_empty());
}

/// Files with all kinds of invalid rows, and with repeated SKUs.
fn rows() -> impl Strategy<Value = String> {
    let row = prop_oneof![
        6 => (0..120_u32, 0..9_u32, 1..4_u32).prop_map(|(sku, quantity, price)| format!("T-{sku},Tea {sku},{price},EUR,19,{quantity}\n")),
        1 => Just("T-1,Tea,x,EUR,19,5\n".to_owned()),
        1 => Just("only,three,fields\r\n".to_owned()),
        1 => Just("\"T-7\",\"a\nb\",1,EUR,19,1\n\n".to_owned()),
        1 => Just("T-8,\"Tea,1,EUR,19,1\n".to_owned()),
    ];
    prop::collection::vec(row, 0..160).prop_map(|rows| format!("\u{feff}{HEADER}{}", rows.concat()))
}

/// The observable results of a completed import.
fn results(world: &World) -> (Value, String, Vec<Product>) {
    let mut summary = world.summary();
    summary["finished_at"] = Value::Null;
    summary["started_at"] = Value::Null;
    (summary, world.rejected(), world.inventory.products())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever calls fail, before or after their effect or by never returning, and however often the event
    /// is delivered: the results are the same as without faults.
    #[test]
    fn the_results_are_the_same_with_any_faults(
        body in rows(),
        faults in prop::collection::vec((0_usize..4, 0_u32..25), 0..12),
        duplicates in 0_usize..3,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let without_faults = World::new();
            without_faults.handle(&without_faults.upload("a.csv", body.clone()).await).await;

            let world = World::new();
            let message = world.upload("a.csv", body.clone()).await;
            let mut messages = vec![message; 1 + duplicates];
            let mut faults = faults.into_iter();
            while let Some(message) = messages.pop() {
                let injector = match faults.next() {
                    Some((kind, calls)) => FaultInjector::with_kind(kind, calls, world.clock()),
                    None => FaultInjector::none(),
                };
                let call = world.call(&message, &injector);
                let result = tokio::time::timeout(Duration::from_millis(30), call).await;
                // A message whose handling did not succeed is redelivered, after the lease has expired.
                if !matches!(result, Ok(Ok(()))) {
                    messages.push(message);
                    world.clock().advance(SignedDuration::from_secs(106));
                }
                messages.extend(world.imports.take_messages());
            }
            assert_eq!(results(&world), results(&without_faults));
        });
    }
}
