//! Implementations of the port with SES, and in [`memory`] for tests.

pub mod memory;
mod ses;

pub use ses::Ses;
