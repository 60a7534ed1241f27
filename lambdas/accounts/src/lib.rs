//! The account service: what the shop knows of a customer beside their orders. Who they are and how they sign in, the
//! user pool knows.
//!
//! | function | module |
//! |---|---|
//! | `accounts-api` | [`api`] |
//! | `grant-scopes` | [`grant`] |

pub mod adapters;
pub mod api;
pub mod grant;
pub mod profile;
mod request;
pub mod store;
