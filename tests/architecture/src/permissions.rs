//! Checks that each function has least privilege.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Violations;
use crate::template::{FUNCTION, Template, list, target};

/// A wildcard that cannot be narrowed.
struct Exception {
    function: &'static str,
    /// The end of the text that contains it.
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
        reason: "the uploader chooses the file's name",
    },
    Exception { function: "ImportStock", ending: "/work/*", reason: "the uploader chooses the file's name" },
    Exception {
        function: "ImportStock",
        ending: "/results/*",
        reason: "the uploader chooses the file's name",
    },
    Exception {
        function: "RenderInvoice",
        ending: "/invoices/*",
        reason: "the document's name is part of the path",
    },
    Exception {
        function: "CheckHealth",
        ending: "*",
        reason: "CloudWatch has no resource-level permissions for metrics",
    },
    Exception {
        function: "SendEmail",
        ending: "where IsLocal: *",
        reason: "the local stack does not need narrower resources",
    },
    Exception {
        function: "SendEmail",
        ending: ":identity/*",
        reason: "in the SES sandbox the recipient is an identity, too; a condition restricts the sender's address",
    },
    Exception {
        function: "DailyReport",
        ending: ":identity/*",
        reason: "in the SES sandbox the recipient is an identity, too; a condition restricts the sender's address",
    },
    Exception { function: "DailyReport", ending: "/reports/*", reason: "the day is part of the file's name" },
    Exception {
        function: "DailyReport",
        ending: "where IsLocal: *",
        reason: "the local stack does not need narrower resources",
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

/// Each function has its own role.
pub fn roles_are_not_shared(template: &Template) -> Violations {
    let roles = template.all("AWS::IAM::Role");
    template
        .all(FUNCTION)
        .into_values()
        .filter(|function| {
            let own = format!("{}Role", function.id);
            target(function.setting("/Role")) != Some(own.as_str()) || !roles.contains_key(own.as_str())
        })
        .map(|function| format!("{}: set Role to {0}Role, a role that no other function has", function.id))
        .collect()
}

/// A role can write only to the log group of its function. A role that SAM generates has an AWS managed policy, which
/// allows every log group of the account.
pub fn write_only_own_logs(template: &Template) -> Violations {
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
            found.push(format!("{id}: allow it to write logs to {own}, and to no other log group"));
        }
    }
    let managed = |role: &crate::template::Resource<'_>| !role.property("/ManagedPolicyArns").is_null();
    let used = |id: &str| template.all(FUNCTION).values().any(|it| target(it.property("/Role")) == Some(id));
    let widened = template.all("AWS::IAM::Role").into_values().filter(|role| used(role.id) && managed(role));
    found.extend(widened.map(|role| {
        format!(
            "{}: remove ManagedPolicyArns: AWS decides what a managed policy allows, and can change it",
            role.id
        )
    }));
    found
}

/// A function that puts events on the bus may only publish the types that its block declares, with the source that owns them.
pub fn publish_only_declared_events(template: &Template) -> Violations {
    let mut found = Violations::new();
    for id in template.all(FUNCTION).into_keys() {
        for statement in template.statements_about(id, "events:PutEvents") {
            let condition = &statement["Condition"]["ForAllValues:StringEquals"];
            let required = |key: &str| statement["Condition"]["Null"][key] == "false";
            let texts =
                |key: &str| list(&condition[key]).iter().filter_map(Value::as_str).collect::<BTreeSet<_>>();
            let (types, sources) = (texts("events:detail-type"), texts("events:source"));
            let owners: BTreeSet<&str> = types.iter().filter_map(|name| domain::source_of(name)).collect();
            let are_required = required("events:detail-type") && required("events:source");
            if types.is_empty() || sources != owners || !are_required {
                found.push(format!(
                    "{id}: allow it to put events under the conditions events:detail-type and events:source {owners:?}"
                ));
            }
        }
    }
    found
}

/// Emails are sent from the shop's own address, whatever identities a role may use.
pub fn send_from_one_address(template: &Template) -> Violations {
    let mut found = Violations::new();
    for id in template.all(FUNCTION).into_keys() {
        for statement in template.statements_about(id, "ses:SendEmail") {
            let fixed = &statement["Condition"]["Fn::If"][2]["StringEquals"]["ses:FromAddress"];
            if target(fixed) != Some("SenderAddress") {
                found.push(format!(
                    "{id}: allow it to send emails under the condition ses:FromAddress: SenderAddress"
                ));
            }
        }
    }
    found
}

/// No trigger widens a function's role: if a queue or a stream is an event of the function, SAM adds an AWS managed
/// policy, which allows every queue or stream of the account.
pub fn are_not_widened_by_triggers(template: &Template) -> Violations {
    let mut found = Violations::new();
    for (id, function) in template.all(FUNCTION) {
        for (name, event) in function.property("/Events").as_object().into_iter().flatten() {
            let kind = event["Type"].as_str().unwrap_or_default();
            if kind != "ScheduleV2" {
                found.push(format!(
                    "{id}: define its event {name} of type {kind} as a separate resource: SAM would allow the function \
                     all queues and streams, and add routes that the gateway's definition does not have"
                ));
            }
        }
    }
    found
}

/// Each permission is a statement of the template that lists its actions and resources, without wildcards.
pub fn are_least_privilege(template: &Template) -> Violations {
    let mut found = Violations::new();
    for id in template.all(FUNCTION).into_keys() {
        for statement in template.statements(id) {
            for key in ["NotAction", "NotResource"] {
                if !statement[key].is_null() {
                    found.push(format!("{id}: list what is allowed, instead of what is not with {key}"));
                }
            }
            for (key, noun) in [("Action", "the actions"), ("Resource", "the resources")] {
                for text in wildcards(&statement[key]).into_iter().filter(|text| !is_excepted(id, text)) {
                    found.push(format!(
                        "{id}: list {noun} instead of {text:?}, or add it to EXCEPTIONS with a reason"
                    ));
                }
            }
        }
    }
    found
}

/// The function that only presigns URLs of objects that exist, and reads none itself.
const PRESIGNING_FUNCTION: &str = "MediaApi";

/// A function that reads objects of a bucket may list it: otherwise S3 responds to a request for a missing object with 403
/// instead of 404. The permission must be unconditional, because a request for an object has no prefix.
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>)
pub fn can_list_the_buckets_they_read(template: &Template) -> Violations {
    let mut found = Violations::new();
    for id in template.all(FUNCTION).into_keys().filter(|id| *id != PRESIGNING_FUNCTION) {
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
                "{id}: allow it to list {bucket}, without a condition: otherwise S3 responds 403 for a missing object"
            ));
        }
    }
    found
}

/// The buckets of the objects that `resource` names, such as `${DocumentsBucket.Arn}/invoices/*`.
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
                "{function}: remove the exception for {ending:?} ({reason}): the template no longer has it"
            )
        })
        .collect()
}

fn is_excepted(function: &str, text: &str) -> bool {
    EXCEPTIONS.iter().any(|exception| exception.function == function && text.ends_with(exception.ending))
}

/// The texts in `value` that contain a wildcard. Those that only a local stack uses are marked.
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
mod tests;
