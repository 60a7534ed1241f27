//! `env`

use anyhow::Context as _;
use serde_json::{Map, Value};

use super::print_json;
use crate::{Exit, Stack, Target};

/// Print the addresses that a client needs, for a shell: `eval "$(shopctl env)"`. Or the variables of the
/// functions.
#[derive(clap::Args)]
pub struct Args {
    /// Print the environment variables of each function instead, in the format of `sam local invoke
    /// --env-vars`.
    #[arg(long, conflicts_with = "json")]
    functions: bool,
    /// Print a JSON object instead of lines for a shell.
    #[arg(long)]
    json: bool,
    /// Replace the addresses of this machine in the functions' variables by this host name:
    /// `host.docker.internal` for Docker Desktop.
    #[arg(long, value_name = "NAME", requires = "functions")]
    host: Option<String>,
}

/// The variables, and the stack outputs that provide their values.
const VARIABLES: [(&str, &str); 5] = [
    ("API_URL", "ApiUrl"),
    ("SIGN_IN_URL", "SignInUrl"),
    ("CLIENT_ID", "ShopClientId"),
    ("TOKEN_URL", "TokenUrl"),
    ("USER_POOL_ID", "UserPoolId"),
];

pub(super) fn run(target: Target, args: &Args) -> anyhow::Result<Exit> {
    let stack = Stack::open(target)?;
    if args.functions {
        anstream::println!("{}", function_variables(&stack, args.host.as_deref())?);
        return Ok(Exit::Success);
    }
    let mut outputs = stack.outputs()?;
    let variables = VARIABLES.map(|(variable, output)| {
        let value = outputs.remove(output);
        let value =
            value.with_context(|| format!("stack {} has no output {output}: deploy it again", stack.name()));
        Ok((variable, value?))
    });
    let variables = variables.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    if args.json {
        let object: Map<String, Value> =
            variables.into_iter().map(|(variable, value)| (variable.to_owned(), value.into())).collect();
        print_json(&object)?;
    } else {
        variables.iter().for_each(|(variable, value)| anstream::println!("export {variable}='{value}'"));
    }
    Ok(Exit::Success)
}

/// The variables of each function, by logical id, as JSON. Addresses of this machine are replaced by `host`.
///
/// # Errors
/// When the configuration of a function cannot be read.
pub fn function_variables(stack: &Stack, host: Option<&str>) -> anyhow::Result<String> {
    let mut all = Map::new();
    for function in stack.functions()? {
        let path = format!("/2015-03-31/functions/{}/configuration", function.physical_id);
        let configuration = stack.aws.get("lambda", &path)?;
        let variables = configuration.pointer("/Environment/Variables").and_then(Value::as_object);
        let mut variables = variables.cloned().unwrap_or_default();
        for (name, value) in &mut variables {
            if let (Some(host), Some(text)) = (host.filter(|_| name != WEBHOOK_RECEIVER), value.as_str()) {
                *value = with_host(text, host).into();
            }
        }
        all.insert(function.logical_id, variables.into());
    }
    Ok(format!("{:#}", Value::from(all)))
}

/// A variable whose address is not replaced: the functions do not call it, but allow webhooks to it, and it
/// must be an address of this machine.
const WEBHOOK_RECEIVER: &str = "WEBHOOK_TEST_RECEIVER";

/// Replaces the host of a local address or URL.
fn with_host(text: &str, host: &str) -> String {
    for (before, name) in [("http://", "127.0.0.1"), ("http://", "localhost"), ("", "127.0.0.1")] {
        if let Some(rest) = text.strip_prefix(&format!("{before}{name}:")) {
            return format!("{before}{host}:{rest}");
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::with_host;

    #[test]
    fn only_addresses_of_this_machine_are_replaced() {
        for (text, expected) in [
            ("http://127.0.0.1:4577/v1", "http://h:4577/v1"),
            ("http://localhost:4577", "http://h:4577"),
            ("127.0.0.1:4576", "h:4576"),
            ("http://10.127.0.0.1:1", "http://10.127.0.0.1:1"),
            ("", ""),
        ] {
            assert_eq!(with_host(text, "h"), expected);
        }
    }
}
