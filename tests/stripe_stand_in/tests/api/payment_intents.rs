//! The states of a PaymentIntent, and the outcome of each test card.

use crate::support::{Api, intent_form};

#[tokio::test]
async fn a_payment_is_made_in_two_steps() {
    let api = Api::start().await;
    let created = api.post("/v1/payment_intents", &intent_form("o-1", "pm_card_visa")).await;
    assert_eq!(created.status, 200);
    assert!(created.at("/id").starts_with("pi_") && created.at("/payment_method").starts_with("pm_"));
    assert_eq!(created.at("/status"), "requires_confirmation");
    assert_eq!((&created.body["amount"], created.at("/currency")), (&1250.into(), "eur"));
    assert_eq!(created.at("/metadata/order_id"), "o-1");
    assert!(created.body["latest_charge"].is_null());
    assert!(api.charges("o-1").await.is_empty());

    let confirmed = api.confirm(created.at("/id")).await;
    assert_eq!((confirmed.status, confirmed.at("/status")), (200, "succeeded"));
    assert_eq!(confirmed.body["amount_received"], 1250);
    let charges = api.charges("o-1").await;
    assert_eq!(charges.len(), 1);
    assert_eq!(charges[0]["id"], confirmed.body["latest_charge"]);
    assert_eq!(charges[0]["payment_intent"], created.body["id"]);
    assert_eq!((&charges[0]["amount"], &charges[0]["currency"]), (&1250.into(), &"eur".into()));
    assert_eq!(charges[0]["order_id"], "o-1");
    assert!(charges[0]["at"].is_string());
    assert!(api.charges("another").await.is_empty());
    assert_eq!(api.control("/_control/charges").await.len(), 1);

    let read = api.get(&format!("/v1/payment_intents/{}", created.at("/id"))).await;
    assert_eq!(read.body, confirmed.body);
}

#[tokio::test]
async fn every_successful_card_is_charged_immediately_with_confirm() {
    let api = Api::start().await;
    for card in ["pm_card_visa", "pm_card_mastercard", "pm_card_amex"] {
        let made =
            api.post("/v1/payment_intents", &format!("{}&confirm=true", intent_form(card, card))).await;
        assert_eq!((made.status, made.at("/status")), (200, "succeeded"), "{card}");
        assert_eq!(api.charges(card).await.len(), 1, "{card}");
    }
}

#[tokio::test]
async fn every_declined_card_returns_its_documented_code() {
    let api = Api::start().await;
    let cases = [
        ("pm_card_visa_chargeDeclined", "card_declined", Some("generic_decline")),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", Some("insufficient_funds")),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", Some("lost_card")),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", Some("stolen_card")),
        ("pm_card_visa_chargeDeclinedVelocityLimitExceeded", "card_declined", Some("card_velocity_exceeded")),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ];
    for (card, code, decline_code) in cases {
        let id = api.create_intent(card, card).await;
        let declined = api.confirm(&id).await;
        assert_eq!(declined.status, 402, "{card}");
        assert_eq!((declined.at("/error/type"), declined.at("/error/code")), ("card_error", code), "{card}");
        assert_eq!(declined.body["error"].get("decline_code").and_then(|code| code.as_str()), decline_code);
        assert!(!declined.at("/error/message").is_empty());
        assert!(declined.at("/error/charge").starts_with("ch_"));

        // The error contains the PaymentIntent, which requires a new payment method.
        let intent = &declined.body["error"]["payment_intent"];
        assert_eq!(intent["status"], "requires_payment_method", "{card}");
        assert!(intent["payment_method"].is_null());
        assert_eq!(intent["last_payment_error"]["code"], code);
        assert_eq!(intent["last_payment_error"]["payment_method"]["type"], "card");
        assert_eq!(intent["latest_charge"], declined.body["error"]["charge"]);
        assert_eq!(&api.get(&format!("/v1/payment_intents/{id}")).await.body, intent);
        assert!(api.charges(card).await.is_empty(), "{card}");
    }
}

#[tokio::test]
async fn after_a_decline_the_same_payment_intent_accepts_another_card() {
    let api = Api::start().await;
    let id = api.create_intent("o-1", "pm_card_visa_chargeDeclined").await;
    assert_eq!(api.confirm(&id).await.status, 402);
    let without = api.confirm(&id).await;
    assert_eq!((without.status, without.at("/error/code")), (400, "payment_intent_unexpected_state"));
    assert!(without.at("/error/message").contains("missing a payment method"));

    let paid =
        api.post(&format!("/v1/payment_intents/{id}/confirm"), "payment_method=pm_card_mastercard").await;
    assert_eq!((paid.status, paid.at("/status")), (200, "succeeded"));
    assert!(paid.body["last_payment_error"].is_null());
    assert_eq!(api.charges("o-1").await.len(), 1);
}

#[tokio::test]
async fn a_decline_at_creation_keeps_the_payment_intent() {
    let api = Api::start().await;
    let form = format!("{}&confirm=true", intent_form("o-1", "pm_card_visa_chargeDeclined"));
    let declined = api.post("/v1/payment_intents", &form).await;
    assert_eq!(declined.status, 402);
    assert_eq!(api.status_of(declined.at("/error/payment_intent/id")).await, "requires_payment_method");
}

#[tokio::test]
async fn a_card_that_requires_authentication_waits_for_the_customer_or_fails() {
    let api = Api::start().await;
    let id = api.create_intent("o-1", "pm_card_authenticationRequired").await;
    let waiting = api.confirm(&id).await;
    assert_eq!((waiting.status, waiting.at("/status")), (200, "requires_action"));
    assert_eq!(waiting.at("/next_action/type"), "use_stripe_sdk");

    for parameter in ["error_on_requires_action", "off_session"] {
        let id = api.create_intent("o-1", "pm_card_authenticationRequired").await;
        let failed =
            api.post(&format!("/v1/payment_intents/{id}/confirm"), &format!("{parameter}=true")).await;
        assert_eq!(failed.status, 402, "{parameter}");
        assert_eq!(failed.at("/error/code"), "authentication_required");
        assert_eq!(failed.at("/error/payment_intent/status"), "requires_payment_method");
    }
    assert!(api.charges("o-1").await.is_empty());
    // With `false`, the customer has to authenticate.
    let id = api.create_intent("o-1", "pm_card_authenticationRequired").await;
    let asked =
        api.post(&format!("/v1/payment_intents/{id}/confirm"), "error_on_requires_action=false").await;
    assert_eq!(asked.at("/status"), "requires_action");
}

#[tokio::test]
async fn concurrent_confirmations_charge_once() {
    let api = Api::start().await;
    let id = api.create_intent("o-1", "pm_card_visa").await;
    let all = (0..8).map(|_| {
        let (api, id) = (api.clone(), id.clone());
        tokio::spawn(async move { api.confirm(&id).await })
    });
    let mut statuses = Vec::new();
    for attempt in all.collect::<Vec<_>>() {
        let reply = attempt.await.unwrap();
        if reply.status == 400 {
            assert_eq!(reply.at("/error/code"), "payment_intent_unexpected_state");
            assert_eq!(reply.at("/error/type"), "invalid_request_error");
            assert_eq!(reply.at("/error/payment_intent/status"), "succeeded");
        }
        statuses.push(reply.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400, 400, 400, 400, 400]);
    assert_eq!(api.charges("o-1").await.len(), 1);
}

#[tokio::test]
async fn a_canceled_payment_intent_cannot_be_confirmed() {
    let api = Api::start().await;
    let id = api.create_intent("o-1", "pm_card_visa").await;
    let path = format!("/v1/payment_intents/{id}/cancel");
    let canceled = api.post(&path, "cancellation_reason=requested_by_customer").await;
    assert_eq!((canceled.status, canceled.at("/status")), (200, "canceled"));
    assert_eq!(canceled.at("/cancellation_reason"), "requested_by_customer");
    assert!(canceled.body["canceled_at"].is_i64());

    let confirmed =
        api.post(&format!("/v1/payment_intents/{id}/confirm"), "payment_method=pm_card_visa").await;
    assert_eq!((confirmed.status, confirmed.at("/error/code")), (400, "payment_intent_unexpected_state"));
    assert_eq!(confirmed.at("/error/payment_intent/status"), "canceled");
    assert!(api.charges("o-1").await.is_empty());
    // Canceling it again is also an error.
    assert_eq!(api.post(&path, "").await.at("/error/code"), "payment_intent_unexpected_state");
}

#[tokio::test]
async fn only_unpaid_payment_intents_can_be_canceled() {
    let api = Api::start().await;
    let without_card = api.post("/v1/payment_intents", "amount=1250&currency=eur").await;
    assert_eq!(without_card.at("/status"), "requires_payment_method");
    let waiting = api.create_intent("o-1", "pm_card_authenticationRequired").await;
    api.confirm(&waiting).await;
    for id in [without_card.id(), waiting] {
        assert_eq!(api.post(&format!("/v1/payment_intents/{id}/cancel"), "").await.status, 200);
    }

    let paid = api.create_intent("o-2", "pm_card_visa").await;
    api.confirm(&paid).await;
    let refused = api.post(&format!("/v1/payment_intents/{paid}/cancel"), "").await;
    assert_eq!((refused.status, refused.at("/error/code")), (400, "payment_intent_unexpected_state"));
    assert_eq!(refused.at("/error/payment_intent/status"), "succeeded");
    assert_eq!(api.status_of(&paid).await, "succeeded");

    let wrong = api.post(&format!("/v1/payment_intents/{paid}/cancel"), "cancellation_reason=mood").await;
    assert_eq!((wrong.status, wrong.at("/error/param")), (400, "cancellation_reason"));
}

#[tokio::test]
async fn a_payment_intent_that_can_redirect_requires_a_return_url() {
    let api = Api::start().await;
    let base = "amount=1250&currency=eur&payment_method=pm_card_visa";
    for form in [base.to_owned(), format!("{base}&automatic_payment_methods[enabled]=true")] {
        let id = api.post("/v1/payment_intents", &form).await.id();
        let refused = api.confirm(&id).await;
        assert_eq!(refused.status, 400, "{form}");
        assert!(refused.at("/error/message").contains("return_url"));
        let path = format!("/v1/payment_intents/{id}/confirm");
        let confirmed = api.post(&path, "return_url=https://shop.example/done").await;
        assert_eq!(confirmed.at("/status"), "succeeded");
    }
    let never = "automatic_payment_methods[enabled]=true&automatic_payment_methods[allow_redirects]=never";
    for how in [never, "payment_method_types[]=card", "automatic_payment_methods[enabled]=false"] {
        let id = api.post("/v1/payment_intents", &format!("{base}&{how}")).await.id();
        assert_eq!(api.confirm(&id).await.at("/status"), "succeeded", "{how}");
    }
}

#[tokio::test]
async fn payment_intents_are_listed_in_pages_newest_first() {
    let api = Api::start().await;
    let mut made = Vec::new();
    for number in 0..5 {
        made.push(api.create_intent(&format!("o-{number}"), "pm_card_visa").await);
    }
    made.reverse();
    let mut seen: Vec<String> = Vec::new();
    loop {
        let after = seen.last().map(|id| format!("&starting_after={id}")).unwrap_or_default();
        let page = api.get(&format!("/v1/payment_intents?limit=2{after}")).await;
        assert_eq!((page.at("/object"), page.at("/url")), ("list", "/v1/payment_intents"));
        seen.extend(
            page.body["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        if page.body["has_more"] == false {
            break;
        }
        assert_eq!(page.body["data"].as_array().unwrap().len(), 2);
    }
    assert_eq!(seen, made);

    assert_eq!(api.get("/v1/payment_intents?limit=101").await.at("/error/param"), "limit");
    let unknown = api.get("/v1/payment_intents?starting_after=pi_none").await;
    assert_eq!((unknown.status, unknown.at("/error/param")), (400, "starting_after"));
}
