//! The sales ledger: what exports and reports are made of.
//!
//! | module | is |
//! |---|---|
//! | [`sale`] | what is known of one order, worked out of the events that came in, in whatever order they came |
//! | [`booking`] | what happened at a moment: an order was placed, paid, refunded or rejected |
//! | [`record`] | `record-sale`: the events of the bus → the ledger |
//! | [`store`] | the port to where it is kept |
//! | [`read`] | a period of it, in the order of time |
//!
//! A service may not look into another's tables, and an order service may be somebody else's: so all of this comes from
//! the bus (docs/decisions/0019-sales-ledger.md).

pub mod booking;
pub mod read;
pub mod record;
pub mod sale;
pub mod store;
