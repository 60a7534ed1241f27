//! AWS clients for synchronous code, for AWS and for the emulator.

use anyhow::Context as _;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use serde_json::Value;

use crate::http::Http;

/// The region of local stacks.
pub const LOCAL_REGION: &str = "us-east-1";
/// The emulator's access key id and secret access key of the root user.
pub const LOCAL_KEY: &str = "test";

/// IAM is not regional: its requests are signed for us-east-1
/// (<https://docs.aws.amazon.com/general/latest/gr/iam-service.html>).
const GLOBAL: &str = "iam";

/// The AWS clients, and the runtime for their requests.
#[expect(missing_docs, reason = "each client is named after its service")]
pub struct Aws {
    runtime: tokio::runtime::Runtime,
    config: SdkConfig,
    pub cloudformation: aws_sdk_cloudformation::Client,
    pub dynamodb: aws_sdk_dynamodb::Client,
    pub eventbridge: aws_sdk_eventbridge::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub s3: aws_sdk_s3::Client,
    pub secrets: aws_sdk_secretsmanager::Client,
    pub sqs: aws_sdk_sqs::Client,
}

impl Aws {
    /// Clients for the emulator at `endpoint`.
    ///
    /// # Errors
    /// When the runtime cannot be started.
    pub fn local(endpoint: &str) -> anyhow::Result<Self> {
        let loader = loader()
            .endpoint_url(endpoint)
            .region(Region::from_static(LOCAL_REGION))
            .credentials_provider(local_credentials());
        let runtime = runtime()?;
        let config = runtime.block_on(loader.load());
        Ok(Self::new(runtime, &config))
    }

    /// Clients for AWS, with the credentials of the environment or the profile, and their region unless another one
    /// is given.
    ///
    /// # Errors
    /// When no region is given or set.
    pub fn deployed(region: Option<String>) -> anyhow::Result<Self> {
        let runtime = runtime()?;
        let loader = match region {
            Some(region) => loader().region(Region::new(region)),
            None => loader(),
        };
        let config = runtime.block_on(loader.load());
        config
            .region()
            .context("no AWS region is set. Set AWS_REGION, or AWS_PROFILE to a profile with a region")?;
        Ok(Self::new(runtime, &config))
    }

    fn new(runtime: tokio::runtime::Runtime, config: &SdkConfig) -> Self {
        Self {
            runtime,
            cloudformation: aws_sdk_cloudformation::Client::new(config),
            dynamodb: aws_sdk_dynamodb::Client::new(config),
            eventbridge: aws_sdk_eventbridge::Client::new(config),
            logs: aws_sdk_cloudwatchlogs::Client::new(config),
            s3: aws_sdk_s3::Client::new(config),
            secrets: aws_sdk_secretsmanager::Client::new(config),
            sqs: aws_sdk_sqs::Client::new(config),
            config: config.clone(),
        }
    }

    /// Calls a service with a JSON protocol and no client above.
    pub fn call(&self, service: &str, target: &str, body: &Value) -> anyhow::Result<Value> {
        let url = self.url(service, "/");
        let body = serde_json::to_vec(body)?;
        let mut headers = self.signature(service, "POST", &url, &body)?;
        headers.push(("content-type".to_owned(), "application/x-amz-json-1.1".to_owned()));
        headers.push(("x-amz-target".to_owned(), target.to_owned()));
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Http::default().post_bytes(&url, &headers, body)?.success(target)
    }

    /// Calls a service that accepts forms, and returns its XML response.
    ///
    /// # Errors
    /// When the service does not respond, or responds with an error.
    pub fn form(&self, service: &str, form: &str) -> anyhow::Result<String> {
        let url = self.url(service, "/");
        let mut headers = self.signature(service, "POST", &url, form.as_bytes())?;
        headers.push(("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned()));
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let response =
            Http::default().post_bytes(&url, &headers, form.as_bytes().to_vec())?.success(service)?;
        Ok(response.as_str().with_context(|| format!("the response of {service} is not XML"))?.to_owned())
    }

    /// Reads `path` of a REST service with no client above.
    pub fn get(&self, service: &str, path: &str) -> anyhow::Result<Value> {
        let url = self.url(service, path);
        let headers = self.signature(service, "GET", &url, &[])?;
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        Http::default().get_with(&url, &headers)?.success(path)
    }

    /// Deletes `path` of a REST service with no client above.
    ///
    /// # Errors
    /// When it cannot be deleted. A missing resource is not an error.
    pub fn delete(&self, service: &str, path: &str) -> anyhow::Result<()> {
        let url = self.url(service, path);
        let mut request = ureq::delete(&url);
        for (name, value) in self.signature(service, "DELETE", &url, &[])? {
            request = request.header(name, value);
        }
        match request.call() {
            Ok(_) | Err(ureq::Error::StatusCode(404)) => Ok(()),
            Err(error) => Err(error).with_context(|| format!("DELETE {url}")),
        }
    }

    /// The environment variables with which other programs reach the same AWS as the same caller:
    /// credentials, region and, for the emulator, the endpoint.
    ///
    /// # Errors
    /// When there are no credentials.
    pub fn environment(&self) -> anyhow::Result<Vec<(&'static str, String)>> {
        let provider = self.config.credentials_provider().context("no AWS credentials are set")?;
        let credentials =
            self.wait(provider.provide_credentials()).context("no AWS credentials were found")?;
        let mut variables = vec![
            ("AWS_ACCESS_KEY_ID", credentials.access_key_id().to_owned()),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key().to_owned()),
            ("AWS_REGION", self.region().to_owned()),
        ];
        variables.extend(credentials.session_token().map(|token| ("AWS_SESSION_TOKEN", token.to_owned())));
        variables.extend(self.config.endpoint_url().map(|url| ("AWS_ENDPOINT_URL", url.to_owned())));
        Ok(variables)
    }

    fn region(&self) -> &str {
        self.config.region().map_or(LOCAL_REGION, Region::as_ref)
    }

    fn url(&self, service: &str, path: &str) -> String {
        match self.config.endpoint_url() {
            Some(endpoint) => format!("{endpoint}{path}"),
            None if service == GLOBAL => format!("https://{service}.amazonaws.com{path}"),
            None => format!("https://{service}.{}.amazonaws.com{path}", self.region()),
        }
    }

    fn signature(
        &self,
        service: &str,
        method: &str,
        url: &str,
        body: &[u8],
    ) -> anyhow::Result<Vec<(String, String)>> {
        let provider = self.config.credentials_provider().context("no AWS credentials are set")?;
        let credentials =
            self.wait(provider.provide_credentials()).context("no AWS credentials were found")?;
        let region = if service == GLOBAL { "us-east-1" } else { self.region() };
        signature(credentials, region, service, method, url, body)
    }

    /// Blocks until a call has completed.
    pub fn wait<T>(&self, call: impl Future<Output = T>) -> T {
        self.runtime.block_on(call)
    }
}

/// The headers that sign a request to a service of the local stack, as the root user.
pub fn sign_local(
    service: &str,
    method: &str,
    url: &str,
    body: &[u8],
) -> anyhow::Result<Vec<(String, String)>> {
    signature(local_credentials(), LOCAL_REGION, service, method, url, body)
}

/// The headers that sign a request (Signature Version 4).
fn signature(
    credentials: Credentials,
    region: &str,
    service: &str,
    method: &str,
    url: &str,
    body: &[u8],
) -> anyhow::Result<Vec<(String, String)>> {
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    let request = SignableRequest::new(method, url, std::iter::empty(), SignableBody::Bytes(body))?;
    let (signed, _) = sign(request, &params)?.into_parts();
    Ok(signed.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

#[expect(clippy::disallowed_methods, reason = "a signature contains the time at which it was made")]
fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

fn local_credentials() -> Credentials {
    Credentials::new(LOCAL_KEY, LOCAL_KEY, None, None, "local stack")
}

fn loader() -> aws_config::ConfigLoader {
    aws_config::defaults(BehaviorVersion::latest()).http_client(aws::https_client())
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
