//! AWS's limits, and how near the deployment comes to them.

use serde_json::Value;

use crate::resolve::{Deployed, STACK};

/// The share of a limit that may be used: what comes next has to fit, too.
const MARGIN: f64 = 0.8;

/// A count, and the most that AWS takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Used {
    /// What is counted.
    pub what: String,
    /// How much there is.
    pub is: usize,
    /// AWS's limit.
    pub limit: usize,
}

impl Used {
    /// Whether it is within the margin.
    #[expect(
        clippy::cast_precision_loss,
        clippy::float_arithmetic,
        reason = "a share of some thousands at most"
    )]
    pub fn is_within_margin(&self) -> bool {
        self.is as f64 <= self.limit as f64 * MARGIN
    }
}

/// What is counted of a deployment, with the limits of
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html> and of each service.
pub fn used(deployed: &Deployed) -> Vec<Used> {
    let count = |section: &str| deployed.transformed[section].as_object().map_or(0, |it| it.len());
    let used = |what: &str, is: usize, limit: usize| Used { what: what.to_owned(), is, limit };
    let mut all = vec![
        used("bytes of the transformed template", deployed.transformed.to_string().len(), 1_000_000),
        used("resources", count("Resources"), 500),
        used("parameters", count("Parameters"), 200),
        used("outputs", count("Outputs"), 200),
    ];
    for (id, gateway) in deployed.all("AWS::ApiGateway::RestApi") {
        let paths = gateway["Body"]["paths"].as_object().map_or(0, |it| it.len());
        all.push(used(&format!("{id}: paths"), paths, 300));
    }
    for (id, function) in deployed.all("AWS::Lambda::Function") {
        let variables = function["Environment"]["Variables"].as_object();
        let bytes = variables.into_iter().flatten().map(|(name, value)| name.len() + longest(value)).sum();
        all.push(used(&format!("{id}: bytes of environment"), bytes, 4096));
        let description = function["Description"].as_str().map_or(0, str::len);
        all.push(used(&format!("{id}: characters of description"), description, 256));
    }
    for (id, role) in deployed.all("AWS::IAM::Role") {
        // White space is not counted, and JSON as it is made here has none.
        let policies = role["Policies"].as_array().into_iter().flatten();
        let bytes = policies.map(|policy| document_length(&policy["PolicyDocument"])).sum();
        all.push(used(&format!("{id}: characters of inline policies"), bytes, 10_240));
    }
    all
}

/// The names that AWS bounds to fewer characters than a stack name may have, with the limits.
pub fn names(deployed: &Deployed) -> Vec<Used> {
    let bounded = [
        ("AWS::Scheduler::Schedule", "Name", 64),
        ("AWS::Cognito::UserPoolDomain", "Domain", 63),
        ("AWS::Cognito::UserPool", "UserPoolName", 128),
        ("AWS::Events::EventBus", "Name", 256),
        ("AWS::Logs::LogGroup", "LogGroupName", 512),
        ("AWS::CloudWatch::Alarm", "AlarmDescription", 1024),
    ];
    let mut all = Vec::new();
    for (kind, property, limit) in bounded {
        for (id, resource) in deployed.all(kind) {
            if let Some(name) = resource[property].as_str() {
                all.push(Used { what: format!("{id}.{property}: {name}"), is: name.len(), limit });
            }
        }
    }
    all
}

/// What CloudFormation names a resource at most: the stack's name, the logical id and twelve characters.
fn physical_name(id: &str) -> usize {
    STACK.len() + id.len() + 14
}

/// The most characters that a value has once the stack is there.
fn longest(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Object(fields) => match fields.iter().next() {
            // An ARN or an address is a name with at most 70 characters around it.
            Some((function, id)) if function == "Ref" => physical_name(id.as_str().unwrap_or_default()) + 70,
            Some((function, pair)) if function == "Fn::GetAtt" => {
                let id = pair[0].as_str().or(pair.as_str()).unwrap_or_default();
                physical_name(id) + if pair[1] == "QueueName" { 0 } else { 70 }
            }
            Some((function, argument)) if function == "Fn::Join" => {
                argument[1].as_array().into_iter().flatten().map(|item| longest(item) + 1).sum()
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
            longest(value) + 2
        }
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| name.len() + 4 + document_length(field)).sum::<usize>() + 2
        }
        other => other.to_string().len(),
    }
}
