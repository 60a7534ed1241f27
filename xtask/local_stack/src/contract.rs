//! Tests a running stack against `docs/openapi.json`, with schemathesis.

use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;
use terminal::process;
use terminal::ui;
use xtask::paths::repo_root;
use xtask::tools::contract_tools;

/// How many requests it generates for each operation, in addition to those that follow from the contract's
/// limits.
const EXAMPLES: &str = "20";

/// The credentials to call the API with.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    /// An access token of a staff user, with all scopes.
    pub(crate) staff: Option<String>,
    /// An access token of a customer with paid orders.
    pub(crate) customer: Option<String>,
    /// The access token and API key of a partner.
    pub(crate) partner: Option<(String, String)>,
}

/// The callers of an operation, by the credentials that the contract requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// Anybody, or callers with an access token.
    Clients,
    /// Callers with an access token and an API key.
    Partners,
    /// Callers that sign their requests, which schemathesis cannot do.
    Services,
}

/// Calls the API at `url` without credentials, and with each of `tokens`.
///
/// # Errors
/// When a response is a server error, or the contract does not describe it.
pub(crate) fn test(url: &str, tokens: &Tokens) -> anyhow::Result<()> {
    let audiences = audiences()?;
    call(url, "an unauthenticated client", &[], &audiences, |audience| audience != Audience::Services)?;
    for (caller, token) in [("a staff user", &tokens.staff), ("a customer", &tokens.customer)] {
        if let Some(token) = token {
            let headers = [format!("Authorization: Bearer {token}")];
            call(url, caller, &headers, &audiences, |audience| audience == Audience::Clients)?;
        }
    }
    if let Some((token, key)) = &tokens.partner {
        let headers = [format!("Authorization: Bearer {token}"), format!("X-Api-Key: {key}")];
        call(url, "a partner", &headers, &audiences, |audience| audience == Audience::Partners)?;
    }
    Ok(())
}

fn call(
    url: &str,
    caller: &str,
    headers: &[String],
    audiences: &[(String, Audience)],
    includes: impl Fn(Audience) -> bool,
) -> anyhow::Result<()> {
    ui::note(&format!("schemathesis, as {caller}"));
    let mut command = Command::new(contract_tools()?.join("schemathesis"));
    command
        .current_dir(repo_root())
        .args(["--config-file", "tests/openapi/schemathesis.toml", "run", "docs/openapi.json", "--url", url])
        // For a method that a path does not have, API Gateway returns 404, and cannot return 405 with `Allow`.
        .args(["--checks", "all", "--exclude-checks", "unsupported_method"])
        .args(["--seed", "1", "--max-examples", EXAMPLES, "--generation-database", "none"])
        .args(["--warnings", "off", "--rate-limit", "400/s"])
        .env("NO_PROXY", "127.0.0.1,localhost");
    for (id, _) in audiences.iter().filter(|(_, audience)| includes(*audience)) {
        command.args(["--include-operation-id", id]);
    }
    for header in headers {
        command.args(["--header", header]);
    }
    // Not run by `run_visible`, which would print the tokens.
    let status = process::run(&mut command)?;
    if !status.success() {
        bail!("the API did not respond to {caller} as docs/openapi.json specifies ({status}), see above");
    }
    Ok(())
}

/// The id and the audience of each operation.
fn audiences() -> anyhow::Result<Vec<(String, Audience)>> {
    let path = repo_root().join("docs").join("openapi.json");
    let text = std::fs::read_to_string(path).context("docs/openapi.json is missing: cargo xtask contract")?;
    Ok(read_audiences(&serde_json::from_str(&text)?))
}

fn read_audiences(document: &Value) -> Vec<(String, Audience)> {
    let paths = document.get("paths").and_then(Value::as_object).into_iter().flatten();
    let operations = paths.flat_map(|(_, item)| item.as_object().into_iter().flatten());
    operations
        .filter_map(|(_, operation)| {
            let id = operation.get("operationId")?.as_str()?.to_owned();
            let requires = |scheme: &str| operation.pointer(&format!("/security/0/{scheme}")).is_some();
            let audience = if requires("signature") {
                Audience::Services
            } else if requires("key") {
                Audience::Partners
            } else {
                Audience::Clients
            };
            Some((id, audience))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_audience_has_operations() {
        let audiences = audiences().unwrap();
        let audience = |wanted: &str| audiences.iter().find(|(id, _)| id == wanted).map(|it| it.1);
        assert_eq!(audience("placeOrder"), Some(Audience::Clients));
        assert_eq!(audience("listProducts"), Some(Audience::Clients));
        assert_eq!(audience("placePartnerOrder"), Some(Audience::Partners));
        assert_eq!(audience("putReservation"), Some(Audience::Services));
    }
}
