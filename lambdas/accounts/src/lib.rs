//! The account service: the profiles of customers. Identities and sign-in are managed by the Cognito user
//! pool.
//!
//! | function | module |
//! |---|---|
//! | `accounts-api` | [`api`] |
//! | `grant-scopes` | [`grant`] |

pub mod adapters;
pub mod api;
mod contract;
pub mod grant;
pub mod profile;
mod request;
pub mod store;
