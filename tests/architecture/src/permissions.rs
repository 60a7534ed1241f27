//! That each function may do what it needs and no more.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, Template, list, target};

/// A wildcard that no narrower text can stand in for.
struct Exception {
    function: &'static str,
    /// The end of what it stands in.
    ending: &'static str,
    reason: &'static str,
}

const EXCEPTIONS: &[Exception] = &[
    Exception {
        function: "ReserveInventory",
        ending: "/v1/PUT/reservations/*",
        reason: "the order's id is part of the path",
    },
    Exception {
        function: "SettleReservation",
        ending: "/v1/POST/reservations/*/commit",
        reason: "the order's id is part of the path",
    },
    Exception {
        function: "SettleReservation",
        ending: "/v1/POST/reservations/*/release",
        reason: "the order's id is part of the path",
    },
    Exception { function: "MediaApi", ending: "/uploads/*", reason: "the upload's name is part of the path" },
    Exception { function: "MediaApi", ending: "/products/*", reason: "the file's name is part of the path" },
    Exception {
        function: "ProcessUpload",
        ending: "/uploads/*",
        reason: "the upload's name is part of the path",
    },
    Exception {
        function: "ProcessUpload",
        ending: "/products/*",
        reason: "the file's name is part of the path",
    },
    Exception {
        function: "ImportStock",
        ending: "/incoming/*",
        reason: "files are named by whoever drops them",
    },
    Exception { function: "ImportStock", ending: "/work/*", reason: "files are named by whoever drops them" },
    Exception {
        function: "ImportStock",
        ending: "/results/*",
        reason: "files are named by whoever drops them",
    },
    Exception {
        function: "RenderInvoice",
        ending: "/invoices/*",
        reason: "the document's name is part of the path",
    },
    Exception {
        function: "CheckHealth",
        ending: "*",
        reason: "CloudWatch has no narrower resource than all of its metrics",
    },
    Exception {
        function: "SendEmail",
        ending: "where IsLocal: *",
        reason: "the local stack asks for no narrower resource",
    },
    Exception { function: "DailyReport", ending: "/reports/*", reason: "the day is part of the file's name" },
    Exception {
        function: "DailyReport",
        ending: "where IsLocal: *",
        reason: "the local stack asks for no narrower resource",
    },
    Exception {
        function: "ExportsApi",
        ending: "/exports/*",
        reason: "the export's id is part of the file's name",
    },
    Exception { function: "ExportsApi", ending: "/reports/*", reason: "the day is part of the file's name" },
    Exception {
        function: "ExportOrders",
        ending: "/exports/*",
        reason: "the export's id is part of the file's name",
    },
    Exception {
        function: "ExportOrders",
        ending: "/checkpoints/*",
        reason: "the export's id is part of the file's name",
    },
];

/// Each function has a role of its own: SAM makes one where the template names none.
pub fn are_not_shared(template: &Template) -> Violations {
    template
        .all(FUNCTION)
        .into_values()
        .filter(|function| !function.setting("/Role").is_null())
        .map(|function| format!("{}: remove Role, so that SAM makes one for it alone", function.id))
        .collect()
}

/// No trigger widens a function's role: SAM adds AWS's managed policy for queues, with every queue of the
/// account in it, where a queue is an event of the function, and likewise for streams.
pub fn are_not_widened_by_triggers(template: &Template) -> Violations {
    let mut found = Violations::new();
    for (id, function) in template.all(FUNCTION) {
        for (name, event) in function.property("/Events").as_object().into_iter().flatten() {
            let kind = event["Type"].as_str().unwrap_or_default();
            if !matches!(kind, "Api" | "ScheduleV2") {
                found.push(format!(
                    "{id}: make its event {name} of type {kind} an AWS::Lambda::EventSourceMapping: \
                     SAM would let it read all there are"
                ));
            }
        }
    }
    found
}

/// Each permission is a statement in the template, about actions and resources that it names.
pub fn are_narrow(template: &Template) -> Violations {
    let mut found = Violations::new();
    for (id, function) in template.all(FUNCTION) {
        for policy in list(function.setting("/Policies")) {
            let statements = list(&policy["Statement"]);
            if statements.is_empty() {
                found.push(format!(
                    "{id}: write the policy {policy} out as statements: what a managed one allows, \
                     others decide"
                ));
            }
            for statement in statements {
                for key in ["NotAction", "NotResource"] {
                    if !statement[key].is_null() {
                        found.push(format!("{id}: say what is allowed, not with {key} what is not"));
                    }
                }
                for (key, about) in [("Action", "the actions"), ("Resource", "the resources")] {
                    for text in wildcards(&statement[key]).into_iter().filter(|text| !excepted(id, text)) {
                        found.push(format!(
                            "{id}: name {about} in place of {text:?}, or add it to the exceptions \
                             with a reason"
                        ));
                    }
                }
            }
        }
    }
    found
}

/// Signs links to files that it knows to be there, and reads none itself.
const SIGNS_LINKS: &str = "MediaApi";

/// Who reads files of a bucket may list it: else S3 answers that a file which is not there is forbidden (403), and not
/// that it is missing (404). And may do so whatever is asked for: a request for a file names no prefix.
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>)
pub fn tell_missing_from_forbidden(template: &Template) -> Violations {
    let mut found = Violations::new();
    for (id, function) in template.all(FUNCTION).into_iter().filter(|(id, _)| *id != SIGNS_LINKS) {
        let statements: Vec<&Value> = list(function.setting("/Policies"))
            .iter()
            .flat_map(|policy| list(&policy["Statement"]))
            .collect();
        let about =
            |action: &str, statement: &Value| list(&statement["Action"]).iter().any(|one| one == action);
        let listed: BTreeSet<&str> = statements
            .iter()
            .filter(|statement| about("s3:ListBucket", statement) && statement["Condition"].is_null())
            .filter_map(|statement| target(&statement["Resource"]))
            .collect();
        let read: BTreeSet<String> = statements
            .iter()
            .filter(|statement| about("s3:GetObject", statement))
            .flat_map(|statement| buckets(&statement["Resource"]))
            .collect();
        for bucket in read.iter().filter(|bucket| !listed.contains(bucket.as_str())) {
            found.push(format!(
                "{id}: let it list {bucket}, without a condition, or a file that is not there is forbidden to it"
            ));
        }
    }
    found
}

/// The buckets whose files `resource` names, such as `${DocumentsBucket.Arn}/invoices/*`.
fn buckets(resource: &Value) -> Vec<String> {
    match resource {
        Value::String(text) => {
            let name = text.strip_prefix("${").and_then(|text| text.split_once(".Arn}/"));
            name.map(|(name, _)| name.to_owned()).into_iter().collect()
        }
        Value::Array(items) => items.iter().flat_map(buckets).collect(),
        Value::Object(map) => map.values().flat_map(buckets).collect(),
        _ => Vec::new(),
    }
}

/// Each exception is still needed.
pub fn exceptions_are_needed(template: &Template) -> Violations {
    let functions = template.all(FUNCTION);
    let used = |exception: &Exception| {
        let function = functions.get(exception.function);
        let texts = function.map(|function| wildcards(function.property("/Policies"))).unwrap_or_default();
        texts.iter().any(|text| text.ends_with(exception.ending))
    };
    EXCEPTIONS
        .iter()
        .filter(|exception| !used(exception))
        .map(|Exception { function, ending, reason }| {
            format!(
                "{function}: remove the exception for {ending:?} ({reason}), which the template no longer has"
            )
        })
        .collect()
}

fn excepted(function: &str, text: &str) -> bool {
    EXCEPTIONS.iter().any(|exception| exception.function == function && text.ends_with(exception.ending))
}

/// The texts with a wildcard in `value`. One that only a local stack sees says so.
fn wildcards(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) if text.contains('*') => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(wildcards).collect(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value[0].as_str()) {
                ("Fn::If", Some("IsLocal")) => {
                    let local = wildcards(&value[1]).into_iter().map(|text| format!("where IsLocal: {text}"));
                    local.chain(wildcards(&value[2])).collect()
                }
                _ => wildcards(value),
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::mutant::{assert_tells, with};

    const FIRST: &str = "TrackOrder/Properties/Policies/0/Statement/0";

    #[test]
    fn a_role_for_many() {
        let shared = with("TrackOrder/Properties/Role", json!({ "Fn::GetAtt": ["SharedRole", "Arn"] }));
        assert_tells(&are_not_shared(&shared), &["TrackOrder", "Role"]);
    }

    #[test]
    fn a_trigger_that_widens_the_role() {
        let event = json!({ "FromQueue": { "Type": "SQS", "Properties": {} } });
        let wide = with("TrackOrder/Properties/Events", event);
        assert_tells(&are_not_widened_by_triggers(&wide), &["TrackOrder", "FromQueue", "SQS"]);
    }

    #[test]
    fn a_wildcard() {
        for action in [json!("dynamodb:*"), json!(["dynamodb:GetItem", "dynamodb:Batch*"]), json!("*")] {
            let wide = with(&format!("{FIRST}/Action"), action);
            assert_tells(&are_narrow(&wide), &["TrackOrder", "actions", "*"]);
        }
        let everywhere =
            json!([{ "Fn::GetAtt": ["OrdersTable", "Arn"] }, { "Fn::Sub": "${OrdersTable.Arn}/*" }]);
        for resource in [json!("*"), everywhere, json!({ "Fn::If": ["IsLocal", "*", "arn"] })] {
            let wide = with(&format!("{FIRST}/Resource"), resource);
            assert_tells(&are_narrow(&wide), &["TrackOrder", "resources", "*"]);
        }
        let negated = with(&format!("{FIRST}/NotResource"), json!("arn"));
        assert_tells(&are_narrow(&negated), &["TrackOrder", "NotResource"]);
    }

    #[test]
    fn a_managed_policy() {
        for managed in
            [json!("AmazonDynamoDBFullAccess"), json!({ "DynamoDBCrudPolicy": { "TableName": "t" } })]
        {
            let wide = with("TrackOrder/Properties/Policies/0", managed);
            assert_tells(&are_narrow(&wide), &["TrackOrder", "Dynamo"]);
        }
    }

    #[test]
    fn a_file_that_is_missing_and_seems_forbidden() {
        let at = |path: &str| format!("RenderInvoice/Properties/Policies/0/Statement/2/{path}");
        let prefix = json!({ "StringLike": { "s3:prefix": "invoices/*" } });
        for (path, value) in [("Condition", prefix), ("Action", json!("s3:GetBucketTagging"))] {
            let blind = with(&at(path), value);
            assert_tells(&tell_missing_from_forbidden(&blind), &["RenderInvoice", "DocumentsBucket"]);
        }
    }

    #[test]
    fn an_exception_for_one_function_is_none_for_another() {
        let path = json!({ "Fn::Sub": "arn:x:${Gateway}/v1/PUT/reservations/*" });
        let wide = with(&format!("{FIRST}/Resource"), path);
        assert_tells(&are_narrow(&wide), &["TrackOrder", "reservations"]);
    }

    #[test]
    fn an_exception_that_nothing_needs() {
        let narrower = with("ReserveInventory/Properties/Policies/0/Statement/0/Resource", json!("arn"));
        assert_tells(&exceptions_are_needed(&narrower), &["ReserveInventory", "reservations"]);
    }
}
