//! Webhooks of a local stack: the secret that the stand-in signs with and `stripe-webhook` checks, and where they go.

use anyhow::Context as _;
use aws_sdk_cloudformation::error::DisplayErrorContext;

use crate::names::WEBHOOK_SECRET_OUTPUT;
use crate::stack::Stack;
use crate::stand_in::Control;

/// What a local stack signs with, unless somebody has put another secret in.
const LOCAL_SECRET: &str = "whsec_local";
/// What Stripe's secrets start with.
const PREFIX: &str = "whsec_";

/// Puts a secret into the stack, if there is none in it yet, and has the stand-in send webhooks signed with it.
pub(crate) fn connect(stack: &Stack, provider: &Control) -> anyhow::Result<()> {
    let id = stack.outputs()?.remove(WEBHOOK_SECRET_OUTPUT);
    let id = id.with_context(|| format!("stack {} has no output {WEBHOOK_SECRET_OUTPUT}", stack.name))?;
    let read = stack.aws.wait(stack.aws.secrets.get_secret_value().secret_id(&id).send());
    let read = read.map_err(|error| {
        anyhow::anyhow!("cannot read the secret of the webhooks: {}", DisplayErrorContext(&error))
    })?;
    let secret = match usable(read.secret_string().unwrap_or_default()) {
        Some(secret) => secret,
        None => {
            let put = stack.aws.secrets.put_secret_value().secret_id(&id).secret_string(LOCAL_SECRET).send();
            stack.aws.wait(put).map_err(|error| {
                anyhow::anyhow!("cannot put the secret of the webhooks in: {}", DisplayErrorContext(&error))
            })?;
            LOCAL_SECRET
        }
    };
    provider.send_webhooks(&address(&stack.api_url()?), secret)
}

/// The first secret in the text: there are two of them while one is rotated, and none in a new stack.
fn usable(text: &str) -> Option<&str> {
    text.split_whitespace().find(|word| word.len() > PREFIX.len() && word.starts_with(PREFIX))
}

/// Where webhooks are taken, from the base address of the API.
fn address(api: &str) -> String {
    format!("{}/webhooks/stripe", api.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_somebody_put_in_is_kept() {
        assert_eq!(usable("none yet"), None);
        assert_eq!(usable(""), None);
        assert_eq!(usable("whsec_"), None);
        assert_eq!(usable("whsec_mine\n"), Some("whsec_mine"));
        assert_eq!(usable("whsec_old whsec_new"), Some("whsec_old"));
    }

    #[test]
    fn webhooks_are_taken_behind_the_front_door() {
        let address = address("http://127.0.0.1:4577/restapis/abc/v1/");
        assert_eq!(address, "http://127.0.0.1:4577/restapis/abc/v1/webhooks/stripe");
    }
}
