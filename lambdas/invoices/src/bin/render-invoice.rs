//! `render-invoice`: the API for the invoice of an order, as PDF or HTML.

use std::sync::Arc;

use aws::{Aws, UnsignedClient};
use aws_objects::Bucket;
use domain::OrderId;
use invoices::adapters::DynamoDbInvoices;
use invoices::api::{Api, router};
use invoices::store::Invoices;
use platform::{config, host, telemetry};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let invoices = Arc::new(DynamoDbInvoices::from_env(aws.dynamodb())?);
    host::http::warm_up(invoices.get(OrderId::from(Uuid::nil()))).await;
    let objects = Arc::new(Bucket::new(aws.sdk_config(), config::required("DOCUMENTS_BUCKET")?));
    host::http::run(router(Api { invoices, objects }), UnsignedClient::new).await
}
