//! Wrong implementations, each with one protection switched off, which the contracts detect.

mod imports;
mod infrastructure;
mod inventory;
mod invoices;
mod media;
mod orders;
mod partners;
mod payments;
mod provider;
mod records;
mod sales;

use contracts::Violations;

/// Fails unless exactly these contracts are violated.
fn assert_violations(violations: anyhow::Result<Violations>, expected: &[&str]) {
    let violations = violations.unwrap();
    let mut names: Vec<&str> = violations.keys().copied().collect();
    let mut expected = expected.to_vec();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "{violations:#?}");
}

/// The number of random sequences of calls, of which one has to show a wrong implementation. Some show only in one of a
/// hundred.
const SEQUENCES: u32 = 600;
/// The maximum number of calls in a minimal failing sequence.
const MAX_MINIMAL_CALLS: usize = 6;

/// Fails unless random calls detected a difference, and the minimal failing sequence is short and contains
/// `call`.
fn assert_detected(result: anyhow::Result<()>, call: &str) {
    let why = format!("{:#}", result.unwrap_err());
    let (_, shortest) = why.split_once("minimal failing input").unwrap_or_else(|| panic!("{why}"));
    let calls = shortest.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
    let calls = calls.filter(|line| line.trim_start().starts_with(char::is_alphabetic)).count();
    assert!(shortest.contains(call) && (1..=MAX_MINIMAL_CALLS).contains(&calls), "{calls} calls: {why}");
}
