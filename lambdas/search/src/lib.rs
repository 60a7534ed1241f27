//! Finds orders.
