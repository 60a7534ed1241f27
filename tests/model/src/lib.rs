//! The protocol, model-checked.

pub mod action;
pub mod calm;
pub mod check;
pub mod drive;
mod fixture;
mod model;
pub mod mutation;
pub mod property;
pub mod report;
pub mod scope;
pub mod state;
