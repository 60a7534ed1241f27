//! The protocol, model-checked.

pub mod action;
pub mod drive;
mod fixture;
mod model;
pub mod mutation;
pub mod property;
pub mod scope;
pub mod state;
