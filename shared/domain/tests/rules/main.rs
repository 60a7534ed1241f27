//! The rules of the shop, against every order of events, crash and delay that these tests can think of.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod claim;
mod event;
mod limits;
mod order;
mod payment;
mod reservation;
mod sample;
