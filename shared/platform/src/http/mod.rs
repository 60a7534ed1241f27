//! HTTP, as served and as called.

pub mod access;
pub mod bearer;
mod body;
pub mod client;
pub mod input;
mod key;
pub mod precondition;
mod problem;
mod customer_scope;
mod request;
pub mod route;

pub use access::{Access, Caller, Scope};
pub use body::Json;
pub use key::IdempotencyKey;
pub use precondition::Precondition;
pub use problem::{FieldError, Problem};
pub use customer_scope::CustomerScope;
pub use request::{RequestCause, GatewayRequestId, observe, parse_path_parameter};
pub use route::{OperationDescription, Operation, Routes};
