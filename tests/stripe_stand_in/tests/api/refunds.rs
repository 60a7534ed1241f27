//! Refunds: amounts, repeated keys and states.

use crate::support::Api;

async fn paid(api: &Api) -> String {
    let id = api.create_intent("o-1", "pm_card_visa").await;
    assert_eq!(api.confirm(&id).await.status, 200);
    id
}

#[tokio::test]
async fn partial_refunds_never_exceed_the_charge() {
    let api = Api::start().await;
    let id = paid(&api).await;
    let part = api
        .post("/v1/refunds", &format!("payment_intent={id}&amount=250&reason=duplicate&metadata[why]=x"))
        .await;
    assert_eq!((part.status, part.at("/status")), (200, "succeeded"));
    assert!(part.at("/id").starts_with("re_") && part.at("/charge").starts_with("ch_"));
    assert_eq!((&part.body["amount"], part.at("/metadata/why")), (&250.into(), "x"));

    let too_much = api.post("/v1/refunds", &format!("payment_intent={id}&amount=1001")).await;
    assert_eq!((too_much.status, too_much.at("/error/param")), (400, "amount"));
    assert!(
        too_much
            .at("/error/message")
            .contains("(10.01 eur) is greater than unrefunded amount on charge (10.00 eur)")
    );

    let rest = api.post("/v1/refunds", &format!("payment_intent={id}")).await;
    assert_eq!(rest.body["amount"], 1000);
    let again = api.post("/v1/refunds", &format!("payment_intent={id}")).await;
    assert_eq!((again.status, again.at("/error/code")), (400, "charge_already_refunded"));

    let charges = api.charges("o-1").await;
    assert_eq!((&charges[0]["amount"], &charges[0]["amount_refunded"]), (&1250.into(), &1250.into()));
    // A refund does not change the PaymentIntent.
    assert_eq!(api.status_of(&id).await, "succeeded");

    let listed = api.get(&format!("/v1/refunds?payment_intent={id}")).await;
    assert_eq!(listed.body["data"].as_array().unwrap(), &[rest.body.clone(), part.body.clone()]);
    let of_another = api.get("/v1/refunds?payment_intent=pi_other").await;
    assert!(of_another.body["data"].as_array().unwrap().is_empty());
    let read = api.get(&format!("/v1/refunds/{}", part.at("/id"))).await;
    assert_eq!(read.body, part.body);
    assert_eq!(api.get("/v1/refunds/re_none").await.status, 404);
}

#[tokio::test]
async fn only_a_successful_charge_can_be_refunded() {
    let api = Api::start().await;
    let open = api.create_intent("o-1", "pm_card_visa").await;
    let declined = api.create_intent("o-1", "pm_card_visa_chargeDeclined").await;
    api.confirm(&declined).await;
    for id in [open, declined] {
        let refused = api.post("/v1/refunds", &format!("payment_intent={id}")).await;
        assert_eq!((refused.status, refused.at("/error/param")), (400, "payment_intent"));
        assert!(refused.at("/error/message").contains("does not have a successful charge to refund"));
    }
    let unknown = api.post("/v1/refunds", "payment_intent=pi_none").await;
    assert_eq!((unknown.status, unknown.at("/error/code")), (400, "resource_missing"));
    assert_eq!(api.post("/v1/refunds", "").await.at("/error/param"), "payment_intent");
}

#[tokio::test]
async fn a_refund_with_the_same_key_is_created_once() {
    let api = Api::start().await;
    let id = paid(&api).await;
    let form = format!("payment_intent={id}&amount=100");
    let first = api.post_with_key("/v1/refunds", &form, "refund-1").await;
    let again = api.post_with_key("/v1/refunds", &form, "refund-1").await;
    assert_eq!(first.text, again.text);
    assert_eq!(api.charges("o-1").await[0]["amount_refunded"], 100);
}
