//! The environment of a function on Lambda, for programs that start the binaries themselves.
//!
//! | module | content |
//! |---|---|
//! | [`functions`] | the functions, as configured in `template.yaml` |
//! | [`runtime_api`], [`process`] | the Lambda Runtime API and the process of a function |
//! | [`backend`] | the services that the functions call |
//! | [`server`] | the HTTP server of the Runtime API and the services |
//! | [`photo`] | generated images |
//! | [`clock`] | the wall clock |

pub mod backend;
pub mod clock;
pub mod functions;
pub mod photo;
pub mod process;
pub mod runtime_api;
pub mod server;
