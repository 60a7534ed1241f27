//! An HTTP connection for the SDK's clients that answers as a test says and keeps what was sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use serde_json::Value;

use crate::memory::lock;

/// Answers, in order, with a status and JSON.
#[derive(Debug, Clone, Default)]
pub(super) struct StubConnector {
    answers: Arc<Mutex<VecDeque<(u16, Value)>>>,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl StubConnector {
    pub(super) fn new(answers: impl IntoIterator<Item = (u16, Value)>) -> Self {
        Self { answers: Arc::new(Mutex::new(answers.into_iter().collect())), requests: Arc::default() }
    }

    /// The bodies of the requests so far.
    pub(super) fn requests(&self) -> Vec<Value> {
        lock(&self.requests).clone()
    }

    /// The configuration of a client that uses this and does not try again by itself.
    pub(super) fn config(&self) -> SdkConfig {
        let wire = self.clone();
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "id", "key", None, None, "test",
            )))
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(wire.clone())))
            .retry_config(RetryConfig::disabled())
            .build()
    }
}

impl HttpConnector for StubConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
        lock(&self.requests).push(body);
        let (status, answer) = lock(&self.answers).pop_front().expect("one request more than was expected");
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(answer.to_string()));
        HttpConnectorFuture::ready(Ok(response))
    }
}
