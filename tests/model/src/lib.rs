//! Model checking of the order protocol: the checker visits every state that is reachable within a scope,
//! whatever fails.
//!
//! Every decision is made by the functions of `domain`, the same code that ships. This crate models how the
//! Lambda functions call them: which records they read, in which order they execute their effects, and when
//! they publish and acknowledge. The README describes what is modelled, what is left out, and how large the
//! scopes are.

pub mod action;
pub mod check;
pub mod drive;
mod fixture;
mod model;
pub mod mutation;
pub mod property;
pub mod report;
mod saga;
pub mod scope;
pub mod state;
pub mod termination;
