//! A function that does nothing: what remains of a cold start when all that a function can leave out is left out.
//!
//! `cargo xtask bench` builds it apart from the others, so that it gets no feature of a dependency that only they
//! ask for.

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Value>| Ok::<_, Error>(event.payload))).await
}
