//! The quotas of AWS, and how much of them the deployment uses.

use serde_json::Value;

use crate::resolve::{Deployed, STACK};

/// The fraction of a quota that may be used, to leave room for growth.
const MARGIN: f64 = 0.8;

/// The usage of a quota.
#[derive(Debug, Clone, PartialEq)]
pub struct Usage {
    /// The resource and the unit that the quota limits.
    pub quota: String,
    /// The amount that the deployment uses.
    pub used: usize,
    /// The maximum that AWS allows.
    pub limit: usize,
}

impl Usage {
    /// Whether the usage leaves room for growth.
    #[expect(
        clippy::cast_precision_loss,
        clippy::float_arithmetic,
        reason = "the values are small enough to be exact"
    )]
    pub fn is_within_margin(&self) -> bool {
        self.used as f64 <= self.limit as f64 * MARGIN
    }
}

/// The usage of all quotas of a deployment, according to
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html> and the documentation of
/// each service.
pub fn quota_usage(deployed: &Deployed) -> Vec<Usage> {
    let count = |section: &str| deployed.transformed[section].as_object().map_or(0, |it| it.len());
    let usage = |quota: &str, used: usize, limit: usize| Usage { quota: quota.to_owned(), used, limit };
    let mut all = vec![
        usage("bytes of the transformed template", deployed.transformed.to_string().len(), 1_000_000),
        usage("resources", count("Resources"), 500),
        usage("parameters", count("Parameters"), 200),
        usage("outputs", count("Outputs"), 200),
    ];
    for (id, gateway) in deployed.all("AWS::ApiGateway::RestApi") {
        let paths = gateway["Body"]["paths"].as_object().map_or(0, |it| it.len());
        all.push(usage(&format!("{id}: paths"), paths, 300));
    }
    for (id, function) in deployed.all("AWS::Lambda::Function") {
        let variables = function["Environment"]["Variables"].as_object();
        let bytes = variables.into_iter().flatten().map(|(name, value)| name.len() + max_length(value)).sum();
        all.push(usage(&format!("{id}: bytes of environment"), bytes, 4096));
        let description = function["Description"].as_str().map_or(0, str::len);
        all.push(usage(&format!("{id}: characters of description"), description, 256));
    }
    for (id, role) in deployed.all("AWS::IAM::Role") {
        // White space does not count, and the JSON here has none.
        let policies = role["Policies"].as_array().into_iter().flatten();
        let bytes = policies.map(|policy| document_length(&policy["PolicyDocument"])).sum();
        all.push(usage(&format!("{id}: characters of inline policies"), bytes, 10_240));
    }
    all
}

/// The length of names with a limit that a long stack name could exceed.
pub fn name_lengths(deployed: &Deployed) -> Vec<Usage> {
    let limited = [
        ("AWS::Scheduler::Schedule", "Name", 64),
        ("AWS::Cognito::UserPoolDomain", "Domain", 63),
        ("AWS::Cognito::UserPool", "UserPoolName", 128),
        ("AWS::Events::EventBus", "Name", 256),
        ("AWS::Logs::LogGroup", "LogGroupName", 512),
        ("AWS::CloudWatch::Alarm", "AlarmDescription", 1024),
    ];
    let mut all = Vec::new();
    for (kind, property, limit) in limited {
        for (id, resource) in deployed.all(kind) {
            if let Some(name) = resource[property].as_str() {
                all.push(Usage { quota: format!("{id}.{property}: {name}"), used: name.len(), limit });
            }
        }
    }
    all
}

/// The maximum length of a resource's generated name: the stack's name, the logical id and twelve characters.
fn max_physical_name_length(id: &str) -> usize {
    STACK.len() + id.len() + 14
}

/// The maximum length of a value once the stack is created.
fn max_length(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Object(fields) => match fields.iter().next() {
            // An ARN or a URL is a name with at most 70 characters around it.
            Some((function, id)) if function == "Ref" => {
                max_physical_name_length(id.as_str().unwrap_or_default()) + 70
            }
            Some((function, pair)) if function == "Fn::GetAtt" => {
                let id = pair[0].as_str().or(pair.as_str()).unwrap_or_default();
                max_physical_name_length(id) + if pair[1] == "QueueName" { 0 } else { 70 }
            }
            Some((function, argument)) if function == "Fn::Join" => {
                argument[1].as_array().into_iter().flatten().map(|item| max_length(item) + 1).sum()
            }
            Some((function, argument)) if function == "Fn::Sub" => {
                let text = argument.as_str().or(argument[0].as_str()).unwrap_or_default();
                text.len() + text.matches("${").count() * 100
            }
            _ => value.to_string().len(),
        },
        other => other.to_string().len(),
    }
}

fn document_length(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(|item| document_length(item) + 1).sum::<usize>() + 2,
        Value::Object(fields)
            if fields.len() == 1 && fields.keys().any(|it| it == "Ref" || it.starts_with("Fn::")) =>
        {
            max_length(value) + 2
        }
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| name.len() + 4 + document_length(field)).sum::<usize>() + 2
        }
        other => other.to_string().len(),
    }
}
