//! `issue-invoice`: issues an invoice for each paid order.

use std::sync::Arc;

use aws::Aws;
use invoices::adapters::DynamoDbInvoices;
use invoices::issue::IssueInvoice;
use invoices::settings::Settings;
use platform::clock::SystemClock;
use platform::publisher::NoPublisher;
use platform::{config, host, telemetry};
use product_catalogue::HttpCatalogue;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let invoices = Arc::new(DynamoDbInvoices::from_env(aws.dynamodb())?);
    let inventory = config::required("INVENTORY_API_URL")?;
    // The products are public. Requests are signed because the signing client shares its connections with the SDK.
    let catalogue = Arc::new(HttpCatalogue::new(aws.signed_client("execute-api"), &inventory));
    let handler = IssueInvoice::new(invoices, catalogue, Settings::from_env()?, Arc::new(SystemClock));
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, NoPublisher, handler).await
}
