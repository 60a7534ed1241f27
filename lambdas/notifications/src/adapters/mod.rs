//! Implementations of the port with SES, and in memory for tests.

#[cfg(feature = "test-support")]
pub mod memory;
mod ses;

pub use ses::Ses;
