//! Evaluates the web ACL of `template.yaml` against requests.
//!
//! | module | contents |
//! |---|---|
//! | [`managed`] | the rules of the AWS managed rule groups, with their documented conditions, as data |
//! | [`condition`] | matching a condition against a request |
//! | [`acl`] | a web ACL, read from a template, and its evaluation |
//! | [`capacity`] | the capacity units (WCU) of a web ACL |
//! | [`exceptions`] | the routes on which managed rules are not enforced, with the reasons |
//! | [`request`] | requests: recorded at the emulator's gateway, or written by hand |
//! | [`routes`] | the operations of `docs/openapi.json` |
//!
//! AWS does not publish the patterns of its rules, only descriptions with examples. The patterns here are
//! those examples and others from public rule sets, matched against every decoded form of a value. A request
//! that passes here can still match an unpublished signature. Rules that are close to the legitimate requests
//! of a route are therefore not enforced on that route.

pub mod acl;
pub mod capacity;
pub mod condition;
pub mod exceptions;
pub mod managed;
pub mod request;
pub mod routes;
