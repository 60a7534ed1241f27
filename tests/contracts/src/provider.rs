//! `payments::provider::Provider`: the behaviour of Stripe's PaymentIntents that the payment service relies
//! on. The payment methods are Stripe's test cards (<https://docs.stripe.com/testing>) and the stand-in's card whose
//! charges are processed, which every implementation supports.

use std::sync::Arc;

use async_trait::async_trait;
use domain::payment::IntentStatus;
use domain::{DeclineReason, OrderId, PaymentIntentId};
use futures::future::join_all;
use payments::provider::{NewIntent, Provider, ProviderError};

use crate::check::{contract_suite, same};
use crate::sample::euros;

/// Access to the provider beyond the port, for the contracts.
#[async_trait]
pub trait Control: Send + Sync {
    /// The number of captures for an order.
    async fn captures(&self, order: OrderId) -> anyhow::Result<usize>;
    /// Lets an idempotency key expire, as Stripe may do after 24 hours.
    async fn forget(&self, key: &str) -> anyhow::Result<()>;
    /// Ends the processing of a PaymentIntent: the charge succeeds or fails.
    async fn finish_processing(&self, intent: &PaymentIntentId, is_charged: bool) -> anyhow::Result<()>;
}

/// A provider, and an order without PaymentIntents.
#[derive(Clone)]
pub struct World {
    /// The provider under test.
    pub provider: Arc<dyn Provider>,
    /// The control of the same provider.
    pub control: Arc<dyn Control>,
    /// The order of the PaymentIntents. It prefixes all keys, so that several worlds can share a provider.
    pub order: OrderId,
}

contract_suite!(World:
    creating_an_intent_does_not_charge,
    reusing_a_key_creates_no_second_intent,
    a_key_cannot_be_reused_for_another_request,
    an_unknown_payment_method_is_refused,
    an_amount_below_the_minimum_is_refused,
    repeated_confirmations_charge_once,
    concurrent_confirmations_charge_once,
    a_cancelled_intent_is_never_charged,
    a_charged_intent_cannot_be_cancelled,
    a_declined_intent_is_not_charged_and_can_be_cancelled,
    an_intent_in_processing_can_be_neither_confirmed_nor_cancelled_until_it_ends,
    reusing_a_key_returns_the_first_response,
    an_unknown_intent_is_a_client_error,
    an_expired_key_creates_another_intent_and_charges_no_intent_twice,
);

const VISA: &str = "pm_card_visa";

impl World {
    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.order)
    }

    async fn try_create(
        &self,
        method: &str,
        cents: u32,
        key: &str,
    ) -> Result<PaymentIntentId, ProviderError> {
        let intent = NewIntent {
            order_id: self.order,
            amount: euros(cents)?,
            payment_method: method.parse().map_err(anyhow::Error::from)?,
            idempotency_key: self.key(key),
        };
        self.provider.create(intent).await
    }

    async fn create(&self, method: &str, key: &str) -> anyhow::Result<PaymentIntentId> {
        Ok(self.try_create(method, 1250, key).await?)
    }

    async fn confirm(&self, intent: &PaymentIntentId, key: &str) -> anyhow::Result<IntentStatus> {
        Ok(self.provider.confirm(intent, &self.key(key)).await?)
    }

    async fn ensure_status(&self, intent: &PaymentIntentId, status: IntentStatus) -> anyhow::Result<()> {
        same("the PaymentIntent", self.provider.retrieve(intent).await?, status)
    }

    async fn ensure_charges(&self, times: usize) -> anyhow::Result<()> {
        same("charges", self.control.captures(self.order).await?, times)
    }
}

async fn creating_an_intent_does_not_charge(world: &World) -> anyhow::Result<()> {
    let intent = world.create(VISA, "create").await?;
    world.ensure_status(&intent, IntentStatus::Unconfirmed).await?;
    world.ensure_charges(0).await
}

async fn reusing_a_key_creates_no_second_intent(world: &World) -> anyhow::Result<()> {
    let first = world.create(VISA, "create").await?;
    same("the same key again", world.create(VISA, "create").await?, first.clone())?;
    world.confirm(&first, "confirm").await?;
    same("and after the charge", world.create(VISA, "create").await?, first.clone())?;
    anyhow::ensure!(
        world.create(VISA, "another").await? != first,
        "another key returned the same PaymentIntent"
    );
    let many = join_all((0..10).map(|_| world.try_create(VISA, 1250, "many"))).await;
    let made: Vec<&PaymentIntentId> = many.iter().flatten().collect();
    let all_equal = !made.is_empty() && made.iter().all(|id| *id == made[0]);
    anyhow::ensure!(all_equal, "many at once with one key: {many:?}");
    world.ensure_charges(1).await
}

async fn a_key_cannot_be_reused_for_another_request(world: &World) -> anyhow::Result<()> {
    let intent = world.create(VISA, "create").await?;
    let other_sum = world.try_create(VISA, 1300, "create").await;
    anyhow::ensure!(matches!(other_sum, Err(ProviderError::Unknown(_))), "another amount: {other_sum:?}");
    let other_card = world.try_create("pm_card_mastercard", 1250, "create").await;
    anyhow::ensure!(matches!(other_card, Err(ProviderError::Unknown(_))), "another card: {other_card:?}");
    let confirmed = world.provider.confirm(&intent, &world.key("create")).await;
    anyhow::ensure!(matches!(confirmed, Err(ProviderError::Unknown(_))), "another step: {confirmed:?}");
    world.ensure_status(&intent, IntentStatus::Unconfirmed).await?;
    let second = world.create(VISA, "another").await?;
    world.confirm(&intent, "confirm").await?;
    let other_intent = world.provider.confirm(&second, &world.key("confirm")).await;
    anyhow::ensure!(matches!(other_intent, Err(ProviderError::Unknown(_))), "another: {other_intent:?}");
    world.ensure_charges(1).await
}

async fn an_unknown_payment_method_is_refused(world: &World) -> anyhow::Result<()> {
    for _ in 0..2 {
        let answer = world.try_create("pm_unknown", 1250, "create").await;
        let code = match &answer {
            Err(ProviderError::Refused(reason)) => reason.code.as_str(),
            _ => anyhow::bail!("not refused: {answer:?}"),
        };
        same("why", code, "resource_missing")?;
    }
    world.ensure_charges(0).await
}

async fn an_amount_below_the_minimum_is_refused(world: &World) -> anyhow::Result<()> {
    for (cents, expected) in
        [(0, "parameter_invalid_integer"), (1, "amount_too_small"), (49, "amount_too_small")]
    {
        let answer = world.try_create(VISA, cents, "create").await;
        let code = match &answer {
            Err(ProviderError::Refused(reason)) => reason.code.as_str(),
            _ => anyhow::bail!("{cents} cents are not refused: {answer:?}"),
        };
        same(&format!("why {cents} cents are refused"), code, expected)?;
    }
    world.ensure_charges(0).await?;
    // A refused request does not use up its key.
    world.try_create(VISA, 50, "create").await?;
    Ok(())
}

async fn repeated_confirmations_charge_once(world: &World) -> anyhow::Result<()> {
    let intent = world.create(VISA, "create").await?;
    for key in ["a", "a", "b", "c", "a"] {
        same("confirmed", world.confirm(&intent, key).await?, IntentStatus::Succeeded)?;
        world.ensure_charges(1).await?;
    }
    world.ensure_status(&intent, IntentStatus::Succeeded).await
}

async fn concurrent_confirmations_charge_once(world: &World) -> anyhow::Result<()> {
    let intent = world.create(VISA, "create").await?;
    // Each key is used twice concurrently: the provider may ask one of the two to retry.
    let confirmations = (0..10).map(|number| {
        let (intent, key) = (&intent, world.key(&format!("confirm-{}", number / 2)));
        async move { world.provider.confirm(intent, &key).await }
    });
    for answer in join_all(confirmations).await {
        let fine = matches!(answer, Ok(IntentStatus::Succeeded) | Err(ProviderError::Unknown(_)));
        anyhow::ensure!(fine, "one of many: {answer:?}");
    }
    world.ensure_status(&intent, IntentStatus::Succeeded).await?;
    world.ensure_charges(1).await
}

async fn a_cancelled_intent_is_never_charged(world: &World) -> anyhow::Result<()> {
    let intent = world.create(VISA, "create").await?;
    for _ in 0..2 {
        same("cancelled", world.provider.cancel(&intent).await?, IntentStatus::Cancelled)?;
    }
    for key in ["a", "a", "b"] {
        same("confirmed too late", world.confirm(&intent, key).await?, IntentStatus::Cancelled)?;
    }
    world.ensure_status(&intent, IntentStatus::Cancelled).await?;
    world.ensure_charges(0).await
}

async fn a_charged_intent_cannot_be_cancelled(world: &World) -> anyhow::Result<()> {
    let intent = world.create(VISA, "create").await?;
    world.confirm(&intent, "confirm").await?;
    for _ in 0..2 {
        same("cancelled too late", world.provider.cancel(&intent).await?, IntentStatus::Succeeded)?;
    }
    world.ensure_status(&intent, IntentStatus::Succeeded).await?;
    world.ensure_charges(1).await
}

async fn a_declined_intent_is_not_charged_and_can_be_cancelled(world: &World) -> anyhow::Result<()> {
    for (card, code, decline_code) in [
        ("pm_card_visa_chargeDeclined", "card_declined", Some("generic_decline")),
        ("pm_card_visa_chargeDeclinedInsufficientFunds", "card_declined", Some("insufficient_funds")),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_authenticationRequired", "authentication_required", Some("authentication_required")),
    ] {
        let (code, decline_code) = (code.to_owned(), decline_code.map(str::to_owned));
        let declined = IntentStatus::Declined(DeclineReason { code, decline_code });
        let intent = world.create(card, &format!("{card}/create")).await?;
        for key in ["a", "a", "b"] {
            same(card, world.confirm(&intent, &format!("{card}/{key}")).await?, declined.clone())?;
            world.ensure_status(&intent, declined.clone()).await?;
        }
        same("cancelled", world.provider.cancel(&intent).await?, IntentStatus::Cancelled)?;
        world.ensure_status(&intent, IntentStatus::Cancelled).await?;
        let after = world.confirm(&intent, &format!("{card}/c")).await?;
        same("confirmed after that", after, IntentStatus::Cancelled)?;
    }
    world.ensure_charges(0).await
}

async fn an_intent_in_processing_can_be_neither_confirmed_nor_cancelled_until_it_ends(
    world: &World,
) -> anyhow::Result<()> {
    for is_charged in [true, false] {
        let card = "pm_card_processing";
        let intent = world.create(card, &format!("{is_charged}/create")).await?;
        for key in ["a", "a", "b"] {
            let status = world.confirm(&intent, &format!("{is_charged}/{key}")).await?;
            same("confirmed", status, IntentStatus::Processing)?;
            same("cancelled", world.provider.cancel(&intent).await?, IntentStatus::Processing)?;
            world.ensure_status(&intent, IntentStatus::Processing).await?;
        }
        world.control.finish_processing(&intent, is_charged).await?;
        let after = world.provider.retrieve(&intent).await?;
        if is_charged {
            same("after a charge", after, IntentStatus::Succeeded)?;
            same("cancelled too late", world.provider.cancel(&intent).await?, IntentStatus::Succeeded)?;
        } else {
            anyhow::ensure!(matches!(after, IntentStatus::Declined(_)), "after a failure: {after:?}");
            same("cancelled", world.provider.cancel(&intent).await?, IntentStatus::Cancelled)?;
        }
        // The charge of the first of the two PaymentIntents.
        world.ensure_charges(1).await?;
    }
    Ok(())
}

/// Even if the PaymentIntent has changed since: a repeated key returns the stored response.
async fn reusing_a_key_returns_the_first_response(world: &World) -> anyhow::Result<()> {
    let intent = world.create("pm_card_visa_chargeDeclined", "create").await?;
    let declined = world.confirm(&intent, "confirm").await?;
    world.provider.cancel(&intent).await?;
    same("the same key", world.confirm(&intent, "confirm").await?, declined)?;
    same("another key", world.confirm(&intent, "again").await?, IntentStatus::Cancelled)?;
    world.control.forget(&world.key("confirm")).await?;
    same("after the key has expired", world.confirm(&intent, "confirm").await?, IntentStatus::Cancelled)?;
    world.ensure_charges(0).await
}

async fn an_unknown_intent_is_a_client_error(world: &World) -> anyhow::Result<()> {
    let intent: PaymentIntentId = "pi_nobody".parse()?;
    let answers = [
        world.provider.retrieve(&intent).await,
        world.provider.confirm(&intent, &world.key("confirm")).await,
        world.provider.cancel(&intent).await,
    ];
    for answer in answers {
        anyhow::ensure!(
            matches!(answer, Err(ProviderError::InvalidRequest(_))),
            "unknown intent: {answer:?}"
        );
    }
    Ok(())
}

async fn an_expired_key_creates_another_intent_and_charges_no_intent_twice(
    world: &World,
) -> anyhow::Result<()> {
    let first = world.create(VISA, "create").await?;
    world.confirm(&first, "confirm").await?;
    world.control.forget(&world.key("create")).await?;
    world.control.forget(&world.key("confirm")).await?;
    let second = world.create(VISA, "create").await?;
    anyhow::ensure!(first != second, "the provider still knows the expired key");
    world.ensure_status(&second, IntentStatus::Unconfirmed).await?;
    same("confirmed again", world.confirm(&first, "confirm").await?, IntentStatus::Succeeded)?;
    world.ensure_charges(1).await
}
