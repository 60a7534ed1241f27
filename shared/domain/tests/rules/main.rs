//! Tests of the domain rules under reordered and repeated events, crashes and delays.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a failing helper is a failing test")]

mod claim;
mod event;
mod limits;
mod order;
mod payment;
mod reservation;
mod sample;
mod text;
