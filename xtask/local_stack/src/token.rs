//! Access tokens of new callers, with which the contract test calls the API.

use anyhow::Context as _;
use serde_json::{Value, json};
use shopctl::Stack;
use shopctl::api::random;
use shopctl::http::Http;
use shopctl::token::{client_token, cognito, text};

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
    let emulator = stack.target.emulator.as_ref();
    let emulator = emulator.context("partners can be created for local stacks only")?;
    let gateway = |path: &str, body: &Value| {
        let url = format!("{emulator}{path}");
        Http::default().post_signed("apigateway", &url, body)?.success("creating an API key")
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
