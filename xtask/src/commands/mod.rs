//! One module per command.

pub(crate) mod bench;
pub(crate) mod mutants;
pub(crate) mod test;
