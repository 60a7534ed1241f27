//! What must hold of the whole system, whatever fails.
//!
//! One list of rules for all that looks at the system from outside: the simulation checks it after every step,
//! `cargo xtask audit` on any deployed stack, `cargo xtask chaos` when the shaking is over. Nothing here reads
//! anything: whoever checks fills a [`Snapshot`].

mod moment;
mod rules;
mod snapshot;
mod step;

pub use moment::check;
pub use rules::{Rule, Violation, When};
pub use snapshot::{DeadMessage, Intent, Mail, Snapshot, Stock};
pub use step::check_step;
