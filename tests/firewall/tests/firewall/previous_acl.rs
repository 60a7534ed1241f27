//! An earlier web ACL that blocked every order: the tests show that this crate would have detected it.

use architecture::template::Template;
use firewall::acl::WebAcl;
use firewall::request::Request;

use super::{corpus, outcome};

const PREVIOUS_ACL: &str = "
Resources:
  WebFirewall:
    Type: AWS::WAFv2::WebACL
    Properties:
      Scope: REGIONAL
      DefaultAction: { Allow: {} }
      VisibilityConfig: {}
      Rules:
        - Name: rate-per-address
          Priority: 0
          Action: { Block: {} }
          Statement:
            RateBasedStatement:
              Limit: !Ref FirewallRateLimit
              EvaluationWindowSec: 300
              AggregateKeyType: IP
          VisibilityConfig: {}
        - Name: ip-reputation
          Priority: 1
          OverrideAction: { None: {} }
          Statement:
            ManagedRuleGroupStatement: { VendorName: AWS, Name: AWSManagedRulesAmazonIpReputationList }
          VisibilityConfig: {}
        - Name: common
          Priority: 2
          OverrideAction: { None: {} }
          Statement:
            ManagedRuleGroupStatement:
              VendorName: AWS
              Name: AWSManagedRulesCommonRuleSet
              RuleActionOverrides:
                - { Name: SizeRestrictions_BODY, ActionToUse: { Count: {} } }
          VisibilityConfig: {}
        - Name: known-bad-inputs
          Priority: 3
          OverrideAction: { None: {} }
          Statement:
            ManagedRuleGroupStatement: { VendorName: AWS, Name: AWSManagedRulesKnownBadInputsRuleSet }
          VisibilityConfig: {}
";

fn parse_acl(yaml: &str) -> WebAcl {
    WebAcl::from_template(&Template::parse(yaml).unwrap()).unwrap()
}

/// Returns the managed rules that block `request`.
fn matched_rules(acl: &WebAcl, request: &Request) -> Vec<String> {
    outcome(acl, request).blocked_by.map(|block| block.matched_rules).unwrap_or_default()
}

#[test]
fn it_blocked_the_requests_of_functions() {
    let acl = parse_acl(PREVIOUS_ACL);
    let ours = |request: &Request| {
        request.header("user-agent").is_some_and(|who| who.starts_with("serverless-orders/"))
    };
    let calls: Vec<Request> = corpus().into_iter().filter(ours).collect();
    assert!(calls.len() >= 10);
    for call in calls {
        let call = call.without_header("user-agent");
        assert_eq!(matched_rules(&acl, &call), ["NoUserAgent_HEADER"], "{}", call.name);
    }
}

#[test]
fn it_blocked_legitimate_bodies_paths_and_queries() {
    let acl = parse_acl(PREVIOUS_ACL);
    let whole = parse_acl(
        &PREVIOUS_ACL.replace("- { Name: SizeRestrictions_BODY, ActionToUse: { Count: {} } }", "[]"),
    );
    let of = |start: &str, acl: &WebAcl| {
        let request = corpus().into_iter().find(|request| request.name.starts_with(start));
        matched_rules(acl, &request.unwrap_or_else(|| panic!("the corpus has no {start}")))
    };
    assert_eq!(of("the largest order, with white space", &whole), ["SizeRestrictions_BODY"]);
    assert_eq!(of("payment_intent.succeeded of an account", &whole), ["SizeRestrictions_BODY"]);
    assert_eq!(of("payment_intent.succeeded of an account", &acl), ["GenericLFI_BODY"]);
    assert_eq!(of("the test receiver of a local stack", &acl), ["GenericRFI_BODY"]);
    assert_eq!(of("a partner subscribes", &acl), ["GenericLFI_BODY"]);
    assert_eq!(
        of("a product whose SKU looks like a Windows file name", &acl),
        ["RestrictedExtensions_URIPATH"]
    );
    assert_eq!(of("a search for markup", &acl), ["CrossSiteScripting_QUERYARGUMENTS"]);
    assert_eq!(of("the longest search", &acl), ["SizeRestrictions_QUERYSTRING"]);
}

#[test]
fn it_counted_functions_against_the_public_rate_limit() {
    let acl = parse_acl(PREVIOUS_ACL);
    let reserve = corpus().into_iter().find(|request| request.path.starts_with("/v1/reservations/")).unwrap();
    assert_eq!(outcome(&acl, &reserve).counted_by, ["rate-per-address"]);
}
