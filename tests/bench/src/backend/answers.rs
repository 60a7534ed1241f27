//! What the services answer: just enough for each sample event to come to a good end. Nothing is remembered, so
//! that a second invocation does the same work as the first.

use bytes::Bytes;
use domain::order::{Order, OrderDetails};
use domain::{Cause, OrderId};
use http::{Method, Request};
use serde_json::{Value, json};

use super::Service;
use crate::functions::WEBHOOK_SECRET;

/// The answer of `service`; `None` to what no sample event should lead to.
pub(super) fn answer(service: Service, request: &Request<Bytes>) -> Option<Value> {
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
        // No file is there yet, and each is taken.
        Service::S3 => match *request.method() {
            Method::GET => Some(Value::Null),
            Method::PUT => Some(json!({})),
            _ => None,
        },
        Service::Sqs if operation == "SendMessage" && !is_dead_letter(&body) => {
            Some(json!({ "MessageId": "m-1" }))
        }
        Service::Inventory => inventory(request.method(), &path, &body),
        Service::Stripe => stripe(request.method(), &path),
        // Nothing fails, so no message is put off or away.
        Service::Sqs | Service::EventBridge | Service::SecretsManager | Service::Ses => None,
    }
}

fn dynamodb(operation: &str, body: &Value) -> Option<Value> {
    match (operation, body["TableName"].as_str()) {
        ("GetItem", Some("OrdersTable")) => {
            Some(json!({ "Item": order_row(body["Key"]["order_id"]["S"].as_str()?)? }))
        }
        ("GetItem", Some("InvoicesTable")) if body["Key"]["id"]["S"] == INVOICED => {
            Some(json!({ "Item": { "invoice": { "S": invoice().to_string() } } }))
        }
        ("Scan", Some("ProductsTable")) => {
            let products: Vec<Value> = (1..=3).map(product_row).collect();
            Some(json!({ "Items": products, "Count": products.len(), "ScannedCount": products.len() }))
        }
        // Nothing is late and nothing is left.
        ("Query" | "Scan", _) => Some(json!({ "Items": [], "Count": 0, "ScannedCount": 0 })),
        // Nothing is indexed yet.
        ("BatchGetItem", _) if body["RequestItems"]["SearchRecordsTable"].is_object() => {
            Some(json!({ "Responses": { "SearchRecordsTable": [] }, "UnprocessedKeys": {} }))
        }
        ("BatchWriteItem", _) => Some(json!({ "UnprocessedItems": {} })),
        // What is not there yet is written for the first time.
        ("GetItem" | "PutItem" | "DeleteItem" | "TransactWriteItems", _) => Some(json!({})),
        _ => None,
    }
}

/// The row of the order whose invoice the sample of `render-invoice` asks for.
const INVOICED: &str = "order/01a207e7-51d0-774b-bcce-b302099a8e3a";

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
        "number": "2026-000001", "order_id": INVOICED.trim_start_matches("order/"),
        "issued_at": "2026-11-23T10:15:33Z", "issued_on": "2026-11-23", "ordered_on": "2026-11-23",
        "paid_on": "2026-11-23", "payment_intent": "pi_bench",
        "seller": { "name": "The shop", "address": ["Teestraße 1"], "tax_id": "DE123456789" },
        "buyer": { "id": "9f3f1c60-50d1-4b3e-9a1b-1f7f3c1b7a10", "name": "Ada Lovelace" },
        "lines": lines, "total": { "amount": 3750, "currency": "EUR" }
    })
}

/// A row of the orders table with an order that has just been placed.
fn order_row(id: &str) -> Option<Value> {
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

fn product_row(number: u32) -> Value {
    json!({
        "sku": { "S": format!("TEA-00{number}") },
        "name": { "S": "Darjeeling First Flush" },
        "price": { "M": { "amount": { "N": "1250" }, "currency": { "S": "EUR" } } },
        "available": { "N": "10" },
        "held": { "N": "2" },
        "sold": { "N": "1" }
    })
}

/// Whether a message goes to where those end that could not be handled.
fn is_dead_letter(message: &Value) -> bool {
    message["QueueUrl"].as_str().is_some_and(|url| url.ends_with("DeadLetters"))
}

fn inventory(method: &Method, path: &[&str], body: &Value) -> Option<Value> {
    let reservation = |order: &str, lines: Value, state: &str| {
        Some(json!({ "order_id": order, "lines": lines, "state": state }))
    };
    match (method, path) {
        (&Method::GET, ["products", sku]) => Some(json!({ "sku": sku, "name": "Darjeeling First Flush" })),
        (&Method::PUT, ["reservations", order]) => reservation(order, body["lines"].clone(), "held"),
        (&Method::POST, ["reservations", order, "commit"]) => reservation(order, json!([]), "committed"),
        (&Method::POST, ["reservations", order, "release"]) => reservation(order, json!([]), "released"),
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

    fn asked(service: Service, method: Method, path: &str, target: &str, body: &Value) -> Option<Value> {
        let request = Request::builder().method(method).uri(path).header("x-amz-target", target);
        answer(service, &request.body(body.to_string().into()).unwrap())
    }

    #[test]
    fn the_bus_answers_for_each_entry() {
        let body = json!({ "Entries": [{ "Detail": "{}" }, { "Detail": "{}" }] });
        let answer = asked(Service::EventBridge, Method::POST, "/", "AWSEvents.PutEvents", &body).unwrap();
        assert_eq!(answer["Entries"].as_array().unwrap().len(), 2);
        assert_eq!(answer["FailedEntryCount"], 0);
    }

    #[test]
    fn the_orders_table_has_the_order_that_is_asked_for() {
        let id = "01a207e7-51d0-774b-bcce-b302099a8057";
        let body = json!({ "TableName": "OrdersTable", "Key": { "order_id": { "S": id } } });
        let answer = asked(Service::DynamoDb, Method::POST, "/", "DynamoDB_20120810.GetItem", &body).unwrap();
        let order: Order = serde_json::from_str(answer["Item"]["order"]["S"].as_str().unwrap()).unwrap();
        assert_eq!(order.id.to_string(), id);
        assert_eq!(answer["Item"]["status"]["S"], "placed");
    }

    #[test]
    fn a_reservation_is_one_for_its_callers() {
        let lines =
            json!([{ "sku": "A-1", "quantity": 2, "unit_price": { "amount": 1, "currency": "EUR" } }]);
        let path = "/reservations/01a207e7-51d0-774b-bcce-b302099a8057";
        let held = asked(Service::Inventory, Method::PUT, path, "", &json!({ "lines": lines })).unwrap();
        let held: domain::reservation::Reservation = serde_json::from_value(held).unwrap();
        assert_eq!((held.state.name(), held.lines.len()), ("held", 1));
        let sold =
            asked(Service::Inventory, Method::POST, &format!("{path}/commit"), "", &json!({})).unwrap();
        let sold: domain::reservation::Reservation = serde_json::from_value(sold).unwrap();
        assert_eq!(sold.state.name(), "committed");
    }

    #[test]
    fn a_message_that_is_put_away_is_a_surprise() {
        let body = json!({ "QueueUrl": "ExportOrdersDeadLetters" });
        assert_eq!(asked(Service::Sqs, Method::POST, "/", "AmazonSQS.SendMessage", &body), None);
        assert_eq!(asked(Service::Stripe, Method::POST, "/v1/refunds", "", &json!({})), None);
    }
}
