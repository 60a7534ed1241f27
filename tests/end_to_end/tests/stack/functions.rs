//! The functions one by one: each takes its sample event, and none may do more than its role allows.

use std::path::PathBuf;

use end_to_end::{Product, Requirement, Stack};
use serde_json::Value;

use crate::{exclusive_with, shared_with};

fn sample(name: &str) -> String {
    let root = PathBuf::from(std::env::var("E2E_REPO_ROOT").unwrap());
    std::fs::read_to_string(root.join("events").join(format!("{name}.json"))).unwrap()
}

/// In the order in which an order meets them, so that each finds what the one before it left.
#[tokio::test]
async fn each_function_takes_its_sample_event() {
    let Some((stack, _guard)) = exclusive_with(&[Requirement::ThrowawayStack]).await else { return };
    for line in sample_lines() {
        let product = Product {
            sku: line["sku"].as_str().unwrap().to_owned(),
            cents: u32::try_from(line["unit_price"]["amount"].as_u64().unwrap()).unwrap(),
        };
        stack.add_stock(&product, 1000).await.unwrap();
    }
    // Of which `health-api` tells.
    let response = stack.invoke("CheckHealth", &sample("check-health")).await.unwrap();
    assert_eq!(response["healthy"], true, "{response}");
    for (name, logical) in [
        ("health-api", "HealthApi"),
        ("orders-api", "OrdersApi"),
        ("inventory-api", "InventoryApi"),
        ("accounts-api", "AccountsApi"),
        ("webhooks-api", "WebhooksApi"),
        ("media-api", "MediaApi"),
        ("search-orders", "SearchOrders"),
        ("exports-api", "ExportsApi"),
        ("serve-reference", "ServeReference"),
    ] {
        let response = stack.invoke(logical, &sample(name)).await.unwrap();
        let status = response["statusCode"].as_u64().unwrap();
        assert!((200..300).contains(&status), "{name}: {response}");
    }
    let response = stack.invoke("GrantScopes", &sample("grant-scopes")).await.unwrap();
    let granted =
        &response["response"]["claimsAndScopeOverrideDetails"]["accessTokenGeneration"]["scopesToAdd"];
    assert!(granted.as_array().is_some_and(|scopes| scopes.contains(&"orders/write".into())), "{response}");
    // A webhook's signature is good for five minutes, and the sample is older.
    let response = stack.invoke("StripeWebhook", &sample("stripe-webhook")).await.unwrap();
    let body = response["body"].as_str().unwrap_or_default();
    assert!(response["statusCode"] == 400 && body.contains("Stripe-Signature"), "{response}");
    // Nobody asked for the upload that the sample is of.
    let response = stack.invoke("ProcessUpload", &sample("process-upload")).await.unwrap();
    assert_eq!(response["batchItemFailures"], Value::Array(Vec::new()), "{response}");
    let dead_letters =
        stack.dead_letters("ProcessUploadDeadLetters", "01a207e7-51d0-774b-bcce-b302099a8057").await;
    assert_eq!(dead_letters.unwrap()[0].attributes["kind"], "reject");
    let response = stack.invoke("ExpireOrders", &sample("expire-orders")).await.unwrap();
    assert!(response["expired"].is_u64(), "{response}");
    let response = stack.invoke("DailyReport", &sample("daily-report")).await.unwrap();
    assert_eq!(response["day"], "2026-11-22", "{response}");
    // Of an export that nobody asked for: there is nothing to do.
    let response = stack.invoke("ExportOrders", &sample("export-orders")).await.unwrap();
    assert_eq!(response["batchItemFailures"], Value::Array(Vec::new()), "{response}");
    for (name, logical) in [
        ("relay-outbox", "RelayOutbox"),
        ("reserve-inventory", "ReserveInventory"),
        ("process-payment", "ProcessPayment"),
        ("void-payment", "VoidPayment"),
        ("settle-reservation", "SettleReservation"),
        ("track-order", "TrackOrder"),
        ("send-email", "SendEmail"),
        ("issue-invoice", "IssueInvoice"),
        ("record-sale", "RecordSale"),
        ("import-stock", "ImportStock"),
        ("deliver-webhook", "DeliverWebhook"),
        ("index-order", "IndexOrder"),
    ] {
        let response = stack.invoke(logical, &sample(name)).await.unwrap();
        assert_eq!(response["batchItemFailures"], Value::Array(Vec::new()), "{name}: {response}");
        // Of an order of its own: a mail about the other one may have gone out with what really became of it.
        let of_its_own = ["send-email", "issue-invoice", "record-sale", "deliver-webhook"].contains(&name);
        let order = if of_its_own { detail(name)["subject"].clone() } else { sample_order().into() };
        let dead_letters =
            stack.dead_letters(&format!("{logical}DeadLetters"), order.as_str().unwrap()).await.unwrap();
        assert!(dead_letters.is_empty(), "{name}: {dead_letters:?}");
    }
}

/// The sample asks for the invoice of an order that nobody placed: it is issued first.
#[tokio::test]
async fn a_sample_invoice_is_there_for_whose_it_is() {
    let Some((stack, _guard)) = exclusive_with(&[Requirement::ThrowawayStack]).await else { return };
    let asked: Value = serde_json::from_str(&sample("render-invoice")).unwrap();
    let order = asked["pathParameters"]["order_id"].as_str().unwrap();
    let paid = sample("issue-invoice").replace(detail("issue-invoice")["subject"].as_str().unwrap(), order);
    stack.invoke("IssueInvoice", &paid).await.unwrap();
    let response = stack.invoke("RenderInvoice", &sample("render-invoice")).await.unwrap();
    assert_eq!(
        (&response["statusCode"], &response["isBase64Encoded"]),
        (&200.into(), &true.into()),
        "{response}"
    );
}

fn detail(name: &str) -> Value {
    let event: Value = serde_json::from_str(&sample(name)).unwrap();
    let body: Value = serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
    body["detail"].clone()
}

fn sample_lines() -> Vec<Value> {
    detail("reserve-inventory")["data"]["order"]["lines"].as_array().unwrap().clone()
}

fn sample_order() -> String {
    detail("process-payment")["subject"].as_str().unwrap().to_owned()
}

/// The mail function's own credentials, used for what is none of its business.
#[tokio::test]
async fn a_function_is_refused_what_its_role_does_not_allow() {
    let Some((stack, _guard)) = shared_with(&[Requirement::FunctionRoles]).await else { return };
    let own = stack.role("SendEmailRole").await.unwrap().configure(&stack.aws);

    let emails = stack.table_name("EmailsTable").await.unwrap();
    let allowed = own.dynamodb().get_item().table_name(emails).set_key(Some(email_key())).send().await;
    assert!(allowed.is_ok(), "its own table: {allowed:?}");
    for table in ["OrdersTable", "PaymentsTable", "ProductsTable"] {
        let table = stack.table_name(table).await.unwrap();
        let refused = own.dynamodb().scan().table_name(&table).send().await.unwrap_err().into_service_error();
        assert_eq!(refused.meta().code(), Some("AccessDeniedException"), "{table}: {refused:?}");
    }
    let queue = queue_of_others(&stack).await;
    let refused = aws_sdk_sqs::Client::new(own.sdk_config()).receive_message().queue_url(queue).send().await;
    assert!(refused.is_err(), "another function's queue: {refused:?}");
}

async fn queue_of_others(stack: &Stack) -> String {
    stack.queue_url("ProcessPaymentQueue").await.unwrap()
}

fn email_key() -> std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue> {
    use aws_sdk_dynamodb::types::AttributeValue::S;
    [("subject".to_owned(), S("o".to_owned())), ("effect".to_owned(), S("k".to_owned()))].into()
}
