//! Verifying a deployed stack: the end-to-end tests that any stack can take, and the audit, through its front door and
//! AWS's own interface, with the caller's credentials; and removing what the tests made.

mod clean;
mod data;
mod permissions;
mod report;
mod tests;

pub(crate) use clean::{Cleaned, clean};
pub(crate) use data::{Ids, Made};
pub(crate) use permissions::{NAME as PERMISSIONS, check as check_permissions, deployed_template};
pub(crate) use report::Verification;
pub(crate) use tests::{MADE, Outcome, TestResult, run as run_tests};

use anyhow::{Context as _, bail, ensure};
use aws_sdk_secretsmanager::error::DisplayErrorContext;

use crate::stack::Stack;

/// Where Stripe is.
const STRIPE: &str = "https://api.stripe.com";

/// Fails unless the stack is there, is not being changed, and charges nobody for real. Returns what a report says of it:
/// names and values.
///
/// # Errors
/// When one of these is not so, or cannot be found out.
pub(crate) fn preconditions(stack: &Stack) -> anyhow::Result<Vec<(&'static str, String)>> {
    let status = stack.status()?;
    let status =
        status.with_context(|| format!("there is no stack {} in this account and region", stack.name))?;
    ensure!(
        status.ends_with("_COMPLETE") && !status.contains("DELETE"),
        "stack {} is {status}: wait until it is deployed",
        stack.name
    );
    let parameter = |name: &str| Ok::<_, anyhow::Error>(stack.parameter(name)?.unwrap_or_default());
    let provider = parameter("StripeApiBase")?;
    let key = secret(stack, "StripeSecretArn")?;
    ensure_test_mode(&provider, &key)?;
    let charges = if provider == STRIPE { "in Stripe's test mode" } else { "at a stand-in for Stripe" };
    Ok(vec![
        ("stack", stack.name.clone()),
        ("status", status),
        ("environment", parameter("Environment")?),
        ("front door", stack.api_url()?),
        ("charges", format!("{charges}, {provider}")),
    ])
}

/// Fails for a key with which money moves.
///
/// Keys begin with their kind and mode, such as `sk_test_` and `rk_live_`:
/// <https://docs.stripe.com/keys#obtain-api-keys>
fn ensure_test_mode(provider: &str, key: &str) -> anyhow::Result<()> {
    let (kind, rest) = key.trim().split_once('_').unwrap_or_default();
    let mode = rest.split('_').next().unwrap_or_default();
    match (kind, mode) {
        (_, "live") => bail!(
            "the stack's Stripe key is a live one: this command places orders, and would charge. Verify a stack whose \
             StripeSecret holds a key of test mode"
        ),
        ("sk" | "rk", "test") => Ok(()),
        _ if provider == STRIPE => bail!(
            "the stack's Stripe key begins with neither `sk_test_` nor `rk_test_`. Put one of test mode in:\n  \
             aws secretsmanager put-secret-value --secret-id <the output StripeSecretArn> --secret-string sk_test_…"
        ),
        _ => Ok(()),
    }
}

fn secret(stack: &Stack, output: &str) -> anyhow::Result<String> {
    let call = stack.aws.secrets.get_secret_value().secret_id(stack.output(output)?).send();
    let answer = stack.aws.wait(call).map_err(|error| {
        anyhow::anyhow!("cannot read the secret in {output}: {}", DisplayErrorContext(&error))
    })?;
    answer.secret_string.with_context(|| format!("the secret in {output} holds no text"))
}

#[cfg(test)]
mod mode_tests {
    use super::{STRIPE, ensure_test_mode};

    #[test]
    fn a_live_key_is_refused_wherever_it_charges() {
        for key in ["sk_live_51H", "rk_live_51H", " sk_live_51H\n"] {
            for provider in [STRIPE, "http://127.0.0.1:4578"] {
                assert!(ensure_test_mode(provider, key).unwrap_err().to_string().contains("live"), "{key}");
            }
        }
    }

    #[test]
    fn stripe_is_asked_with_a_key_of_test_mode_only() {
        assert!(ensure_test_mode(STRIPE, "sk_test_51H").is_ok());
        assert!(ensure_test_mode(STRIPE, "rk_test_51H").is_ok());
        for key in ["", "replace me", "whsec_1", "pk_test_51H"] {
            assert!(ensure_test_mode(STRIPE, key).is_err(), "{key}");
            assert!(ensure_test_mode("http://127.0.0.1:4578", key).is_ok(), "{key}");
        }
    }
}
