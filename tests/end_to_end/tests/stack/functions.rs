//! The individual functions: each handles its sample event, and none can do more than its role allows.

use std::path::PathBuf;

use end_to_end::{Product, Requirement, Stack, WAIT_TIMEOUT, wait_for};
use serde_json::Value;

use crate::{exclusive_with, shared_with};

fn sample(name: &str) -> String {
    let root = PathBuf::from(std::env::var("E2E_REPO_ROOT").unwrap());
    std::fs::read_to_string(root.join("events").join(format!("{name}.json"))).unwrap()
}

/// Invokes the functions in the order of the order process, so that each finds the data of its predecessors.
#[tokio::test]
async fn each_function_handles_its_sample_event() {
    let Some((stack, _guard)) = exclusive_with(&[Requirement::ThrowawayStack]).await else { return };
    for line in sample_lines() {
        let product = Product {
            sku: line["sku"].as_str().unwrap().to_owned(),
            cents: u32::try_from(line["unit_price"]["amount"].as_u64().unwrap()).unwrap(),
        };
        stack.add_stock(&product, 1000).await.unwrap();
    }
    // `health-api` returns the result of this check.
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
    // A webhook signature is valid for five minutes, and the sample is older.
    let response = stack.invoke("StripeWebhook", &sample("stripe-webhook")).await.unwrap();
    let body = response["body"].as_str().unwrap_or_default();
    assert!(response["statusCode"] == 400 && body.contains("Stripe-Signature"), "{response}");
    // The upload in the sample was not requested.
    let response = stack.invoke("ProcessUpload", &sample("process-upload")).await.unwrap();
    assert_eq!(response["batchItemFailures"], Value::Array(Vec::new()), "{response}");
    let dead_letters =
        stack.dead_letters("ProcessUploadDeadLetters", "01a207e7-51d0-774b-bcce-b302099a8057").await;
    assert_eq!(dead_letters.unwrap()[0].attributes["kind"], "reject");
    let response = stack.invoke("ExpireOrders", &sample("expire-orders")).await.unwrap();
    assert!(response["expired"].is_u64(), "{response}");
    let response = stack.invoke("DailyReport", &sample("daily-report")).await.unwrap();
    assert_eq!(response["day"], "2026-11-22", "{response}");
    // The export in the sample does not exist: there is nothing to do.
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
        deliver(&stack, logical, name).await;
        // These samples have their own orders: a mail about the shared one may have been sent with its actual
        // outcome.
        let of_its_own = ["send-email", "issue-invoice", "record-sale", "deliver-webhook"].contains(&name);
        let order = if of_its_own { detail(name)["subject"].clone() } else { sample_order().into() };
        let dead_letters =
            stack.dead_letters(&format!("{logical}DeadLetters"), order.as_str().unwrap()).await.unwrap();
        assert!(dead_letters.is_empty(), "{name}: {dead_letters:?}");
    }
}

/// The functions that retry while another delivery holds the lease of the payment.
const LEASED: [&str; 2] = ["process-payment", "void-payment"];

/// Delivers the sample. The samples before it start the order process, so the stack's own delivery of the same order
/// can hold the lease: then it is delivered until it is handled, as its queue would.
async fn deliver(stack: &Stack, logical: &str, name: &str) {
    let is_handled = |response: &Value| response["batchItemFailures"] == Value::Array(Vec::new());
    let response = stack.invoke(logical, &sample(name)).await.unwrap();
    if LEASED.contains(&name) && !is_handled(&response) {
        wait_for(&format!("{name} to handle its sample event"), WAIT_TIMEOUT, async || {
            Ok(is_handled(&stack.invoke(logical, &sample(name)).await?).then_some(()))
        })
        .await;
        return;
    }
    assert!(is_handled(&response), "{name}: {response}");
}

/// The sample requests the invoice of an order that does not exist, so the invoice is issued first.
#[tokio::test]
async fn the_sample_invoice_is_rendered_for_its_owner() {
    let Some((stack, _guard)) = exclusive_with(&[Requirement::ThrowawayStack]).await else { return };
    let request: Value = serde_json::from_str(&sample("render-invoice")).unwrap();
    let order = request["pathParameters"]["order_id"].as_str().unwrap();
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

/// Uses the credentials of the mail function for resources of other functions.
#[tokio::test]
async fn a_function_cannot_access_what_its_role_does_not_allow() {
    let Some((stack, _guard)) = shared_with(&[Requirement::FunctionRoles]).await else { return };
    let own = stack.role("SendEmailRole").await.unwrap().configure(&stack.aws);

    let emails = stack.table_name("EmailsTable").await.unwrap();
    let allowed = own.dynamodb().get_item().table_name(emails).set_key(Some(email_key())).send().await;
    assert!(allowed.is_ok(), "its own table: {allowed:?}");
    for table in ["OrdersTable", "PaymentsTable", "ProductsTable"] {
        let table = stack.table_name(table).await.unwrap();
        let rejected =
            own.dynamodb().scan().table_name(&table).send().await.unwrap_err().into_service_error();
        assert_eq!(rejected.meta().code(), Some("AccessDeniedException"), "{table}: {rejected:?}");
    }
    let queue = queue_of_others(&stack).await;
    let rejected = aws_sdk_sqs::Client::new(own.sdk_config()).receive_message().queue_url(queue).send().await;
    assert!(rejected.is_err(), "another function's queue: {rejected:?}");
}

async fn queue_of_others(stack: &Stack) -> String {
    stack.queue_url("ProcessPaymentQueue").await.unwrap()
}

fn email_key() -> std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue> {
    use aws_sdk_dynamodb::types::AttributeValue::S;
    [("subject".to_owned(), S("o".to_owned())), ("effect".to_owned(), S("k".to_owned()))].into()
}
