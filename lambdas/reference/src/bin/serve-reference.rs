//! `serve-reference`: API Gateway → API reference.

use aws::UnsignedClient;
use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    host::http::run(reference::api::router(), UnsignedClient::new).await
}
