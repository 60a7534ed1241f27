//! Forms with which a browser sends a file to S3: a policy that says what is allowed, and its signature
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>). The SDK makes signed links, but
//! no such forms, and only these limit the size.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use aws_types::SdkConfig;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use platform::config;
use serde_json::{Value, json};

use crate::store::{Form, Permit, UploadForms};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "s3";

/// Forms for one bucket.
#[derive(Debug, Clone)]
pub struct PresignedPost {
    credentials: SharedCredentialsProvider,
    region: String,
    bucket: String,
    url: String,
}

impl PresignedPost {
    /// For the bucket in `UPLOADS_BUCKET`, which clients reach at `UPLOADS_URL`.
    ///
    /// # Errors
    /// When one is not set.
    pub fn from_env(config: &SdkConfig) -> anyhow::Result<Self> {
        Ok(Self {
            credentials: config.credentials_provider().context("there are no credentials")?,
            region: config.region().context("there is no region")?.to_string(),
            bucket: config::required("UPLOADS_BUCKET")?,
            url: config::required("UPLOADS_URL")?,
        })
    }
}

#[async_trait]
impl UploadForms for PresignedPost {
    async fn form(&self, permit: &Permit) -> anyhow::Result<Form> {
        let credentials = self.credentials.provide_credentials().await.context("there are no credentials")?;
        let fields = fields(&credentials, &self.region, &self.bucket, permit)?;
        Ok(Form { url: self.url.clone(), fields })
    }
}

/// All but the file. The policy allows each of them as it is, and nothing besides.
fn fields(
    credentials: &Credentials,
    region: &str,
    bucket: &str,
    permit: &Permit,
) -> anyhow::Result<BTreeMap<String, String>> {
    let date = permit.from.strftime("%Y%m%d");
    let scope = format!("{}/{date}/{region}/{SERVICE}/aws4_request", credentials.access_key_id());
    let mut fields = BTreeMap::from([
        ("key".to_owned(), permit.key.clone()),
        ("Content-Type".to_owned(), permit.content_type.clone()),
        ("success_action_status".to_owned(), "204".to_owned()),
        ("x-amz-algorithm".to_owned(), ALGORITHM.to_owned()),
        ("x-amz-credential".to_owned(), scope),
        ("x-amz-date".to_owned(), permit.from.strftime("%Y%m%dT%H%M%SZ").to_string()),
    ]);
    if let Some(token) = credentials.session_token() {
        fields.insert("x-amz-security-token".to_owned(), token.to_owned());
    }
    let policy = policy(bucket, permit, &fields)?;
    let encoded = BASE64_STANDARD.encode(policy.to_string());
    let signature = sign(credentials.secret_access_key(), permit.from, region, &encoded);
    fields.insert("policy".to_owned(), encoded);
    fields.insert("x-amz-signature".to_owned(), signature);
    Ok(fields)
}

fn policy(bucket: &str, permit: &Permit, fields: &BTreeMap<String, String>) -> anyhow::Result<Value> {
    let expires = permit.from.saturating_add(permit.good_for)?;
    let mut conditions =
        vec![json!({ "bucket": bucket }), json!(["content-length-range", 1, permit.most_bytes])];
    conditions.extend(fields.iter().map(|(name, value)| json!({ name.as_str(): value })));
    Ok(
        json!({ "expiration": expires.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string(), "conditions": conditions }),
    )
}

/// What is signed is the encoded policy itself.
fn sign(secret: &str, at: Timestamp, region: &str, policy: &str) -> String {
    let since_1970 = Duration::from_secs(u64::try_from(at.as_second()).unwrap_or_default());
    let key = generate_signing_key(secret, SystemTime::UNIX_EPOCH + since_1970, region, SERVICE);
    calculate_signature(key, policy.as_bytes())
}

#[cfg(test)]
mod tests;
