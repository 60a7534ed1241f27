//! Imports of products and stock: uploaded to S3, visible through the public API.

use aws_objects::Bucket;
use bytes::Bytes;
use end_to_end::{Product, Requirement, Stack, WAIT_TIMEOUT, unique_name, wait_for};
use http::{Method, StatusCode};
use platform::objects::{Object, ObjectStore, read_to_end};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{shared, shared_with};

fn bucket(stack: &Stack) -> Bucket {
    Bucket::new(stack.aws.sdk_config(), stack.output("ImportsBucketName").unwrap().to_owned())
}

/// Uploads a file under a unique name, and returns the name.
async fn upload_file(stack: &Stack, body: impl Into<Bytes>) -> String {
    let name = format!("{}.csv", unique_name());
    upload_as(stack, &name, body).await;
    name
}

async fn upload_as(stack: &Stack, name: &str, body: impl Into<Bytes>) {
    let file =
        Object { key: format!("incoming/{name}"), content_type: "text/csv".to_owned(), body: body.into() };
    bucket(stack).write(file).await.unwrap();
}

/// Returns a result file of the current version of an upload.
async fn read_result(stack: &Stack, name: &str, file: &str) -> Option<String> {
    let bucket = bucket(stack);
    let uploaded = bucket.read(&format!("incoming/{name}"), 0, None).await.unwrap().unwrap();
    let key = format!("results/{name}/{}/{file}", uploaded.etag.trim_matches('"'));
    let reading = bucket.read(&key, 0, None).await.unwrap()?;
    Some(String::from_utf8(read_to_end(reading, 1 << 24).await.unwrap().unwrap().into()).unwrap())
}

async fn wait_for_summary(stack: &Stack, name: &str) -> Value {
    let found = async || {
        let summary = read_result(stack, name, "summary.json").await;
        Ok(summary.map(|summary| serde_json::from_str(&summary).unwrap()))
    };
    wait_for(&format!("the summary of {name}"), WAIT_TIMEOUT, found).await
}

async fn product(stack: &Stack, sku: &str) -> Value {
    let response = stack.api(Method::GET, &format!("/products/{sku}"), &[], None).await.unwrap();
    response.expect(StatusCode::OK).unwrap().body
}

#[tokio::test]
async fn a_repeated_import_is_applied_once() {
    let (stack, _guard) = shared().await;
    let (new, known) = (unique_name(), Product { sku: unique_name(), cents: 100 });
    stack.add_stock(&known, 5).await.unwrap();
    let body = format!(
        "\u{feff}sku;name;price;currency;tax_rate;quantity\r\n\
         {new};\"Grüner Tee; lose,\r\nzweite Zeile\";1,5;EUR;7;10\r\n\
         {};Darjeeling;12,50;EUR;;3\r\n\
         {new};Grüner Tee;1,50;EUR;7;10\r\n\
         {new};Grüner Tee;x;EUR;7;-1\r\n",
        known.sku
    );
    let wrong = body.replace("lose,\r\nzweite Zeile", "lose");
    let name = upload_file(&stack, wrong.clone()).await;
    let summary = wait_for_summary(&stack, &name).await;
    let counts =
        ["status", "rows", "applied", "repeated", "rejected", "pieces"].map(|name| summary[name].clone());
    assert_eq!(json!(counts), json!(["imported_in_part", 4, 2, 0, 2, 13]), "{summary}");
    assert_eq!(
        read_result(&stack, &name, "rejected.csv").await.unwrap(),
        format!(
            "\u{feff}rejected_line;rejected_column;rejected_reason;sku;name;price;currency;tax_rate;quantity\r\n\
             4;sku;is already on line 2: a file may have only one row per SKU;{new};Grüner Tee;1,50;EUR;7;10\r\n\
             5;price quantity;\"price: must be 0 to 999999.99 EUR, in digits with at most 2 decimal places after a point and \
             no other characters; quantity: must be a whole number from 0 to 1000000, in digits only\";{new};Grüner Tee;x;EUR;7;'-1\r\n"
        )
    );
    let imported = product(&stack, &new).await;
    assert_eq!(
        imported,
        json!({
            "sku": new, "name": "Grüner Tee; lose", "price": {"amount": 150, "currency": "EUR"}, "tax_rate": 700,
            "revision": 1, "available": 10, "held": 0, "sold": 0,
        })
    );
    assert_eq!(product(&stack, &known.sku).await["price"]["amount"], 1250);
    assert_eq!(stack.stock(&known).await.unwrap(), (8, 0, 0));

    // The same file is uploaded again, under the same name and under another one.
    upload_as(&stack, &name, wrong.clone()).await;
    let again = upload_file(&stack, wrong).await;
    let summary = wait_for_summary(&stack, &again).await;
    let counts = ["applied", "repeated", "rejected", "pieces"].map(|name| summary[name].clone());
    assert_eq!(json!(counts), json!([0, 2, 2, 0]), "{summary}");
    assert_eq!(product(&stack, &new).await, imported);
    assert_eq!(stack.stock(&known).await.unwrap(), (8, 0, 0));
    assert!(stack.dead_letters("ImportStockDeadLetters", &name).await.unwrap().is_empty());

    // A product name is a single line; in the original file it has two.
    let two_lines = upload_file(&stack, body).await;
    let summary = wait_for_summary(&stack, &two_lines).await;
    assert_eq!((&summary["applied"], &summary["rejected"]), (&json!(2), &json!(2)), "{summary}");
    let rejected = read_result(&stack, &two_lines, "rejected.csv").await.unwrap();
    assert!(rejected.contains("\r\n2;name;may contain only printable characters"), "{rejected}");
}

#[tokio::test]
async fn an_invalid_file_is_rejected_with_the_reason() {
    let (stack, _guard) = shared().await;
    for (body, why) in [
        (b"\x1f\x8b\x08\x00\x00".to_vec(), "gzip"),
        (b"\x89PNG\r\n\x1a\n".to_vec(), "PNG"),
        ("\u{feff}sku,name".encode_utf16().flat_map(u16::to_le_bytes).collect(), "UTF-16"),
        (b"TEA-1,Tea,12.50,EUR,5".to_vec(), "tea-1: unknown column: the first line must name"),
    ] {
        let name = upload_file(&stack, [body, Uuid::new_v4().to_string().into_bytes()].concat()).await;
        let summary = wait_for_summary(&stack, &name).await;
        assert!(
            summary["status"] == "refused" && summary["reason"].as_str().unwrap().contains(why),
            "{summary}"
        );
        // The file of rejected rows has a separate column for the part before the colon.
        let (_, why) = why.split_once(": ").unwrap_or(("", why));
        assert!(read_result(&stack, &name, "rejected.csv").await.unwrap().contains(why));
    }
    let name = upload_file(&stack, "").await;
    assert_eq!(wait_for_summary(&stack, &name).await["reason"], "the file is empty");
}

#[tokio::test]
async fn a_large_file_with_an_oversized_row_is_imported_completely() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ThrowawayStack]).await else { return };
    let run = &Uuid::new_v4().simple().to_string()[..8];
    let mut body = b"sku,name,price,currency,quantity\n".to_vec();
    body.extend(format!("L-{run},{},1,EUR,1\n", "x".repeat(20 * 1024 * 1024)).into_bytes());
    for number in 0..2000 {
        body.extend(format!("B-{run}-{number},Tea {number},1.5,EUR,{}\n", number % 7).into_bytes());
    }
    let name = upload_file(&stack, body).await;
    let summary = wait_for_summary(&stack, &name).await;
    assert_eq!(
        (&summary["rows"], &summary["applied"], &summary["rejected"]),
        (&json!(2001), &json!(2000), &json!(1))
    );
    assert_eq!(product(&stack, &format!("B-{run}-1999")).await["available"], 1999 % 7);
    let rejected = read_result(&stack, &name, "rejected.csv").await.unwrap();
    assert!(rejected.len() < 1000 && rejected.contains("\n2,name,"), "{rejected}");
    let absent = stack.api(Method::GET, &format!("/products/L-{run}"), &[], None).await.unwrap();
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
}
