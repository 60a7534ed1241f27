//! Tests of the notification service with in-memory ports: the content of the emails, and that each is sent
//! once.
#![expect(clippy::unwrap_used, reason = "a failure in a helper fails the test")]

mod mail;
mod send;
mod support;
