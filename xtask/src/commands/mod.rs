//! One module per command.

pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod catalogue;
pub(crate) mod chaos;
pub(crate) mod demo;
pub(crate) mod dlq;
pub(crate) mod down;
pub(crate) mod env;
pub(crate) mod invoke;
pub(crate) mod order;
pub(crate) mod program;
pub(crate) mod remove;
pub(crate) mod search;
pub(crate) mod status;
pub(crate) mod test;
pub(crate) mod timeline;
pub(crate) mod up;
pub(crate) mod verify;
