//! The responses of the services: just enough for each sample event to succeed. Nothing is stored, so that each
//! invocation does the same work as the first.

use std::io::Cursor;
use std::sync::LazyLock;

use bytes::Bytes;
use domain::order::Order;
use domain::{Cause, OrderDetails, OrderId};
use http::{Method, Request};
use image::ImageFormat;
use serde_json::{Value, json};

use super::Service;
use crate::clock::now;
use crate::functions::WEBHOOK_SECRET;
use crate::photo::photo;

/// The body of a response.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    /// JSON, as most services respond with.
    Json(Value),
    /// The content of an S3 object.
    Object(Bytes),
    /// The error of S3 for a missing object.
    NoSuchKey,
    /// An empty map in CBOR (RFC 8949), the format of CloudWatch.
    EmptyCbor,
}

/// An uploaded image of 0.5 megapixels.
static UPLOADED: LazyLock<Bytes> = LazyLock::new(|| {
    let mut file = Cursor::new(Vec::new());
    // Writing to memory cannot fail.
    let _ = photo(800, 600).write_to(&mut file, ImageFormat::Jpeg);
    file.into_inner().into()
});

/// The response of `service`; `None` for a request that no sample event should cause.
pub(super) fn respond(service: Service, request: &Request<Bytes>) -> Option<Body> {
    match (service, request.method()) {
        (Service::S3, &Method::GET) if request.uri().path().starts_with("/UploadsBucket/") => {
            Some(Body::Object(UPLOADED.clone()))
        }
        // No other object exists yet.
        (Service::S3, &Method::GET) => Some(Body::NoSuchKey),
        (Service::CloudWatch, _) if request.uri().path().ends_with("/operation/GetMetricData") => {
            Some(Body::EmptyCbor)
        }
        _ => json_response(service, request).map(Body::Json),
    }
}

fn json_response(service: Service, request: &Request<Bytes>) -> Option<Value> {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
    let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
    let path: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
    match service {
        Service::DynamoDb => dynamodb(operation, &body),
        Service::EventBridge if operation == "PutEvents" => {
            let entries = body["Entries"].as_array()?.iter().map(|_| json!({ "EventId": "e-1" }));
            Some(json!({ "FailedEntryCount": 0, "Entries": entries.collect::<Vec<_>>() }))
        }
        Service::SecretsManager if operation == "GetSecretValue" => {
            let is_webhook = body["SecretId"] == "StripeWebhookSecret";
            let text = if is_webhook { WEBHOOK_SECRET } else { "sk_test_bench" };
            Some(json!({ "Name": "stripe", "SecretString": text }))
        }
        Service::Ses if path == ["v2", "email", "outbound-emails"] => Some(json!({ "MessageId": "m-1" })),
        Service::S3 if request.method() == Method::PUT => Some(json!({})),
        Service::Sqs if operation == "GetQueueAttributes" => Some(json!({
            "Attributes": {
                "ApproximateNumberOfMessages": "0",
                "ApproximateNumberOfMessagesDelayed": "0",
                "ApproximateNumberOfMessagesNotVisible": "0",
            }
        })),
        Service::Sqs if operation == "SendMessage" && !is_dead_letter(&body) => {
            Some(json!({ "MessageId": "m-1" }))
        }
        Service::Inventory => inventory(request.method(), &path, &body),
        Service::Stripe => stripe(request.method(), &path),
        Service::Shop => shop(request.method(), &path),
        Service::SignIn => {
            Some(json!({ "access_token": "token", "token_type": "Bearer", "expires_in": 3600 }))
        }
        // Nothing fails, so no message is delayed or sent to a dead-letter queue.
        Service::Sqs
        | Service::EventBridge
        | Service::SecretsManager
        | Service::Ses
        | Service::S3
        | Service::CloudWatch => None,
    }
}

fn dynamodb(operation: &str, body: &Value) -> Option<Value> {
    match (operation, body["TableName"].as_str()) {
        ("GetItem", Some("OrdersTable")) => {
            Some(json!({ "Item": order_item(body["Key"]["order_id"]["S"].as_str()?)? }))
        }
        ("GetItem", Some("InvoicesTable")) if body["Key"]["id"]["S"] == INVOICE_KEY => {
            Some(json!({ "Item": { "invoice": { "S": invoice().to_string() } } }))
        }
        ("GetItem", Some("HealthTable")) => {
            let report = json!({ "checked_at": now(), "steps": [], "late": false });
            Some(json!({ "Item": { "report": { "S": report.to_string() } } }))
        }
        ("GetItem", Some("ImagesTable")) if body["Key"]["item"]["S"] != "current" => {
            let (sku, item) = (body["Key"]["sku"]["S"].as_str()?, body["Key"]["item"]["S"].as_str()?);
            Some(json!({ "Item": upload_item(sku, item) }))
        }
        ("Scan", Some("ProductsTable")) => {
            let products: Vec<Value> = (1..=3).map(product_item).collect();
            Some(json!({ "Items": products, "Count": products.len(), "ScannedCount": products.len() }))
        }
        // No order is overdue, and no outbox row is left.
        ("Query" | "Scan", _) => Some(json!({ "Items": [], "Count": 0, "ScannedCount": 0 })),
        // Nothing is indexed yet.
        ("BatchGetItem", _) if body["RequestItems"]["SearchRecordsTable"].is_object() => {
            Some(json!({ "Responses": { "SearchRecordsTable": [] }, "UnprocessedKeys": {} }))
        }
        ("BatchWriteItem", _) => Some(json!({ "UnprocessedItems": {} })),
        // The item does not exist yet, and is written for the first time.
        ("GetItem" | "PutItem" | "DeleteItem" | "TransactWriteItems", _) => Some(json!({})),
        _ => None,
    }
}

/// The key of the invoice that the sample of `render-invoice` requests.
const INVOICE_KEY: &str = "order/01a207e7-51d0-774b-bcce-b302099a8e3a";

fn invoice() -> Value {
    let price = json!({ "amount": 1250, "currency": "EUR" });
    let lines: Vec<Value> = (1..=3)
        .map(|number| {
            json!({
                "sku": format!("TEA-00{number}"), "name": "Darjeeling First Flush", "quantity": 1,
                "unit_price": price, "price": price, "tax_rate": 1900
            })
        })
        .collect();
    json!({
        "number": "2026-000001", "order_id": INVOICE_KEY.trim_start_matches("order/"),
        "issued_at": "2026-11-23T10:15:33Z", "issued_on": "2026-11-23", "ordered_on": "2026-11-23",
        "paid_on": "2026-11-23", "payment_intent": "pi_bench",
        "seller": { "name": "The shop", "address": ["Teestraße 1"], "tax_id": "DE123456789" },
        "buyer": { "id": "9f3f1c60-50d1-4b3e-9a1b-1f7f3c1b7a10", "name": "Ada Lovelace" },
        "lines": lines, "total": { "amount": 3750, "currency": "EUR" }
    })
}

/// An item of the images table: an upload that was requested and is pending.
fn upload_item(sku: &str, item: &str) -> Value {
    let id = item.trim_start_matches("upload#");
    let upload = json!({
        "sku": sku, "id": id, "asked_at": "2026-11-23T10:15:30Z", "cause": { "correlation_id": "bench" },
        "state": { "status": "pending" }
    });
    json!({
        "sku": { "S": sku }, "item": { "S": item }, "upload_id": { "S": id }, "status": { "S": "pending" },
        "record": { "S": upload.to_string() }
    })
}

/// An item of the orders table: an order that has just been placed.
fn order_item(id: &str) -> Option<Value> {
    let details: OrderDetails = serde_json::from_value(json!({
        "customer": { "id": "cust-1", "name": "Ada Lovelace", "email": "ada@example.com" },
        "lines": [{ "sku": "TEA-001", "quantity": 2, "unit_price": { "amount": 1250, "currency": "EUR" } }],
        "total": { "amount": 2500, "currency": "EUR" },
        "payment_method": "pm_card_visa",
        "placed_at": "2026-11-23T10:15:30Z"
    }))
    .ok()?;
    let id: OrderId = id.parse().ok()?;
    let cause = Cause { correlation_id: "bench".parse().ok()?, causation_id: None, traceparent: None };
    let (order, _) = Order::place(id, details, cause);
    Some(json!({
        "order_id": { "S": id },
        "customer_id": { "S": order.details.customer.id },
        "placed_at": { "S": "2026-11-23T10:15:30.000000Z" },
        "status": { "S": order.status() },
        "version": { "N": "1" },
        "open_shard": { "S": "open#1" },
        "order": { "S": serde_json::to_string(&order).ok()? }
    }))
}

fn product_item(number: u32) -> Value {
    json!({
        "sku": { "S": format!("TEA-00{number}") },
        "name": { "S": "Darjeeling First Flush" },
        "price": { "M": { "amount": { "N": "1250" }, "currency": { "S": "EUR" } } },
        "available": { "N": "10" },
        "held": { "N": "2" },
        "sold": { "N": "1" }
    })
}

/// Whether a message is sent to a dead-letter queue.
fn is_dead_letter(message: &Value) -> bool {
    message["QueueUrl"].as_str().is_some_and(|url| url.ends_with("DeadLetters"))
}

fn inventory(method: &Method, path: &[&str], body: &Value) -> Option<Value> {
    let reservation = |order: &str, lines: Value, state: &str| {
        let at = "2026-11-23T10:15:30Z";
        Some(json!({
            "order_id": order, "lines": lines, "created_at": at, "changed_at": at, "state": state,
        }))
    };
    match (method, path) {
        (&Method::GET, ["products", sku]) => Some(json!({ "sku": sku, "name": "Darjeeling First Flush" })),
        (&Method::PUT, ["reservations", order]) => reservation(order, body["lines"].clone(), "held"),
        (&Method::POST, ["reservations", order, "commit"]) => reservation(order, json!([]), "committed"),
        (&Method::POST, ["reservations", order, "release"]) => reservation(order, json!([]), "released"),
        _ => None,
    }
}

/// The shop's API as a client sees it: every order is rejected immediately.
fn shop(method: &Method, path: &[&str]) -> Option<Value> {
    let id = "01a207e7-51d0-774b-bcce-b302099a8057";
    match (method, path) {
        (&Method::GET, ["products"]) => Some(json!({ "products": [{ "sku": "TEA-001" }] })),
        (&Method::GET, ["products", sku]) => Some(json!({ "sku": sku })),
        (&Method::POST, ["orders"]) => Some(json!({ "id": id })),
        (&Method::GET, ["orders"]) => Some(json!({ "orders": [] })),
        (&Method::GET, ["orders", id]) => Some(json!({ "id": id, "status": "rejected" })),
        _ => None,
    }
}

fn stripe(method: &Method, path: &[&str]) -> Option<Value> {
    let (id, status) = match (method, path) {
        (&Method::POST, ["v1", "payment_intents"]) => ("pi_bench", "requires_confirmation"),
        (&Method::POST, ["v1", "payment_intents", id, "confirm"]) => (*id, "succeeded"),
        _ => return None,
    };
    Some(json!({
        "id": id,
        "object": "payment_intent",
        "amount": 2500,
        "currency": "eur",
        "status": status,
        "last_payment_error": null
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request_json(
        service: Service,
        method: Method,
        path: &str,
        target: &str,
        body: &Value,
    ) -> Option<Value> {
        let request = Request::builder().method(method).uri(path).header("x-amz-target", target);
        match respond(service, &request.body(body.to_string().into()).unwrap())? {
            Body::Json(body) => Some(body),
            other => panic!("not JSON, but {other:?}"),
        }
    }

    #[test]
    fn the_bus_responds_with_a_result_for_each_entry() {
        let body = json!({ "Entries": [{ "Detail": "{}" }, { "Detail": "{}" }] });
        let response =
            request_json(Service::EventBridge, Method::POST, "/", "AWSEvents.PutEvents", &body).unwrap();
        assert_eq!(response["Entries"].as_array().unwrap().len(), 2);
        assert_eq!(response["FailedEntryCount"], 0);
    }

    #[test]
    fn the_orders_table_has_the_requested_order() {
        let id = "01a207e7-51d0-774b-bcce-b302099a8057";
        let body = json!({ "TableName": "OrdersTable", "Key": { "order_id": { "S": id } } });
        let response =
            request_json(Service::DynamoDb, Method::POST, "/", "DynamoDB_20120810.GetItem", &body).unwrap();
        let order: Order = serde_json::from_str(response["Item"]["order"]["S"].as_str().unwrap()).unwrap();
        assert_eq!(order.id.to_string(), id);
        assert_eq!(response["Item"]["status"]["S"], "placed");
    }

    #[test]
    fn the_clients_can_parse_a_reservation() {
        let lines =
            json!([{ "sku": "A-1", "quantity": 2, "unit_price": { "amount": 1, "currency": "EUR" } }]);
        let path = "/reservations/01a207e7-51d0-774b-bcce-b302099a8057";
        let held =
            request_json(Service::Inventory, Method::PUT, path, "", &json!({ "lines": lines })).unwrap();
        let held: domain::reservation::Reservation = serde_json::from_value(held).unwrap();
        assert_eq!((held.state.name(), held.lines.len()), ("held", 1));
        let sold = request_json(Service::Inventory, Method::POST, &format!("{path}/commit"), "", &json!({}))
            .unwrap();
        let sold: domain::reservation::Reservation = serde_json::from_value(sold).unwrap();
        assert_eq!(sold.state.name(), "committed");
    }

    #[test]
    fn an_upload_is_a_requested_image() {
        let get = |path| respond(Service::S3, &Request::get(path).body(Bytes::new()).unwrap());
        assert_eq!(get("/DocumentsBucket/a"), Some(Body::NoSuchKey));
        let Some(Body::Object(file)) = get("/UploadsBucket/uploads/TEA-001/a") else { panic!("no object") };
        assert!(media::rendition::render(&file).is_ok());
        let id = "01a207e7-51d0-774b-bcce-b302099a8057";
        let key = json!({ "sku": { "S": "TEA-001" }, "item": { "S": format!("upload#{id}") } });
        let body = json!({ "TableName": "ImagesTable", "Key": key });
        let item =
            request_json(Service::DynamoDb, Method::POST, "/", "DynamoDB_20120810.GetItem", &body).unwrap();
        let upload: domain::product::Upload =
            serde_json::from_str(item["Item"]["record"]["S"].as_str().unwrap()).unwrap();
        assert_eq!(upload.id.to_string(), id);
    }

    #[test]
    fn a_dead_letter_message_is_unexpected() {
        let body = json!({ "QueueUrl": "ExportOrdersDeadLetters" });
        assert_eq!(request_json(Service::Sqs, Method::POST, "/", "AmazonSQS.SendMessage", &body), None);
        assert_eq!(request_json(Service::Stripe, Method::POST, "/v1/refunds", "", &json!({})), None);
    }
}
