//! `planted-panic`: a function whose handler panics at the messages that ask for it, built as those are that are
//! deployed. For the test that such a panic leaves the other messages of the batch alone.

use std::time::Duration;

use async_trait::async_trait;
use aws::Aws;
use domain::{Event, Fact};
use platform::handler::{Failure, MessageHandler};
use platform::host::record::Labels;
use platform::publisher::NoPublisher;
use platform::{host, telemetry};
use serde_json::Value;

struct PanicsWhenAsked;

#[async_trait]
impl MessageHandler<Fact> for PanicsWhenAsked {
    fn labels(&self, message: &Value) -> Labels {
        panic_at(message, "labels");
        Labels::default()
    }

    async fn handle_message(&self, message: Value, _: Duration) -> Result<Vec<Event>, Failure> {
        panic_at(&message, "handler");
        Ok(Vec::new())
    }
}

#[expect(clippy::panic, reason = "what this function is for")]
fn panic_at(message: &Value, place: &str) {
    if message.get("panic").is_some_and(|wanted| wanted == place) {
        panic!("the message asks for it");
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), host::Error> {
    telemetry::init(env!("CARGO_BIN_NAME"));
    host::queue::run(env!("CARGO_BIN_NAME"), Aws::from_env()?.queue()?, NoPublisher, PanicsWhenAsked).await
}
