//! What surrounds a function's process when Lambda runs it, for programs that start the binaries themselves.
//!
//! | module | is |
//! |---|---|
//! | [`functions`] | the functions, as `template.yaml` has them |
//! | [`runtime_api`], [`process`] | the half of Lambda that a function sees: its events and its process |
//! | [`backend`] | the services that the functions call |
//! | [`server`] | what both are served by |
//! | [`photo`] | pictures to work on |
//! | [`clock`] | the time of day |

pub mod backend;
pub mod clock;
pub mod functions;
pub mod photo;
pub mod process;
pub mod runtime_api;
pub mod server;
