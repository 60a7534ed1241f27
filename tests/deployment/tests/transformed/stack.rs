//! The stack as a whole: its rules, its limits, its names, what waits for what, who may do what.

use std::collections::{BTreeMap, BTreeSet};

use deployment::{deployed, environment, limits, production};
use serde_json::{Value, json};

use crate::cases;

#[test]
fn it_stays_clear_of_the_limits() {
    for (name, deployed) in cases() {
        for used in limits::used(deployed) {
            assert!(used.is_within_margin(), "{name}: {} {} of {}", used.what, used.is, used.limit);
        }
        for used in limits::names(deployed) {
            assert!(used.is <= used.limit, "{name}: {} {} of {}", used.what, used.is, used.limit);
        }
    }
}

#[test]
fn nothing_waits_for_itself() {
    for (name, deployed) in cases() {
        let mut left: BTreeMap<String, BTreeSet<String>> =
            deployed.resources.keys().map(|id| (id.clone(), deployed.needs(id))).collect();
        while !left.is_empty() {
            let ready: Vec<String> =
                left.iter().filter(|(_, needs)| needs.is_empty()).map(|(id, _)| id.clone()).collect();
            assert!(!ready.is_empty(), "{name}: these wait for each other: {:?}", left.keys());
            for id in &ready {
                left.remove(id);
            }
            left.values_mut().for_each(|needs| needs.retain(|id| !ready.contains(id)));
        }
    }
}

/// A shop that is in front of customers has what it needs, or is not deployed.
#[test]
fn a_deployment_that_lacks_something_is_refused_with_what_to_set() {
    let refusals = |parameters: &deployment::Parameters| deployed(parameters).unwrap().refusals().unwrap();
    assert_eq!(refusals(&environment("local").unwrap()), Vec::<String>::new());
    assert_eq!(refusals(&production().unwrap()), Vec::<String>::new());
    let bare = refusals(&environment("production").unwrap());
    for name in ["SenderAddress", "SenderIdentity", "AlarmEmail", "ShopUrl", "ShopAddress", "ShopTaxId"] {
        assert!(
            bare.iter().any(|sentence| sentence.starts_with(&format!("Set {name} "))),
            "{name}: {bare:?}"
        );
    }
    let staging = refusals(&environment("staging").unwrap());
    assert!(staging.len() == 1 && staging[0].starts_with("Set SenderAddress "), "{staging:?}");
}

/// An identity is there once for an account and region: two stacks cannot both make it.
#[test]
fn no_stack_on_aws_makes_an_identity_of_ses() {
    for name in ["staging", "production"] {
        assert_eq!(cases()[name].all("AWS::SES::EmailIdentity").count(), 0, "{name}");
    }
}

#[test]
fn what_has_content_stays_and_what_failed_to_be_made_goes() {
    for (id, _) in cases()["production"].all("AWS::S3::Bucket") {
        let bucket = &cases()["production"].resources[id];
        assert_eq!(bucket["DeletionPolicy"], "RetainExceptOnCreate", "{id}");
        assert_eq!(bucket["UpdateReplacePolicy"], "Retain", "{id}");
    }
}

/// GuardDuty tries the role when the plan is made: the role is as AWS documents it, and has some time until then.
#[test]
fn the_malware_plan_comes_long_after_its_role() {
    let deployed = &cases()["production"];
    let role = &deployed.resources["MalwareProtectionRole"]["Properties"]["AssumeRolePolicyDocument"];
    assert!(role["Statement"][0]["Condition"].is_null(), "no example of AWS has a condition: {role}");
    let needs = deployed.needs("MalwareProtection");
    assert!(needs.contains("ProcessUploadMapping"), "{needs:?}");
    assert!(deployed.needs("ProcessUploadMapping").contains("ProcessUpload"));
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

/// Also the roles that SAM makes, which no part of the template shows.
#[test]
fn no_role_may_do_more_than_its_function() {
    for (name, deployed) in cases() {
        for (id, role) in deployed.all("AWS::IAM::Role") {
            let trusts = role["AssumeRolePolicyDocument"].to_string();
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
                        let said = |key: &str| equals[key].as_array().is_some_and(|it| !it.is_empty());
                        assert!(
                            said("events:source") && said("events:detail-type"),
                            "{name}: {id}: {statement}"
                        );
                    }
                }
            }
            assert!(trusts.contains("amazonaws.com") && !trusts.contains('*'), "{name}: {id}: {trusts}");
        }
    }
}

/// Events that move money or stock are believed from the service that knows them, and from whom the shop names.
#[test]
fn rules_look_at_the_source() {
    let mut parameters = production().unwrap();
    parameters.insert("OrderSources".to_owned(), "orders,the-old-shop".to_owned());
    let deployed = deployed(&parameters).unwrap();
    let sources = |id: &str| deployed.resources[id]["Properties"]["EventPattern"]["source"].clone();
    assert_eq!(sources("ReserveInventoryRule"), json!(["orders", "the-old-shop"]));
    assert_eq!(sources("SettleReservationRule"), json!(["payments"]));
    assert_eq!(sources("ProcessPaymentRule"), json!(["inventory", "payments"]));
    assert_eq!(sources("VoidPaymentRule"), json!(["orders", "the-old-shop"]));
    for (id, rule) in deployed.all("AWS::Events::Rule").filter(|(_, rule)| !rule["EventBusName"].is_null()) {
        assert!(rule["EventPattern"]["source"].as_array().is_some_and(|it| !it.is_empty()), "{id}");
    }
}

/// The health check's client reaches one customer: its only scope is one that no person gets.
#[test]
fn the_health_check_has_a_scope_of_its_own() {
    let clients: BTreeMap<&str, &Value> = cases()["production"].all("AWS::Cognito::UserPoolClient").collect();
    assert_eq!(clients["HealthClient"]["AllowedOAuthScopes"], json!(["health/check"]));
    for (id, client) in clients.iter().filter(|(id, _)| **id != "HealthClient") {
        assert!(!client["AllowedOAuthScopes"].to_string().contains("health/"), "{id}");
    }
}

/// Metrics are lines that the functions write at `info`: Lambda must not drop them, whatever `LogLevel` says.
#[test]
fn lambda_drops_no_line_that_a_metric_is_made_of() {
    for (name, deployed) in cases() {
        for (id, function) in deployed.all("AWS::Lambda::Function") {
            assert_eq!(function["LoggingConfig"]["ApplicationLogLevel"], "TRACE", "{name}: {id}");
        }
    }
}
