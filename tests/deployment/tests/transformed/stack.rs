//! Tests of the stack as a whole: rules, quotas, names, dependencies and permissions.

use std::collections::{BTreeMap, BTreeSet};

use deployment::{deployment_with, environment, limits, production};
use serde_json::{Value, json};

use crate::cases;

#[test]
fn quota_usage_leaves_room_for_growth() {
    for (name, deployed) in cases() {
        for usage in limits::quota_usage(deployed) {
            assert!(usage.is_within_margin(), "{name}: {} {} of {}", usage.quota, usage.used, usage.limit);
        }
        for usage in limits::name_lengths(deployed) {
            assert!(usage.used <= usage.limit, "{name}: {} {} of {}", usage.quota, usage.used, usage.limit);
        }
    }
}

#[test]
fn dependencies_have_no_cycles() {
    for (name, deployed) in cases() {
        let mut left: BTreeMap<String, BTreeSet<String>> =
            deployed.resources.keys().map(|id| (id.clone(), deployed.dependencies(id))).collect();
        while !left.is_empty() {
            let ready: Vec<String> = left
                .iter()
                .filter(|(_, dependencies)| dependencies.is_empty())
                .map(|(id, _)| id.clone())
                .collect();
            assert!(!ready.is_empty(), "{name}: these depend on each other: {:?}", left.keys());
            for id in &ready {
                left.remove(id);
            }
            left.values_mut().for_each(|dependencies| dependencies.retain(|id| !ready.contains(id)));
        }
    }
}

/// A deployment that serves customers has all required parameters, or CloudFormation rejects it.
#[test]
fn a_deployment_with_missing_parameters_is_rejected() {
    let violations =
        |parameters: &deployment::Parameters| deployment_with(parameters).unwrap().rule_violations().unwrap();
    assert_eq!(violations(&environment("local").unwrap()), Vec::<String>::new());
    assert_eq!(violations(&production().unwrap()), Vec::<String>::new());
    let incomplete = violations(&environment("production").unwrap());
    for name in ["SenderAddress", "SenderIdentity", "AlarmEmail", "ShopUrl", "ShopAddress", "ShopTaxId"] {
        assert!(
            incomplete.iter().any(|description| description.starts_with(&format!("Set {name} "))),
            "{name}: {incomplete:?}"
        );
    }
    let staging = violations(&environment("staging").unwrap());
    assert!(staging.len() == 1 && staging[0].starts_with("Set SenderAddress "), "{staging:?}");
}

/// An SES identity is unique in an account and region: two stacks cannot both create it.
#[test]
fn no_stack_on_aws_creates_an_ses_identity() {
    for name in ["staging", "production"] {
        assert_eq!(cases()[name].all("AWS::SES::EmailIdentity").count(), 0, "{name}");
    }
}

#[test]
fn buckets_are_retained_except_after_a_failed_creation() {
    for (id, _) in cases()["production"].all("AWS::S3::Bucket") {
        let bucket = &cases()["production"].resources[id];
        assert_eq!(bucket["DeletionPolicy"], "RetainExceptOnCreate", "{id}");
        assert_eq!(bucket["UpdateReplacePolicy"], "Retain", "{id}");
    }
}

/// After a redirect from the API to the bucket, both foreign to the page, a browser sends `Origin: null`
/// (<https://fetch.spec.whatwg.org/#http-redirect-fetch>).
#[test]
fn browsers_can_read_the_documents_that_the_api_redirects_to() {
    let rules =
        |case: &str| cases()[case].resources["DocumentsBucket"]["Properties"]["CorsConfiguration"].clone();
    let allowed = rules("production");
    assert_eq!(allowed["CorsRules"].as_array().map(Vec::len), Some(1), "{allowed}");
    let rule = &allowed["CorsRules"][0];
    assert_eq!(rule["AllowedOrigins"], json!(["*"]));
    assert_eq!(rule["AllowedMethods"], json!(["GET", "HEAD"]), "a document is only read");
    for header in ["Content-Disposition", "ETag"] {
        assert!(rule["ExposedHeaders"].as_array().unwrap().contains(&json!(header)), "{header}");
    }
    assert!(rules("container")["CorsRules"].is_null(), "without allowed origins, none may read");
}

/// GuardDuty tests the role when the plan is created. Therefore the role is the documented one, and other resources are
/// created between the two, to give it time to take effect.
#[test]
fn the_malware_protection_plan_is_created_long_after_its_role() {
    let deployed = &cases()["production"];
    let role = &deployed.resources["MalwareProtectionRole"]["Properties"]["AssumeRolePolicyDocument"];
    assert!(
        role["Statement"][0]["Condition"].is_null(),
        "the role that AWS documents has no condition: {role}"
    );
    let dependencies = deployed.dependencies("MalwareProtection");
    assert!(dependencies.contains("ProcessUploadMapping"), "{dependencies:?}");
    assert!(deployed.dependencies("ProcessUploadMapping").contains("ProcessUpload"));
}

fn statements(role: &Value) -> Vec<Value> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let policies = list(&role["Policies"]);
    policies.iter().flat_map(|policy| list(&policy["PolicyDocument"]["Statement"])).collect()
}

fn actions(statement: &Value) -> Vec<String> {
    let one = statement["Action"].as_str().map(|it| vec![it.to_owned()]);
    one.unwrap_or_else(|| {
        let all = statement["Action"].as_array().into_iter().flatten();
        all.filter_map(|it| it.as_str().map(str::to_owned)).collect()
    })
}

/// Includes the roles that SAM generates, which are not in the template.
#[test]
fn no_role_allows_more_than_its_function_needs() {
    for (name, deployed) in cases() {
        for (id, role) in deployed.all("AWS::IAM::Role") {
            let trust_policy = role["AssumeRolePolicyDocument"].to_string();
            if id != "GatewayLogRole" {
                assert!(role["ManagedPolicyArns"].is_null(), "{name}: {id} has managed policies");
            }
            for statement in statements(role) {
                for action in actions(&statement) {
                    assert!(!action.contains('*'), "{name}: {id}: {action}");
                    if action.starts_with("logs:") {
                        let own = json!(format!("{}LogGroup", id.trim_end_matches("Role")));
                        assert!(
                            statement["Resource"]["Fn::GetAtt"].to_string().contains(own.as_str().unwrap()),
                            "{id}"
                        );
                    }
                    if action == "events:PutEvents" {
                        let equals = &statement["Condition"]["ForAllValues:StringEquals"];
                        let is_restricted =
                            |key: &str| equals[key].as_array().is_some_and(|it| !it.is_empty());
                        assert!(
                            is_restricted("events:source") && is_restricted("events:detail-type"),
                            "{name}: {id}: {statement}"
                        );
                    }
                }
            }
            assert!(
                trust_policy.contains("amazonaws.com") && !trust_policy.contains('*'),
                "{name}: {id}: {trust_policy}"
            );
        }
    }
}

/// Events that move money or stock are accepted only from the service that owns them, and from the order services that
/// the parameter `OrderSources` lists.
#[test]
fn rules_match_the_source_of_events() {
    let mut parameters = production().unwrap();
    parameters.insert("OrderSources".to_owned(), "orders,the-old-shop".to_owned());
    let deployed = deployment_with(&parameters).unwrap();
    let sources = |id: &str| deployed.resources[id]["Properties"]["EventPattern"]["source"].clone();
    assert_eq!(sources("ReserveInventoryRule"), json!(["orders", "the-old-shop"]));
    assert_eq!(sources("SettleReservationRule"), json!(["payments"]));
    assert_eq!(sources("ProcessPaymentRule"), json!(["inventory", "payments"]));
    assert_eq!(sources("VoidPaymentRule"), json!(["orders", "the-old-shop"]));
    for (id, rule) in deployed.all("AWS::Events::Rule").filter(|(_, rule)| !rule["EventBusName"].is_null()) {
        assert!(rule["EventPattern"]["source"].as_array().is_some_and(|it| !it.is_empty()), "{id}");
    }
}

/// The client of the health check can access one customer only: its single scope is one that no user gets.
#[test]
fn the_health_check_has_its_own_scope() {
    let clients: BTreeMap<&str, &Value> = cases()["production"].all("AWS::Cognito::UserPoolClient").collect();
    assert_eq!(clients["HealthClient"]["AllowedOAuthScopes"], json!(["health/check"]));
    for (id, client) in clients.iter().filter(|(id, _)| **id != "HealthClient") {
        assert!(!client["AllowedOAuthScopes"].to_string().contains("health/"), "{id}");
    }
}

/// Metrics are log lines of level `info`: Lambda must not drop them, whatever `LogLevel` is.
#[test]
fn lambda_does_not_drop_the_log_lines_of_metrics() {
    for (name, deployed) in cases() {
        for (id, function) in deployed.all("AWS::Lambda::Function") {
            assert_eq!(function["LoggingConfig"]["ApplicationLogLevel"], "TRACE", "{name}: {id}");
        }
    }
}
