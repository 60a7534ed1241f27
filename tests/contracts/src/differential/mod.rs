//! Random calls to two ports that should be alike: every answer has to be the same. It finds what nobody thought
//! of writing a contract for.
//!
//! `proptest` chooses the calls, the same ones in every run (`PROPTEST_RNG_SEED` asks for others), and shortens a
//! sequence that tells them apart to one from which no call can be left out.

pub mod inventory;
pub mod orders;
pub mod payments;
pub mod provider;

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

/// The most calls in one sequence.
const MOST_CALLS: usize = 20;
/// How many shorter sequences are tried when one has told two ports apart.
const SHORTENINGS: u32 = 300;

/// Has `check` judge so many sequences of calls.
///
/// # Errors
/// The shortest sequence that `check` failed on, and why.
pub fn agree<C: Debug + Clone>(
    sequences: u32,
    calls: impl Strategy<Value = C>,
    check: impl Fn(Vec<C>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let asked_for = Config::default();
    let rng_seed = match asked_for.rng_seed {
        RngSeed::Random => RngSeed::Fixed(2026),
        fixed @ RngSeed::Fixed(_) => fixed,
    };
    let config = Config {
        cases: sequences,
        rng_seed,
        failure_persistence: None,
        max_shrink_iters: SHORTENINGS,
        ..asked_for
    };
    let judged = TestRunner::new(config).run(&vec(calls, 1..=MOST_CALLS), |calls| {
        check(calls).map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    judged.map_err(|error| anyhow::anyhow!("{error}"))
}

/// What a call was answered, to be compared. Of a failure it counts only that there was one, and only a call that
/// `may_fail` is compared so: any other failure is the surroundings'.
fn answer<T>(may_fail: bool, answer: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
    if may_fail { Ok(answer.ok()) } else { answer.map(Some) }
}

/// Fails when a call got two answers.
fn alike<T: PartialEq + Debug>(index: usize, call: &impl Debug, answers: [T; 2]) -> anyhow::Result<()> {
    let [one, other] = answers;
    anyhow::ensure!(
        one == other,
        "call {} of the sequence, {call:?}, is answered\n  {one:?}\nby the one, and\n  {other:?}\nby the other",
        index + 1
    );
    Ok(())
}
