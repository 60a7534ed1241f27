//! The port, over SES; and in [`memory`].

pub mod memory;
mod ses;

pub use ses::Ses;
