//! Access tokens for the tools: those of the shop's own programs, which may read and place every order and change
//! products and stock; and, on a local stack, those of new staff and of a new partner.

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::api::random;
use crate::http::Http;
use crate::stack::Stack;

/// Gets one of the shop's own programs. It is good for an hour.
///
/// # Errors
/// When the stack has no user pool, or your AWS credentials may not read the client.
pub(crate) fn machine(stack: &Stack) -> anyhow::Result<String> {
    of_client(stack, &stack.output("MachineClientId")?)
}

/// A call to the user pool.
fn cognito(stack: &Stack, operation: &str, body: &Value) -> anyhow::Result<Value> {
    stack.aws.call("cognito-idp", &format!("AWSCognitoIdentityProviderService.{operation}"), body)
}

fn text(answer: &Value, pointer: &str) -> anyhow::Result<String> {
    let text = answer.pointer(pointer).and_then(Value::as_str);
    Ok(text.with_context(|| format!("the user pool gave no {pointer}"))?.to_owned())
}

/// The token of a client, for the secret that the user pool keeps.
fn of_client(stack: &Stack, client: &str) -> anyhow::Result<String> {
    let pool = stack.output("UserPoolId")?;
    let described =
        cognito(stack, "DescribeUserPoolClient", &json!({ "UserPoolId": pool, "ClientId": client }))?;
    let secret = text(&described, "/UserPoolClient/ClientSecret")?;
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{client}:{secret}")));
    let answer = Http::new().post_form(
        &stack.output("TokenUrl")?,
        &[("authorization", &basic)],
        "grant_type=client_credentials",
    )?;
    text(&answer.success("getting an access token")?, "/access_token")
}

/// Signs somebody up and in who runs the shop.
pub(crate) fn staff(stack: &Stack) -> anyhow::Result<String> {
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

/// Makes a partner: its access token and its API key.
pub(crate) fn partner(stack: &Stack) -> anyhow::Result<(String, String)> {
    let name = format!("partner-{:016x}", random()?);
    let client = json!({
        "UserPoolId": stack.output("UserPoolId")?, "ClientName": name, "GenerateSecret": true,
        "AllowedOAuthFlowsUserPoolClient": true, "AllowedOAuthFlows": ["client_credentials"],
        "AllowedOAuthScopes": ["partner/orders", "partner/webhooks"],
    });
    let made = cognito(stack, "CreateUserPoolClient", &client)?;
    let token = of_client(stack, &text(&made, "/UserPoolClient/ClientId")?)?;
    let local = stack.local.as_ref().context("partners are made for local stacks alone")?;
    let gateway = |path: &str, body: &Value| {
        let url = format!("{}{path}", local.endpoint());
        Http::new().post_signed("apigateway", &url, body)?.success("making an API key")
    };
    // A plan without limits: whoever tries out all of the API is to meet the API, and not the limits.
    let api = stack.api_url()?.rsplit('/').nth(1).context("an API without an id")?.to_owned();
    let plan = json!({ "name": name, "apiStages": [{ "apiId": api, "stage": "v1" }] });
    let plan = text(&gateway("/usageplans", &plan)?, "/id")?;
    let key = gateway("/apikeys", &json!({ "name": name, "enabled": true }))?;
    let member = json!({ "keyId": text(&key, "/id")?, "keyType": "API_KEY" });
    gateway(&format!("/usageplans/{plan}/keys"), &member)?;
    Ok((token, text(&key, "/value")?))
}
