//! Webhooks of a local stack: the signing secret that the stand-in and `stripe-webhook` share, and the
//! endpoint.

use anyhow::Context as _;
use aws_sdk_cloudformation::error::DisplayErrorContext;
use shopctl::Stack;
use shopctl::names::WEBHOOK_SECRET_OUTPUT;

use crate::stand_in::Control;

/// The secret of a local stack, unless another one was stored.
const LOCAL_SECRET: &str = "whsec_local";
/// The prefix of Stripe's webhook secrets.
const PREFIX: &str = "whsec_";

/// Stores a secret in the stack, if it has none yet, and has the stand-in send webhooks signed with it.
pub(crate) fn connect(stack: &Stack, provider: &Control) -> anyhow::Result<()> {
    let id = stack.outputs()?.remove(WEBHOOK_SECRET_OUTPUT);
    let id = id.with_context(|| format!("stack {} has no output {WEBHOOK_SECRET_OUTPUT}", stack.name()))?;
    let read = stack.aws.wait(stack.aws.secrets.get_secret_value().secret_id(&id).send());
    let read = read.map_err(|error| {
        anyhow::anyhow!("cannot read the webhook secret: {}", DisplayErrorContext(&error))
    })?;
    let secret = match usable(read.secret_string().unwrap_or_default()) {
        Some(secret) => secret,
        None => {
            let put = stack.aws.secrets.put_secret_value().secret_id(&id).secret_string(LOCAL_SECRET).send();
            stack.aws.wait(put).map_err(|error| {
                anyhow::anyhow!("cannot store the webhook secret: {}", DisplayErrorContext(&error))
            })?;
            LOCAL_SECRET
        }
    };
    provider.send_webhooks(&endpoint(&stack.api_url()?), secret)
}

/// The first secret in the text: it contains two during a rotation, and none in a new stack.
fn usable(text: &str) -> Option<&str> {
    text.split_whitespace().find(|word| word.len() > PREFIX.len() && word.starts_with(PREFIX))
}

/// The URL that receives webhooks, from the base URL of the API.
fn endpoint(api: &str) -> String {
    format!("{}/webhooks/stripe", api.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_secret_is_kept() {
        assert_eq!(usable("none yet"), None);
        assert_eq!(usable(""), None);
        assert_eq!(usable("whsec_"), None);
        assert_eq!(usable("whsec_mine\n"), Some("whsec_mine"));
        assert_eq!(usable("whsec_old whsec_new"), Some("whsec_old"));
    }

    #[test]
    fn the_webhook_endpoint_is_part_of_the_api() {
        let endpoint = endpoint("http://127.0.0.1:4577/restapis/abc/v1/");
        assert_eq!(endpoint, "http://127.0.0.1:4577/restapis/abc/v1/webhooks/stripe");
    }
}
