//! The rules of the shop, against every order of events, crash and delay that these tests can think of.

mod event;
mod limits;
mod order;
mod payment;
mod reservation;
mod sample;
