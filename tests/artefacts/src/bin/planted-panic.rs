//! `planted-panic`: a function whose handler panics if a message requests it. It is built like the deployed
//! functions, for the test that a panic does not affect the other messages of a batch.

use std::time::Duration;

use async_trait::async_trait;
use aws::Aws;
use domain::{Event, Fact};
use platform::publisher::NoPublisher;
use platform::{Failure, Labels, MessageHandler, host, telemetry};
use serde_json::Value;

struct PanicOnRequest;

#[async_trait]
impl MessageHandler<Fact> for PanicOnRequest {
    fn labels(&self, message: &Value) -> Labels {
        panic_if_requested(message, "labels");
        Labels::default()
    }

    async fn handle_message(&self, message: Value, _: Duration) -> Result<Vec<Event>, Failure> {
        panic_if_requested(&message, "handler");
        Ok(Vec::new())
    }
}

#[expect(clippy::panic, reason = "the purpose of this function")]
fn panic_if_requested(message: &Value, place: &str) {
    if message.get("panic").is_some_and(|wanted| wanted == place) {
        panic!("the message requests a panic");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    host::queue::run(env!("CARGO_BIN_NAME"), Aws::from_env()?.queue()?, NoPublisher, PanicOnRequest).await
}
