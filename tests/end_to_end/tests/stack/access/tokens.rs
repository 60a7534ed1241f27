//! Which tokens are accepted, and for which routes.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use end_to_end::{Stack, User, claims};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{assert_problem, call, place};
use crate::shared;

/// Returns the token with changed claims and the original signature.
fn tampered(bearer: &str, change: impl Fn(&mut Value)) -> String {
    let mut parts: Vec<String> = bearer.split('.').map(str::to_owned).collect();
    let mut changed = claims(bearer).unwrap();
    change(&mut changed);
    parts[1] = BASE64_URL_SAFE_NO_PAD.encode(changed.to_string());
    parts.join(".")
}

#[tokio::test]
async fn only_a_valid_token_is_accepted() {
    let (stack, _guard) = shared().await;
    let ada = stack.create_customer().await.unwrap();
    let other_pool = token_of_another_pool(&stack).await;
    // On AWS, tokens are valid for at least five minutes.
    let expired = if stack.is_local() { expired_token(&stack, &ada).await } else { String::new() };
    for (what, authorization) in [
        ("no credentials", String::new()),
        ("not a token", "Bearer nonsense".to_owned()),
        (
            "a tampered token",
            tampered(&ada.bearer, |claims| claims["sub"] = json!(Uuid::new_v4().to_string())),
        ),
        (
            "a token tampered to claim the staff group",
            tampered(&ada.bearer, |claims| claims["cognito:groups"] = json!(["staff"])),
        ),
        ("an expired token", expired),
        ("an ID token, whose audience is the client", format!("Bearer {}", ada.id_token)),
        ("a token of another user pool", other_pool),
    ] {
        let response =
            stack.api(Method::GET, "/orders", &[("authorization", &authorization)], None).await.unwrap();
        assert_eq!(
            response.headers.get("www-authenticate").map(|value| value.as_bytes()),
            Some(&b"Bearer"[..]),
            "{what}"
        );
        assert_problem(&response, StatusCode::UNAUTHORIZED, "unauthorized");
    }
    call(&stack, &ada, Method::GET, "/orders", None).await.expect(StatusCode::OK).unwrap();
}

/// Returns a token that is valid for one second, after two seconds.
async fn expired_token(stack: &Stack, ada: &User) -> String {
    let client = json!({
        "UserPoolId": stack.output("UserPoolId").unwrap(), "ClientName": Uuid::new_v4().to_string(),
        "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        "AccessTokenValidity": 1, "TokenValidityUnits": { "AccessToken": "seconds" },
    });
    let client = stack.call_cognito("CreateUserPoolClient", &client).await.unwrap();
    let id = client["UserPoolClient"]["ClientId"].as_str().unwrap();
    let short = stack.sign_in(id, &ada.email).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    short.bearer
}

async fn token_of_another_pool(stack: &Stack) -> String {
    let (pool, client) = stack.create_user_pool().await.unwrap();
    let user = json!({ "UserPoolId": pool, "Username": "eve", "MessageAction": "SUPPRESS" });
    stack.call_cognito("AdminCreateUser", &user).await.unwrap();
    let password = json!({ "UserPoolId": pool, "Username": "eve", "Password": "correct horse Battery 1!", "Permanent": true });
    stack.call_cognito("AdminSetUserPassword", &password).await.unwrap();
    let parameters = json!({ "USERNAME": "eve", "PASSWORD": "correct horse Battery 1!" });
    let body = json!({ "ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters });
    let response =
        stack.call_cognito_unsigned("InitiateAuth", &body).await.unwrap().expect(StatusCode::OK).unwrap();
    format!("Bearer {}", response.body["AuthenticationResult"]["AccessToken"].as_str().unwrap())
}

#[tokio::test]
async fn each_route_requires_its_scope() {
    let (stack, _guard) = shared().await;
    let machine = stack.output("MachineClientId").unwrap().to_owned();
    let reader = format!("Bearer {}", stack.machine_token(&machine, Some("orders/read")).await.unwrap());
    let product = json!({ "name": "Tea", "price": { "amount": 1, "currency": "EUR" } });
    let customer = stack.create_customer().await.unwrap();
    for (bearer, method, path, body) in [
        (&reader, Method::POST, "/orders", Some(json!({}))),
        (&reader, Method::PUT, "/products/TEA-001", Some(product.clone())),
        (&reader, Method::GET, "/me", None),
        (&reader, Method::GET, "/partner/orders?customer_id=c", None),
        (&customer.bearer, Method::PUT, "/products/TEA-001", Some(product)),
        (&customer.bearer, Method::GET, "/partner/orders?customer_id=c", None),
    ] {
        let response =
            stack.api(method.clone(), path, &[("authorization", bearer)], body.as_ref()).await.unwrap();
        assert_problem(&response, StatusCode::UNAUTHORIZED, "unauthorized");
    }
    let path = format!("/orders?customer_id={}", customer.id);
    let read = stack.api(Method::GET, &path, &[("authorization", &reader)], None).await.unwrap();
    assert_eq!(read.status, StatusCode::OK, "{read:?}");
}

#[tokio::test]
async fn identity_headers_of_clients_are_ignored() {
    let (stack, _guard) = shared().await;
    let (ada, eve) = (stack.create_customer().await.unwrap(), stack.create_customer().await.unwrap());
    let order = place(&stack, &ada).await;
    let claims = json!({ "sub": ada.id, "client_id": "shop", "token_use": "access", "scope": "orders/read" })
        .to_string();
    let headers = [
        ("authorization", eve.bearer.as_str()),
        ("x-amzn-request-context", claims.as_str()),
        ("x-amzn-oidc-identity", &ada.id),
        ("x-customer-id", &ada.id),
    ];
    let response = stack.api(Method::GET, &format!("/orders/{order}"), &headers, None).await.unwrap();
    assert_problem(&response, StatusCode::NOT_FOUND, "not-found");
}
