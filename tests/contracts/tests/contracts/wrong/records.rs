//! Wrong stores of profiles, health reports, claims and rows of the search index, which violate the contracts.

use std::sync::{Arc, Mutex};

use accounts::adapters::memory::InMemoryProfiles;
use accounts::profile::Profile;
use accounts::store::Profiles;
use async_trait::async_trait;
use contracts::{idempotency, profiles, reports, search_rows};
use domain::claim::Claim;
use domain::{CustomerId, OrderId};
use jiff::Timestamp;
use operations::report::Report;
use operations::store::Reports;
use platform::idempotency::{IdempotencyStore, InMemoryIdempotencyStore, Key};
use platform::lock;
use search::adapters::memory::InMemoryRows;
use search::postings::store::{PostingPage, Record, Rows};
use search::postings::{Posting, Range};

use super::assert_violations;

/// Reports every write as successful.
struct SaysYes(InMemoryProfiles);

#[async_trait]
impl Profiles for SaysYes {
    async fn get(&self, customer: &CustomerId) -> anyhow::Result<Option<Profile>> {
        self.0.get(customer).await
    }

    async fn write(&self, profile: &Profile) -> anyhow::Result<bool> {
        self.0.write(profile).await.map(|_| true)
    }
}

#[tokio::test]
async fn profiles_that_are_not_written() {
    let world = async || Ok(profiles::World { profiles: Arc::new(SaysYes(InMemoryProfiles::default())) });
    let expected = [
        "the_first_write_requires_a_missing_profile",
        "each_write_requires_the_previous_revision",
        "concurrent_writers_of_one_revision_have_one_winner",
    ];
    assert_violations(profiles::violations(world).await, &expected);
}

/// Keeps the report that was saved last, and the latest start of the wait.
#[derive(Default)]
struct LastSaved(Mutex<Option<Report>>);

#[async_trait]
impl Reports for LastSaved {
    async fn last(&self) -> anyhow::Result<Option<Report>> {
        Ok(lock(&self.0).clone())
    }

    async fn awaited_since(&self, now: Timestamp) -> anyhow::Result<Timestamp> {
        Ok(now)
    }

    async fn save(&self, report: &Report) -> anyhow::Result<()> {
        *lock(&self.0) = Some(report.clone());
        Ok(())
    }
}

#[tokio::test]
async fn reports_that_are_overwritten() {
    let world = async || Ok(reports::World { reports: Arc::new(LastSaved::default()) });
    let expected = [
        "a_report_is_kept_until_a_later_one",
        "the_latest_of_concurrent_reports_is_kept",
        "the_wait_starts_with_its_first_call",
    ];
    assert_violations(reports::violations(world).await, &expected);
}

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// Compares only the owners.
    IgnoresVersions,
    /// Compares only the versions.
    IgnoresOwners,
    /// Creates a claim over an existing one.
    OverwritesOnCreation,
}

struct WrongClaims(Fault, InMemoryIdempotencyStore);

#[async_trait]
impl IdempotencyStore for WrongClaims {
    async fn get(&self, key: &Key) -> anyhow::Result<Option<Claim>> {
        self.1.get(key).await
    }

    async fn write(
        &self,
        key: &Key,
        previous: Option<&Claim>,
        claim: &Claim,
        expires_at: Timestamp,
    ) -> anyhow::Result<bool> {
        let stored = self.1.get(key).await?;
        let is_same = |previous: &Claim| match (self.0, &stored) {
            (Fault::IgnoresVersions, Some(stored)) => stored.owner() == previous.owner(),
            (Fault::IgnoresOwners, Some(stored)) => stored.version == previous.version,
            _ => false,
        };
        let overwrites = previous.is_none() && self.0 == Fault::OverwritesOnCreation;
        let previous = if overwrites || previous.is_some_and(is_same) { stored.as_ref() } else { previous };
        self.1.write(key, previous, claim, expires_at).await
    }
}

#[tokio::test]
async fn wrong_claims_violate_the_expected_contracts() {
    for (fault, expected) in [
        (
            Fault::IgnoresVersions,
            &["each_write_requires_the_version_that_was_read", "concurrent_attempts_have_one_winner"][..],
        ),
        (Fault::IgnoresOwners, &["each_write_requires_the_owner_that_was_read"]),
        (
            Fault::OverwritesOnCreation,
            &["the_first_claim_requires_a_missing_one", "concurrent_attempts_have_one_winner"],
        ),
    ] {
        let claims = || Arc::new(WrongClaims(fault, InMemoryIdempotencyStore::default()));
        let world = async || Ok(idempotency::World { claims: claims() });
        assert_violations(idempotency::violations(world).await, expected);
    }
}

/// Ignores stamps: those of records, of records that must not exist, or of removals.
#[derive(Clone, Copy, PartialEq)]
enum Ignored {
    Writes,
    Creations,
    Removals,
}

struct WrongRows(Ignored, InMemoryRows);

#[async_trait]
impl Rows for WrongRows {
    async fn record(&self, order: OrderId) -> anyhow::Result<Option<Record>> {
        self.1.record(order).await
    }

    async fn records(&self, orders: &[OrderId]) -> anyhow::Result<Vec<Record>> {
        self.1.records(orders).await
    }

    async fn write_record(&self, expected_stamp: Option<u64>, record: &Record) -> anyhow::Result<bool> {
        let stored = self.1.record(record.order_id).await?.map(|stored| stored.stamp);
        let expected = match self.0 {
            Ignored::Writes if expected_stamp.is_some() => stored,
            Ignored::Creations if expected_stamp.is_none() => stored,
            _ => expected_stamp,
        };
        self.1.write_record(expected, record).await
    }

    async fn put_postings(&self, postings: &[Posting]) -> anyhow::Result<()> {
        self.1.put_postings(postings).await
    }

    async fn remove_postings(
        &self,
        order: OrderId,
        stamp: u64,
        postings: &[Posting],
    ) -> anyhow::Result<bool> {
        let stored = self.1.record(order).await?.map(|stored| stored.stamp);
        let stamp = stored.filter(|_| self.0 == Ignored::Removals).unwrap_or(stamp);
        self.1.remove_postings(order, stamp, postings).await
    }

    async fn read_postings(
        &self,
        range: &Range,
        after: Option<&Posting>,
        limit: usize,
    ) -> anyhow::Result<PostingPage> {
        self.1.read_postings(range, after, limit).await
    }
}

#[tokio::test]
async fn wrong_rows_of_the_index_violate_the_expected_contracts() {
    let once = "the_first_write_requires_a_missing_record";
    let concurrent = "concurrent_writers_of_one_stamp_have_one_winner";
    for (ignored, expected) in [
        (Ignored::Writes, &[once, "each_write_requires_the_stamp_that_was_read", concurrent][..]),
        (Ignored::Creations, &[once, concurrent]),
        (
            Ignored::Removals,
            &["postings_are_removed_only_at_the_stamp_of_their_record", "postings_are_removed_atomically"],
        ),
    ] {
        let world =
            async || Ok(search_rows::World { rows: Arc::new(WrongRows(ignored, InMemoryRows::default())) });
        assert_violations(search_rows::violations(world).await, expected);
    }
}
