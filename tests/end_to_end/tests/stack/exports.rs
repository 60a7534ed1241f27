//! Exports: requested through the API, written by `export-orders`, downloaded from S3 with the presigned URL.

use bytes::Bytes;
use end_to_end::{ApiResponse, NewOrder, Stack, WAIT_TIMEOUT, record_created, wait_for};
use http::{Method, StatusCode};
use jiff::{SignedDuration, Timestamp};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;
use platform::Clock;
use platform::clock::SystemClock;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::shared;

/// Returns the period of the last hour.
fn period() -> (Timestamp, Timestamp) {
    let now = SystemClock.now();
    (now - SignedDuration::from_hours(1), now + SignedDuration::from_secs(1))
}

async fn request_export(stack: &Stack, key: &str, body: &Value) -> ApiResponse {
    let response =
        stack.api(Method::POST, "/exports", &[("idempotency-key", key)], Some(body)).await.unwrap();
    if let Some(id) = response.body["id"].as_str() {
        record_created("export", id, None).unwrap();
    }
    response
}

/// Requests an export and waits until it is done. Returns its status and the file.
async fn export(stack: &Stack, body: &Value) -> (Value, Bytes) {
    let accepted =
        request_export(stack, &Uuid::new_v4().to_string(), body).await.expect(StatusCode::ACCEPTED).unwrap();
    let location = accepted.headers["location"].to_str().unwrap().strip_prefix("/v1").unwrap().to_owned();
    let done = wait_for(&format!("{location} to be done"), WAIT_TIMEOUT, async || {
        let response = stack.api(Method::GET, &location, &[], None).await?.expect(StatusCode::OK)?;
        Ok((response.body["status"] == "done").then_some(response.body))
    })
    .await;
    let file = stack.get_url(done["download"]["url"].as_str().unwrap()).await.unwrap();
    assert_eq!(file.status(), StatusCode::OK);
    (done, file.into_body())
}

/// Places and pays an order whose customer name is a spreadsheet formula.
async fn paid_order(stack: &Stack) -> (String, String) {
    let product = stack.create_product(1250, 10).await.unwrap();
    let mut order = NewOrder::new(&product, 2, "pm_card_visa");
    order.body["customer"]["name"] = "=CONCAT(\"Ada\",A1)".into();
    let id = stack.place_order(&order).await.unwrap();
    stack.wait_for_status(&id, "paid").await;
    (id, product.sku)
}

/// Exports all orders with this status as JSON Lines until `order` is among them: the ledger is eventually
/// consistent.
async fn wait_for_ledger(stack: &Stack, order: &str, status: &str) -> Value {
    wait_for(&format!("order {order} to be {status} in the ledger"), WAIT_TIMEOUT, async || {
        let (from, to) = period();
        let body = json!({ "from": from, "to": to, "statuses": [status], "format": "json_lines" });
        let (_, file) = export(stack, &body).await;
        let lines: Vec<Value> =
            std::str::from_utf8(&file)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        assert!(lines.iter().all(|line| line["status"] == status), "only orders with this status");
        let mut times: Vec<&str> = lines.iter().filter_map(|line| line["placed_at"].as_str()).collect();
        times.dedup();
        let times: Vec<Timestamp> = times.into_iter().map(str::parse).collect::<Result<_, _>>()?;
        assert!(times.is_sorted(), "in chronological order");
        Ok(lines.into_iter().find(|line| line["order_id"] == order))
    })
    .await
}

#[tokio::test]
async fn an_order_is_exported_in_each_format() {
    let (stack, _guard) = shared().await;
    let (order, sku) = paid_order(&stack).await;
    let line = wait_for_ledger(&stack, &order, "paid").await;
    assert_eq!(line["customer"]["name"], "=CONCAT(\"Ada\",A1)");
    assert_eq!(line["total"], json!({ "amount": 2500, "currency": "EUR" }));
    assert_eq!(line["lines"][0]["sku"], sku.as_str());
    assert!(line["paid_at"].is_string());

    let (from, to) = period();
    let (done, csv) = export(&stack, &json!({ "from": from, "to": to, "format": "csv" })).await;
    assert_eq!(done["bytes"], csv.len());
    assert!(done["orders"].as_u64() >= Some(1));
    let text = std::str::from_utf8(&csv).unwrap();
    assert!(text.starts_with("\u{feff}order_id,placed_at,status,"), "{text}");
    let row = text.lines().find(|row| row.starts_with(&order)).unwrap();
    assert!(row.contains(r#","'=CONCAT(""Ada"",A1)","#), "{row}");
    assert!(row.contains(&format!(",1,{sku},2,12.50,25.00")), "{row}");
    assert!(!text.contains(",=") && !text.contains(",\"="), "no cell is a formula");

    let (done, parquet) = export(&stack, &json!({ "from": from, "to": to, "format": "parquet" })).await;
    assert_eq!(done["bytes"], parquet.len());
    let reader = SerializedFileReader::new(parquet).unwrap();
    let mut rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
    let row = rows.find(|row| row.get_string(0).unwrap() == &order).unwrap();
    let of_line = (row.get_string(11).unwrap(), row.get_int(12).unwrap(), row.get_long(14).unwrap());
    assert_eq!(of_line, (&sku, 2, 2500));
}

#[tokio::test]
async fn a_repeated_idempotency_key_returns_the_same_export() {
    let (stack, _guard) = shared().await;
    let key = Uuid::new_v4().to_string();
    let body = json!({ "from": "2026-01-01", "to": "2026-01-31", "format": "csv" });
    let first = request_export(&stack, &key, &body).await.expect(StatusCode::ACCEPTED).unwrap();
    let again = request_export(&stack, &key, &body).await.expect(StatusCode::ACCEPTED).unwrap();
    assert_eq!(
        (&first.body["id"], &first.body["requested_at"]),
        (&again.body["id"], &again.body["requested_at"])
    );
    // The days begin at midnight in Berlin.
    assert_eq!(
        (&first.body["from"], &first.body["until"]),
        (&"2025-12-31T23:00:00Z".into(), &"2026-01-31T23:00:00Z".into())
    );
    let other = json!({ "from": "2026-01-01", "to": "2026-01-31", "format": "parquet" });
    let rejected = request_export(&stack, &key, &other).await;
    assert_eq!(rejected.status, StatusCode::UNPROCESSABLE_ENTITY, "{rejected:?}");
}

#[tokio::test]
async fn unauthorized_and_invalid_requests_are_rejected() {
    let (stack, _guard) = shared().await;
    let body = json!({ "from": "2026-01-01", "to": "2026-01-31", "format": "csv" });
    let customer = stack.create_customer().await.unwrap();
    // The gateway responds the same way to a missing token and to a missing scope.
    for bearer in ["", customer.bearer.as_str()] {
        let headers = [("idempotency-key", "k"), ("authorization", bearer)];
        let response = stack.api(Method::POST, "/exports", &headers, Some(&body)).await.unwrap();
        assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{response:?}");
        let path = format!("/exports/{}", Uuid::new_v4());
        let response = stack.api(Method::GET, &path, &headers, None).await.unwrap();
        assert_eq!(response.status, StatusCode::UNAUTHORIZED, "{response:?}");
    }
    let staff = stack.create_staff().await.unwrap();
    let headers = [("idempotency-key", "k"), ("authorization", staff.bearer.as_str())];
    let response = stack.api(Method::POST, "/exports", &headers, Some(&body)).await.unwrap();
    assert_eq!(response.status, StatusCode::ACCEPTED, "{response:?}");
    record_created("export", response.body["id"].as_str().unwrap(), None).unwrap();

    let unknown = stack.api(Method::GET, &format!("/exports/{}", Uuid::new_v4()), &[], None).await.unwrap();
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let reversed = json!({ "from": "2026-02-01", "to": "2026-01-31", "format": "csv" });
    let rejected = request_export(&stack, "k", &reversed).await.expect(StatusCode::BAD_REQUEST).unwrap();
    assert_eq!(rejected.error_locations(), ["/to"]);
    let too_long = json!({ "from": "2020-02-01", "to": "2026-01-31", "format": "csv", "statuses": [] });
    let rejected = request_export(&stack, "k", &too_long).await.expect(StatusCode::BAD_REQUEST).unwrap();
    assert!(rejected.error_locations().contains(&"/statuses".to_owned()), "{rejected:?}");
}
