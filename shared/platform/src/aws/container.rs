//! Credentials for where no Lambda sets them: those of an ECS task, or of an EKS pod. Fifty lines, because `aws-config`,
//! which has them too, would bring profiles, SSO and STS into every function.
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
use crate::http::client::HttpClient;

/// Where a task's credentials are, without its path.
const TASK_HOST: &str = "http://169.254.170.2";
const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks the container's agent. The SDK keeps what it gets until shortly before it expires.
#[derive(Debug, Clone)]
pub(super) struct ContainerCredentials {
    client: UnsignedClient,
    url: String,
    token_file: Option<String>,
}

impl ContainerCredentials {
    /// As the container's environment says; `None` where it says nothing.
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
        let answer = self.client.send(request.body(Bytes::new())?).await?;
        anyhow::ensure!(answer.status().is_success(), "{} answered {}", self.url, answer.status());
        read(answer.body())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    access_key_id: String,
    secret_access_key: String,
    token: Option<String>,
    expiration: Option<Timestamp>,
}

fn read(body: &[u8]) -> anyhow::Result<Credentials> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|error| anyhow::anyhow!(crate::telemetry::redact_values(&error.to_string())))?;
    let expires = answer.expiration.map(SystemTime::try_from).transpose()?;
    Ok(Credentials::new(answer.access_key_id, answer.secret_access_key, answer.token, expires, "container"))
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
    fn an_agents_answer_is_read() {
        let body = br#"{"RoleArn":"arn","AccessKeyId":"AKIA","SecretAccessKey":"s","Token":"t","Expiration":"2026-11-24T12:00:00Z"}"#;
        let credentials = read(body).unwrap();
        assert_eq!((credentials.access_key_id(), credentials.session_token()), ("AKIA", Some("t")));
        let expires: Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
        assert_eq!(credentials.expiry(), Some(SystemTime::try_from(expires).unwrap()));
        let wrong = read(br#"{"AccessKeyId":"AKIA","SecretAccessKey":7}"#).unwrap_err().to_string();
        assert!(!wrong.contains("AKIA"), "{wrong}");
    }
}
