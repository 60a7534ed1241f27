//! The invariants of the whole system, which hold whatever fails.
//!
//! All checks that look at the system from outside share this list of rules: the simulation checks it after
//! every step, `shopctl audit` on any deployed stack, and `cargo xtask chaos` after its faults have
//! stopped. This crate does no I/O: the caller fills a [`Snapshot`].
//!
//! [`history`] has the rules for what clients see, which the simulation and the chaos test record.

mod check;
pub mod history;
mod rules;
mod snapshot;
mod transition;

pub use check::check;
pub use rules::{Phase, Rule, Violation};
pub use snapshot::{DeadLetterMessage, Email, Intent, Snapshot, Stock};
pub use transition::check_transition;
