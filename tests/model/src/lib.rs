//! The protocol, model-checked: every state that it can reach within a scope is visited, whatever fails.
//!
//! What is decided, the functions of `domain` decide, the same that ship. What is here is how the functions drive
//! them: which record they read, which effects they take one after the other, when they publish and acknowledge.
//! The README tells what is modelled, what is left out, and what was measured.

pub mod action;
pub mod calm;
mod case;
pub mod check;
pub mod drive;
mod fixture;
mod model;
pub mod mutation;
pub mod property;
pub mod report;
pub mod scope;
pub mod state;
