//! What is measured: the functions of `template.yaml`, as they are configured there, and the floor.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, bail};
use architecture::template::{FUNCTION, Resource, Template, target};
use architecture::workspace::samples;
use bytes::Bytes;
use heck::ToKebabCase;
use jiff::Timestamp;
use payments::webhook::signature::sign;
use serde_json::{Value, json};

/// The name of the binary that all others are compared with.
pub const FLOOR: &str = "floor";

/// What webhooks are signed with here.
pub const WEBHOOK_SECRET: &str = "whsec_bench";
const SIGNATURE: &str = "Stripe-Signature";
/// The type of a queue, whose `Ref` is its URL.
const QUEUE: &str = "AWS::SQS::Queue";

/// A function, and how it is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The name of its binary.
    pub name: String,
    /// What it is configured to get, in MB.
    pub memory: u64,
    /// How long it may take.
    pub timeout: Duration,
    /// Its environment, as the template sets it.
    pub variables: BTreeMap<String, String>,
    /// Its sample event.
    pub sample: Bytes,
    /// Who calls it.
    pub trigger: Trigger,
}

/// Who calls a function: each expects another form of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// API Gateway: a response.
    Http,
    /// A queue or a stream: which records are to come again.
    Records,
    /// A schedule, or nobody: anything.
    Other,
}

impl Trigger {
    fn of(event: &Value) -> Self {
        match event {
            event if event["httpMethod"].is_string() => Self::Http,
            event if event["Records"].is_array() => Self::Records,
            _ => Self::Other,
        }
    }

    /// Whether the answer says that all is done that the event asked for.
    pub fn is_success(self, answer: &Value) -> bool {
        match self {
            Self::Http => answer["statusCode"].as_u64().is_some_and(|status| (200..300).contains(&status)),
            Self::Records => answer["batchItemFailures"].as_array().is_some_and(Vec::is_empty),
            Self::Other => true,
        }
    }
}

impl Function {
    /// The floor.
    pub fn floor() -> Self {
        Self {
            name: FLOOR.to_owned(),
            memory: 128,
            timeout: Duration::from_secs(30),
            variables: BTreeMap::new(),
            sample: Bytes::from_static(b"{}"),
            trigger: Trigger::Other,
        }
    }

    /// The functions of this repository, by name; only those in `names`, if there are any.
    pub fn of_repository(names: &[String]) -> anyhow::Result<Vec<Self>> {
        let template = Template::of_repository()?;
        let mut samples = samples()?;
        let mut functions = Vec::new();
        for function in template.all(FUNCTION).into_values() {
            let mut function = Self::read(&template, function)?;
            let event = samples.remove(&function.name);
            let event = event.with_context(|| format!("events/{}.json is missing", function.name))?;
            function.trigger = Trigger::of(&event);
            let event =
                if function.variables.get("MALWARE_SCANNER").is_some_and(|scanner| scanner == "guardduty") {
                    scanned(event)?
                } else {
                    event
                };
            function.sample = event.to_string().into();
            functions.push(function);
        }
        functions.sort_by(|one, other| one.name.cmp(&other.name));
        if let Some(unknown) = names.iter().find(|name| !functions.iter().any(|known| known.name == **name)) {
            let known: Vec<&str> = functions.iter().map(|function| function.name.as_str()).collect();
            bail!("there is no function {unknown}. There are: {}", known.join(", "));
        }
        functions.retain(|function| names.is_empty() || names.contains(&function.name));
        Ok(functions)
    }

    /// One function of this repository.
    pub fn named(name: &str) -> anyhow::Result<Self> {
        let function = Self::of_repository(&[name.to_owned()])?.into_iter().next();
        function.with_context(|| format!("no function {name}"))
    }

    fn read(template: &Template, function: Resource<'_>) -> anyhow::Result<Self> {
        let name = function.id.to_kebab_case();
        let variables = "/Environment/Variables";
        let of_all = template.globals().pointer(variables);
        let own = function.property(variables);
        let variables = of_all.into_iter().chain([own]).filter_map(Value::as_object).flatten();
        let number = |path: &str| function.setting(path).as_u64();
        Ok(Self {
            name,
            memory: number("/MemorySize").context("a function without MemorySize")?,
            timeout: Duration::from_secs(number("/Timeout").context("a function without Timeout")?),
            variables: variables.map(|(name, value)| (name.clone(), resolve(template, value))).collect(),
            sample: Bytes::new(),
            trigger: Trigger::Other,
        })
    }

    /// What it is called with at this time: a webhook's signature is good for minutes.
    pub fn event(&self, now: Timestamp) -> Bytes {
        let Ok(mut event) = serde_json::from_slice::<Value>(&self.sample) else { return self.sample.clone() };
        let Some(body) = event["body"].as_str().filter(|_| event["headers"][SIGNATURE].is_string()) else {
            return self.sample.clone();
        };
        let signature = sign(WEBHOOK_SECRET, now, body.as_bytes());
        event["headers"][SIGNATURE] = json!(signature);
        event["multiValueHeaders"][SIGNATURE] = json!([signature]);
        event.to_string().into()
    }

    /// Whether it talks to others than AWS, and so reads the machine's trusted roots.
    pub fn trusts_the_machine(&self) -> bool {
        let of_others = [crate::backend::Service::Stripe.variable(), "WEBHOOK_RETRY_BASE_SECONDS"];
        of_others.iter().any(|name| self.variables.contains_key(*name))
    }
}

/// What GuardDuty says of a file that S3 told of, and that is clean: the sample is what comes where clamd is the scanner
/// (<https://docs.aws.amazon.com/guardduty/latest/ug/monitor-with-eventbridge-s3-malware-protection.html>).
fn scanned(mut event: Value) -> anyhow::Result<Value> {
    let message = event["Records"][0]["body"].as_str().context("an event without a message")?;
    let mut message: Value = serde_json::from_str(message)?;
    let object = &message["detail"]["object"];
    let detail = json!({
        "s3ObjectDetails": {
            "bucketName": message["detail"]["bucket"]["name"], "objectKey": object["key"], "eTag": object["etag"],
            "versionId": object["version-id"],
        },
        "scanStatus": "COMPLETED",
        "scanResultDetails": { "scanResultStatus": "NO_THREATS_FOUND", "threats": null },
    });
    message["source"] = "aws.guardduty".into();
    message["detail-type"] = "GuardDuty Malware Protection Object Scan Result".into();
    message["detail"] = detail;
    event["Records"][0]["body"] = message.to_string().into();
    Ok(event)
}

/// What a variable is set to on AWS: a parameter has its default, and a resource is called by its logical id.
fn resolve(template: &Template, value: &Value) -> String {
    let value = if value["Fn::If"][0] == "IsOnAws" { &value["Fn::If"][1] } else { value };
    if let Some(text) = value["Fn::Sub"].as_str() {
        return text.to_owned();
    }
    if let (Some(between), Some(parts)) = (value["Fn::Join"][0].as_str(), value["Fn::Join"][1].as_array()) {
        let parts: Vec<String> = parts.iter().map(|part| resolve(template, part)).collect();
        return parts.join(between);
    }
    if let Some(queue) = value["Ref"].as_str().filter(|id| template.all(QUEUE).contains_key(id)) {
        return format!("https://sqs.us-east-1.amazonaws.com/123456789012/{queue}");
    }
    let name = target(value).unwrap_or_default();
    let text = match template.parameter(name) {
        Value::Null => json!(name),
        parameter => parameter["Default"].clone(),
    };
    let text = if value.is_object() { text } else { value.clone() };
    text.as_str().map_or_else(|| text.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_configured_as_the_template_says() {
        let template = Template::parse(
            "{Parameters: {Base: {Default: 2}}, \
              Globals: {Function: {Timeout: 30, MemorySize: 128, Environment: {Variables: {B: !Ref Base}}}}, \
              Resources: {F: {Type: 'AWS::Serverless::Function', \
                Properties: {Timeout: 10, Environment: {Variables: {T: !Ref Table, A: !GetAtt Q.Arn, S: s, U: !Ref Q, \
                  J: !Join [' ', [!GetAtt Q.QueueName, !Ref Table]], I: !If [IsOnAws, !Sub 'https://h/', !Ref Base]}}}}, \
               Q: {Type: 'AWS::SQS::Queue'}}}",
        )
        .unwrap();
        let function = Function::read(&template, template.all(FUNCTION)["F"]).unwrap();
        assert_eq!((function.memory, function.timeout), (128, Duration::from_secs(10)));
        let variables = [
            ("A", "Q"),
            ("B", "2"),
            ("I", "https://h/"),
            ("J", "Q Table"),
            ("S", "s"),
            ("T", "Table"),
            ("U", "https://sqs.us-east-1.amazonaws.com/123456789012/Q"),
        ];
        assert_eq!(function.variables, variables.map(|(name, value)| (name.into(), value.into())).into());
    }

    #[test]
    fn only_a_success_is_one() {
        let http = Trigger::of(&json!({ "httpMethod": "GET" }));
        assert!(http.is_success(&json!({ "statusCode": 201 })));
        assert!(!http.is_success(&json!({ "statusCode": 400 })));
        assert!(!http.is_success(&json!({ "batchItemFailures": [] })));
        let records = Trigger::of(&json!({ "Records": [] }));
        assert!(records.is_success(&json!({ "batchItemFailures": [] })));
        assert!(!records.is_success(&json!({ "batchItemFailures": [{ "itemIdentifier": "1" }] })));
        assert!(!records.is_success(&json!({})));
        assert!(Trigger::of(&json!({ "source": "aws.scheduler" })).is_success(&Value::Null));
    }

    #[test]
    fn a_webhook_is_signed_when_it_is_sent() {
        let function = Function::named("stripe-webhook").unwrap();
        let at = |second| function.event(Timestamp::from_second(second).unwrap());
        let event: Value = serde_json::from_slice(&at(1_800_000_000)).unwrap();
        let signature = event["headers"][SIGNATURE].as_str().unwrap();
        assert!(signature.starts_with("t=1800000000,v1="), "{signature}");
        assert_eq!(event["multiValueHeaders"][SIGNATURE], json!([signature]));
        assert_ne!(at(1_800_000_000), at(1_800_000_001));
    }

    #[test]
    fn a_misspelt_function_is_told_the_right_names() {
        let error = Function::of_repository(&["orders_api".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("orders_api") && error.contains("orders-api"), "{error}");
    }

    #[test]
    fn all_functions_of_the_repository_are_found() {
        let functions = Function::of_repository(&[]).unwrap();
        assert!(
            functions
                .iter()
                .any(|function| function.name == "process-payment" && function.trusts_the_machine())
        );
        assert!(functions.iter().all(|function| serde_json::from_slice::<Value>(&function.sample).is_ok()));
    }
}
