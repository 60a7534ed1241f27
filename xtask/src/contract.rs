//! schemathesis: holds a running stack against `docs/openapi.json`.

use std::process::Command;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::instance::repo_root;
use crate::tools::contract_tools;
use crate::{process, ui};

/// How many requests it makes up for each operation, beside those that follow from the contract's limits.
const EXAMPLES: &str = "20";

/// What shows who is calling.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    /// An access token of somebody who runs the shop, with all scopes.
    pub(crate) staff: Option<String>,
    /// A partner's access token and API key.
    pub(crate) partner: Option<(String, String)>,
}

/// Who an operation is for, by what the contract asks them to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// Everybody, or who has a token.
    Clients,
    /// Who has a token and a key.
    Partners,
    /// Who can sign: schemathesis cannot.
    Services,
}

/// Has strangers call the API at `url`, and whoever `tokens` has tokens of.
///
/// # Errors
/// When an answer is a failure, or one that the contract does not describe.
pub(crate) fn test(url: &str, tokens: &Tokens) -> anyhow::Result<()> {
    let audiences = audiences()?;
    call(url, "a stranger", &[], &audiences, |audience| audience != Audience::Services)?;
    if let Some(token) = &tokens.staff {
        let headers = [format!("Authorization: Bearer {token}")];
        call(url, "staff", &headers, &audiences, |audience| audience == Audience::Clients)?;
    }
    if let Some((token, key)) = &tokens.partner {
        let headers = [format!("Authorization: Bearer {token}"), format!("X-Api-Key: {key}")];
        call(url, "a partner", &headers, &audiences, |audience| audience == Audience::Partners)?;
    }
    Ok(())
}

fn call(
    url: &str,
    who: &str,
    headers: &[String],
    audiences: &[(String, Audience)],
    includes: impl Fn(Audience) -> bool,
) -> anyhow::Result<()> {
    ui::note(&format!("schemathesis, as {who}"));
    let mut command = Command::new(contract_tools()?.join("schemathesis"));
    command
        .current_dir(repo_root())
        .args(["--config-file", "tests/openapi/schemathesis.toml", "run", "docs/openapi.json", "--url", url])
        // A method that a path does not have is a 405 of the functions, and a 404 of API Gateway.
        .args(["--checks", "all", "--exclude-checks", "unsupported_method"])
        .args(["--seed", "1", "--max-examples", EXAMPLES, "--generation-database", "none"])
        .args(["--warnings", "off", "--rate-limit", "400/s"])
        .env("NO_PROXY", "127.0.0.1,localhost");
    // A shop that is not well answers GET /health with 503, which is no error of the server's.
    let tried = audiences.iter().filter(|(id, audience)| *id != "readHealth" && includes(*audience));
    for (id, _) in tried {
        command.args(["--include-operation-id", id]);
    }
    for header in headers {
        command.args(["--header", header]);
    }
    // Not shown as it is: tokens are long, and nobody else's business.
    let status = process::run(&mut command)?;
    if !status.success() {
        bail!("the API did not answer {who} as docs/openapi.json says ({status}), see above");
    }
    Ok(())
}

/// Each operation's id, and who it is for.
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
            let asks = |scheme: &str| operation.pointer(&format!("/security/0/{scheme}")).is_some();
            let audience = if asks("signature") {
                Audience::Services
            } else if asks("key") {
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
