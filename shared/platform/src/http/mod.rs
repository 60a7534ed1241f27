//! HTTP, as served and as called.

mod body;
pub mod client;
pub mod input;
mod problem;
mod request;

pub use body::Json;
pub use problem::{FieldError, Problem};
pub use request::{Caused, observe, path_parameter};
