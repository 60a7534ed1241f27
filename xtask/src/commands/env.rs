//! `cargo xtask env`

use anyhow::Context as _;
use serde_json::{Map, Value, json};

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
    let resources = stack.resources()?;
    for function in resources.iter().filter(|resource| resource.kind == "AWS::Lambda::Function") {
        let path = format!("/2015-03-31/functions/{}/configuration", function.physical_id);
        let configuration = stack.aws.get("lambda", &path)?;
        let variables = configuration.pointer("/Environment/Variables").cloned().unwrap_or(json!({}));
        all.insert(function.logical_id.clone(), variables);
    }
    let text = format!("{:#}", Value::from(all));
    Ok(host.map_or_else(|| text.clone(), |host| seen_from_outside(&text, host)))
}

/// Addresses of this machine, and the URLs of its services, with another name for it.
fn seen_from_outside(text: &str, host: &str) -> String {
    ["127.0.0.1", "localhost"].into_iter().fold(text.to_owned(), |text, name| {
        ["http://", "\""].into_iter().fold(text, |text, before| {
            text.replace(&format!("{before}{name}:"), &format!("{before}{host}:"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::seen_from_outside;

    #[test]
    fn this_machine_is_named_as_others_see_it() {
        let text = r#"{"A": "http://127.0.0.1:4577/v1", "B": "127.0.0.1:4576", "C": "http://localhost:1", "D": "not-localhost:1"}"#;
        let expected =
            r#"{"A": "http://h:4577/v1", "B": "h:4576", "C": "http://h:1", "D": "not-localhost:1"}"#;
        assert_eq!(seen_from_outside(text, "h"), expected);
    }
}
