//! `platform::idempotency::IdempotencyStore`: claims on effects.

use std::sync::Arc;

use domain::claim::{Claim, Status};
use domain::{Lease, claim::Fingerprint};
use futures::future::try_join_all;
use jiff::Timestamp;
use platform::idempotency::{IdempotencyStore, Key};
use uuid::Uuid;

use crate::check::{contract_suite, same};
use crate::sample::time;

/// An empty store.
#[derive(Clone)]
pub struct World {
    /// The store under test.
    pub claims: Arc<dyn IdempotencyStore>,
}

contract_suite!(World:
    the_first_claim_requires_a_missing_one,
    each_write_requires_the_version_that_was_read,
    each_write_requires_the_owner_that_was_read,
    reads_return_what_was_written,
    effects_are_independent,
    concurrent_attempts_have_one_winner,
);

/// The claim at `version` of the attempt `owner`.
pub(crate) fn claim(version: u64, owner: u32) -> anyhow::Result<Claim> {
    let lease = Lease { owner: Uuid::from_u128(owner.into()), expires_at: time(7)? };
    Ok(Claim {
        version,
        fingerprint: Fingerprint::from([7; 32]),
        unknown_outcomes: 0,
        status: Status::InProgress { lease },
    })
}

fn key() -> Key {
    Key::new("order-1", "payment.succeeded")
}

impl World {
    async fn write(&self, previous: Option<&Claim>, claim: &Claim) -> anyhow::Result<bool> {
        self.claims.write(&key(), previous, claim, time(1_000_000_000)?).await
    }
}

async fn the_first_claim_requires_a_missing_one(world: &World) -> anyhow::Result<()> {
    same("none", world.claims.get(&key()).await?, None)?;
    same("a later one", world.write(Some(&claim(1, 1)?), &claim(2, 1)?).await?, false)?;
    same("still none", world.claims.get(&key()).await?, None)?;
    same("the first", world.write(None, &claim(1, 1)?).await?, true)?;
    same("that of another attempt", world.write(None, &claim(1, 2)?).await?, false)?;
    same("read", world.claims.get(&key()).await?, Some(claim(1, 1)?))
}

async fn each_write_requires_the_version_that_was_read(world: &World) -> anyhow::Result<()> {
    same("the first", world.write(None, &claim(1, 1)?).await?, true)?;
    for version in 2..=4 {
        let (previous, next) = (claim(version - 1, 1)?, claim(version, 1)?);
        same("the next", world.write(Some(&previous), &next).await?, true)?;
        // A retry of the client after a lost response.
        same("again", world.write(Some(&previous), &next).await?, false)?;
    }
    for version in [1, 3, 5] {
        let written = world.write(Some(&claim(version, 1)?), &claim(version + 1, 9)?).await?;
        same(&format!("after {version} instead of 4"), written, false)?;
        same("read", world.claims.get(&key()).await?, Some(claim(4, 1)?))?;
    }
    Ok(())
}

/// The version alone does not identify a claim: it restarts when an expired row has been deleted.
async fn each_write_requires_the_owner_that_was_read(world: &World) -> anyhow::Result<()> {
    same("the first", world.write(None, &claim(1, 2)?).await?, true)?;
    let late = claim(1, 1)?;
    let completed = Claim {
        version: 2,
        status: Status::Completed { by: Uuid::from_u128(1), at: time(8)?, receipt: "message-1".to_owned() },
        ..late.clone()
    };
    same("of a late attempt", world.write(Some(&late), &completed).await?, false)?;
    same("read", world.claims.get(&key()).await?, Some(claim(1, 2)?))
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let (by, at) = (Uuid::from_u128(1), Timestamp::from_nanosecond(1_795_428_930_123_456_789)?);
    let mut previous: Option<Claim> = None;
    for (version, status) in (1..).zip([
        Status::InProgress { lease: Lease { owner: by, expires_at: at } },
        Status::NotDone { by, at },
        Status::Completed { by, at, receipt: "“message” ☕".to_owned() },
    ]) {
        let next = Claim { status, unknown_outcomes: u32::MAX, ..claim(version, 1)? };
        same("written", world.write(previous.as_ref(), &next).await?, true)?;
        same("read", world.claims.get(&key()).await?, Some(next.clone()))?;
        previous = Some(next);
    }
    Ok(())
}

async fn effects_are_independent(world: &World) -> anyhow::Result<()> {
    same("the first", world.write(None, &claim(1, 1)?).await?, true)?;
    for (owner, other) in
        (2..).zip([Key::new("order-1", "payment.failed"), Key::new("order-2", "payment.succeeded")])
    {
        let written = world.claims.write(&other, None, &claim(1, owner)?, time(9)?).await?;
        same("the first of another effect", written, true)?;
        same("read", world.claims.get(&other).await?, Some(claim(1, owner)?))?;
    }
    same("read", world.claims.get(&key()).await?, Some(claim(1, 1)?))
}

async fn concurrent_attempts_have_one_winner(world: &World) -> anyhow::Result<()> {
    for version in 1..=3 {
        let previous = world.claims.get(&key()).await?;
        let all = (1..=20).map(|owner| claim(version, owner)).collect::<anyhow::Result<Vec<_>>>()?;
        let answers = try_join_all(all.iter().map(|claim| world.write(previous.as_ref(), claim))).await?;
        let won: Vec<&Claim> = all.iter().zip(answers).filter_map(|(new, won)| won.then_some(new)).collect();
        same("attempts that won", won.len(), 1)?;
        same("read", world.claims.get(&key()).await?.as_ref(), won.first().copied())?;
    }
    Ok(())
}
