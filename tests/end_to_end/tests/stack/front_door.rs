//! Who may come in, and how often: tokens, scopes, other people's orders, signatures, limits.

use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use domain::SYNTHETIC_CUSTOMER_ID;
use end_to_end::{ApiResponse, NewOrder, Partner, Requirement, Stack, User, claims};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{shared, shared_with};

/// A request of a person.
async fn call(stack: &Stack, person: &User, method: Method, path: &str, body: Option<&Value>) -> ApiResponse {
    stack.api(method, path, &[("authorization", &person.bearer)], body).await.unwrap()
}

/// Places an order as a customer does: they do not say who they are.
async fn place(stack: &Stack, person: &User) -> String {
    let product = stack.create_product(1000, 5).await.unwrap();
    let mut order = NewOrder::new(&product, 1, "pm_card_visa").body;
    order["customer"].as_object_mut().unwrap().remove("id");
    let key = Uuid::new_v4().to_string();
    let headers = [("authorization", person.bearer.as_str()), ("idempotency-key", &key)];
    let response = stack.api(Method::POST, "/orders", &headers, Some(&order)).await.unwrap();
    let response = response.expect(StatusCode::CREATED).unwrap();
    assert_eq!(response.body["customer"]["id"], person.id);
    response.body["id"].as_str().unwrap().to_owned()
}

/// Fails unless the gateway refused a request in the way that all refusals have.
fn assert_refused(response: &ApiResponse, status: StatusCode, kind: &str) {
    assert_eq!(response.status, status, "{response:?}");
    assert_eq!(response.headers["content-type"], "application/problem+json", "{response:?}");
    assert_eq!(response.body["type"], format!("urn:serverless-orders:problem:{kind}"), "{response:?}");
    assert_eq!(response.body["status"], status.as_u16(), "{response:?}");
    for field in ["title", "detail", "correlation_id"] {
        assert!(response.body[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {response:?}");
    }
    assert_eq!(response.headers["x-correlation-id"], response.body["correlation_id"].as_str().unwrap());
}

/// The token with other claims, and the signature of the old ones.
fn tampered(bearer: &str, change: impl Fn(&mut Value)) -> String {
    let mut parts: Vec<String> = bearer.split('.').map(str::to_owned).collect();
    let mut changed = claims(bearer).unwrap();
    change(&mut changed);
    parts[1] = BASE64_URL_SAFE_NO_PAD.encode(changed.to_string());
    parts.join(".")
}

#[tokio::test]
async fn only_a_good_token_opens_the_door() {
    let (stack, _guard) = shared().await;
    let ada = stack.create_customer().await.unwrap();
    let other_pool = token_of_another_pool(&stack).await;
    // AWS has no token that is good for less than five minutes.
    let expired = if stack.is_local() { expired_token(&stack, &ada).await } else { String::new() };
    for (what, authorization) in [
        ("nothing", String::new()),
        ("no token", "Bearer nonsense".to_owned()),
        ("a tampered one", tampered(&ada.bearer, |claims| claims["sub"] = json!(Uuid::new_v4().to_string()))),
        ("one made staff", tampered(&ada.bearer, |claims| claims["cognito:groups"] = json!(["staff"]))),
        ("one that ended", expired),
        ("an ID token, which is for the page that asked for it", format!("Bearer {}", ada.id_token)),
        ("one of another user pool", other_pool),
    ] {
        let response =
            stack.api(Method::GET, "/orders", &[("authorization", &authorization)], None).await.unwrap();
        assert_eq!(
            response.headers.get("www-authenticate").map(|value| value.as_bytes()),
            Some(&b"Bearer"[..]),
            "{what}"
        );
        assert_refused(&response, StatusCode::UNAUTHORIZED, "unauthorized");
    }
    call(&stack, &ada, Method::GET, "/orders", None).await.expect(StatusCode::OK).unwrap();
}

/// A token that is good for a second, two seconds later.
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
async fn each_route_asks_for_its_scope() {
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
        assert_refused(&response, StatusCode::UNAUTHORIZED, "unauthorized");
    }
    let path = format!("/orders?customer_id={}", customer.id);
    let read = stack.api(Method::GET, &path, &[("authorization", &reader)], None).await.unwrap();
    assert_eq!(read.status, StatusCode::OK, "{read:?}");
}

#[tokio::test]
async fn an_order_is_seen_by_its_customer_and_by_staff() {
    let (stack, _guard) = shared().await;
    let (ada, eve, staff) = (
        stack.create_customer().await.unwrap(),
        stack.create_customer().await.unwrap(),
        stack.create_staff().await.unwrap(),
    );
    let order = place(&stack, &ada).await;
    let path = format!("/orders/{order}");
    for (person, status) in [(&ada, StatusCode::OK), (&staff, StatusCode::OK), (&eve, StatusCode::NOT_FOUND)]
    {
        assert_eq!(call(&stack, person, Method::GET, &path, None).await.status, status);
    }
    let hidden = call(&stack, &eve, Method::GET, &path, None).await;
    assert_refused(&hidden, StatusCode::NOT_FOUND, "not-found");
    let cancel = call(&stack, &eve, Method::POST, &format!("{path}/cancel"), None).await;
    assert_refused(&cancel, StatusCode::NOT_FOUND, "not-found");
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
async fn a_profile_is_there_from_the_first_sign_in_on() {
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
    assert_refused(&put("\"1\"").await, StatusCode::PRECONDITION_FAILED, "precondition-failed");

    // A later token is good for the same, and leaves the profile alone.
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
async fn products_change_on_condition() {
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
    assert_refused(&put("if-match", tag, 300).await, StatusCode::PRECONDITION_FAILED, "precondition-failed");
    assert_refused(
        &put("if-none-match", "*", 300).await,
        StatusCode::PRECONDITION_FAILED,
        "precondition-failed",
    );
    let found = stack.api(Method::GET, &path, &[], None).await.unwrap();
    assert_eq!((&found.body["price"]["amount"], &found.body["available"]), (&json!(200), &json!(3)));
}

#[tokio::test]
async fn reservations_are_for_the_shops_own_functions() {
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
async fn reservations_are_for_those_functions_that_make_them() {
    let Some((stack, _guard)) = shared_with(&[Requirement::FunctionRoles]).await else { return };
    let path = "/reservations/01890a5d-ac96-774b-bcce-b302099a8057";
    // Somebody of the same account whose role does not allow it.
    let mail_function = stack.role("SendEmailRole").await.unwrap();
    let refused = stack.send_signed_as(&mail_function, Method::GET, path).await.unwrap();
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{refused:?}");
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
async fn a_partner_needs_a_key_and_has_customers_of_its_own() {
    let (stack, _guard) = shared().await;
    let (partner, other) = (stack.create_partner().await.unwrap(), stack.create_partner().await.unwrap());
    let without = [("authorization", partner.bearer.as_str())];
    let response = stack.api(Method::GET, "/partner/orders?customer_id=42", &without, None).await.unwrap();
    assert_refused(&response, StatusCode::FORBIDDEN, "forbidden");
    let wrong = [("authorization", partner.bearer.as_str()), ("x-api-key", "guessed")];
    let response = stack.api(Method::GET, "/partner/orders?customer_id=42", &wrong, None).await.unwrap();
    assert_refused(&response, StatusCode::FORBIDDEN, "forbidden");

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
    for (who, status) in [(&partner, StatusCode::OK), (&other, StatusCode::NOT_FOUND)] {
        let read = stack.api(Method::GET, &path, &who.headers(), None).await.unwrap();
        assert_eq!(read.status, status, "{read:?}");
    }
    assert_eq!(partner_orders(&stack, &partner).await.body["orders"][0]["id"], id);
    assert_eq!(partner_orders(&stack, &other).await.body["orders"], json!([]));
}

#[tokio::test]
async fn a_partner_over_its_limit_is_told_to_wait() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ExactUsagePlans]).await else { return };
    let plan = json!({ "throttle": { "rateLimit": 0.01, "burstLimit": 3 } });
    let plan = stack.create_usage_plan(&plan).await.unwrap();
    let partner = stack.create_partner_in(&plan).await.unwrap();
    for _ in 0..3 {
        assert_eq!(partner_orders(&stack, &partner).await.status, StatusCode::OK);
    }
    let response = partner_orders(&stack, &partner).await;
    assert_eq!(response.headers["retry-after"], "1", "{response:?}");
    assert_refused(&response, StatusCode::TOO_MANY_REQUESTS, "too-many-requests");
    // Its limits are its own.
    let other = stack.create_partner().await.unwrap();
    assert_eq!(partner_orders(&stack, &other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_partner_over_its_quota_is_told_to_wait_for_longer() {
    let Some((stack, _guard)) = shared_with(&[Requirement::ExactUsagePlans]).await else { return };
    let plan = stack.create_usage_plan(&json!({ "quota": { "limit": 2, "period": "DAY" } })).await.unwrap();
    let partner = stack.create_partner_in(&plan).await.unwrap();
    for _ in 0..2 {
        assert_eq!(partner_orders(&stack, &partner).await.status, StatusCode::OK);
    }
    let response = partner_orders(&stack, &partner).await;
    let wait: u32 = response.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait >= 60, "{response:?}");
    assert_refused(&response, StatusCode::TOO_MANY_REQUESTS, "quota-exceeded");
}

#[tokio::test]
async fn pages_of_the_configured_origins_may_call() {
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
    // What is refused can be read by the page, too.
    let headers = [("authorization", ""), ("origin", origin)];
    let response = stack.api(Method::GET, "/orders", &headers, None).await.unwrap();
    assert_refused(&response, StatusCode::UNAUTHORIZED, "unauthorized");
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
    assert!(stack.machine_token(&client, Some("orders/read")).await.is_err(), "it is given nothing wider");
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let ada = stack.create_customer().await.unwrap();
    let order = place(&stack, &ada).await;
    let path = format!("/orders/{order}");

    let read = stack.api(Method::GET, &path, &headers, None).await.unwrap();
    assert_refused(&read, StatusCode::NOT_FOUND, "not-found");
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
        assert_refused(&response, StatusCode::UNAUTHORIZED, "unauthorized");
    }
    let own = format!("/orders?customer_id={SYNTHETIC_CUSTOMER_ID}");
    let own = stack.api(Method::GET, &own, &headers, None).await.unwrap();
    assert_eq!(own.status, StatusCode::OK, "{own:?}");
    stack.wait_for_status(&order, "paid").await;
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_like_any_other() {
    let (stack, _guard) = shared().await;
    for (method, path) in [
        (Method::GET, "/nothing/here"),
        (Method::DELETE, "/orders"),
        (Method::GET, "/reservations/01890a5d-ac96-774b-bcce-b302099a8057"),
    ] {
        let response = stack.api(method.clone(), path, &[("authorization", "")], None).await.unwrap();
        assert_refused(&response, StatusCode::NOT_FOUND, "not-found");
    }
    // The page and the document that say what there is.
    for (path, media_type) in [("/reference", "text/html"), ("/openapi.json", "application/json")] {
        let response = stack.api(Method::GET, path, &[("authorization", "")], None).await.unwrap();
        assert_eq!(response.status, StatusCode::OK, "{path}");
        let found = response.headers["content-type"].to_str().unwrap();
        assert!(found.starts_with(media_type), "{path}: {found}");
    }
}

#[tokio::test]
async fn nothing_trusts_a_header_that_anybody_can_send() {
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
    assert_refused(&response, StatusCode::NOT_FOUND, "not-found");
}
