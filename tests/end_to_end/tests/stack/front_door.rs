//! Access control and rate limits: tokens, scopes, ownership of orders, signatures, usage plans.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::SYNTHETIC_CUSTOMER_ID;
use end_to_end::{ApiResponse, NewOrder, Partner, Requirement, Stack, User, claims};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{shared, shared_with};

/// Sends a request with a user's token.
async fn call(stack: &Stack, user: &User, method: Method, path: &str, body: Option<&Value>) -> ApiResponse {
    stack.api(method, path, &[("authorization", &user.bearer)], body).await.unwrap()
}

/// Places an order as a customer does, without a customer id in the body.
async fn place(stack: &Stack, user: &User) -> String {
    let product = stack.create_product(1000, 5).await.unwrap();
    let order = NewOrder::new(&product, 1, "pm_card_visa").by(user).body;
    let key = Uuid::new_v4().to_string();
    let headers = [("authorization", user.bearer.as_str()), ("idempotency-key", &key)];
    let response = stack.api(Method::POST, "/orders", &headers, Some(&order)).await.unwrap();
    let response = response.expect(StatusCode::CREATED).unwrap();
    assert_eq!(response.body["customer"]["id"], user.id);
    response.body["id"].as_str().unwrap().to_owned()
}

/// Asserts that a response is a problem document of this kind, in the format that all of them share.
fn assert_problem(response: &ApiResponse, status: StatusCode, kind: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.headers["content-type"], "application/problem+json", "{response:?}");
    assert_eq!(response.body["type"], format!("urn:serverless-orders:problem:{kind}"), "{response:?}");
    assert_eq!(response.body["status"], status.as_u16(), "{response:?}");
    for field in ["title", "detail", "correlation_id"] {
        assert!(response.body[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {response:?}");
    }
    assert_eq!(response.headers["x-correlation-id"], response.body["correlation_id"].as_str().unwrap());
}

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
async fn an_order_is_visible_to_its_customer_and_to_staff() {
    let (stack, _guard) = shared().await;
    let (ada, eve, staff) = (
        stack.create_customer().await.unwrap(),
        stack.create_customer().await.unwrap(),
        stack.create_staff().await.unwrap(),
    );
    let order = place(&stack, &ada).await;
    let path = format!("/orders/{order}");
    for (user, status) in [(&ada, StatusCode::OK), (&staff, StatusCode::OK), (&eve, StatusCode::NOT_FOUND)] {
        assert_eq!(call(&stack, user, Method::GET, &path, None).await.status, status);
    }
    let hidden = call(&stack, &eve, Method::GET, &path, None).await;
    assert_problem(&hidden, StatusCode::NOT_FOUND, "not-found");
    let cancel = call(&stack, &eve, Method::POST, &format!("{path}/cancel"), None).await;
    assert_problem(&cancel, StatusCode::NOT_FOUND, "not-found");
    let own = call(&stack, &ada, Method::GET, "/orders", None).await;
    assert_eq!(own.body["orders"][0]["id"], order, "{own:?}");
    let others = call(&stack, &eve, Method::GET, &format!("/orders?customer_id={}", ada.id), None).await;
    assert_eq!(
        (others.status, others.error_locations()),
        (StatusCode::BAD_REQUEST, vec!["customer_id".to_owned()])
    );
    stack.wait_for_status(&order, "paid").await;
}

#[tokio::test]
async fn an_order_of_a_customer_is_emailed_to_their_verified_address_only() {
    let (stack, _guard) = shared().await;
    let ada = stack.create_customer().await.unwrap();
    let product = stack.create_product(1000, 5).await.unwrap();
    let mut order = NewOrder::new(&product, 1, "pm_card_visa").by(&ada).body;
    order["customer"]["email"] = json!("victim@example.com");
    let key = Uuid::new_v4().to_string();
    let headers = [("authorization", ada.bearer.as_str()), ("idempotency-key", &key)];
    let refused = stack.api(Method::POST, "/orders", &headers, Some(&order)).await.unwrap();
    assert_problem(&refused, StatusCode::BAD_REQUEST, "invalid-request");
    assert_eq!(refused.error_locations(), ["/customer/email"]);
    order["customer"].as_object_mut().unwrap().remove("email");
    let placed = stack.api(Method::POST, "/orders", &headers, Some(&order)).await.unwrap();
    let placed = placed.expect(StatusCode::CREATED).unwrap();
    assert_eq!(placed.body["customer"]["email"], ada.email);
    stack.wait_for_status(placed.body["id"].as_str().unwrap(), "paid").await;
}

#[tokio::test]
async fn a_customer_cannot_place_any_number_of_orders() {
    let (stack, _guard) = shared().await;
    let ada = stack.create_customer().await.unwrap();
    let product = stack.create_product(1000, 5).await.unwrap();
    // An invented price: nothing is reserved or charged.
    let mut order = NewOrder::new(&product, 1, "pm_card_visa").by(&ada).body;
    order["lines"][0]["unit_price"]["amount"] = 100.into();
    let place = async || {
        let key = Uuid::new_v4().to_string();
        let headers = [("authorization", ada.bearer.as_str()), ("idempotency-key", &key)];
        stack.api(Method::POST, "/orders", &headers, Some(&order)).await.unwrap()
    };
    // Twice the limit, in case that a window ends meanwhile, and the order that is refused.
    let mut refused = None;
    for _ in 0..=40 {
        let response = place().await;
        if response.status != StatusCode::CREATED {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_problem(&refused, StatusCode::TOO_MANY_REQUESTS, "order-limit-reached");
    let wait: u32 = refused.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=600).contains(&wait), "{wait}");
}

#[tokio::test]
async fn a_profile_exists_from_the_first_sign_in() {
    let (stack, _guard) = shared().await;
    let ada = stack.create_customer().await.unwrap();
    let first = call(&stack, &ada, Method::GET, "/me", None).await.expect(StatusCode::OK).unwrap();
    assert_eq!(
        first.body,
        json!({ "id": ada.id, "name": "Ada Lovelace", "email": ada.email, "addresses": [], "revision": 1 })
    );
    assert_eq!(first.headers["etag"], "\"1\"");
    let profile = json!({
        "name": "Ada King", "email": "countess@example.com",
        "addresses": [{ "recipient": "Ada", "street": "1 High St", "city": "London", "country": "GB" }],
    });
    let put = async |tag: &str| {
        let headers = [("authorization", ada.bearer.as_str()), ("if-match", tag)];
        stack.api(Method::PUT, "/me", &headers, Some(&profile)).await.unwrap()
    };
    assert_eq!(put("\"1\"").await.expect(StatusCode::OK).unwrap().headers["etag"], "\"2\"");
    assert_problem(&put("\"1\"").await, StatusCode::PRECONDITION_FAILED, "precondition-failed");

    // A refreshed token has the same access and does not change the profile.
    let refresh = json!({
        "ClientId": stack.output("ShopClientId").unwrap(), "AuthFlow": "REFRESH_TOKEN_AUTH",
        "AuthParameters": { "REFRESH_TOKEN": ada.refresh_token },
    });
    let response =
        stack.call_cognito_unsigned("InitiateAuth", &refresh).await.unwrap().expect(StatusCode::OK).unwrap();
    let token = response.body["AuthenticationResult"]["AccessToken"].as_str().unwrap();
    let again = User { bearer: format!("Bearer {token}"), ..ada.clone() };
    let found = call(&stack, &again, Method::GET, "/me", None).await.expect(StatusCode::OK).unwrap();
    assert_eq!(found.body["name"], "Ada King");
}

#[tokio::test]
async fn products_support_conditional_requests() {
    let (stack, _guard) = shared().await;
    let staff = stack.create_staff().await.unwrap();
    let product = stack.create_product(100, 3).await.unwrap();
    let path = format!("/products/{}", product.sku);
    let tag =
        stack.api(Method::GET, &path, &[("authorization", "")], None).await.unwrap().headers["etag"].clone();
    let put = async |name: &'static str, value: &str, cents: u32| {
        let body = json!({ "name": "Darjeeling", "price": { "amount": cents, "currency": "EUR" } });
        let headers = [("authorization", staff.bearer.as_str()), (name, value)];
        stack.api(Method::PUT, &path, &headers, Some(&body)).await.unwrap()
    };
    let tag = tag.to_str().unwrap();
    assert_eq!(put("if-match", tag, 200).await.status, StatusCode::OK);
    assert_problem(&put("if-match", tag, 300).await, StatusCode::PRECONDITION_FAILED, "precondition-failed");
    assert_problem(
        &put("if-none-match", "*", 300).await,
        StatusCode::PRECONDITION_FAILED,
        "precondition-failed",
    );
    let found = stack.api(Method::GET, &path, &[], None).await.unwrap();
    assert_eq!((&found.body["price"]["amount"], &found.body["available"]), (&json!(200), &json!(3)));
}

#[tokio::test]
async fn reservations_require_a_signature() {
    let (stack, _guard) = shared().await;
    let staff = stack.create_staff().await.unwrap();
    let path = "/reservations/01890a5d-ac96-774b-bcce-b302099a8057";
    for (method, path) in [
        (Method::GET, path.to_owned()),
        (Method::PUT, path.to_owned()),
        (Method::POST, format!("{path}/commit")),
        (Method::POST, format!("{path}/release")),
    ] {
        let unsigned = stack.api(method.clone(), &path, &[("authorization", "")], None).await.unwrap();
        assert_eq!(unsigned.status, StatusCode::NOT_FOUND, "{method} {path}: {unsigned:?}");
        let token = call(&stack, &staff, method.clone(), &path, None).await;
        assert!(token.status.is_client_error(), "{method} {path}: {token:?}");
    }
}

#[tokio::test]
async fn reservations_require_the_role_of_a_reserving_function() {
    let Some((stack, _guard)) = shared_with(&[Requirement::FunctionRoles]).await else { return };
    let path = "/reservations/01890a5d-ac96-774b-bcce-b302099a8057";
    // A role of the same account that has no permission.
    let mail_function = stack.role("SendEmailRole").await.unwrap();
    let rejected = stack.send_signed_as(&mail_function, Method::GET, path).await.unwrap();
    assert_eq!(rejected.status, StatusCode::FORBIDDEN, "{rejected:?}");
    let reserving = stack.role("SettleReservationRole").await.unwrap();
    let forged = stack
        .send_signed_as(&reserving.with_secret("wrong"), Method::POST, &format!("{path}/release"))
        .await
        .unwrap();
    assert_eq!(forged.status, StatusCode::FORBIDDEN, "{forged:?}");
}

async fn partner_orders(stack: &Stack, partner: &Partner) -> ApiResponse {
    stack.api(Method::GET, "/partner/orders?customer_id=42", &partner.headers(), None).await.unwrap()
}

#[tokio::test]
async fn a_partner_needs_an_api_key_and_sees_only_its_own_customers() {
    let (stack, _guard) = shared().await;
    let (partner, other) = (stack.create_partner().await.unwrap(), stack.create_partner().await.unwrap());
    let without = [("authorization", partner.bearer.as_str())];
    let response = stack.api(Method::GET, "/partner/orders?customer_id=42", &without, None).await.unwrap();
    assert_problem(&response, StatusCode::FORBIDDEN, "forbidden");
    let wrong = [("authorization", partner.bearer.as_str()), ("x-api-key", "guessed")];
    let response = stack.api(Method::GET, "/partner/orders?customer_id=42", &wrong, None).await.unwrap();
    assert_problem(&response, StatusCode::FORBIDDEN, "forbidden");

    let product = stack.create_product(1000, 5).await.unwrap();
    let mut order = NewOrder::new(&product, 1, "pm_card_visa").body;
    order["customer"]["id"] = json!("42");
    let key = Uuid::new_v4().to_string();
    let headers = [&partner.headers()[..], &[("idempotency-key", &key)]].concat();
    let placed = stack.api(Method::POST, "/partner/orders", &headers, Some(&order)).await.unwrap();
    let placed = placed.expect(StatusCode::CREATED).unwrap();
    assert_eq!(placed.body["customer"]["id"], "42");
    let id = placed.body["id"].as_str().unwrap();
    stack.wait_for_status(id, "paid").await;
    let path = format!("/partner/orders/{id}");
    for (caller, status) in [(&partner, StatusCode::OK), (&other, StatusCode::NOT_FOUND)] {
        let read = stack.api(Method::GET, &path, &caller.headers(), None).await.unwrap();
        assert_eq!(read.status, status, "{read:?}");
    }
    assert_eq!(partner_orders(&stack, &partner).await.body["orders"][0]["id"], id);
    assert_eq!(partner_orders(&stack, &other).await.body["orders"], json!([]));
}

#[tokio::test]
async fn a_partner_needs_its_own_api_key() {
    let (stack, _guard) = shared().await;
    let (partner, other) = (stack.create_partner().await.unwrap(), stack.create_partner().await.unwrap());
    let headers = [("authorization", partner.bearer.as_str()), ("x-api-key", other.api_key.as_str())];
    for (method, path) in [
        (Method::GET, "/partner/orders?customer_id=42"),
        (Method::GET, "/webhooks"),
        (Method::GET, "/partner/search/orders"),
    ] {
        let response = stack.api(method.clone(), path, &headers, None).await.unwrap();
        assert_problem(&response, StatusCode::FORBIDDEN, "forbidden");
        let own = stack.api(method, path, &partner.headers(), None).await.unwrap();
        assert_eq!(own.status, StatusCode::OK, "{path}: {own:?}");
    }
}

#[tokio::test]
async fn a_partner_over_its_rate_limit_gets_retry_after() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ExactUsagePlans]).await else { return };
    let plan = json!({ "throttle": { "rateLimit": 0.01, "burstLimit": 3 } });
    let plan = stack.create_usage_plan(&plan).await.unwrap();
    let partner = stack.create_partner_in(&plan).await.unwrap();
    for _ in 0..3 {
        assert_eq!(partner_orders(&stack, &partner).await.status, StatusCode::OK);
    }
    let response = partner_orders(&stack, &partner).await;
    assert_eq!(response.headers["retry-after"], "1", "{response:?}");
    assert_problem(&response, StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    // The limit does not affect other partners.
    let other = stack.create_partner().await.unwrap();
    assert_eq!(partner_orders(&stack, &other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_partner_over_its_quota_gets_a_longer_retry_after() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ExactUsagePlans]).await else { return };
    let plan = stack.create_usage_plan(&json!({ "quota": { "limit": 2, "period": "DAY" } })).await.unwrap();
    let partner = stack.create_partner_in(&plan).await.unwrap();
    for _ in 0..2 {
        assert_eq!(partner_orders(&stack, &partner).await.status, StatusCode::OK);
    }
    let response = partner_orders(&stack, &partner).await;
    let wait: u32 = response.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait >= 60, "{response:?}");
    assert_problem(&response, StatusCode::TOO_MANY_REQUESTS, "quota-exceeded");
}

#[tokio::test]
async fn cors_allows_only_the_configured_origins() {
    let (stack, _guard) = shared().await;
    let origins = stack.parameter("AllowedOrigins").await.unwrap();
    let origin = origins.split(',').next().unwrap_or_default();
    let preflight = async |origin: &str, path: &str| {
        let headers = [
            ("authorization", ""),
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,idempotency-key"),
        ];
        stack.api(Method::OPTIONS, path, &headers, None).await.unwrap()
    };
    for path in ["/orders", "/orders/x", "/orders/x/cancel", "/me", "/products", "/products/x"] {
        let strange = preflight("https://evil.example", path).await;
        assert!(!strange.headers.contains_key("access-control-allow-origin"), "{path}: {strange:?}");
        if origin.is_empty() {
            continue;
        }
        let allowed = preflight(origin, path).await;
        assert_eq!(allowed.headers["access-control-allow-origin"], origin, "{path}: {allowed:?}");
    }
    if origin.is_empty() {
        return;
    }
    // The page can also read error responses.
    let headers = [("authorization", ""), ("origin", origin)];
    let response = stack.api(Method::GET, "/orders", &headers, None).await.unwrap();
    assert_problem(&response, StatusCode::UNAUTHORIZED, "unauthorized");
    assert_eq!(response.headers["access-control-allow-origin"], origin);
    let strange = [("authorization", ""), ("origin", "https://strange.example.com")];
    let response = stack.api(Method::GET, "/orders", &strange, None).await.unwrap();
    assert_ne!(response.headers["access-control-allow-origin"], "https://strange.example.com");
}

#[tokio::test]
async fn the_health_check_reaches_the_synthetic_customer_exclusive() {
    let (stack, _guard) = shared().await;
    let client = stack.physical_id("HealthClient").await.unwrap();
    let token = stack.machine_token(&client, None).await.unwrap();
    assert_eq!(claims(&token).unwrap()["scope"], "health/check");
    assert!(
        stack.machine_token(&client, Some("orders/read")).await.is_err(),
        "the user pool issues no other scope"
    );
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let ada = stack.create_customer().await.unwrap();
    let order = place(&stack, &ada).await;
    let path = format!("/orders/{order}");

    let read = stack.api(Method::GET, &path, &headers, None).await.unwrap();
    assert_problem(&read, StatusCode::NOT_FOUND, "not-found");
    let others = format!("/orders?customer_id={}", ada.id);
    let list = stack.api(Method::GET, &others, &headers, None).await.unwrap();
    assert_eq!(
        (list.status, list.error_locations()),
        (StatusCode::BAD_REQUEST, vec!["customer_id".to_owned()])
    );
    for (method, path) in [
        (Method::POST, format!("{path}/cancel")),
        (Method::GET, "/search/orders".to_owned()),
        (Method::GET, "/me".to_owned()),
    ] {
        let response = stack.api(method, &path, &headers, None).await.unwrap();
        assert_problem(&response, StatusCode::UNAUTHORIZED, "unauthorized");
    }
    let own = format!("/orders?customer_id={SYNTHETIC_CUSTOMER_ID}");
    let own = stack.api(Method::GET, &own, &headers, None).await.unwrap();
    assert_eq!(own.status, StatusCode::OK, "{own:?}");
    stack.wait_for_status(&order, "paid").await;
}

#[tokio::test]
async fn an_unknown_route_returns_a_problem_document() {
    let (stack, _guard) = shared().await;
    for (method, path) in [
        (Method::GET, "/nothing/here"),
        (Method::DELETE, "/orders"),
        (Method::GET, "/reservations/01890a5d-ac96-774b-bcce-b302099a8057"),
    ] {
        let response = stack.api(method.clone(), path, &[("authorization", "")], None).await.unwrap();
        assert_problem(&response, StatusCode::NOT_FOUND, "not-found");
    }
    // The API reference, as a page and as an OpenAPI document.
    for (path, media_type) in [("/reference", "text/html"), ("/openapi.json", "application/json")] {
        let response = stack.api(Method::GET, path, &[("authorization", "")], None).await.unwrap();
        assert_eq!(response.status, StatusCode::OK, "{path}");
        let found = response.headers["content-type"].to_str().unwrap();
        assert!(found.starts_with(media_type), "{path}: {found}");
    }
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
