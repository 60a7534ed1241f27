//! Verifies a deployed stack with the caller's credentials: runs the end-to-end tests that work on any stack,
//! through its API and AWS's, audits it, and removes the test data.

mod clean;
mod data;
mod permissions;
mod report;
mod tests;

pub(crate) use clean::{CleanupResult, clean};
pub(crate) use data::{CreatedResource, Ids};
pub(crate) use permissions::{NAME as PERMISSIONS, check as check_permissions, deployed_template};
pub(crate) use report::Verification;
pub(crate) use tests::{CREATED_FILE, Outcome, TestResult, run as run_tests};

use anyhow::{Context as _, bail, ensure};
use aws_sdk_secretsmanager::error::DisplayErrorContext;

use crate::stack::Stack;

/// The URL of Stripe's API.
const STRIPE: &str = "https://api.stripe.com";

/// Checks that the stack exists, is not being changed, and cannot charge anybody. Returns the names and
/// values that a report shows about it.
///
/// # Errors
/// When one of these conditions is not met, or cannot be checked.
pub(crate) fn check_preconditions(stack: &Stack) -> anyhow::Result<Vec<(&'static str, String)>> {
    let status = stack.status()?;
    let status =
        status.with_context(|| format!("there is no stack {} in this account and region", stack.name()))?;
    ensure!(
        status.ends_with("_COMPLETE") && !status.contains("DELETE"),
        "stack {} is {status}: wait until its deployment has finished",
        stack.name()
    );
    let parameter = |name: &str| Ok::<_, anyhow::Error>(stack.parameter(name)?.unwrap_or_default());
    let provider = parameter("StripeApiBase")?;
    let key = secret(stack, "StripeSecretArn")?;
    ensure_test_mode(&provider, &key)?;
    let charges = if provider == STRIPE { "in Stripe's test mode" } else { "at a stand-in for Stripe" };
    Ok(vec![
        ("stack", stack.name().to_owned()),
        ("status", status),
        ("environment", parameter("Environment")?),
        ("API", stack.api_url()?),
        ("charges", format!("{charges}, {provider}")),
    ])
}

/// Rejects keys of live mode.
///
/// Keys begin with their kind and mode, such as `sk_test_` and `rk_live_`:
/// <https://docs.stripe.com/keys#obtain-api-keys>
fn ensure_test_mode(provider: &str, key: &str) -> anyhow::Result<()> {
    let (kind, rest) = key.trim().split_once('_').unwrap_or_default();
    let mode = rest.split('_').next().unwrap_or_default();
    match (kind, mode) {
        (_, "live") => bail!(
            "the Stripe key of the stack is a live one, and this command places orders that are charged. Verify a stack \
             whose StripeSecret contains a test key"
        ),
        ("sk" | "rk", "test") => Ok(()),
        _ if provider == STRIPE => bail!(
            "the Stripe key of the stack is not a test key, `sk_test_…` or `rk_test_…`. Store one:\n  \
             aws secretsmanager put-secret-value --secret-id <the output StripeSecretArn> --secret-string sk_test_…"
        ),
        _ => Ok(()),
    }
}

fn secret(stack: &Stack, output: &str) -> anyhow::Result<String> {
    let call = stack.aws.secrets.get_secret_value().secret_id(stack.output(output)?).send();
    let response = stack.aws.wait(call).map_err(|error| {
        anyhow::anyhow!("cannot read the secret in {output}: {}", DisplayErrorContext(&error))
    })?;
    response.secret_string.with_context(|| format!("the secret in {output} contains no text"))
}

#[cfg(test)]
mod mode_tests {
    use super::{STRIPE, ensure_test_mode};

    #[test]
    fn a_live_key_is_rejected_for_every_provider() {
        for key in ["sk_live_51H", "rk_live_51H", " sk_live_51H\n"] {
            for provider in [STRIPE, "http://127.0.0.1:4578"] {
                assert!(ensure_test_mode(provider, key).unwrap_err().to_string().contains("live"), "{key}");
            }
        }
    }

    #[test]
    fn stripe_requires_a_test_key() {
        assert!(ensure_test_mode(STRIPE, "sk_test_51H").is_ok());
        assert!(ensure_test_mode(STRIPE, "rk_test_51H").is_ok());
        for key in ["", "replace me", "whsec_1", "pk_test_51H"] {
            assert!(ensure_test_mode(STRIPE, key).is_err(), "{key}");
            assert!(ensure_test_mode("http://127.0.0.1:4578", key).is_ok(), "{key}");
        }
    }
}
