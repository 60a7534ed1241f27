//! The sales ledger: the data of exports and reports.
//!
//! | module | content |
//! |---|---|
//! | [`sale`] | the state of one order, derived from its events in whatever order they arrive |
//! | [`booking`] | an entry with a time: an order was placed, paid, refunded or rejected |
//! | [`record`] | `record-sale`: writes the events of the bus to the ledger |
//! | [`store`] | the port of the storage |
//! | [`read`] | reads a period in time order |
//!
//! A service must not read the tables of another service, and the order service may be a third party's. So
//! all data comes from the bus (docs/decisions/0019-sales-ledger.md).

pub mod booking;
pub mod read;
pub mod record;
pub mod sale;
pub mod store;
