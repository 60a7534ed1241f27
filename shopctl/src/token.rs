//! Access tokens: of a client of the user pool, such as the machine client, which may read and place every order and
//! change products and stock.

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::Stack;
use crate::http::Http;

/// Requests a machine token, as one of the shop's own programs. It is valid for an hour.
///
/// # Errors
/// When the stack has no user pool, or your AWS credentials do not allow reading the client.
pub fn machine_token(stack: &Stack) -> anyhow::Result<String> {
    client_token(stack, &stack.output("MachineClientId")?)
}

/// Calls the user pool's API.
///
/// # Errors
/// When the request fails.
pub fn cognito(stack: &Stack, operation: &str, body: &Value) -> anyhow::Result<Value> {
    stack.aws.call("cognito-idp", &format!("AWSCognitoIdentityProviderService.{operation}"), body)
}

/// The text at a JSON pointer of a response.
///
/// # Errors
/// When there is none.
pub fn text(response: &Value, pointer: &str) -> anyhow::Result<String> {
    let text = response.pointer(pointer).and_then(Value::as_str);
    Ok(text.with_context(|| format!("the response of the user pool has no {pointer}"))?.to_owned())
}

/// Requests a token for a client, with the client secret from the user pool.
///
/// # Errors
/// When the client cannot be read, or the request fails.
pub fn client_token(stack: &Stack, client: &str) -> anyhow::Result<String> {
    let pool = stack.output("UserPoolId")?;
    let described =
        cognito(stack, "DescribeUserPoolClient", &json!({ "UserPoolId": pool, "ClientId": client }))?;
    let secret = text(&described, "/UserPoolClient/ClientSecret")?;
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{client}:{secret}")));
    let response = Http::default().post_form(
        &stack.output("TokenUrl")?,
        &[("authorization", &basic)],
        "grant_type=client_credentials",
    )?;
    text(&response.success("requesting an access token")?, "/access_token")
}
