//! `accounts::store::Profiles`: the profiles of customers.

use std::sync::Arc;

use accounts::profile::Profile;
use accounts::store::Profiles;
use futures::future::try_join_all;
use serde_json::json;

use crate::check::{contract_suite, same};
use crate::sample::customer;

/// An empty store.
#[derive(Clone)]
pub struct World {
    /// The store under test.
    pub profiles: Arc<dyn Profiles>,
}

contract_suite!(World:
    the_first_write_requires_a_missing_profile,
    each_write_requires_the_previous_revision,
    reads_return_what_was_written,
    customers_are_independent,
    concurrent_writers_of_one_revision_have_one_winner,
);

/// The profile of a customer at `revision`, with a name that contains `number`.
pub(crate) fn profile(of: u32, revision: u64, number: u32) -> anyhow::Result<Profile> {
    let profile = Profile::new(customer(of)?, Some(format!("Ada {number}").parse()?), None);
    Ok(Profile { revision, ..profile })
}

async fn the_first_write_requires_a_missing_profile(world: &World) -> anyhow::Result<()> {
    let profiles = &world.profiles;
    same("none", profiles.get(&customer(1)?).await?, None)?;
    same("a later revision", profiles.write(&profile(1, 2, 1)?).await?, false)?;
    same("still none", profiles.get(&customer(1)?).await?, None)?;
    same("the first", profiles.write(&profile(1, 1, 1)?).await?, true)?;
    same("another first", profiles.write(&profile(1, 1, 2)?).await?, false)?;
    same("read", profiles.get(&customer(1)?).await?, Some(profile(1, 1, 1)?))
}

async fn each_write_requires_the_previous_revision(world: &World) -> anyhow::Result<()> {
    let profiles = &world.profiles;
    for revision in 1..=4 {
        same("the next", profiles.write(&profile(1, revision, 1)?).await?, true)?;
        // A retry of the client after a lost response.
        same("again", profiles.write(&profile(1, revision, 1)?).await?, false)?;
    }
    for revision in [1, 2, 4, 6] {
        let written = profiles.write(&profile(1, revision, 2)?).await?;
        same(&format!("revision {revision} after 4"), written, false)?;
        same("read", profiles.get(&customer(1)?).await?, Some(profile(1, 4, 1)?))?;
    }
    Ok(())
}

async fn reads_return_what_was_written(world: &World) -> anyhow::Result<()> {
    let address = serde_json::from_value(json!({
        "recipient": "Наталія", "street": "вул. Хрещатик, 1", "city": "Київ", "country": "UA",
    }))?;
    let full =
        Profile { email: Some("ada@example.com".parse()?), addresses: vec![address], ..profile(1, 1, 1)? };
    let empty = Profile { revision: 2, ..Profile::new(customer(1)?, None, None) };
    for profile in [full, empty] {
        same("written", world.profiles.write(&profile).await?, true)?;
        same("read", world.profiles.get(&customer(1)?).await?, Some(profile))?;
    }
    Ok(())
}

async fn customers_are_independent(world: &World) -> anyhow::Result<()> {
    for of in [1, 2] {
        same("the first of a customer", world.profiles.write(&profile(of, 1, of)?).await?, true)?;
    }
    same("read", world.profiles.get(&customer(1)?).await?, Some(profile(1, 1, 1)?))
}

async fn concurrent_writers_of_one_revision_have_one_winner(world: &World) -> anyhow::Result<()> {
    for revision in 1..=3 {
        let all = (1..=20).map(|number| profile(1, revision, number)).collect::<anyhow::Result<Vec<_>>>()?;
        let answers = try_join_all(all.iter().map(|new| world.profiles.write(new))).await?;
        let won: Vec<&Profile> =
            all.iter().zip(answers).filter_map(|(new, won)| won.then_some(new)).collect();
        same("writers that won", won.len(), 1)?;
        same("read", world.profiles.get(&customer(1)?).await?.as_ref(), won.first().copied())?;
    }
    Ok(())
}
