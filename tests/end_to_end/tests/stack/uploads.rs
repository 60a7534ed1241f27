//! Pictures of products: uploaded to S3 with a form of the API, scanned by a real `clamd`, made anew, and shown.

use aws_objects::Bucket;
use std::io::Cursor;

use end_to_end::{Stack, WAIT_TIMEOUT, unique_name, wait_for};
use http::{Method, StatusCode};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::shared;

/// Four four_quarters of one colour each: top left red, top right green, bottom left blue, bottom right white.
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

/// Assembled here, so that this file is no malware to whoever scans it.
fn eicar() -> Vec<u8> {
    [r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR", "-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"].concat().into_bytes()
}

/// What the scanner of the local stack takes for a threat anywhere in a file.
const THREAT: &[u8] = b"serverless-orders: a harmless text that counts as a threat";

#[tokio::test]
async fn a_picture_is_shown_in_all_sizes_and_says_nothing_else() {
    let (stack, _guard) = shared().await;
    let sku = unique_name();
    let missing = stack.api(Method::GET, &format!("/products/{sku}/image"), &[], None).await.unwrap();
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let form = stack.request_upload(&sku, "image/png").await.unwrap();
    assert_eq!(stack.image_status(&sku).await.unwrap()["status"], "pending");
    // A JPEG, whatever it was asked for as, with a secret behind it.
    let mut file = encode(&four_quarters(2000, 1000), ImageFormat::Jpeg);
    file.extend_from_slice(b"<html>SECRET</html>");
    stack.upload(&form, &file).await.unwrap().expect(StatusCode::NO_CONTENT).unwrap();
    let told = stack.wait_for_upload_result(&sku).await;
    assert_eq!((&told["status"], &told["upload_id"]), (&json!("ready"), &json!(form.upload_id)), "{told}");
    let original = &told["image"]["original"];
    assert_eq!(
        (&original["format"], &original["width"], &original["height"]),
        (&json!("jpeg"), &json!(2000), &json!(1000))
    );
    let renditions = told["image"]["renditions"].as_array().unwrap();
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
async fn nothing_that_is_uploaded_can_be_read() {
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
    assert_eq!(stack.fetch(&link).await.unwrap().0, StatusCode::FORBIDDEN, "not even what signs links may");
}

#[tokio::test]
async fn malware_is_found_wherever_it_is() {
    let (stack, _guard) = shared().await;
    let mut hidden = encode(&four_quarters(64, 64), ImageFormat::Jpeg);
    hidden.extend_from_slice(THREAT);
    // GuardDuty has signatures of its own.
    let files = if stack.is_local() { vec![eicar(), hidden] } else { vec![eicar()] };
    for file in files {
        let sku = unique_name();
        stack.upload_image(&sku, "image/jpeg", &file).await.unwrap();
        let told = stack.wait_for_upload_result(&sku).await;
        assert_eq!(
            (&told["status"], &told["reason"], &told["image"]),
            (&json!("rejected"), &json!("malware"), &Value::Null)
        );
    }
}

#[tokio::test]
async fn what_is_no_good_picture_is_refused_with_a_reason() {
    let (stack, _guard) = shared().await;
    let png = encode(&four_quarters(300, 300), ImageFormat::Png);
    let jpeg = encode(&four_quarters(300, 300), ImageFormat::Jpeg);
    // The size stands in the header's first fields, in front of a checksum that is now wrong: nothing may come that far.
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
        let told = stack.wait_for_upload_result(&sku).await;
        assert_eq!(
            (&told["status"], &told["reason"]),
            (&json!("rejected"), &json!(reason)),
            "{name}: {told}"
        );
        assert!(told["explanation"].as_str().is_some_and(|text| text.len() > 20), "{told}");
    }
}

#[tokio::test]
async fn a_form_is_good_for_what_it_says_and_nothing_else() {
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
        let refused = stack.upload(&form.clone().with(field, &value), &file).await.unwrap();
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{field}: {refused:?}");
    }
    assert_eq!(stack.image_status(&sku).await.unwrap()["status"], "pending");
    stack.upload(&form, &file).await.unwrap().expect(StatusCode::NO_CONTENT).unwrap();
    assert_eq!(stack.wait_for_upload_result(&sku).await["status"], "ready");
}

#[tokio::test]
async fn the_same_upload_twice_is_one() {
    let (stack, _guard) = shared().await;
    let (red, blue) =
        (encode(&four_quarters(40, 40), ImageFormat::Png), encode(&four_quarters(80, 40), ImageFormat::Png));
    let sku = unique_name();
    let form = stack.upload_image(&sku, "image/png", &red).await.unwrap();
    let first = stack.wait_for_upload_result(&sku).await;
    for file in [&red, &blue, &eicar()] {
        stack.upload(&form, file).await.unwrap().expect(StatusCode::NO_CONTENT).unwrap();
    }
    // One that comes behind them tells when they were handled: by then they have been seen.
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
async fn an_older_upload_never_takes_the_place_of_a_newer_one() {
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
    let told = stack.image_status(&sku).await.unwrap();
    assert_eq!(
        (&told["upload_id"], &told["image"]["upload_id"]),
        (&json!(newer.upload_id), &json!(newer.upload_id))
    );
    // One that is refused leaves the picture as it is, and says so.
    stack.upload_image(&sku, "image/png", b"no picture").await.unwrap();
    let told = stack.wait_for_upload_result(&sku).await;
    assert_eq!((&told["status"], &told["image"]["upload_id"]), (&json!("rejected"), &json!(newer.upload_id)));
}

/// Waits for an upload that is not the newest, of which the API tells nothing.
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
async fn only_who_may_change_products_uploads() {
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
