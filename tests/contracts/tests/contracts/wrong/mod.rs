//! Wrong ports, each with one protection switched off: the contracts tell.

mod inventory;
mod invoices;
mod orders;
mod payments;
mod provider;
mod surroundings;

use contracts::Broken;

/// Fails unless just these contracts are broken.
fn breaks(broken: anyhow::Result<Broken>, expected: &[&str]) {
    let broken = broken.unwrap();
    let mut names: Vec<&str> = broken.keys().copied().collect();
    let mut expected = expected.to_vec();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "{broken:#?}");
}

/// The shortest sequence that tells two stores apart has no more calls than that.
const FEW: usize = 6;

/// Fails unless random calls told two stores apart, and show it by a few of them; `call` is one.
fn told_apart(judged: anyhow::Result<()>, call: &str) {
    let why = format!("{:#}", judged.unwrap_err());
    let (_, shortest) = why.split_once("minimal failing input").unwrap_or_else(|| panic!("{why}"));
    let calls = shortest.lines().filter(|line| line.starts_with("    ") && !line.starts_with("     "));
    let calls = calls.filter(|line| line.trim_start().starts_with(char::is_alphabetic)).count();
    assert!(shortest.contains(call) && (1..=FEW).contains(&calls), "{calls} calls: {why}");
}
