//! Access tokens of new callers, with which the contract test calls the API.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use shopctl::Stack;
use shopctl::api::random;
use shopctl::http::Http;
use shopctl::token::{client_token, cognito, text};
use terminal::signals;

/// Creates a staff user and returns an access token of it.
pub(crate) fn staff_token(stack: &Stack) -> anyhow::Result<String> {
    let email = format!("staff-{:016x}@example.com", random()?);
    user_token(stack, &email, true)
}

/// Creates a customer with paid orders, and returns an access token of it when their invoices are issued.
pub(crate) fn token_of_paying_customer(stack: &Stack) -> anyhow::Result<String> {
    let email = format!("customer-{:016x}@example.com", random()?);
    let token = user_token(stack, &email, false)?;
    let (shop, http) = (stack.shop().context("the stack has no API")?, Http::default());
    let sku = format!("CONTRACT-{:016x}", random()?);
    shop.put_product(&sku, "Tea", 1250)?;
    shop.record_delivery(&sku, "d-1", 10)?;
    let bearer = format!("Bearer {token}");
    let authorization = ("authorization", bearer.as_str());
    for language in [Value::Null, json!("de")] {
        let body = json!({
            "customer": { "name": "Ada Lovelace", "email": email, "language": language },
            "payment_method": "pm_card_visa",
            "lines": [{ "sku": sku, "quantity": 1, "unit_price": { "amount": 1250, "currency": "EUR" } }],
        });
        let key = format!("{:016x}", random()?);
        let orders = format!("{}/orders", shop.url());
        let placed = http.post(&orders, &[("idempotency-key", &key), authorization], &body)?;
        let id = text(&placed.success("placing an order")?, "/id")?;
        let invoice = format!("{orders}/{id}/invoice");
        let started = Instant::now();
        while http.get_with(&invoice, &[authorization, ("accept", "text/html")])?.status != 200 {
            anyhow::ensure!(started.elapsed() < MAX_WAIT, "order {id} got no invoice in {MAX_WAIT:?}");
            signals::sleep(Duration::from_millis(500))?;
        }
    }
    Ok(token)
}

/// How long the payment and the invoice of an order may take.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Creates a user and returns an access token of it.
fn user_token(stack: &Stack, email: &str, is_staff: bool) -> anyhow::Result<String> {
    let (pool, client) = (stack.output("UserPoolId")?, stack.output("ShopClientId")?);
    let password = format!("{:016x}{:016x}", random()?, random()?);
    let sign_up = json!({
        "ClientId": client, "Username": email, "Password": password,
        "UserAttributes": [{ "Name": "email", "Value": email }],
    });
    cognito(stack, "SignUp", &sign_up)?;
    let user = json!({ "UserPoolId": pool, "Username": email });
    cognito(stack, "AdminConfirmSignUp", &user)?;
    // That does not verify the address, to which the emails about the user's orders are sent.
    let verified = json!([{ "Name": "email_verified", "Value": "true" }]);
    let update = json!({ "UserPoolId": pool, "Username": email, "UserAttributes": verified });
    cognito(stack, "AdminUpdateUserAttributes", &update)?;
    if is_staff {
        let group = json!({ "UserPoolId": pool, "Username": email, "GroupName": "staff" });
        cognito(stack, "AdminAddUserToGroup", &group)?;
    }
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
    let id = text(&created, "/UserPoolClient/ClientId")?;
    let token = client_token(stack, &id)?;
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
    let value = format!("{id}{:016x}{:016x}", random()?, random()?);
    let key = gateway("/apikeys", &json!({ "name": name, "enabled": true, "value": value }))?;
    let member = json!({ "keyId": text(&key, "/id")?, "keyType": "API_KEY" });
    gateway(&format!("/usageplans/{plan}/keys"), &member)?;
    Ok((token, text(&key, "/value")?))
}
