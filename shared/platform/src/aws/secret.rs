//! Secrets.

use anyhow::Context;
use secrecy::SecretString;

use super::Aws;

/// Reads the secret `id` (a name or an ARN) from Secrets Manager.
///
/// # Errors
/// When it cannot be read, or is no text.
pub async fn secret(aws: &Aws, id: &str) -> anyhow::Result<SecretString> {
    let client = aws_sdk_secretsmanager::Client::new(aws.sdk());
    let answer = client
        .get_secret_value()
        .secret_id(id)
        .send()
        .await
        .with_context(|| format!("the secret {id} could not be read"))?;
    let text = answer.secret_string().with_context(|| format!("the secret {id} is no text"))?;
    Ok(text.trim().to_owned().into())
}
