//! `cargo xtask env`

use anyhow::Context as _;
use serde_json::{Map, Value};

use crate::stack::Stack;

/// What a client has to know, as a shell sets it: `eval "$(cargo xtask env)"`. Or what the functions know.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Instead, the environment variables of each function, in the form that `sam local invoke --env-vars` takes.
    #[arg(long)]
    functions: bool,
    /// How a container reaches this machine, to stand where the functions' variables name it: `host.docker.internal`
    /// for Docker Desktop.
    #[arg(long, value_name = "NAME", requires = "functions")]
    host: Option<String>,
}

/// The variables, and the outputs of the template that they are.
const VARIABLES: [(&str, &str); 5] = [
    ("API_URL", "ApiUrl"),
    ("SIGN_IN_URL", "SignInUrl"),
    ("CLIENT_ID", "ShopClientId"),
    ("TOKEN_URL", "TokenUrl"),
    ("USER_POOL_ID", "UserPoolId"),
];

pub(crate) fn run(stack: &str, args: &Args) -> anyhow::Result<()> {
    let stack = Stack::open(stack)?;
    if args.functions {
        anstream::println!("{}", of_functions(&stack, args.host.as_deref())?);
        return Ok(());
    }
    let outputs = stack.outputs()?;
    for (variable, output) in VARIABLES {
        let value = outputs.get(output);
        let value =
            value.with_context(|| format!("stack {} has no output {output}: deploy it anew", stack.name))?;
        anstream::println!("export {variable}='{value}'");
    }
    Ok(())
}

/// The variables of each function, by its name in the template, as JSON. Where they name this machine, `host` stands
/// instead.
pub(super) fn of_functions(stack: &Stack, host: Option<&str>) -> anyhow::Result<String> {
    let mut all = Map::new();
    for function in stack.functions()? {
        let path = format!("/2015-03-31/functions/{}/configuration", function.physical_id);
        let configuration = stack.aws.get("lambda", &path)?;
        let variables = configuration.pointer("/Environment/Variables").and_then(Value::as_object);
        let mut variables = variables.cloned().unwrap_or_default();
        for (name, value) in &mut variables {
            if let (Some(host), Some(text)) = (host.filter(|_| name != PERMITTED), value.as_str()) {
                *value = seen_from_outside(text, host).into();
            }
        }
        all.insert(function.logical_id, variables.into());
    }
    Ok(format!("{:#}", Value::from(all)))
}

/// The variable that names nothing to talk to, but the one address of the machine itself that webhooks may go to. No other
/// machine may be named there.
const PERMITTED: &str = "WEBHOOK_TEST_RECEIVER";

/// An address of this machine, or the URL of something on it, with another name for it.
fn seen_from_outside(text: &str, host: &str) -> String {
    for (before, name) in [("http://", "127.0.0.1"), ("http://", "localhost"), ("", "127.0.0.1")] {
        if let Some(rest) = text.strip_prefix(&format!("{before}{name}:")) {
            return format!("{before}{host}:{rest}");
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::seen_from_outside;

    #[test]
    fn this_machine_is_named_as_others_see_it() {
        for (text, expected) in [
            ("http://127.0.0.1:4577/v1", "http://h:4577/v1"),
            ("http://localhost:4577", "http://h:4577"),
            ("127.0.0.1:4576", "h:4576"),
            ("http://10.127.0.0.1:1", "http://10.127.0.0.1:1"),
            ("", ""),
        ] {
            assert_eq!(seen_from_outside(text, "h"), expected);
        }
    }
}
