//! What customers and staff may see and do.

use end_to_end::{NewOrder, User};
use http::{Method, StatusCode};
use serde_json::json;
use uuid::Uuid;

use super::{assert_problem, call, place};
use crate::shared;

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
