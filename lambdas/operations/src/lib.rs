//! Looks whether the shop is well.
