//! The statuses of a PaymentIntent that no card leads to at once: charges that are processed, and the control API.

use axum::http::Method;
use serde_json::json;

use crate::support::{Api, Reply};

async fn set_status(api: &Api, id: &str, status: &str) -> Reply {
    let path = format!("/_control/payment_intents/{id}/status");
    let body = json!({ "status": status }).to_string();
    api.send(Method::PUT, &path, &[("content-type", "application/json")], &body).await.unwrap()
}

#[tokio::test]
async fn a_charge_that_is_processed_is_neither_repeated_nor_canceled_until_it_ends() {
    for (end, charges) in [("succeeded", 1), ("requires_payment_method", 0)] {
        let api = Api::start().await;
        let id = api.create_intent("o-1", "pm_card_processing").await;
        let confirmed = api.confirm(&id).await;
        assert_eq!((confirmed.status, confirmed.at("/status")), (200, "processing"));
        assert!(confirmed.body["processing"].is_object());
        for action in ["confirm", "cancel"] {
            let refused = api.post(&format!("/v1/payment_intents/{id}/{action}"), "").await;
            assert_eq!((refused.status, refused.at("/error/code")), (400, "payment_intent_unexpected_state"));
            assert_eq!(refused.at("/error/payment_intent/status"), "processing", "{action}");
        }
        assert!(api.charges("o-1").await.is_empty());
        assert_eq!(set_status(&api, &id, end).await.status, 204);
        assert_eq!(api.status_of(&id).await, end);
        assert_eq!(api.charges("o-1").await.len(), charges, "{end}");
        let canceled = api.post(&format!("/v1/payment_intents/{id}/cancel"), "").await;
        assert_eq!(canceled.status, if charges == 1 { 400 } else { 200 }, "{end}");
    }
}

#[tokio::test]
async fn the_control_api_sets_every_status_unless_the_current_one_is_final() {
    let statuses = [
        "requires_payment_method",
        "requires_confirmation",
        "requires_action",
        "processing",
        "requires_capture",
        "canceled",
        "succeeded",
    ];
    for status in statuses {
        let api = Api::start().await;
        let id = api.create_intent("o-1", "pm_card_visa").await;
        assert_eq!(set_status(&api, &id, status).await.status, 204, "{status}");
        let intent = api.get(&format!("/v1/payment_intents/{id}")).await;
        assert_eq!(intent.at("/status"), status);
        let capturable = if status == "requires_capture" { 1250 } else { 0 };
        assert_eq!(intent.body["amount_capturable"], capturable, "{status}");
        assert_eq!(api.charges("o-1").await.len(), usize::from(status == "succeeded"), "{status}");
        let is_final = matches!(status, "canceled" | "succeeded");
        assert_eq!(
            set_status(&api, &id, "processing").await.status,
            if is_final { 409 } else { 204 },
            "{status}"
        );
    }
    let api = Api::start().await;
    assert_eq!(set_status(&api, "pi_none", "succeeded").await.status, 409);
    let id = api.create_intent("o-1", "pm_card_visa").await;
    assert_eq!(set_status(&api, &id, "paid").await.status, 400);
}
