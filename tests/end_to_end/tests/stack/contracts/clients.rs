//! The AWS clients of the adapters under test. While conditions are mutated, they pass each request to a [`Mutator`].

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_types::SdkConfig;
use contracts::conditions::{Condition, Mutation};
use serde_json::Value;

/// The start of the header `X-Amz-Target` of requests to DynamoDB.
const DYNAMODB_TARGET: &str = "DynamoDB_20120810.";
/// The headers with the condition of a request to S3.
const CONDITION_HEADERS: [&str; 2] = ["If-Match", "If-None-Match"];

/// Creates the clients of the adapters.
pub(super) struct Clients {
    config: SdkConfig,
    mutator: Option<Arc<Mutator>>,
}

impl Clients {
    pub(super) fn new(config: &SdkConfig, mutator: Option<Arc<Mutator>>) -> Self {
        Self { config: config.clone(), mutator }
    }

    /// The configuration of the clients of an adapter, which is the path of its file.
    pub(super) fn config(&self, adapter: &'static str) -> SdkConfig {
        let (Some(mutator), Some(http)) = (self.mutator.clone(), self.config.http_client()) else {
            return self.config.clone();
        };
        let client = http_client_fn(move |settings, components| {
            let connector = http.http_connector(settings, components);
            SharedHttpConnector::new(MutatingConnector { connector, adapter, mutator: mutator.clone() })
        });
        self.config.clone().into_builder().http_client(client).build()
    }

    /// A DynamoDB client of an adapter, which is the path of its file.
    pub(super) fn dynamodb(&self, adapter: &'static str) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.config(adapter))
    }
}

/// Records the conditions of all requests, and drops one of them.
#[derive(Debug, Default)]
pub(super) struct Mutator {
    recorded: Mutex<BTreeSet<Condition>>,
    mutation: Mutex<Option<Mutation>>,
}

impl Mutator {
    /// Returns the conditions that were recorded since the last call.
    pub(super) fn take_recorded(&self) -> BTreeSet<Condition> {
        std::mem::take(&mut self.recorded.lock().unwrap())
    }

    /// Selects the mutation of the following requests.
    pub(super) fn select(&self, mutation: Option<Mutation>) {
        *self.mutation.lock().unwrap() = mutation;
    }

    fn process(&self, adapter: &'static str, request: HttpRequest) -> anyhow::Result<HttpRequest> {
        let mutation = self.mutation.lock().unwrap().clone().filter(|it| it.condition.adapter == adapter);
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        match target.strip_prefix(DYNAMODB_TARGET).map(str::to_owned) {
            Some(operation) => self.process_dynamodb(adapter, &operation, mutation.as_ref(), request),
            None => Ok(self.process_s3(adapter, mutation.as_ref(), request)),
        }
    }

    fn process_dynamodb(
        &self,
        adapter: &'static str,
        operation: &str,
        mutation: Option<&Mutation>,
        mut request: HttpRequest,
    ) -> anyhow::Result<HttpRequest> {
        let sent = request.body().bytes().context("the body of the request is a stream")?;
        let mut body: Value = serde_json::from_slice(sent)?;
        let conditions = Condition::all_in(adapter, operation, &body, logical_name);
        if let Some(mutation) = mutation.filter(|mutation| conditions.contains(&mutation.condition)) {
            mutation.apply(operation, &mut body, logical_name);
            let body = serde_json::to_vec(&body)?;
            request.headers_mut().insert("content-length", body.len().to_string());
            *request.body_mut() = SdkBody::from(body);
        }
        self.recorded.lock().unwrap().extend(conditions);
        Ok(request)
    }

    fn process_s3(
        &self,
        adapter: &'static str,
        mutation: Option<&Mutation>,
        mut request: HttpRequest,
    ) -> HttpRequest {
        for header in CONDITION_HEADERS {
            if request.headers().get(header).is_none() {
                continue;
            }
            let condition = Condition {
                adapter,
                operation: request.method().to_owned(),
                resource: "a bucket".to_owned(),
                expression: header.to_owned(),
            };
            if mutation.is_some_and(|mutation| mutation.condition == condition) {
                request.headers_mut().remove(header);
            }
            self.recorded.lock().unwrap().insert(condition);
        }
        request
    }
}

/// The logical id of a table that [`Tables`](super::stores::Tables) created.
fn logical_name(table: &str) -> String {
    let name = table.strip_prefix("contracts-").and_then(|rest| rest.rsplit_once('-'));
    name.map_or(table, |(logical, _)| logical).to_owned()
}

/// Sends requests after the mutator has processed them. The emulator accepts them although they were signed before.
#[derive(Debug)]
struct MutatingConnector {
    connector: SharedHttpConnector,
    adapter: &'static str,
    mutator: Arc<Mutator>,
}

impl HttpConnector for MutatingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.mutator.process(self.adapter, request) {
            Ok(request) => self.connector.call(request),
            Err(error) => HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        }
    }
}
