//! `serve-reference`: API Gateway → the contract and its page.

use platform::{host, telemetry};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    host::http::run(reference::router()).await
}
