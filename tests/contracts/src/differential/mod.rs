//! Differential tests: random calls to two implementations of a port must return the same results. They find
//! differences for which nobody has written a contract.
//!
//! `proptest` generates the calls, the same in every run unless `PROPTEST_RNG_SEED` is set, and shrinks a
//! sequence that reveals a difference to a minimal one.

pub mod inventory;
pub mod orders;
pub mod payments;
pub mod provider;

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

/// The maximum number of calls in a sequence.
const MAX_CALLS: usize = 20;
/// The maximum number of attempts to shrink a failing sequence.
const MAX_SHRINK_ITERS: u32 = 300;

/// Runs `check` on random sequences of calls.
///
/// # Errors
/// The shortest sequence on which `check` failed, and its error.
pub fn check_equivalence<C: Debug + Clone>(
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
        max_shrink_iters: MAX_SHRINK_ITERS,
        ..asked_for
    };
    let result = TestRunner::new(config).run(&vec(calls, 1..=MAX_CALLS), |calls| {
        check(calls).map_err(|error| TestCaseError::fail(format!("{error:#}")))
    });
    result.map_err(|error| anyhow::anyhow!("{error}"))
}

/// The result of a call in comparable form. The error of a call that `may_fail` becomes `None`, so that only
/// the fact of the failure is compared; any other error is a failure of the test environment and is returned.
fn comparable<T>(may_fail: bool, answer: anyhow::Result<T>) -> anyhow::Result<Option<T>> {
    if may_fail { Ok(answer.ok()) } else { answer.map(Some) }
}

/// Fails if a call returned different results.
fn ensure_equal<T: PartialEq + Debug>(
    index: usize,
    call: &impl Debug,
    answers: [T; 2],
) -> anyhow::Result<()> {
    let [one, other] = answers;
    anyhow::ensure!(
        one == other,
        "call {} of the sequence, {call:?}, returned\n  {one:?}\nfrom the first, and\n  {other:?}\nfrom the second",
        index + 1
    );
    Ok(())
}
