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
        let mut text = format!("{:#}", of_functions(&stack)?);
        if let Some(host) = &args.host {
            for name in ["127.0.0.1", "localhost"] {
                text = text.replace(&format!("http://{name}:"), &format!("http://{host}:"));
            }
        }
        anstream::println!("{text}");
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

/// The variables of each function, by its name in the template.
fn of_functions(stack: &Stack) -> anyhow::Result<Value> {
    let mut all = Map::new();
    let resources = stack.resources()?;
    for function in resources.iter().filter(|resource| resource.kind == "AWS::Lambda::Function") {
        let path = format!("/2015-03-31/functions/{}/configuration", function.physical_id);
        let configuration = stack.aws.get("lambda", &path)?;
        let variables = configuration.pointer("/Environment/Variables").cloned().unwrap_or(json!({}));
        all.insert(function.logical_id.clone(), variables);
    }
    Ok(all.into())
}
