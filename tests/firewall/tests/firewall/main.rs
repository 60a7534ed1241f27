//! The firewall allows every legitimate request and blocks the attacks that AWS documents.
#![expect(clippy::unwrap_used, reason = "a failing helper fails the test")]

mod clients;
mod previous_acl;
mod rates;
mod recorded;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;
use architecture::template::Template;
use architecture::workspace::root;
use firewall::acl::{Outcome, Statement, WebAcl, matches_documented_condition};
use firewall::capacity;
use firewall::exceptions::{EXCEPTIONS, Exception, Treatment};
use firewall::managed::{GROUPS, all_rules};
use firewall::request::Request;
use firewall::routes::{self, Route};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn template() -> &'static Template {
    static TEMPLATE: OnceLock<Template> = OnceLock::new();
    TEMPLATE.get_or_init(|| Template::of_repository().unwrap())
}

fn deployed() -> WebAcl {
    WebAcl::from_template(template()).unwrap()
}

fn corpus() -> Vec<Request> {
    Request::load_corpus(&folder("corpus")).unwrap()
}

fn contract() -> Vec<Route> {
    let text = std::fs::read_to_string(root().join("docs/openapi.json")).unwrap();
    routes::from_contract(&serde_json::from_str(&text).unwrap()).unwrap()
}

fn outcome(acl: &WebAcl, request: &Request) -> Outcome {
    acl.evaluate(request, &matches_documented_condition).unwrap()
}

#[test]
fn legitimate_requests_are_allowed() {
    let acl = deployed();
    let blocked: Vec<_> = corpus()
        .iter()
        .filter_map(|request| Some((request.name.clone(), outcome(&acl, request).blocked_by?)))
        .collect();
    assert!(blocked.is_empty(), "{blocked:#?}");
}

#[test]
fn the_corpus_covers_every_operation() {
    let corpus = corpus();
    let missing: Vec<_> =
        contract().into_iter().filter(|route| !corpus.iter().any(|request| route.matches(request))).collect();
    assert!(missing.is_empty(), "add a legitimate request to tests/firewall/corpus for each of {missing:#?}");
}

#[test]
fn the_corpus_contains_the_largest_bodies() {
    let sizes = |route: &str| {
        let all = corpus().into_iter().filter(|request| request.path == route);
        all.map(|request| request.body().unwrap().len()).max().unwrap()
    };
    assert!(
        sizes("/v1/orders") > 8192 && sizes("/v1/me") > 16 * 1024 && sizes("/v1/webhooks/stripe") > 10_000
    );
}

#[test]
fn each_managed_rule_blocks_its_attack() {
    let acl = deployed();
    let attacks = Request::load_corpus(&folder("attacks")).unwrap();
    for attack in &attacks {
        let rule = attack.attacks.clone().unwrap();
        let (group, managed) = all_rules().find(|(_, managed)| managed.name == rule).unwrap();
        let block = outcome(&acl, attack).blocked_by;
        let block = block.unwrap_or_else(|| panic!("{rule} allows {} {}", attack.method, attack.path));
        let label = format!("{}{}", group.namespace, managed.label);
        let is_matched =
            matches_documented_condition(managed, attack, acl.inspected_bytes().unwrap()).unwrap();
        assert!(is_matched, "{rule} does not match its attack {} {}", attack.method, attack.path);
        // Some attacks are blocked by an earlier rule.
        let is_by_this_rule = block.matched_rules.iter().any(|matched| *matched == rule || *matched == label);
        assert!(
            is_by_this_rule || attack.path.contains(".."),
            "{} {} was blocked by {block:?}",
            attack.method,
            attack.path
        );
    }
    let attacked: BTreeSet<_> = attacks.iter().filter_map(|attack| attack.attacks.as_deref()).collect();
    let enforced: BTreeSet<_> =
        all_rules().filter(|(_, rule)| !rule.is_count_only).map(|(_, rule)| rule.name).collect();
    assert_eq!(attacked, enforced);
}

#[test]
fn without_the_rule_groups_the_attacks_are_allowed() {
    let mut acl = deployed();
    acl.rules.retain(|rule| !matches!(rule.statement, Statement::ManagedRuleGroupStatement { .. }));
    for attack in Request::load_corpus(&folder("attacks")).unwrap() {
        assert_eq!(outcome(&acl, &attack).blocked_by, None, "{}", attack.name);
    }
}

/// Returns how the web ACL treats a request that matches one managed rule and no other; `None` if it is
/// blocked.
fn treatment(acl: &WebAcl, rule: &str, request: &Request) -> Result<Option<Treatment>> {
    let outcome = acl.evaluate(request, &|managed, _, _| Ok(managed.name == rule))?;
    Ok(match (outcome.blocked_by, outcome.labels.is_empty()) {
        (Some(_), _) => None,
        (None, true) => Some(Treatment::ScopedDown),
        (None, false) => Some(Treatment::Counted),
    })
}

#[test]
fn the_exceptions_match_the_table() {
    let acl = deployed();
    let mut unused: BTreeMap<_, _> = EXCEPTIONS.iter().map(|one| (one.reason, one)).collect();
    for route in contract() {
        let request = route.example_request().unwrap();
        for (group, rule) in all_rules().filter(|(_, rule)| !rule.is_count_only) {
            let exception = Exception::find(group, rule, &route);
            let wanted = exception.map(|exception| exception.treatment);
            let done = treatment(&acl, rule.name, &request).unwrap();
            assert_eq!(done, wanted, "{} {}: {}", route.method, route.path, rule.name);
            // The same without the stage, as on a custom domain, and for a CORS preflight.
            let mut elsewhere = Request::new("OPTIONS", request.path.trim_start_matches("/v1"));
            elsewhere.headers.clone_from(&request.headers);
            assert_eq!(treatment(&acl, rule.name, &elsewhere).unwrap(), wanted, "{}", elsewhere.path);
            if let Some(exception) = exception {
                unused.remove(exception.reason);
            }
        }
    }
    assert!(unused.is_empty(), "these exceptions apply to no route: {unused:#?}");
}

#[test]
fn counted_rules_block_on_the_other_routes() {
    let acl = deployed();
    for (group, rules) in acl.counted_rules() {
        let group = GROUPS.iter().find(|other| other.name == group).unwrap();
        for rule in rules {
            assert!(group.rules.iter().any(|other| other.name == rule), "{} has no {rule}", group.name);
            let health = Request::new("GET", "/v1/health").with_header("user-agent", "shop/1.0");
            assert_eq!(treatment(&acl, rule, &health).unwrap(), None, "{rule} is enforced nowhere");
        }
    }
}

#[test]
fn path_variants_do_not_bypass_the_rules() {
    let acl = deployed();
    // However the gateway routes these paths, no exception applies to them.
    let bypasses = [
        "/v1/products/..%2freservations%2f01937a5e-7c1d-7e02-9c0a-3f1b8d2e4a55",
        "/v1/orders/..%2freservations%2f01937a5e/commit",
        "/v1/reservations/../orders",
        "/v1/reservations/%2e%2e/orders",
        "/v1/webhooks/stripe/../../orders",
        "/v1/webhooks/stripe%00",
        "/v1/webhooks/stripe/",
        "/v2/webhooks/stripe",
        "/v1//webhooks/stripe",
        "/v1/products/../webhooks/stripe",
        "/v1/x/v1/webhooks/stripe",
        "/v1/webhooks/stripe\n",
    ];
    for path in bypasses {
        let request = Request::new("POST", path);
        let block = outcome(&acl, &request).blocked_by.unwrap_or_else(|| panic!("{path} is not inspected"));
        assert!(block.matched_rules.contains(&"NoUserAgent_HEADER".to_owned()), "{path}: {block:?}");
    }
}

#[test]
fn the_capacity_is_within_the_base_price() {
    let units = capacity::required_units(&deployed()).unwrap();
    assert!(units <= capacity::INCLUDED_UNITS, "{units} WCU");
    // The numbers in docs/decisions/0020-firewall.md.
    assert_eq!((units, deployed().rules.len()), (1000, 6));
}

#[test]
fn the_patterns_are_within_the_limits_of_aws_waf() {
    for rule in &deployed().rules {
        rule.statement.visit(&mut |statement| {
            if let Statement::RegexMatchStatement { regex_string, .. } = statement {
                // Patterns have at most 200 characters, no captures and no counted repetition
                // (waf-regex-pattern-support.html).
                assert!(regex_string.len() <= 200, "{regex_string}");
                assert!(regex_string.starts_with('^') && regex_string.ends_with('$'), "{regex_string}");
                assert!(!regex_string.replace("(?:", "").contains(['(', '{', '\\']), "{regex_string}");
            }
        });
    }
}
