//! Presigned POST forms, with which a browser uploads a file to S3: a policy and its signature
//! (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>). The SDK creates
//! presigned URLs, but no such forms, and only a POST policy limits the size.

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

use crate::store::{UploadForm, UploadForms, UploadPolicy};

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const SERVICE: &str = "s3";

/// Creates presigned POST forms for one bucket.
#[derive(Debug, Clone)]
pub struct PresignedPost {
    credentials: SharedCredentialsProvider,
    region: String,
    bucket: String,
    url: String,
}

impl PresignedPost {
    /// Creates the adapter for the bucket in `UPLOADS_BUCKET`, whose public URL is in `UPLOADS_URL`.
    ///
    /// # Errors
    /// If one of them is not set, or the configuration has no credentials or region.
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
    async fn create(&self, policy: &UploadPolicy) -> anyhow::Result<UploadForm> {
        let credentials = self.credentials.provide_credentials().await.context("there are no credentials")?;
        let fields = form_fields(&credentials, &self.region, &self.bucket, policy)?;
        Ok(UploadForm { url: self.url.clone(), fields })
    }
}

/// Returns all fields except the file. The policy requires exactly these fields and values.
fn form_fields(
    credentials: &Credentials,
    region: &str,
    bucket: &str,
    policy: &UploadPolicy,
) -> anyhow::Result<BTreeMap<String, String>> {
    let date = policy.valid_from.strftime("%Y%m%d");
    let scope = format!("{}/{date}/{region}/{SERVICE}/aws4_request", credentials.access_key_id());
    let mut fields = BTreeMap::from([
        ("key".to_owned(), policy.key.clone()),
        ("Content-Type".to_owned(), policy.content_type.clone()),
        ("success_action_status".to_owned(), "204".to_owned()),
        ("x-amz-algorithm".to_owned(), ALGORITHM.to_owned()),
        ("x-amz-credential".to_owned(), scope),
        ("x-amz-date".to_owned(), policy.valid_from.strftime("%Y%m%dT%H%M%SZ").to_string()),
    ]);
    if let Some(token) = credentials.session_token() {
        fields.insert("x-amz-security-token".to_owned(), token.to_owned());
    }
    let document = policy_document(bucket, policy, &fields)?;
    let encoded = BASE64_STANDARD.encode(document.to_string());
    let signature = sign(credentials.secret_access_key(), policy.valid_from, region, &encoded);
    fields.insert("policy".to_owned(), encoded);
    fields.insert("x-amz-signature".to_owned(), signature);
    Ok(fields)
}

fn policy_document(
    bucket: &str,
    policy: &UploadPolicy,
    fields: &BTreeMap<String, String>,
) -> anyhow::Result<Value> {
    let expires = policy.valid_from.saturating_add(policy.validity)?;
    let mut conditions =
        vec![json!({ "bucket": bucket }), json!(["content-length-range", 1, policy.max_bytes])];
    conditions.extend(fields.iter().map(|(name, value)| json!({ name.as_str(): value })));
    Ok(
        json!({ "expiration": expires.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string(), "conditions": conditions }),
    )
}

/// Signs the Base64-encoded policy, which is itself the string to sign.
fn sign(secret: &str, at: Timestamp, region: &str, policy: &str) -> String {
    let since_1970 = Duration::from_secs(u64::try_from(at.as_second()).unwrap_or_default());
    let key = generate_signing_key(secret, SystemTime::UNIX_EPOCH + since_1970, region, SERVICE);
    calculate_signature(key, policy.as_bytes())
}

#[cfg(test)]
mod tests;
