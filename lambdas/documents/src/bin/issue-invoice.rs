//! `issue-invoice`: issues an invoice for each paid order.

use std::sync::Arc;

use aws::Aws;
use documents::adapters::invoices::{DynamoDbInvoices, catalogue};
use documents::invoice::issue::IssueInvoice;
use documents::invoice::settings::Settings;
use platform::clock::SystemClock;
use platform::publisher::NoPublisher;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let invoices = Arc::new(DynamoDbInvoices::from_env(aws.dynamodb())?);
    let handler = IssueInvoice::new(invoices, catalogue(&aws)?, Settings::from_env()?, Arc::new(SystemClock));
    host::queue::run(env!("CARGO_BIN_NAME"), aws.queue()?, NoPublisher, handler).await
}
