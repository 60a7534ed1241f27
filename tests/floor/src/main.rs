//! A function that does nothing: its cold start is the lower bound for all functions.
//!
//! `cargo xtask bench` builds it separately, so that it gets no dependency features that only the other
//! functions enable.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| Ok::<_, Error>(event.payload))).await
}
