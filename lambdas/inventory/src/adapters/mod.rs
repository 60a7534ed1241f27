//! The ports, over DynamoDB.

mod products;
mod reservations;

pub use products::DynamoDbProducts;
pub use reservations::DynamoDbReservations;
