//! Product images: uploaded to S3 with a form from the API, scanned by a real `clamd`, re-encoded, and
//! served.

use aws_objects::Bucket;
use std::io::Cursor;

use end_to_end::{Stack, WAIT_TIMEOUT, unique_name, wait_for};
use http::{Method, StatusCode};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::shared;

/// Returns an image of four quarters: top left red, top right green, bottom left blue, bottom right white.
fn four_quarters(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| match (x < width / 2, y < height / 2) {
        (true, true) => Rgb([220, 30, 30]),
        (false, true) => Rgb([30, 180, 30]),
        (true, false) => Rgb([30, 30, 220]),
        (false, false) => Rgb([250, 250, 250]),
    })
}

fn encode(picture: &RgbImage, format: ImageFormat) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(picture.clone()).write_to(&mut file, format).unwrap();
    file.into_inner()
}

/// Returns the EICAR test file. It is assembled here so that scanners do not flag this source file.
fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

/// The test signature of the local scanner, which it detects anywhere in a file.
const THREAT: &[u8] = b"serverless-orders: a harmless text that counts as a threat";

#[tokio::test]
async fn an_image_is_served_in_all_sizes_without_appended_data() {
    let (stack, _guard) = shared().await;
    let sku = unique_name();
    let missing = stack.api(Method::GET, &format!("/products/{sku}/image"), &[], None).await.unwrap();
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let form = stack.request_upload(&sku, "image/png").await.unwrap();
    assert_eq!(stack.image_status(&sku).await.unwrap()["status"], "pending");
    // A JPEG, although the form is for a PNG, with appended data.
    let mut file = encode(&four_quarters(2000, 1000), ImageFormat::Jpeg);
    file.extend_from_slice(b"<html>SECRET</html>");
    stack.upload(&form, &file).await.unwrap().expect(StatusCode::NO_CONTENT).unwrap();
    let result = stack.wait_for_upload_result(&sku).await;
    assert_eq!(
        (&result["status"], &result["upload_id"]),
        (&json!("ready"), &json!(form.upload_id)),
        "{result}"
    );
    let original = &result["image"]["original"];
    assert_eq!(
        (&original["format"], &original["width"], &original["height"]),
        (&json!("jpeg"), &json!(2000), &json!(1000))
    );
    let renditions = result["image"]["renditions"].as_array().unwrap();
    assert_eq!(renditions.len(), 6);
    for rendition in renditions {
        let (status, kind, content) = stack.fetch(rendition["url"].as_str().unwrap()).await.unwrap();
        assert_eq!(status, StatusCode::OK, "{rendition}");
        assert_eq!(kind, format!("image/{}", rendition["format"].as_str().unwrap()));
        assert_eq!(rendition["bytes"], content.len());
        assert!(!content.windows(6).any(|bytes| bytes == b"SECRET"), "{rendition}");
        let picture = image::load_from_memory(&content).unwrap().into_rgb8();
        let sides = match rendition["size"].as_str().unwrap() {
            "thumbnail" => (160, 80),
            "card" => (480, 240),
            _ => (1600, 800),
        };
        assert_eq!(picture.dimensions(), sides);
        let original = four_quarters(4, 4);
        for (x, y) in [(0, 0), (3, 0), (0, 3), (3, 3)] {
            let found = picture.get_pixel(sides.0 * (2 * x + 1) / 8, sides.1 * (2 * y + 1) / 8).0;
            let wanted = original.get_pixel(x, y).0;
            assert!(found.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) < 12), "{found:?}, not {wanted:?}");
        }
    }
}

#[tokio::test]
async fn uploads_cannot_be_read() {
    let (stack, _guard) = shared().await;
    let sku = unique_name();
    let form = stack
        .upload_image(&sku, "image/png", &encode(&four_quarters(20, 20), ImageFormat::Png))
        .await
        .unwrap();
    let key = format!("uploads/{sku}/{}", form.upload_id);
    let url = format!("{}/{key}", form.url.trim_end_matches('/'));
    assert_eq!(stack.fetch(&url).await.unwrap().0, StatusCode::FORBIDDEN);
    if !stack.is_local() {
        return;
    }
    let own = stack.role("MediaApiRole").await.unwrap().configure(&stack.aws);
    let quarantine = Bucket::new(own.sdk_config(), stack.output("UploadsBucketName").unwrap().to_owned());
    let link =
        platform::objects::ObjectStore::presigned_url(&quarantine, &key, WAIT_TIMEOUT, None).await.unwrap();
    assert_eq!(
        stack.fetch(&link).await.unwrap().0,
        StatusCode::FORBIDDEN,
        "the function that signs the links has no read access either"
    );
}

#[tokio::test]
async fn malware_is_detected_anywhere_in_a_file() {
    let (stack, _guard) = shared().await;
    let mut hidden = encode(&four_quarters(64, 64), ImageFormat::Jpeg);
    hidden.extend_from_slice(THREAT);
    // GuardDuty does not have the test signature of the local scanner.
    let files = if stack.is_local() { vec![eicar(), hidden] } else { vec![eicar()] };
    for file in files {
        let sku = unique_name();
        stack.upload_image(&sku, "image/jpeg", &file).await.unwrap();
        let result = stack.wait_for_upload_result(&sku).await;
        assert_eq!(
            (&result["status"], &result["reason"], &result["image"]),
            (&json!("rejected"), &json!("malware"), &Value::Null)
        );
    }
}

#[tokio::test]
async fn an_invalid_image_is_rejected_with_a_reason() {
    let (stack, _guard) = shared().await;
    let png = encode(&four_quarters(300, 300), ImageFormat::Png);
    let jpeg = encode(&four_quarters(300, 300), ImageFormat::Jpeg);
    // The header claims an enormous size: the upload has to be rejected before the image is decoded.
    let mut bomb = encode(&four_quarters(8, 8), ImageFormat::Gif);
    bomb[6..10].copy_from_slice(&[0x30, 0x75, 0x30, 0x75]);
    for (name, content_type, file, reason) in [
        ("half a PNG", "image/png", png[..png.len() / 2].to_vec(), "malformed"),
        ("half a JPEG", "image/jpeg", jpeg[..jpeg.len() / 2].to_vec(), "malformed"),
        ("HTML", "image/png", b"<!doctype html><script>alert(1)</script>".to_vec(), "not_an_image"),
        ("30,000 pixels", "image/gif", bomb, "too_many_pixels"),
    ] {
        let sku = unique_name();
        stack.upload_image(&sku, content_type, &file).await.unwrap();
        let result = stack.wait_for_upload_result(&sku).await;
        assert_eq!(
            (&result["status"], &result["reason"]),
            (&json!("rejected"), &json!(reason)),
            "{name}: {result}"
        );
        assert!(result["explanation"].as_str().is_some_and(|text| text.len() > 20), "{result}");
    }
}

#[tokio::test]
async fn a_form_enforces_its_conditions() {
    let (stack, _guard) = shared().await;
    let file = encode(&four_quarters(20, 20), ImageFormat::Png);
    let sku = unique_name();
    let form = stack.request_upload(&sku, "image/png").await.unwrap();
    let large = stack.upload(&form, &vec![0; 10 * 1024 * 1024 + 1]).await.unwrap();
    assert_eq!(large.status, StatusCode::BAD_REQUEST, "{large:?}");
    let empty = stack.upload(&form, b"").await.unwrap();
    assert_eq!(empty.status, StatusCode::BAD_REQUEST, "{empty:?}");
    for (field, value) in [
        ("key", format!("uploads/{sku}/{}", Uuid::new_v4())),
        ("Content-Type", "text/html".to_owned()),
        ("x-amz-signature", "0".repeat(64)),
    ] {
        let rejected = stack.upload(&form.clone().with(field, &value), &file).await.unwrap();
        assert_eq!(rejected.status, StatusCode::FORBIDDEN, "{field}: {rejected:?}");
    }
    assert_eq!(stack.image_status(&sku).await.unwrap()["status"], "pending");
    stack.upload(&form, &file).await.unwrap().expect(StatusCode::NO_CONTENT).unwrap();
    assert_eq!(stack.wait_for_upload_result(&sku).await["status"], "ready");
}

#[tokio::test]
async fn a_repeated_upload_changes_nothing() {
    let (stack, _guard) = shared().await;
    let (red, blue) =
        (encode(&four_quarters(40, 40), ImageFormat::Png), encode(&four_quarters(80, 40), ImageFormat::Png));
    let sku = unique_name();
    let form = stack.upload_image(&sku, "image/png", &red).await.unwrap();
    let first = stack.wait_for_upload_result(&sku).await;
    for file in [&red, &blue, &eicar()] {
        stack.upload(&form, file).await.unwrap().expect(StatusCode::NO_CONTENT).unwrap();
    }
    // Once a later upload has been processed, these have been processed too.
    let other = unique_name();
    stack.upload_image(&other, "image/png", &red).await.unwrap();
    stack.wait_for_upload_result(&other).await;
    let later = stack.image_status(&sku).await.unwrap();
    for field in ["status", "upload_id"] {
        assert_eq!(later[field], first[field]);
    }
    assert_eq!(later["image"]["ready_at"], first["image"]["ready_at"]);
    assert_eq!(later["image"]["original"], first["image"]["original"]);
}

#[tokio::test]
async fn an_older_upload_does_not_replace_a_newer_one() {
    let (stack, _guard) = shared().await;
    let sku = unique_name();
    let older = stack.request_upload(&sku, "image/png").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let newer = stack
        .upload_image(&sku, "image/png", &encode(&four_quarters(80, 40), ImageFormat::Png))
        .await
        .unwrap();
    assert_eq!(stack.wait_for_upload_result(&sku).await["image"]["upload_id"], newer.upload_id.as_str());
    stack.upload(&older, &encode(&four_quarters(40, 80), ImageFormat::Png)).await.unwrap();
    wait_until_ready(&stack, &sku, &older.upload_id).await;
    let result = stack.image_status(&sku).await.unwrap();
    assert_eq!(
        (&result["upload_id"], &result["image"]["upload_id"]),
        (&json!(newer.upload_id), &json!(newer.upload_id))
    );
    // A rejected upload keeps the current image and is reported.
    stack.upload_image(&sku, "image/png", b"no picture").await.unwrap();
    let result = stack.wait_for_upload_result(&sku).await;
    assert_eq!(
        (&result["status"], &result["image"]["upload_id"]),
        (&json!("rejected"), &json!(newer.upload_id))
    );
}

/// Waits until an older upload is ready, which the API does not show.
async fn wait_until_ready(stack: &Stack, sku: &str, upload: &str) {
    let table = stack.table_name("ImagesTable").await.unwrap();
    wait_for("the older upload", WAIT_TIMEOUT, async || {
        use aws_sdk_dynamodb::types::AttributeValue::S;
        let get = stack.aws.dynamodb().get_item().table_name(&table).key("sku", S(sku.to_owned()));
        let item = get.key("item", S(format!("upload#{upload}"))).consistent_read(true).send().await?.item;
        Ok(item.filter(|item| item["status"] == S("ready".to_owned())))
    })
    .await;
}

#[tokio::test]
async fn only_staff_can_upload() {
    let (stack, _guard) = shared().await;
    let customer = stack.create_customer().await.unwrap();
    let body = json!({ "content_type": "image/png" });
    let path = format!("/products/{}/image", unique_name());
    for bearer in ["", &customer.bearer] {
        let response =
            stack.api(Method::POST, &path, &[("authorization", bearer)], Some(&body)).await.unwrap();
        assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{response:?}");
    }
    let wrong = json!({ "content_type": "image/svg+xml" });
    let response = stack.api(Method::POST, &path, &[], Some(&wrong)).await.unwrap();
    assert_eq!(response.status, StatusCode::BAD_REQUEST, "{response:?}");
}
