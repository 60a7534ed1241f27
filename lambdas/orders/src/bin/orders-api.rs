//! `orders-api`: API Gateway → order service.

use std::sync::Arc;

use aws::{Aws, UnsignedClient};
use domain::OrderId;
use orders::adapters::DynamoDbOrders;
use orders::api::{Api, router};
use orders::quota::OrderLimit;
use orders::store::Orders;
use platform::clock::SystemClock;
use platform::{config, host, telemetry};
use uuid::Uuid;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    let aws = Aws::from_env()?;
    let orders = Arc::new(DynamoDbOrders::from_env(aws.dynamodb())?);
    host::http::warm_up(orders.get(OrderId::from(Uuid::nil()))).await;
    let limit = OrderLimit {
        max_orders: config::optional("MAX_ORDERS_PER_CUSTOMER", 20_u32)?,
        window_seconds: config::optional("ORDER_WINDOW_SECONDS", 600_u32)?,
    };
    host::http::run(router(Api { orders, limit, clock: Arc::new(SystemClock) }), UnsignedClient::new).await
}
