//! One module per command.

pub(crate) mod chaos;
pub(crate) mod demo;
pub(crate) mod down;
pub(crate) mod end_to_end;
pub(crate) mod invoke;
pub(crate) mod mutants;
pub(crate) mod status;
pub(crate) mod up;
pub(crate) mod verify;
