//! Who receives the emails about an order, and with which name.

use axum::body::Body;
use domain::Fact;
use http::{Request, StatusCode};
use platform::http::Caller;
use serde_json::{Value, json};

use crate::support::{Service, TestResponse, customer, order, own_order, partner, staff};

async fn place(
    service: &Service,
    caller: &Caller,
    verified: Option<&str>,
    path: &str,
    body: &Value,
) -> TestResponse {
    let request =
        Request::post(path).header("content-type", "application/json").header("idempotency-key", "key");
    let request = request.body(Body::from(body.to_string())).unwrap();
    service.call_with_email(caller.clone(), verified, request).await
}

fn with_email(mut order: Value, email: Option<&str>) -> Value {
    order["customer"].as_object_mut().unwrap().remove("email");
    if let Some(email) = email {
        order["customer"]["email"] = json!(email);
    }
    order
}

/// The address in the event, to which the emails are sent.
fn recipient(service: &Service) -> String {
    let [event] = service.orders.pending_events().try_into().unwrap();
    match event.fact {
        Fact::OrderCreated(created) => created.order.customer.email.into(),
        other => unreachable!("{other:?}"),
    }
}

#[tokio::test]
async fn emails_to_customers_are_sent_to_the_verified_address_of_their_account() {
    for email in [None, Some("ada@example.com"), Some("Ada@Example.com")] {
        let service = Service::new();
        let body = with_email(own_order(), email);
        let placed = place(&service, &customer("ada"), Some("ada@example.com"), "/orders", &body).await;
        assert_eq!(
            (placed.status, &placed.body["customer"]["email"]),
            (StatusCode::CREATED, &json!("ada@example.com"))
        );
        assert_eq!(recipient(&service), "ada@example.com");
    }
}

#[tokio::test]
async fn a_customer_cannot_have_emails_sent_to_another_address() {
    let service = Service::new();
    for email in ["eve@example.com", "ada@example.com.evil.example", "ada+1@example.com"] {
        let body = with_email(own_order(), Some(email));
        let refused = place(&service, &customer("ada"), Some("ada@example.com"), "/orders", &body).await;
        assert_eq!(
            (refused.status, refused.error_locations()),
            (StatusCode::BAD_REQUEST, vec!["/customer/email"])
        );
    }
    for email in [None, Some("ada@example.com")] {
        let body = with_email(own_order(), email);
        let refused = place(&service, &customer("ada"), None, "/orders", &body).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "an account without a verified address");
        assert!(refused.text.contains("Verify it"), "{}", refused.text);
    }
    assert_eq!(service.pending_count(), 0);
}

#[tokio::test]
async fn staff_and_partners_specify_the_address() {
    for (caller, path) in [(staff(), "/orders"), (partner("client1"), "/partner/orders")] {
        let service = Service::new();
        let missing = with_email(order(), None);
        let refused = place(&service, &caller, Some("staff@example.com"), path, &missing).await;
        assert_eq!(
            (refused.status, refused.error_locations()),
            (StatusCode::BAD_REQUEST, vec!["/customer/email"])
        );
        let body = with_email(order(), Some("grace@example.com"));
        let placed = place(&service, &caller, Some("staff@example.com"), path, &body).await;
        assert_eq!(placed.status, StatusCode::CREATED, "{}", placed.text);
        assert_eq!(recipient(&service), "grace@example.com");
    }
}

#[tokio::test]
async fn text_that_must_not_be_in_an_email_is_rejected() {
    let address = json!({ "recipient": "Ada", "street": "1 High St", "city": "London", "country": "GB" });
    for (pointer, value) in [
        ("/customer/name", "http://evil.example"),
        ("/customer/name", "Visit evil.example"),
        ("/customer/name", " "),
        ("/customer/name", "\u{200b}"),
        ("/customer/name", "a\u{202e}b"),
        ("/customer/name", "a\u{fffe}"),
        ("/customer/email", "a..b@example.com"),
        ("/customer/email", ".a@example.com"),
        ("/customer/id", ".."),
        ("/customer/address/recipient", "www.evil.example"),
        ("/customer/address/street", "\u{3164}"),
        ("/customer/address/city", "\u{2028}"),
        ("/lines/0/sku", "."),
        ("/lines/0/sku", ".."),
        ("/payment_method", ".."),
    ] {
        let service = Service::new();
        let mut body = order();
        body["customer"]["address"] = address.clone();
        *body.pointer_mut(pointer).unwrap() = json!(value);
        let refused = service.place("key", &body).await;
        assert_eq!(
            (refused.status, refused.error_locations()),
            (StatusCode::BAD_REQUEST, vec![pointer]),
            "{value:?}"
        );
    }
    let service = Service::new();
    let mut body = order();
    body["customer"]["name"] = json!(" Ada Lovelace ");
    assert_eq!(service.place("key", &body).await.body["customer"]["name"], "Ada Lovelace");
}
