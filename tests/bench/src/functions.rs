//! The functions of `template.yaml`, as they are configured there, and the floor.

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

/// The name of the baseline binary, which does nothing.
pub const FLOOR: &str = "floor";

/// The secret that webhooks are signed with.
pub const WEBHOOK_SECRET: &str = "whsec_bench";
const SIGNATURE: &str = "Stripe-Signature";
/// The resource type of a queue, whose `Ref` is its URL.
const QUEUE: &str = "AWS::SQS::Queue";

/// A function with its configuration and its sample event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The name of its binary.
    pub name: String,
    /// Its configured memory in MB.
    pub memory: u64,
    /// Its configured timeout.
    pub timeout: Duration,
    /// Its environment variables, as the template sets them.
    pub variables: BTreeMap<String, String>,
    /// Its sample event.
    pub sample: Bytes,
    /// What invokes the function.
    pub trigger: Trigger,
}

/// The trigger of a function, which determines the form of its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// API Gateway, which expects an HTTP response.
    Http,
    /// A queue or a stream, which expects the failed records of the batch.
    Records,
    /// A schedule or another trigger, which accepts any response.
    Other,
}

impl Trigger {
    fn from_event(event: &Value) -> Self {
        match event {
            event if event["httpMethod"].is_string() => Self::Http,
            event if event["Records"].is_array() => Self::Records,
            _ => Self::Other,
        }
    }

    /// Whether the response reports that the event was handled completely.
    pub fn is_success(self, response: &Value) -> bool {
        match self {
            Self::Http => response["statusCode"].as_u64().is_some_and(|status| (200..300).contains(&status)),
            Self::Records => response["batchItemFailures"].as_array().is_some_and(Vec::is_empty),
            Self::Other => true,
        }
    }
}

impl Function {
    /// The baseline function, which does nothing.
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

    /// The functions of this repository, sorted by name; only those in `names`, unless it is empty.
    ///
    /// # Errors
    /// If a name is unknown, or the template or a sample event cannot be read.
    pub fn of_repository(names: &[String]) -> anyhow::Result<Vec<Self>> {
        let template = Template::of_repository()?;
        let mut samples = samples()?;
        let mut functions = Vec::new();
        for function in template.all(FUNCTION).into_values() {
            let mut function = Self::read(&template, function)?;
            let event = samples.remove(&function.name);
            let event = event.with_context(|| format!("events/{}.json is missing", function.name))?;
            function.trigger = Trigger::from_event(&event);
            let event =
                if function.variables.get("MALWARE_SCANNER").is_some_and(|scanner| scanner == "guardduty") {
                    scan_result(event)?
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

    /// Loads one function of this repository.
    ///
    /// # Errors
    /// Those of [`Function::of_repository`].
    pub fn named(name: &str) -> anyhow::Result<Self> {
        let function = Self::of_repository(&[name.to_owned()])?.into_iter().next();
        function.with_context(|| format!("there is no function {name}"))
    }

    fn read(template: &Template, function: Resource<'_>) -> anyhow::Result<Self> {
        let name = function.id.to_kebab_case();
        let variables = "/Environment/Variables";
        let shared = template.globals().pointer(variables);
        let own = function.property(variables);
        let variables = shared.into_iter().chain([own]).filter_map(Value::as_object).flatten();
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

    /// The sample event as of this time: the signature of a webhook is valid for a few minutes only.
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

    /// Whether it calls servers other than AWS, and therefore loads the root certificates of the system.
    pub fn uses_system_roots(&self) -> bool {
        let external = [crate::backend::Service::Stripe.variable(), "WEBHOOK_RETRY_BASE_SECONDS"];
        external.iter().any(|name| self.variables.contains_key(*name))
    }
}

/// Converts the sample event, an S3 notification for clamd, to GuardDuty's scan result of the same object, which is clean
/// (<https://docs.aws.amazon.com/guardduty/latest/ug/monitor-with-eventbridge-s3-malware-protection.html>).
fn scan_result(mut event: Value) -> anyhow::Result<Value> {
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

/// The value of a variable on AWS, with the defaults of parameters, and with logical ids in place of physical ones.
fn resolve(template: &Template, value: &Value) -> String {
    let value = if value["Fn::If"][0] == "IsOnAws" { &value["Fn::If"][1] } else { value };
    if let Some(text) = value["Fn::Sub"].as_str() {
        return text.to_owned();
    }
    if let (Some(separator), Some(parts)) = (value["Fn::Join"][0].as_str(), value["Fn::Join"][1].as_array()) {
        let parts: Vec<String> = parts.iter().map(|part| resolve(template, part)).collect();
        return parts.join(separator);
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
    fn the_configuration_is_that_of_the_template() {
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
    fn failures_are_not_taken_for_successes() {
        let http = Trigger::from_event(&json!({ "httpMethod": "GET" }));
        assert!(http.is_success(&json!({ "statusCode": 201 })));
        assert!(!http.is_success(&json!({ "statusCode": 400 })));
        assert!(!http.is_success(&json!({ "batchItemFailures": [] })));
        let records = Trigger::from_event(&json!({ "Records": [] }));
        assert!(records.is_success(&json!({ "batchItemFailures": [] })));
        assert!(!records.is_success(&json!({ "batchItemFailures": [{ "itemIdentifier": "1" }] })));
        assert!(!records.is_success(&json!({})));
        assert!(Trigger::from_event(&json!({ "source": "aws.scheduler" })).is_success(&Value::Null));
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
    fn the_error_for_a_misspelt_name_lists_the_functions() {
        let error = Function::of_repository(&["orders_api".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("orders_api") && error.contains("orders-api"), "{error}");
    }

    #[test]
    fn all_functions_of_the_repository_are_found() {
        let functions = Function::of_repository(&[]).unwrap();
        assert!(
            functions
                .iter()
                .any(|function| function.name == "process-payment" && function.uses_system_roots())
        );
        assert!(functions.iter().all(|function| serde_json::from_slice::<Value>(&function.sample).is_ok()));
    }
}
