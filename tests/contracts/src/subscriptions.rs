//! `partners::store::Partners`: the subscriptions of partners.

use std::sync::Arc;

use futures::future::try_join_all;
use partners::event::EventTypes;
use partners::store::Partners;
use partners::webhook::{Creation, Disabled, DisabledReason, Subscriptions, Webhook};
use platform::optimistic::Versioned;
use uuid::Uuid;

use crate::check::{contract_suite, same};
use crate::sample::{customer, time};

/// An empty store.
#[derive(Clone)]
pub struct World {
    /// The store under test.
    pub partners: Arc<dyn Partners>,
}

contract_suite!(World:
    a_partner_without_subscriptions_has_version_0,
    the_first_write_requires_that_nothing_is_stored,
    each_write_requires_the_version_that_was_read,
    reads_return_what_was_written,
    partners_are_independent,
    concurrent_writers_of_one_version_have_one_winner,
);

fn webhook(number: u8) -> anyhow::Result<Webhook> {
    let url = format!("https://example.com/hooks/{number}").try_into();
    Ok(Webhook {
        id: Uuid::from_u128(number.into()).into(),
        url: url.map_err(|error| anyhow::anyhow!("{error}"))?,
        events: EventTypes::default(),
        description: None,
        secret: [number; 32].into(),
        created_at: time(0)?,
        creation: Creation { key: format!("key-{number}"), fingerprint: format!("fields-{number}") },
        health_reset_at: time(0)?,
        failing_since: None,
        disabled: None,
    })
}

/// The subscriptions with these webhooks.
pub(crate) fn subscriptions(webhooks: impl IntoIterator<Item = u8>) -> anyhow::Result<Subscriptions> {
    let mut all = Subscriptions::default();
    for number in webhooks {
        all.subscribe(&webhook(number)?);
    }
    Ok(all)
}

fn nothing() -> Versioned<Subscriptions> {
    Versioned { value: Subscriptions::default(), version: 0 }
}

async fn a_partner_without_subscriptions_has_version_0(world: &World) -> anyhow::Result<()> {
    same("none", world.partners.get(&customer(1)?).await?, nothing())
}

async fn the_first_write_requires_that_nothing_is_stored(world: &World) -> anyhow::Result<()> {
    let (partner, first, other) = (customer(1)?, subscriptions([1])?, subscriptions([2])?);
    let later = Versioned { value: Subscriptions::default(), version: 1 };
    same("a later version", world.partners.replace(&partner, &later, &first).await?, false)?;
    same("still none", world.partners.get(&partner).await?, nothing())?;
    same("the first", world.partners.replace(&partner, &nothing(), &first).await?, true)?;
    same("another first", world.partners.replace(&partner, &nothing(), &other).await?, false)?;
    same("read", world.partners.get(&partner).await?, Versioned { value: first, version: 1 })
}

async fn each_write_requires_the_version_that_was_read(world: &World) -> anyhow::Result<()> {
    let partner = customer(1)?;
    for number in 1..=4 {
        let read = world.partners.get(&partner).await?;
        same("the next", world.partners.replace(&partner, &read, &subscriptions([number])?).await?, true)?;
    }
    let stored = Versioned { value: subscriptions([4])?, version: 4 };
    for version in [0, 1, 3, 5] {
        let read = Versioned { value: stored.value.clone(), version };
        let written = world.partners.replace(&partner, &read, &subscriptions([9])?).await?;
        same(&format!("version {version} of 4"), written, false)?;
        same("read", world.partners.get(&partner).await?, stored.clone())?;
    }
    // A retry of the client after a lost response.
    same("written", world.partners.replace(&partner, &stored, &subscriptions([5])?).await?, true)?;
    same("written again", world.partners.replace(&partner, &stored, &subscriptions([5])?).await?, false)
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let partner = customer(1)?;
    let mut all = subscriptions([])?;
    for number in 1..=10 {
        let disabled = Disabled { reason: DisabledReason::Failing, at: time(9)? };
        all.subscribe(&Webhook {
            events: vec!["payment.failed".to_owned()].try_into().map_err(anyhow::Error::msg)?,
            description: Some("“Orders” ☕".to_owned().try_into()?),
            failing_since: Some(time(7)?),
            disabled: (number % 2 == 0).then_some(disabled),
            ..webhook(number)?
        });
    }
    same("written", world.partners.replace(&partner, &nothing(), &all).await?, true)?;
    let stored = Versioned { value: all, version: 1 };
    same("read", world.partners.get(&partner).await?, stored.clone())?;
    same("emptied", world.partners.replace(&partner, &stored, &subscriptions([])?).await?, true)?;
    // An empty set has a version too, so that a late first write cannot restore what was removed.
    same("read", world.partners.get(&partner).await?, Versioned { version: 2, ..nothing() })?;
    same("a late first", world.partners.replace(&partner, &nothing(), &stored.value).await?, false)
}

async fn partners_are_independent(world: &World) -> anyhow::Result<()> {
    for number in [1, 2] {
        let written = world
            .partners
            .replace(&customer(number)?, &nothing(), &subscriptions([u8::try_from(number)?])?)
            .await?;
        same("the first of its partner", written, true)?;
    }
    same("read", world.partners.get(&customer(1)?).await?.value, subscriptions([1])?)
}

async fn concurrent_writers_of_one_version_have_one_winner(world: &World) -> anyhow::Result<()> {
    let partner = customer(1)?;
    for _ in 0..3 {
        let read = world.partners.get(&partner).await?;
        let all = (1..=20).map(|number| subscriptions([number])).collect::<anyhow::Result<Vec<_>>>()?;
        let answers =
            try_join_all(all.iter().map(|new| world.partners.replace(&partner, &read, new))).await?;
        let won: Vec<&Subscriptions> =
            all.iter().zip(answers).filter_map(|(new, won)| won.then_some(new)).collect();
        same("writers that won", won.len(), 1)?;
        same("read", Some(&world.partners.get(&partner).await?.value), won.first().copied())?;
    }
    Ok(())
}
