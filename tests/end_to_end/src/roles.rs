//! Requests with the credentials of a function's role.

use anyhow::Context;
use aws::Aws;
use http::Method;
use platform::http_client::HttpClient;

use crate::cloudformation::element;
use crate::stack::{ApiResponse, Stack};

/// The credentials of a role.
#[derive(Debug, Clone)]
pub struct Role {
    key_id: String,
    secret: String,
    session: String,
}

impl Role {
    /// Returns the credentials with another secret.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Self {
        Self { secret: secret.to_owned(), ..self.clone() }
    }

    /// Returns the AWS clients with the credentials of this role.
    pub fn configure(&self, aws: &Aws) -> Aws {
        aws.with_credentials(&self.key_id, &self.secret, &self.session)
    }
}

impl Stack {
    /// Assumes the role with this logical id.
    ///
    /// # Errors
    /// When the role does not exist or cannot be assumed.
    pub async fn role(&self, logical: &str) -> anyhow::Result<Role> {
        let roles = self.send_query("iam", "Action=ListRoles&Version=2010-05-08&MaxItems=1000").await?;
        let mut arns = roles.split("<Arn>").skip(1).filter_map(|part| part.split("</Arn>").next());
        let role = arns.find(|arn| arn.contains(logical)).with_context(|| format!("no role {logical}"))?;
        let form = serde_urlencoded::to_string([
            ("Action", "AssumeRole"),
            ("Version", "2011-06-15"),
            ("RoleArn", role),
            ("RoleSessionName", "test"),
        ])?;
        let assumed = self.send_query("sts", &form).await?;
        let field = |name: &str| element(&assumed, name).with_context(|| format!("no {name}"));
        Ok(Role {
            key_id: field("AccessKeyId")?,
            secret: field("SecretAccessKey")?,
            session: field("SessionToken")?,
        })
    }

    /// Sends a request to the API, signed with the credentials of a role.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn send_signed_as(
        &self,
        role: &Role,
        method: Method,
        path: &str,
    ) -> anyhow::Result<ApiResponse> {
        let request = self.api_request(method, path)?;
        ApiResponse::read(role.configure(&self.aws).signed_client("execute-api").send(request).await?)
    }
}
