//! Wrong stores of subscriptions and deliveries, which violate the contracts.

use std::sync::Arc;

use async_trait::async_trait;
use contracts::{deliveries, subscriptions};
use domain::{CustomerId, EventId};
use partners::adapters::memory::{InMemoryDeliveries, InMemoryPartners};
use partners::delivery::Delivery;
use partners::store::{Deliveries, Page, Partners, Position};
use partners::webhook::{Subscriptions, WebhookId};
use platform::optimistic::Versioned;

use super::assert_violations;

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Overwrites any version, and creates what is missing.
    IgnoresVersions,
    /// Overwrites only what exists already, when it should be created.
    OverwritesOnCreation,
    /// Reports every write as successful.
    SaysYes,
    /// Returns only the first page of deliveries.
    LosesPages,
}

struct WrongPartners(Fault, InMemoryPartners);

#[async_trait]
impl Partners for WrongPartners {
    async fn get(&self, partner: &CustomerId) -> anyhow::Result<Versioned<Subscriptions>> {
        self.1.get(partner).await
    }

    async fn replace(
        &self,
        partner: &CustomerId,
        read: &Versioned<Subscriptions>,
        subscriptions: &Subscriptions,
    ) -> anyhow::Result<bool> {
        let stored = self.1.get(partner).await?;
        let read = match self.0 {
            Fault::IgnoresVersions if read.version > 0 => &stored,
            Fault::OverwritesOnCreation if read.version == 0 => &stored,
            _ => read,
        };
        Ok(self.1.replace(partner, read, subscriptions).await? || self.0 == Fault::SaysYes)
    }
}

#[tokio::test]
async fn wrong_subscriptions_violate_the_expected_contracts() {
    let once = "the_first_write_requires_that_nothing_is_stored";
    let each = "each_write_requires_the_version_that_was_read";
    let read = "reads_return_what_was_written";
    let concurrent = "concurrent_writers_of_one_version_have_one_winner";
    for (fault, expected) in [
        (Fault::IgnoresVersions, &[once, each, concurrent][..]),
        (Fault::OverwritesOnCreation, &[once, each, read, concurrent]),
        (Fault::SaysYes, &[once, each, read, concurrent]),
    ] {
        let partners = || Arc::new(WrongPartners(fault, InMemoryPartners::default()));
        let world = async || Ok(subscriptions::World { partners: partners() });
        assert_violations(subscriptions::violations(world).await, expected);
    }
}

struct WrongDeliveries(Fault, InMemoryDeliveries);

#[async_trait]
impl Deliveries for WrongDeliveries {
    async fn get(&self, webhook: WebhookId, event: EventId) -> anyhow::Result<Option<Versioned<Delivery>>> {
        self.1.get(webhook, event).await
    }

    async fn write(
        &self,
        read: Option<&Versioned<Delivery>>,
        delivery: &Delivery,
    ) -> anyhow::Result<Option<Versioned<Delivery>>> {
        let stored = self.1.get(delivery.webhook, delivery.event_id()).await?;
        let read = match self.0 {
            Fault::IgnoresVersions if read.is_some() => stored.as_ref(),
            Fault::OverwritesOnCreation if read.is_none() => stored.as_ref(),
            _ => read,
        };
        let written = self.1.write(read, delivery).await?;
        let said = || Versioned { value: delivery.clone(), version: read.map_or(1, |read| read.version + 1) };
        Ok(written.or_else(|| (self.0 == Fault::SaysYes).then(said)))
    }

    async fn list(&self, webhook: WebhookId, after: Option<&Position>, limit: u32) -> anyhow::Result<Page> {
        let page = self.1.list(webhook, after, limit).await?;
        Ok(if self.0 == Fault::LosesPages { Page { next: None, ..page } } else { page })
    }
}

#[tokio::test]
async fn wrong_deliveries_violate_the_expected_contracts() {
    let once = "the_first_write_requires_a_missing_record";
    let each = "each_write_requires_the_version_that_was_read";
    let concurrent = "concurrent_writers_of_one_version_have_one_winner";
    for (fault, expected) in [
        (Fault::IgnoresVersions, &[once, each, concurrent][..]),
        (Fault::OverwritesOnCreation, &[once, concurrent]),
        (Fault::SaysYes, &[once, each, concurrent]),
        (Fault::LosesPages, &["deliveries_are_listed_newest_first_and_exactly_once"]),
    ] {
        let deliveries = || Arc::new(WrongDeliveries(fault, InMemoryDeliveries::default()));
        let world = async || Ok(deliveries::World { deliveries: deliveries() });
        assert_violations(deliveries::violations(world).await, expected);
    }
}
