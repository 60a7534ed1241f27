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
    Exception {
        function: "SendEmail",
        ending: ":identity/*",
        reason: "in SES's sandbox the recipient is an identity, too; the sender's address is a condition",
    },
    Exception {
        function: "DailyReport",
        ending: ":identity/*",
        reason: "in SES's sandbox the recipient is an identity, too; the sender's address is a condition",
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

/// Each function has a role of its own, which no other has.
pub fn are_not_shared(template: &Template) -> Violations {
    let roles = template.all("AWS::IAM::Role");
    template
        .all(FUNCTION)
        .into_values()
        .filter(|function| {
            let own = format!("{}Role", function.id);
            target(function.setting("/Role")) != Some(own.as_str()) || !roles.contains_key(own.as_str())
        })
        .map(|function| format!("{}: set Role to {0}Role, a role for it alone", function.id))
        .collect()
}

/// A role writes to its function's log group and to no other. One that SAM makes has AWS's managed policy, with every log
/// group of the account in it.
pub fn write_their_own_logs(template: &Template) -> Violations {
    let mut found = Violations::new();
    for id in template.all(FUNCTION).into_keys() {
        let own = format!("{id}LogGroup");
        let logs: Vec<&Value> = template
            .statements(id)
            .into_iter()
            .filter(|statement| {
                let actions = list(&statement["Action"]).iter().filter_map(Value::as_str);
                actions.into_iter().any(|action| action.starts_with("logs:"))
            })
            .collect();
        let only_own = logs
            .iter()
            .all(|statement| list(&statement["Resource"]).iter().all(|it| target(it) == Some(own.as_str())));
        if logs.is_empty() || !only_own {
            found.push(format!("{id}: let it write logs to {own}, and to nothing else"));
        }
    }
    let managed = |role: &crate::template::Resource<'_>| !role.property("/ManagedPolicyArns").is_null();
    let used = |id: &str| template.all(FUNCTION).values().any(|it| target(it.property("/Role")) == Some(id));
    let widened = template.all("AWS::IAM::Role").into_values().filter(|role| used(role.id) && managed(role));
    found.extend(widened.map(|role| {
        format!("{}: remove ManagedPolicyArns: what a managed policy allows, others decide", role.id)
    }));
    found
}

/// Who puts events on the bus may say only what its block says that it publishes, in the name of the service that knows it.
pub fn publish_what_they_say(template: &Template) -> Violations {
    let mut found = Violations::new();
    for id in template.all(FUNCTION).into_keys() {
        for statement in template.statements_about(id, "events:PutEvents") {
            let condition = &statement["Condition"]["ForAllValues:StringEquals"];
            let required = |key: &str| statement["Condition"]["Null"][key] == "false";
            let texts =
                |key: &str| list(&condition[key]).iter().filter_map(Value::as_str).collect::<BTreeSet<_>>();
            let (types, sources) = (texts("events:detail-type"), texts("events:source"));
            let owners: BTreeSet<&str> =
                types.iter().filter_map(|name| domain::event::source_of(name)).collect();
            let given = required("events:detail-type") && required("events:source");
            if types.is_empty() || sources != owners || !given {
                found.push(format!(
                    "{id}: let it put events under the condition events:detail-type, and events:source {owners:?}"
                ));
            }
        }
    }
    found
}

/// Mails are sent from the shop's own address, whatever identities a role may use.
pub fn send_from_one_address(template: &Template) -> Violations {
    let mut found = Violations::new();
    for id in template.all(FUNCTION).into_keys() {
        for statement in template.statements_about(id, "ses:SendEmail") {
            let fixed = &statement["Condition"]["Fn::If"][2]["StringEquals"]["ses:FromAddress"];
            if target(fixed) != Some("SenderAddress") {
                found.push(format!("{id}: send mails under the condition ses:FromAddress: SenderAddress"));
            }
        }
    }
    found
}

/// No trigger widens a function's role: SAM adds AWS's managed policy for queues, with every queue of the
/// account in it, where a queue is an event of the function, and likewise for streams.
pub fn are_not_widened_by_triggers(template: &Template) -> Violations {
    let mut found = Violations::new();
    for (id, function) in template.all(FUNCTION) {
        for (name, event) in function.property("/Events").as_object().into_iter().flatten() {
            let kind = event["Type"].as_str().unwrap_or_default();
            if kind != "ScheduleV2" {
                found.push(format!(
                    "{id}: make its event {name} of type {kind} a resource of its own: SAM would let it read \
                     all queues and streams there are, and write its routes past the gateway's definition"
                ));
            }
        }
    }
    found
}

/// Each permission is a statement in the template, about actions and resources that it names.
pub fn are_narrow(template: &Template) -> Violations {
    let mut found = Violations::new();
    for id in template.all(FUNCTION).into_keys() {
        for statement in template.statements(id) {
            for key in ["NotAction", "NotResource"] {
                if !statement[key].is_null() {
                    found.push(format!("{id}: say what is allowed, not with {key} what is not"));
                }
            }
            for (key, about) in [("Action", "the actions"), ("Resource", "the resources")] {
                for text in wildcards(&statement[key]).into_iter().filter(|text| !excepted(id, text)) {
                    found.push(format!(
                        "{id}: name {about} in place of {text:?}, or add it to the exceptions with a reason"
                    ));
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
    for id in template.all(FUNCTION).into_keys().filter(|id| *id != SIGNS_LINKS) {
        let statements = template.statements(id);
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
    let used = |exception: &Exception| {
        let statements = template.statements(exception.function);
        statements.into_iter().flat_map(wildcards).any(|text| text.ends_with(exception.ending))
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

    const FIRST: &str = "TrackOrderRole/Properties/Policies/0/PolicyDocument/Statement/0";

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
        let managed = json!(["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"]);
        let wide = with("TrackOrderRole/Properties/ManagedPolicyArns", managed);
        assert_tells(&write_their_own_logs(&wide), &["TrackOrderRole", "ManagedPolicyArns"]);
    }

    #[test]
    fn the_logs_of_another() {
        let last = "SendEmailRole/Properties/Policies/0/PolicyDocument/Statement/4";
        for resource in [json!("*"), json!({ "Fn::GetAtt": ["TrackOrderLogGroup", "Arn"] })] {
            let wide = with(&format!("{last}/Resource"), resource);
            assert_tells(&write_their_own_logs(&wide), &["SendEmail", "SendEmailLogGroup"]);
        }
        let none = with(&format!("{last}/Action"), json!("sqs:SendMessage"));
        assert_tells(&write_their_own_logs(&none), &["SendEmail", "SendEmailLogGroup"]);
    }

    #[test]
    fn an_event_in_the_name_of_another() {
        let put = "StripeWebhookRole/Properties/Policies/0/PolicyDocument/Statement/1";
        let any = with(&format!("{put}/Condition"), Value::Null);
        assert_tells(&publish_what_they_say(&any), &["StripeWebhook", "events:detail-type"]);
        let other = with(
            &format!("{put}/Condition/ForAllValues:StringEquals/events:source"),
            json!(["payments", "orders"]),
        );
        assert_tells(&publish_what_they_say(&other), &["StripeWebhook", "payments"]);
        let absent = with(&format!("{put}/Condition/Null"), json!({}));
        assert_tells(&publish_what_they_say(&absent), &["StripeWebhook", "events:detail-type"]);
    }

    #[test]
    fn a_mail_from_any_address() {
        let any =
            with("SendEmailRole/Properties/Policies/0/PolicyDocument/Statement/1/Condition", Value::Null);
        assert_tells(&send_from_one_address(&any), &["SendEmail", "ses:FromAddress"]);
    }

    #[test]
    fn a_file_that_is_missing_and_seems_forbidden() {
        let at =
            |path: &str| format!("RenderInvoiceRole/Properties/Policies/0/PolicyDocument/Statement/2/{path}");
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
        let narrower = with(
            "ReserveInventoryRole/Properties/Policies/0/PolicyDocument/Statement/0/Resource",
            json!("arn"),
        );
        assert_tells(&exceptions_are_needed(&narrower), &["ReserveInventory", "reservations"]);
    }
}
