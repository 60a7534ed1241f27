//! A connector for the SDK's clients that returns canned responses and records the requests.

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

use platform::lock;

/// Returns the given statuses and JSON bodies in order.
#[derive(Debug, Clone, Default)]
pub struct StubConnector {
    responses: Arc<Mutex<VecDeque<(u16, Value)>>>,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl StubConnector {
    /// A connector with these responses.
    pub fn new(responses: impl IntoIterator<Item = (u16, Value)>) -> Self {
        Self { responses: Arc::new(Mutex::new(responses.into_iter().collect())), requests: Arc::default() }
    }

    /// The bodies of the requests so far.
    pub fn requests(&self) -> Vec<Value> {
        lock(&self.requests).clone()
    }

    /// The configuration of a client that uses this connector and does not retry.
    pub fn config(&self) -> SdkConfig {
        let connector = self.clone();
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
                "id", "key", None, None, "test",
            )))
            .http_client(http_client_fn(move |_, _| SharedHttpConnector::new(connector.clone())))
            .retry_config(RetryConfig::disabled())
            .build()
    }
}

impl HttpConnector for StubConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let sent = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
        lock(&self.requests).push(sent);
        let (status, body) = lock(&self.responses).pop_front().expect("more requests than expected");
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string()));
        HttpConnectorFuture::ready(Ok(response))
    }
}
