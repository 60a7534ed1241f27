//! Building blocks of HTTP servers.

pub mod access;
pub(crate) mod api_keys;
pub mod bearer;
mod body;
mod customer_scope;
pub mod input;
mod json;
mod key;
pub mod precondition;
mod problem;
mod request;
pub mod route;
#[cfg(feature = "test-support")]
pub mod testing;
mod verified_email;

pub use access::{Access, Caller, Scope};
pub use body::Json;
pub use customer_scope::CustomerScope;
pub use key::IdempotencyKey;
pub use precondition::Precondition;
pub use problem::{FieldError, Problem};
pub use request::{GatewayRequestId, RequestCause, observe, parse_path_parameter};
pub use route::{Operation, OperationDescription, Routes};
pub use verified_email::{VERIFIED_EMAIL_CLAIM, VerifiedEmail};
