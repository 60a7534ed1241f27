//! Monitors the health of the shop.
//!
//! | function | module |
//! |---|---|
//! | `check-health` | [`check`]: places an order as a customer would, and measures each queue |
//! | `health-api` | [`api`]: serves the latest result |

pub mod adapters;
pub mod api;
pub mod check;
mod contract;
pub mod report;
pub mod shop;
pub mod store;
mod view;
