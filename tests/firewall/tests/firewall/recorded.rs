//! The requests that the gateway of a local stack received during the end-to-end tests. `FIREWALL_REQUESTS`
//! names the file that they were recorded in.

use std::collections::BTreeMap;
use std::path::Path;

use firewall::request::Request;

use super::{deployed, outcome};

/// Returns whether blocking the request would be a false positive. The API rejected invalid requests with
/// 4xx, and the firewall may block those. The requests of the functions and of Stripe are always legitimate.
fn is_legitimate(request: &Request) -> bool {
    let sender = request.header("user-agent").unwrap_or_default();
    let signed = request.header("authorization").is_some_and(|how| how.starts_with("AWS4-HMAC-SHA256"));
    request.status.is_none_or(|status| !(400..500).contains(&status))
        || sender.starts_with("serverless-orders/") && sender.contains('(') && !sender.contains("(shopctl)")
        || sender.starts_with("Stripe/")
        || signed
}

/// Does nothing unless the variable is set; `cargo xtask test end-to-end` sets it.
#[test]
fn no_legitimate_request_is_blocked() {
    let Some(file) = std::env::var_os("FIREWALL_REQUESTS") else { return };
    let acl = deployed();
    let requests = Request::load_recorded(Path::new(&file)).unwrap();
    assert!(!requests.is_empty(), "no request was recorded");
    let mut blocked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for request in requests.iter().filter(|request| is_legitimate(request)) {
        if let Some(block) = outcome(&acl, request).blocked_by {
            blocked.entry(block.matched_rules.join(", ")).or_default().push(request.name.clone());
        }
    }
    assert!(blocked.is_empty(), "of {} requests, the firewall would block {blocked:#?}", requests.len());
}

#[test]
fn a_recorded_request_is_parsed() {
    let line = r#"{"method":"POST","path":"/v1/orders","query":"","headers":[["host","127.0.0.1:4577"],["user-agent","x"]],"body":"{}","source":"127.0.0.1","status":201}"#;
    let folder = std::env::temp_dir().join(format!("firewall-{}.jsonl", std::process::id()));
    std::fs::write(&folder, format!("{line}\n")).unwrap();
    let requests = Request::load_recorded(&folder).unwrap();
    std::fs::remove_file(&folder).unwrap();
    assert!(is_legitimate(&requests[0]));
    assert_eq!(outcome(&deployed(), &requests[0]).blocked_by, None);
    assert_eq!(
        outcome(&deployed(), &requests[0].clone().without_header("user-agent")).blocked_by.unwrap().rule,
        "common"
    );
}
