//! Access tokens for the tools: a machine token, which may read and place every order and change products and
//! stock; and, on a local stack, tokens of a new staff user and of a new partner.

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::api::random;
use crate::http::Http;
use crate::stack::Stack;

/// Requests a machine token, as one of the shop's own programs. It is valid for an hour.
///
/// # Errors
/// When the stack has no user pool, or your AWS credentials do not allow reading the client.
pub(crate) fn machine_token(stack: &Stack) -> anyhow::Result<String> {
    client_token(stack, &stack.output("MachineClientId")?)
}

/// Calls the user pool's API.
fn cognito(stack: &Stack, operation: &str, body: &Value) -> anyhow::Result<Value> {
    stack.aws.call("cognito-idp", &format!("AWSCognitoIdentityProviderService.{operation}"), body)
}

fn text(response: &Value, pointer: &str) -> anyhow::Result<String> {
    let text = response.pointer(pointer).and_then(Value::as_str);
    Ok(text.with_context(|| format!("the response of the user pool has no {pointer}"))?.to_owned())
}

/// Requests a token for a client, with the client secret from the user pool.
fn client_token(stack: &Stack, client: &str) -> anyhow::Result<String> {
    let pool = stack.output("UserPoolId")?;
    let described =
        cognito(stack, "DescribeUserPoolClient", &json!({ "UserPoolId": pool, "ClientId": client }))?;
    let secret = text(&described, "/UserPoolClient/ClientSecret")?;
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{client}:{secret}")));
    let response = Http::new().post_form(
        &stack.output("TokenUrl")?,
        &[("authorization", &basic)],
        "grant_type=client_credentials",
    )?;
    text(&response.success("requesting an access token")?, "/access_token")
}

/// Creates a staff user and returns an access token of it.
pub(crate) fn staff_token(stack: &Stack) -> anyhow::Result<String> {
    let (pool, client) = (stack.output("UserPoolId")?, stack.output("ShopClientId")?);
    let email = format!("staff-{:016x}@example.com", random()?);
    let password = format!("{:016x}{:016x}", random()?, random()?);
    let sign_up = json!({
        "ClientId": client, "Username": email, "Password": password,
        "UserAttributes": [{ "Name": "email", "Value": email }],
    });
    cognito(stack, "SignUp", &sign_up)?;
    let user = json!({ "UserPoolId": pool, "Username": email });
    cognito(stack, "AdminConfirmSignUp", &user)?;
    let group = json!({ "UserPoolId": pool, "Username": email, "GroupName": "staff" });
    cognito(stack, "AdminAddUserToGroup", &group)?;
    let parameters = json!({ "USERNAME": email, "PASSWORD": password });
    let sign_in =
        json!({ "ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters });
    text(&cognito(stack, "InitiateAuth", &sign_in)?, "/AuthenticationResult/AccessToken")
}

/// Creates a partner and returns its access token and API key.
pub(crate) fn create_partner(stack: &Stack) -> anyhow::Result<(String, String)> {
    let name = format!("partner-{:016x}", random()?);
    let client = json!({
        "UserPoolId": stack.output("UserPoolId")?, "ClientName": name, "GenerateSecret": true,
        "AllowedOAuthFlowsUserPoolClient": true, "AllowedOAuthFlows": ["client_credentials"],
        "AllowedOAuthScopes": ["partner/orders", "partner/webhooks"],
    });
    let created = cognito(stack, "CreateUserPoolClient", &client)?;
    let token = client_token(stack, &text(&created, "/UserPoolClient/ClientId")?)?;
    let local = stack.local.as_ref().context("partners can be created for local stacks only")?;
    let gateway = |path: &str, body: &Value| {
        let url = format!("{}{path}", local.endpoint());
        Http::new().post_signed("apigateway", &url, body)?.success("creating an API key")
    };
    // A usage plan without limits: the contract test must reach the API, not the rate limit.
    let api = stack.api_url()?.rsplit('/').nth(1).context("the API's URL contains no id")?.to_owned();
    let plan = json!({ "name": name, "apiStages": [{ "apiId": api, "stage": "v1" }] });
    let plan = text(&gateway("/usageplans", &plan)?, "/id")?;
    let key = gateway("/apikeys", &json!({ "name": name, "enabled": true }))?;
    let member = json!({ "keyId": text(&key, "/id")?, "keyType": "API_KEY" });
    gateway(&format!("/usageplans/{plan}/keys"), &member)?;
    Ok((token, text(&key, "/value")?))
}
