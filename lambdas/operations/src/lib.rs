//! Looks whether the shop is well.
//!
//! | function | module |
//! |---|---|
//! | `check-health` | [`check`]: orders as a customer would, and looks at each queue |
//! | `health-api` | [`api`]: tells what was found last |

pub mod adapters;
pub mod api;
pub mod check;
pub mod report;
pub mod shop;
pub mod store;
