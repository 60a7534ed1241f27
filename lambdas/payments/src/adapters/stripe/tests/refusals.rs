//! What Stripe refuses: which refusals end a payment, and which are retried or left to an operator.

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// An order whose payment Stripe refuses for good ends at once, with the reason; a PaymentIntent that exists is
/// cancelled first.
#[tokio::test]
async fn a_final_refusal_ends_the_payment_at_once() {
    let refusals = [
        (400, json!({"type": "invalid_request_error", "message": "No."}), "invalid_request_error"),
        (400, json!({"type": "invalid_request_error", "code": "something_new"}), "something_new"),
        (400, json!({"type": "invalid_request_error", "param": "currency"}), "currency_not_supported"),
        (400, json!({"type": "invalid_request_error", "code": "amount_too_small"}), "amount_too_small"),
        (402, json!({"type": "card_error"}), "card_error"),
        (404, json!({"code": "resource_missing", "param": "payment_method"}), "resource_missing"),
        (422, json!({}), "declined"),
    ];
    for operation in ["create", "confirm"] {
        for (status, error, code) in &refusals {
            let world = World::start().await;
            let fault = json!({"operation": operation, "kind": "error", "status": status, "error": error, "times": 1});
            world.control(Method::POST, "faults", fault).await;
            let outcome = world.function().handle(&event()).await.unwrap();
            let Fact::PaymentFailed(failed) = &outcome[0].fact else {
                panic!("{operation} {error}: {outcome:?}")
            };
            assert_eq!(failed.reason.code, *code, "{operation} {error}");
            assert_eq!(world.charges().await, 0, "{operation} {error}");
            let requests = world.control(Method::GET, "requests", Value::Null).await;
            let last = requests.as_array().unwrap().last().unwrap().clone();
            if operation == "confirm" {
                assert_eq!((&last["operation"], &last["outcome"]), (&json!("cancel"), &json!("canceled")));
            }
        }
    }
}

fn responding(status: u16, error: &Value) -> Stripe<Fixed> {
    let status = StatusCode::from_u16(status).unwrap();
    fixed(status, json!({ "error": error }))
}

#[tokio::test]
async fn what_is_not_about_the_order_is_retried_or_left_to_an_operator() {
    let id: PaymentIntentId = "pi_1".parse().unwrap();
    let transient = [
        (401, json!({"type": "invalid_request_error"})),
        (409, json!({"code": "idempotency_key_in_use"})),
        (429, json!({"code": "rate_limit"})),
        (400, json!({"code": "lock_timeout"})),
        (400, json!({"type": "idempotency_error"})),
        (402, json!({"type": "api_error"})),
        (424, json!({"type": "invalid_request_error"})),
        (500, json!({"type": "api_error"})),
        (503, json!({"type": "invalid_request_error", "code": "amount_too_small"})),
        (400, json!("not an error object")),
    ];
    for (status, error) in transient {
        let stripe = responding(status, &error);
        let responses = [
            stripe.create(new_intent("pm_card_visa", 1250, "k")).await.map(drop),
            stripe.confirm(&id, "k").await.map(drop),
            stripe.cancel(&id).await.map(drop),
        ];
        for response in responses {
            assert!(matches!(response, Err(ProviderError::Unknown(_))), "{status} {error}: {response:?}");
        }
    }
    let version = "Invalid Stripe API version: 2024-06-31";
    for (status, error, why) in [
        (403, json!({"type": "invalid_request_error"}), "permission"),
        (404, json!({"type": "invalid_request_error"}), "no such URL"),
        (400, json!({"type": "invalid_request_error", "message": version}), "API version"),
        (400, json!({"code": "testmode_charges_only"}), "account"),
        (400, json!({"code": "secret_key_required"}), "account"),
    ] {
        let stripe = responding(status, &error);
        let responses = [
            stripe.create(new_intent("pm_card_visa", 1250, "k")).await.map(drop),
            stripe.confirm(&id, "k").await.map(drop),
        ];
        for response in responses {
            let Err(ProviderError::InvalidRequest(text)) = &response else { panic!("{error}: {response:?}") };
            assert!(text.contains(why), "{text}");
        }
    }
    // A PaymentIntent that is not known to be cancelled may have been charged.
    let stripe = responding(400, &json!({"type": "invalid_request_error"}));
    for response in [stripe.retrieve(&id).await, stripe.cancel(&id).await] {
        assert!(matches!(response, Err(ProviderError::InvalidRequest(_))), "{response:?}");
    }
}

#[tokio::test]
async fn a_refused_confirmation_is_a_decline_whatever_state_the_payment_intent_is_in() {
    let id: PaymentIntentId = "pi_1".parse().unwrap();
    for (state, status) in [
        ("requires_confirmation", declined("url_invalid", None)),
        ("requires_payment_method", declined("url_invalid", None)),
        ("processing", IntentStatus::Processing),
        ("succeeded", IntentStatus::Succeeded),
        ("canceled", IntentStatus::Cancelled),
    ] {
        let intent = json!({"id": "pi_1", "status": state, "last_payment_error": null});
        let stripe = responding(400, &json!({"code": "url_invalid", "payment_intent": intent}));
        assert_eq!(stripe.confirm(&id, "k").await.unwrap(), status, "{state}");
    }
}

proptest! {
    /// No client error makes an order wait: it is retried, or an operator's, or ends the payment.
    #[test]
    fn a_client_error_that_is_nobody_elses_ends_the_payment(
        status in 400..500_u16,
        kind in proptest::option::of(select(vec!["invalid_request_error", "card_error", "something_new"])),
        code in proptest::option::of("[a-z]{3,12}(_[a-z]{3,12}){0,3}"),
        param in proptest::option::of("[a-z_]{1,20}"),
        message in proptest::option::of("\\PC{0,40}"),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = json!({"type": kind, "code": code, "param": param, "message": message});
        let stripe = responding(status, &error);
        let response = runtime.block_on(stripe.create(new_intent("pm_card_visa", 1250, "k")));
        let is_others = matches!(status, 401 | 403 | 408 | 409 | 424 | 425 | 429)
            || (status == 404 && code.is_none());
        match response {
            Err(ProviderError::Refused(reason)) => {
                prop_assert!(!is_others);
                prop_assert!(!reason.code.is_empty());
                prop_assert!(code.is_none_or(|code| code == reason.code));
            }
            other => prop_assert!(is_others, "{other:?}"),
        }
    }
}

#[tokio::test]
async fn amounts_that_stripe_would_interpret_differently_are_not_sent() {
    for (amount, currency, sent) in [
        (1250, "EUR", true),
        (500, "JPY", true),
        (1250, "MGA", false),
        (500, "ISK", false),
        (500, "UGX", false),
        (1250, "KWD", true),
        (1251, "KWD", false),
        (5000, "XAU", false),
        // Too small for an account that settles in euros: that is for Stripe to say.
        (40, "EUR", true),
    ] {
        let amount = serde_json::from_value(json!({ "amount": amount, "currency": currency })).unwrap();
        let intent = NewIntent { amount, ..new_intent("pm_card_visa", 1250, "k") };
        let stripe = responding(400, &json!({"code": "was_sent"}));
        let Err(ProviderError::Refused(reason)) = stripe.create(intent).await else { panic!("{amount}") };
        assert_eq!(reason.code == "was_sent", sent, "{amount}: {}", reason.code);
    }
}

/// The rule of `domain` refuses the same amounts as the stand-in, whose table is its own.
#[tokio::test]
async fn the_stand_in_agrees_with_the_rule_about_amounts() {
    let world = World::start().await;
    for currency in ["AED", "EUR", "GBP", "HUF", "JPY", "KRW", "KWD", "MXN", "TND", "VND", "ZAR"] {
        for amount in [1, 9, 10, 29, 30, 49, 50, 199, 200, 999, 1000, 1001, 17_499, 17_500, 99_999_999] {
            let money: Money =
                serde_json::from_value(json!({ "amount": amount, "currency": currency })).unwrap();
            let key = format!("{amount}-{currency}");
            let intent = NewIntent { amount: money, ..new_intent("pm_card_visa", 1250, &key) };
            let created = world.stripe.create(intent).await;
            assert_eq!(created.is_ok(), check_charge(money).is_ok(), "{money}: {created:?}");
        }
    }
}
