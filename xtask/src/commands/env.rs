//! `cargo xtask env`

use anyhow::Context as _;

use crate::stack::Stack;

/// What a client has to know, as a shell sets it: `eval "$(cargo xtask env)"`.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// The variables, and the outputs of the template that they are.
const VARIABLES: [(&str, &str); 5] = [
    ("API_URL", "ApiUrl"),
    ("SIGN_IN_URL", "SignInUrl"),
    ("CLIENT_ID", "ShopClientId"),
    ("TOKEN_URL", "TokenUrl"),
    ("USER_POOL_ID", "UserPoolId"),
];

pub(crate) fn run(stack: &str, _: &Args) -> anyhow::Result<()> {
    let stack = Stack::open(stack)?;
    let outputs = stack.outputs()?;
    for (variable, output) in VARIABLES {
        let value = outputs.get(output);
        let value =
            value.with_context(|| format!("stack {} has no output {output}: deploy it anew", stack.name))?;
        anstream::println!("export {variable}='{value}'");
    }
    Ok(())
}
