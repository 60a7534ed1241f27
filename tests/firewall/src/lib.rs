//! What the web ACL of `template.yaml` does with requests.
//!
//! | module | is |
//! |---|---|
//! | [`managed`] | the rules of AWS's rule groups, with their documented conditions, as data |
//! | [`condition`] | how a condition is compared with a request |
//! | [`acl`] | a web ACL, read from a template, and its evaluation |
//! | [`capacity`] | what it takes of a web ACL's capacity (WCU) |
//! | [`exceptions`] | where a managed rule is not enforced, and why |
//! | [`request`] | requests: recorded at the emulator's gateway, or written by hand |
//! | [`routes`] | the operations of `docs/openapi.json` |
//!
//! AWS does not publish the patterns of its rules, only what they look for, with examples. The patterns here are those
//! examples and more that are known of other rule sets, compared with every decoded form of a value: what passes here can
//! still meet a signature of AWS's that nobody knows, which is why rules that a route's honest requests may come near are
//! not enforced on that route.

pub mod acl;
pub mod capacity;
pub mod condition;
pub mod exceptions;
pub mod managed;
pub mod request;
pub mod routes;
