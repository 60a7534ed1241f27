//! The functions of the shop, which sign their requests, and the health check.

use domain::SYNTHETIC_CUSTOMER_ID;
use end_to_end::{Requirement, claims};
use http::{Method, StatusCode};

use super::{assert_problem, call, place};
use crate::{shared, shared_with};

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
