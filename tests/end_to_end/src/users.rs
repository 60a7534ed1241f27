//! The callers of the API: customers and staff, the shop's machine client, and partners.

use anyhow::Context;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use platform::http_client::HttpClient;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::requirements::is_local;
use crate::stack::{ApiResponse, NewOrder, Stack};
use crate::test_data::{record_created, simulator_address, unique_name};
use crate::{WAIT_TIMEOUT, wait_for};

/// A signed-in user.
#[derive(Debug, Clone)]
pub struct User {
    /// The customer id: the `sub` claim of the tokens.
    pub id: String,
    /// The email address, which is the user name.
    pub email: String,
    /// The `authorization` header: `Bearer` and the access token.
    pub bearer: String,
    /// The ID token, which the API must not accept.
    pub id_token: String,
    /// The refresh token.
    pub refresh_token: String,
}

/// A partner: a machine client with a client id, a secret and an API key.
#[derive(Debug, Clone)]
pub struct Partner {
    /// The client id.
    pub id: String,
    /// The `authorization` header: `Bearer` and the access token.
    pub bearer: String,
    /// The API key.
    pub api_key: String,
}

impl Partner {
    /// Returns the headers that authenticate the partner.
    pub fn headers(&self) -> [(&'static str, &str); 2] {
        [("authorization", &self.bearer), ("x-api-key", &self.api_key)]
    }
}

const PASSWORD: &str = "correct horse battery";

impl NewOrder {
    /// Changes the order to one that `user` places for themselves.
    #[must_use]
    pub fn by(mut self, user: &User) -> Self {
        if let Some(customer) = self.body["customer"].as_object_mut() {
            customer.remove("id");
            customer.insert("email".to_owned(), user.email.as_str().into());
        }
        Self { email: user.email.clone(), ..self }
    }
}

impl Stack {
    /// Returns an output of the stack.
    ///
    /// # Errors
    /// When the stack has no output with this name.
    pub fn output(&self, name: &str) -> anyhow::Result<&str> {
        self.outputs.get(name).and_then(Value::as_str).with_context(|| format!("no output {name}"))
    }

    /// Calls Cognito without a signature, as a page or an app does.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn call_cognito_unsigned(&self, operation: &str, body: &Value) -> anyhow::Result<ApiResponse> {
        let request = Request::post(self.output("SignInUrl")?)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("AWSCognitoIdentityProviderService.{operation}"))
            .body(Bytes::from(body.to_string()))?;
        ApiResponse::read(self.client.send(request).await?)
    }

    /// Creates another user pool, and a client that allows password sign-in. Returns their ids.
    ///
    /// # Errors
    /// When Cognito does not create them.
    pub async fn create_user_pool(&self) -> anyhow::Result<(String, String)> {
        let name = unique_name();
        let pool = self.call_cognito("CreateUserPool", &json!({ "PoolName": name })).await?;
        let pool = pool["UserPool"]["Id"].as_str().context("a pool without an id")?.to_owned();
        record_created("user_pool", &pool, None)?;
        let client = json!({
            "UserPoolId": pool, "ClientName": name, "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
        });
        let client = self.call_cognito("CreateUserPoolClient", &client).await?;
        let client = client["UserPoolClient"]["ClientId"].as_str().context("a client without an id")?;
        Ok((pool, client.to_owned()))
    }

    /// Calls Cognito with the credentials of the stack's operator.
    ///
    /// # Errors
    /// When the call fails.
    pub async fn call_cognito(&self, operation: &str, body: &Value) -> anyhow::Result<Value> {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        let headers = [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
        let response =
            self.aws_request("cognito-idp", Method::POST, "/", &headers, &body.to_string()).await?;
        Ok(response.expect(StatusCode::OK)?.body)
    }

    /// Creates a customer, whose email address is verified, and signs them in.
    ///
    /// # Errors
    /// When the user pool rejects a request.
    pub async fn create_customer(&self) -> anyhow::Result<User> {
        self.create_user(false).await
    }

    /// Creates a staff user and signs them in.
    ///
    /// # Errors
    /// When the user pool rejects a request.
    pub async fn create_staff(&self) -> anyhow::Result<User> {
        self.create_user(true).await
    }

    async fn create_user(&self, is_staff: bool) -> anyhow::Result<User> {
        let email = simulator_address(&Uuid::new_v4().simple().to_string());
        let (client, pool) = (self.output("ShopClientId")?, self.output("UserPoolId")?);
        record_created("user", &email, Some(pool))?;
        let mut attributes =
            json!([{ "Name": "email", "Value": email }, { "Name": "name", "Value": "Ada Lovelace" }]);
        let mut user = json!({ "UserPoolId": pool, "Username": email });
        if is_local() {
            let sign_up = json!({
                "ClientId": client, "Username": email, "Password": PASSWORD, "UserAttributes": attributes,
            });
            self.call_cognito_unsigned("SignUp", &sign_up).await?.expect(StatusCode::OK)?;
            self.call_cognito("AdminConfirmSignUp", &user).await?;
            let verified = json!({
                "UserPoolId": pool, "Username": email,
                "UserAttributes": [{ "Name": "email_verified", "Value": "true" }],
            });
            self.call_cognito("AdminUpdateUserAttributes", &verified).await?;
        } else {
            // Signing up sends a confirmation mail, of which a sandbox account has a small quota.
            let password = json!({
                "UserPoolId": pool, "Username": email, "Password": PASSWORD, "Permanent": true,
            });
            user["MessageAction"] = "SUPPRESS".into();
            if let Some(attributes) = attributes.as_array_mut() {
                attributes.push(json!({ "Name": "email_verified", "Value": "true" }));
            }
            user["UserAttributes"] = attributes;
            self.call_cognito("AdminCreateUser", &user).await?;
            self.call_cognito("AdminSetUserPassword", &password).await?;
        }
        if is_staff {
            let group = json!({ "UserPoolId": pool, "Username": email, "GroupName": "staff" });
            self.call_cognito("AdminAddUserToGroup", &group).await?;
        }
        let signed_in = self.sign_in(client, &email).await?;
        record_created("customer", &signed_in.id, Some(pool))?;
        Ok(signed_in)
    }

    /// Signs a user in through a client of the user pool.
    ///
    /// # Errors
    /// When the user pool rejects the sign-in.
    pub async fn sign_in(&self, client: &str, email: &str) -> anyhow::Result<User> {
        let parameters = json!({ "USERNAME": email, "PASSWORD": PASSWORD });
        let body =
            json!({ "ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters });
        let response = self.call_cognito_unsigned("InitiateAuth", &body).await?.expect(StatusCode::OK)?.body;
        let token = |name: &str| {
            let token = response["AuthenticationResult"][name].as_str();
            token.map(str::to_owned).with_context(|| format!("no {name} in {response}"))
        };
        let access = token("AccessToken")?;
        let claims = claims(&access)?;
        Ok(User {
            id: claims["sub"].as_str().context("a token without a sub")?.to_owned(),
            email: email.to_owned(),
            bearer: format!("Bearer {access}"),
            id_token: token("IdToken")?,
            refresh_token: token("RefreshToken")?,
        })
    }

    /// Returns an access token for a machine client, with all of its scopes or with the given ones.
    ///
    /// # Errors
    /// When the user pool issues none.
    pub async fn machine_token(&self, client: &str, scopes: Option<&str>) -> anyhow::Result<String> {
        let described = json!({ "UserPoolId": self.output("UserPoolId")?, "ClientId": client });
        let described = self.call_cognito("DescribeUserPoolClient", &described).await?;
        let secret =
            described["UserPoolClient"]["ClientSecret"].as_str().context("a client without a secret")?;
        let basic = BASE64_STANDARD.encode(format!("{client}:{secret}"));
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(scopes.map(|scopes| ("scope", scopes)));
        let request = Request::post(self.output("TokenUrl")?)
            .header("authorization", format!("Basic {basic}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(serde_urlencoded::to_string(&form)?))?;
        let response = ApiResponse::read(self.client.send(request).await?)?.expect(StatusCode::OK)?;
        Ok(response.body["access_token"].as_str().context("no access token")?.to_owned())
    }

    /// Returns the `authorization` header of the shop's machine client.
    pub(crate) async fn machine_authorization(&self) -> anyhow::Result<String> {
        let token = self.machine_bearer.get_or_try_init(async || {
            let token = self.machine_token(self.output("MachineClientId")?, None).await?;
            anyhow::Ok(format!("Bearer {token}"))
        });
        token.await.cloned()
    }

    /// Creates a partner in the stack's usage plan.
    ///
    /// # Errors
    /// When the user pool or API Gateway rejects a request.
    pub async fn create_partner(&self) -> anyhow::Result<Partner> {
        let plan = self.output("PartnerPlanId")?.to_owned();
        self.create_partner_in(&plan).await
    }

    /// Creates a partner in a usage plan, as described in `docs/RUNBOOK.md`.
    ///
    /// # Errors
    /// When the user pool or API Gateway rejects a request.
    pub async fn create_partner_in(&self, plan: &str) -> anyhow::Result<Partner> {
        let name = unique_name();
        let pool = self.output("UserPoolId")?;
        let client = json!({
            "UserPoolId": pool, "ClientName": name, "GenerateSecret": true,
            "AllowedOAuthFlowsUserPoolClient": true, "AllowedOAuthFlows": ["client_credentials"],
            "AllowedOAuthScopes": ["partner/orders", "partner/webhooks"],
        });
        let created = self.call_cognito("CreateUserPoolClient", &client).await?;
        let id = created["UserPoolClient"]["ClientId"].as_str().context("a client without an id")?.to_owned();
        record_created("client", &id, Some(pool))?;
        let token = self.machine_token(&id, None).await?;
        let value = format!("{id}{}", Uuid::new_v4().simple());
        let key = json!({ "name": name, "enabled": true, "value": value });
        let key = self.call_api_gateway("/apikeys", &key).await?;
        let key_id = key["id"].as_str().context("a key without an id")?;
        record_created("api_key", key_id, None)?;
        self.call_api_gateway(
            &format!("/usageplans/{plan}/keys"),
            &json!({ "keyId": key_id, "keyType": "API_KEY" }),
        )
        .await?;
        let api_key = key["value"].as_str().context("a key without a value")?.to_owned();
        let partner = Partner { id, bearer: format!("Bearer {token}"), api_key };
        self.wait_for_api_key(&partner).await;
        Ok(partner)
    }

    /// Waits until API Gateway accepts a partner's new key: it takes a while to propagate.
    async fn wait_for_api_key(&self, partner: &Partner) {
        if is_local() {
            return;
        }
        wait_for("a new API key to be accepted", WAIT_TIMEOUT, async || {
            let path = "/partner/orders?customer_id=nobody";
            let response = self.api(Method::GET, path, &partner.headers(), None).await?;
            Ok((response.status != StatusCode::FORBIDDEN).then_some(()))
        })
        .await;
    }

    /// Creates a usage plan for this stack's API with these limits: `{"throttle": …, "quota": …}`.
    ///
    /// # Errors
    /// When API Gateway rejects the request.
    pub async fn create_usage_plan(&self, limits: &Value) -> anyhow::Result<String> {
        let api = self.output("ApiUrl")?.rsplit('/').nth(1).context("an API without an id")?.to_owned();
        let mut plan = json!({ "name": unique_name(), "apiStages": [{ "apiId": api, "stage": "v1" }] });
        for (name, value) in limits.as_object().context("limits are an object")? {
            plan[name] = value.clone();
        }
        let created = self.call_api_gateway("/usageplans", &plan).await?;
        Ok(created["id"].as_str().context("a plan without an id")?.to_owned())
    }

    async fn call_api_gateway(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let headers = [("content-type", "application/json")];
        let response =
            self.aws_request("apigateway", Method::POST, path, &headers, &body.to_string()).await?;
        anyhow::ensure!(response.status.is_success(), "{path}: {response:?}");
        Ok(response.body)
    }
}

/// Returns the claims of a token without verifying it.
///
/// # Errors
/// When it is not a JWT.
pub fn claims(token: &str) -> anyhow::Result<Value> {
    let payload = token.split('.').nth(1).context("not a token")?;
    Ok(serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload)?)?)
}
