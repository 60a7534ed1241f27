//! Credentials of an ECS task or an EKS pod, for processes outside Lambda. `aws-config` provides them as
//! well, but would add profiles, SSO and STS to every function.
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::future::ProvideCredentials as Future;
use bytes::Bytes;
use http::{Request, header};
use jiff::Timestamp;
use serde::Deserialize;

use super::http_client::UnsignedClient;
use platform::http_client::HttpClient;

/// The endpoint of a task's credentials, without the path.
const TASK_HOST: &str = "http://169.254.170.2";
const TIMEOUT: Duration = Duration::from_secs(2);

/// Fetches credentials from the container agent. The SDK caches them until shortly before they expire.
#[derive(Debug, Clone)]
pub(super) struct ContainerCredentials {
    client: UnsignedClient,
    url: String,
    token_file: Option<String>,
}

impl ContainerCredentials {
    /// Reads the endpoint from the container's environment; `None` if none is set.
    pub(super) fn from_env() -> Option<Self> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
            .map(|path| format!("{TASK_HOST}{path}"))
            .or_else(|| variable("AWS_CONTAINER_CREDENTIALS_FULL_URI"))?;
        let token_file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
        Some(Self { client: UnsignedClient::new(TIMEOUT), url, token_file })
    }

    async fn fetch(&self) -> anyhow::Result<Credentials> {
        let mut request = Request::get(&self.url);
        if let Some(file) = &self.token_file {
            request = request.header(header::AUTHORIZATION, std::fs::read_to_string(file)?.trim());
        }
        let response = self.client.send(request.body(Bytes::new())?).await?;
        anyhow::ensure!(response.status().is_success(), "{} returned {}", self.url, response.status());
        parse(response.body())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AgentResponse {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<Timestamp>,
}

fn parse(body: &[u8]) -> anyhow::Result<Credentials> {
    let response: AgentResponse = serde_json::from_slice(body)
        .map_err(|error| anyhow::anyhow!(platform::redact_values(&error.to_string())))?;
    let expires = response.expiration.map(SystemTime::try_from).transpose()?;
    Ok(Credentials::new(
        response.access_key_id,
        response.secret_access_key,
        response.token,
        expires,
        "container",
    ))
}

impl ProvideCredentials for ContainerCredentials {
    fn provide_credentials<'a>(&'a self) -> Future<'a>
    where
        Self: 'a,
    {
        Future::new(async move { self.fetch().await.map_err(CredentialsError::provider_error) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_of_the_agent_is_parsed() {
        let body = br#"{"RoleArn":"arn","AccessKeyId":"AKIA","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-24T12:00:00Z"}"#;
        let credentials = parse(body).unwrap();
        assert_eq!((credentials.access_key_id(), credentials.session_token()), ("AKIA", Some("t")));
        let expires: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        assert_eq!(credentials.expiry(), Some(SystemTime::try_from(expires).unwrap()));
        let error = parse(br#"{"AccessKeyId":"AKIA","SecretAccessKey":7}"#).unwrap_err().to_string();
        assert!(!error.contains("AKIA"), "{error}");
    }
}
