//! The ports, over DynamoDB; and in [`memory`].

pub mod memory;
mod products;
mod reservations;

pub use products::DynamoDbProducts;
pub use reservations::DynamoDbReservations;
