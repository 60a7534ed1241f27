//! `payments::provider::Provider`: what is relied on of Stripe's PaymentIntents. Payment methods are Stripe's test
//! cards (<https://docs.stripe.com/testing>), which every implementation knows.

use std::sync::Arc;

use async_trait::async_trait;
use domain::payment::{DeclineReason, IntentStatus};
use domain::{OrderId, PaymentIntentId};
use futures::future::join_all;
use payments::provider::{NewIntent, Provider, ProviderError};

use crate::check::{family, same};
use crate::sample::euros;

/// What a contract sees and does behind the provider's back.
#[async_trait]
pub trait Books: Send + Sync {
    /// How often money was taken for an order.
    async fn captures(&self, order: OrderId) -> anyhow::Result<usize>;
    /// Has the provider forget an idempotency key, as Stripe may after 24 hours.
    async fn forget(&self, key: &str) -> anyhow::Result<()>;
}

/// A provider, and an order that it has not heard of.
#[derive(Clone)]
pub struct World {
    /// The provider.
    pub provider: Arc<dyn Provider>,
    /// Its books.
    pub books: Arc<dyn Books>,
    /// Whom the PaymentIntents are for. Keys start with it, so that a provider may have more than one world.
    pub order: OrderId,
}

family!(World:
    making_an_intent_charges_nothing,
    the_same_key_makes_no_second_intent,
    a_key_is_for_one_request,
    a_payment_method_that_is_not_known_is_refused,
    a_confirmation_charges_once_however_often,
    of_many_confirmations_at_once_one_charges,
    what_is_cancelled_is_never_charged,
    what_is_charged_is_not_cancelled,
    what_is_declined_is_not_charged_and_can_be_cancelled,
    the_same_key_gets_the_answer_that_it_got,
    an_intent_that_is_not_there_is_a_fault_of_ours,
    a_forgotten_key_makes_another_intent_and_charges_no_intent_twice,
);

const VISA: &str = "pm_card_visa";

impl World {
    fn key(&self, name: &str) -> String {
        format!("{}/{name}", self.order)
    }

    async fn ask(&self, method: &str, cents: u32, key: &str) -> Result<PaymentIntentId, ProviderError> {
        let intent = NewIntent {
            order_id: self.order,
            amount: euros(cents)?,
            payment_method: method.parse().map_err(anyhow::Error::from)?,
            idempotency_key: self.key(key),
        };
        self.provider.create(intent).await
    }

    async fn create(&self, method: &str, key: &str) -> anyhow::Result<PaymentIntentId> {
        Ok(self.ask(method, 1250, key).await?)
    }

    async fn confirm(&self, intent: &PaymentIntentId, key: &str) -> anyhow::Result<IntentStatus> {
        Ok(self.provider.confirm(intent, &self.key(key)).await?)
    }

    async fn stands(&self, intent: &PaymentIntentId, status: IntentStatus) -> anyhow::Result<()> {
        same("the PaymentIntent", self.provider.retrieve(intent).await?, status)
    }

    async fn charged(&self, times: usize) -> anyhow::Result<()> {
        same("charges", self.books.captures(self.order).await?, times)
    }
}

async fn making_an_intent_charges_nothing(world: &World) -> anyhow::Result<()> {
    let intent = world.create(VISA, "create").await?;
    world.stands(&intent, IntentStatus::Unconfirmed).await?;
    world.charged(0).await
}

async fn the_same_key_makes_no_second_intent(world: &World) -> anyhow::Result<()> {
    let first = world.create(VISA, "create").await?;
    same("the same key again", world.create(VISA, "create").await?, first.clone())?;
    world.confirm(&first, "confirm").await?;
    same("and after the charge", world.create(VISA, "create").await?, first.clone())?;
    anyhow::ensure!(world.create(VISA, "another").await? != first, "another key made the same PaymentIntent");
    let many = join_all((0..10).map(|_| world.ask(VISA, 1250, "many"))).await;
    let made: Vec<&PaymentIntentId> = many.iter().flatten().collect();
    let alike = !made.is_empty() && made.iter().all(|id| *id == made[0]);
    anyhow::ensure!(alike, "many at once with one key: {many:?}");
    world.charged(1).await
}

async fn a_key_is_for_one_request(world: &World) -> anyhow::Result<()> {
    let intent = world.create(VISA, "create").await?;
    let other_sum = world.ask(VISA, 1300, "create").await;
    anyhow::ensure!(matches!(other_sum, Err(ProviderError::Unknown(_))), "another sum: {other_sum:?}");
    let other_card = world.ask("pm_card_mastercard", 1250, "create").await;
    anyhow::ensure!(matches!(other_card, Err(ProviderError::Unknown(_))), "another card: {other_card:?}");
    let confirmed = world.provider.confirm(&intent, &world.key("create")).await;
    anyhow::ensure!(matches!(confirmed, Err(ProviderError::Unknown(_))), "another step: {confirmed:?}");
    world.stands(&intent, IntentStatus::Unconfirmed).await?;
    let second = world.create(VISA, "another").await?;
    world.confirm(&intent, "confirm").await?;
    let other_intent = world.provider.confirm(&second, &world.key("confirm")).await;
    anyhow::ensure!(matches!(other_intent, Err(ProviderError::Unknown(_))), "another: {other_intent:?}");
    world.charged(1).await
}

async fn a_payment_method_that_is_not_known_is_refused(world: &World) -> anyhow::Result<()> {
    for _ in 0..2 {
        let answer = world.ask("pm_unknown", 1250, "create").await;
        let code = match &answer {
            Err(ProviderError::Refused(reason)) => reason.code.as_str(),
            _ => anyhow::bail!("not refused: {answer:?}"),
        };
        same("why", code, "resource_missing")?;
    }
    world.charged(0).await
}

async fn a_confirmation_charges_once_however_often(world: &World) -> anyhow::Result<()> {
    let intent = world.create(VISA, "create").await?;
    for key in ["a", "a", "b", "c", "a"] {
        same("confirmed", world.confirm(&intent, key).await?, IntentStatus::Succeeded)?;
        world.charged(1).await?;
    }
    world.stands(&intent, IntentStatus::Succeeded).await
}

async fn of_many_confirmations_at_once_one_charges(world: &World) -> anyhow::Result<()> {
    let intent = world.create(VISA, "create").await?;
    // Each key comes twice at the same time: of those, one may be told to come again.
    let confirmations = (0..10).map(|number| {
        let (intent, key) = (&intent, world.key(&format!("confirm-{}", number / 2)));
        async move { world.provider.confirm(intent, &key).await }
    });
    for answer in join_all(confirmations).await {
        let fine = matches!(answer, Ok(IntentStatus::Succeeded) | Err(ProviderError::Unknown(_)));
        anyhow::ensure!(fine, "one of many: {answer:?}");
    }
    world.stands(&intent, IntentStatus::Succeeded).await?;
    world.charged(1).await
}

async fn what_is_cancelled_is_never_charged(world: &World) -> anyhow::Result<()> {
    let intent = world.create(VISA, "create").await?;
    for _ in 0..2 {
        same("cancelled", world.provider.cancel(&intent).await?, IntentStatus::Cancelled)?;
    }
    for key in ["a", "a", "b"] {
        same("confirmed too late", world.confirm(&intent, key).await?, IntentStatus::Cancelled)?;
    }
    world.stands(&intent, IntentStatus::Cancelled).await?;
    world.charged(0).await
}

async fn what_is_charged_is_not_cancelled(world: &World) -> anyhow::Result<()> {
    let intent = world.create(VISA, "create").await?;
    world.confirm(&intent, "confirm").await?;
    for _ in 0..2 {
        same("cancelled too late", world.provider.cancel(&intent).await?, IntentStatus::Succeeded)?;
    }
    world.stands(&intent, IntentStatus::Succeeded).await?;
    world.charged(1).await
}

async fn what_is_declined_is_not_charged_and_can_be_cancelled(world: &World) -> anyhow::Result<()> {
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
            world.stands(&intent, declined.clone()).await?;
        }
        same("cancelled", world.provider.cancel(&intent).await?, IntentStatus::Cancelled)?;
        world.stands(&intent, IntentStatus::Cancelled).await?;
        let after = world.confirm(&intent, &format!("{card}/c")).await?;
        same("confirmed after that", after, IntentStatus::Cancelled)?;
    }
    world.charged(0).await
}

/// Also when that is no longer how it stands: who repeats a key learns nothing new.
async fn the_same_key_gets_the_answer_that_it_got(world: &World) -> anyhow::Result<()> {
    let intent = world.create("pm_card_visa_chargeDeclined", "create").await?;
    let declined = world.confirm(&intent, "confirm").await?;
    world.provider.cancel(&intent).await?;
    same("the same key", world.confirm(&intent, "confirm").await?, declined)?;
    same("another key", world.confirm(&intent, "again").await?, IntentStatus::Cancelled)?;
    world.books.forget(&world.key("confirm")).await?;
    same("once forgotten", world.confirm(&intent, "confirm").await?, IntentStatus::Cancelled)?;
    world.charged(0).await
}

async fn an_intent_that_is_not_there_is_a_fault_of_ours(world: &World) -> anyhow::Result<()> {
    let intent: PaymentIntentId = "pi_nobody".parse()?;
    let answers = [
        world.provider.retrieve(&intent).await,
        world.provider.confirm(&intent, &world.key("confirm")).await,
        world.provider.cancel(&intent).await,
    ];
    for answer in answers {
        anyhow::ensure!(matches!(answer, Err(ProviderError::InvalidRequest(_))), "of no intent: {answer:?}");
    }
    Ok(())
}

async fn a_forgotten_key_makes_another_intent_and_charges_no_intent_twice(
    world: &World,
) -> anyhow::Result<()> {
    let first = world.create(VISA, "create").await?;
    world.confirm(&first, "confirm").await?;
    world.books.forget(&world.key("create")).await?;
    world.books.forget(&world.key("confirm")).await?;
    let second = world.create(VISA, "create").await?;
    anyhow::ensure!(first != second, "the provider remembers the key after it was forgotten");
    world.stands(&second, IntentStatus::Unconfirmed).await?;
    same("confirmed again", world.confirm(&first, "confirm").await?, IntentStatus::Succeeded)?;
    world.charged(1).await
}
