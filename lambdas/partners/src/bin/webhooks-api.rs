//! `webhooks-api`: serves the webhooks API for partners through API Gateway.

use std::sync::Arc;

use aws::{Aws, UnsignedClient};
use partners::adapters::{DynamoDbDeliveries, DynamoDbPartners, SqsDeliveryQueue, SystemSecretGenerator};
use partners::api::{Api, router};
use partners::endpoint::test_receiver;
use partners::store::Partners;
use platform::clock::SystemClock;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let partners = Arc::new(DynamoDbPartners::from_env(aws.dynamodb())?);
    host::http::warm_up(partners.get(&"nobody".parse()?)).await;
    let api = Api {
        partners,
        deliveries: Arc::new(DynamoDbDeliveries::from_env(aws.dynamodb())?),
        queue: Arc::new(SqsDeliveryQueue::from_env(&aws)?),
        secrets: Arc::new(SystemSecretGenerator),
        exempt: test_receiver()?,
        clock: Arc::new(SystemClock),
    };
    host::http::run(router(api), UnsignedClient::new).await
}
