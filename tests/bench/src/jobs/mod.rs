//! What whole jobs take, over stand-ins for the services that they use.

pub(crate) mod search;
