//! HTTP, as served and as called.

pub mod access;
pub mod bearer;
mod body;
pub mod client;
pub mod input;
mod key;
pub mod precondition;
mod problem;
mod reach;
mod request;
pub mod route;

pub use access::{Access, Caller, Scope};
pub use body::Json;
pub use key::IdempotencyKey;
pub use precondition::Precondition;
pub use problem::{FieldError, Problem};
pub use reach::Reach;
pub use request::{Caused, GatewayRequestId, observe, path_parameter};
pub use route::{Description, Operation, Routes};
