//! Access tokens for the tools: those of the shop's own programs, which may read and place every order and change
//! products and stock.

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::http::Http;
use crate::stack::Stack;

/// Gets one, with the client secret that the user pool keeps. It is good for an hour.
///
/// # Errors
/// When the stack has no user pool, or your AWS credentials may not read the client.
pub(crate) fn machine(stack: &Stack) -> anyhow::Result<String> {
    let outputs = stack.outputs()?;
    let output = |name: &str| {
        outputs
            .get(name)
            .with_context(|| format!("stack {} has no output {name}: deploy it anew", stack.name))
    };
    let client = output("MachineClientId")?;
    let described = stack.aws.call(
        "cognito-idp",
        "AWSCognitoIdentityProviderService.DescribeUserPoolClient",
        &json!({ "UserPoolId": output("UserPoolId")?, "ClientId": client }),
    )?;
    let secret = described.pointer("/UserPoolClient/ClientSecret").and_then(Value::as_str);
    let secret = secret.context("the user pool's client for machines has no secret")?;
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{client}:{secret}")));
    let answer = Http::new().post_form(
        output("TokenUrl")?,
        &[("authorization", &basic)],
        "grant_type=client_credentials",
    )?;
    let answer = answer.success("getting an access token")?;
    let token = answer.get("access_token").and_then(Value::as_str);
    Ok(token.context("the user pool gave no access token")?.to_owned())
}
