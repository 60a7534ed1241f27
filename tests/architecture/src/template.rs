//! Parses `template.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, bail};
use heck::ToKebabCase;
use serde_json::{Map, Value, json};
use serde_norway::Value as Yaml;

use crate::workspace::root;

/// A SAM template. Intrinsic functions are in their long form: `!Ref X` is `{"Ref": "X"}`, and `!GetAtt X.Arn`
/// is `{"Fn::GetAtt": ["X", "Arn"]}`.
#[derive(Debug, Clone)]
pub struct Template(Value);

/// A resource of a template.
#[derive(Debug, Clone, Copy)]
pub struct Resource<'a> {
    /// The logical id.
    pub id: &'a str,
    body: &'a Value,
    globals: &'a Value,
}

/// The resource type of an event source mapping, which invokes a function with records of a queue or a stream.
pub const MAPPING: &str = "AWS::Lambda::EventSourceMapping";
/// The resource type of a Lambda function.
pub const FUNCTION: &str = "AWS::Serverless::Function";
/// The resource type of an EventBridge rule.
pub const RULE: &str = "AWS::Events::Rule";
/// The resource type of a queue.
pub const QUEUE: &str = "AWS::SQS::Queue";

impl Template {
    /// Loads the template of this repository.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a template.
    pub fn of_repository() -> Result<Self> {
        Self::at(root())
    }

    /// Loads the template of the repository at `root`.
    ///
    /// # Errors
    /// If the file cannot be read, or is not a template.
    pub fn at(root: &Path) -> Result<Self> {
        let path = root.join("template.yaml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("parsing {}", path.display()))
    }

    /// Parses a template in YAML.
    ///
    /// # Errors
    /// If it is not YAML, or has no `Resources`.
    pub fn parse(yaml: &str) -> Result<Self> {
        let root = long_form(serde_norway::from_str(yaml)?)?;
        if !root["Resources"].is_object() {
            bail!("the section Resources is missing");
        }
        Ok(Self(root))
    }

    /// Returns the template after applying `change` to it.
    #[must_use]
    pub fn changed(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.0);
        self
    }

    /// The resources of the type `kind`, such as `AWS::SQS::Queue`, by logical id.
    pub fn all<'a>(&'a self, kind: &str) -> BTreeMap<&'a str, Resource<'a>> {
        self.resources().filter(|resource| resource.body["Type"] == kind).map(|r| (r.id, r)).collect()
    }

    /// The rules of the stack's own bus, by logical id. On the default bus, AWS services publish events of their own.
    pub fn subscriptions(&self) -> BTreeMap<&str, Resource<'_>> {
        let rules = self.all(RULE).into_iter();
        rules.filter(|(_, rule)| !rule.property("/EventBusName").is_null()).collect()
    }

    /// The parameter `name`; null if there is none.
    pub fn parameter(&self, name: &str) -> &Value {
        &self.0["Parameters"][name]
    }

    /// The default properties of all functions.
    pub fn globals(&self) -> &Value {
        &self.0["Globals"]["Function"]
    }

    /// The statements of all policies of the role of the function `id`.
    pub fn statements(&self, id: &str) -> Vec<&Value> {
        let roles = self.all("AWS::IAM::Role");
        let functions = self.all(FUNCTION);
        let role = functions.get(id).and_then(|function| roles.get(target(function.property("/Role"))?));
        let policies = role.map(|role| list(role.property("/Policies"))).unwrap_or_default();
        policies.iter().flat_map(|policy| list(&policy["PolicyDocument"]["Statement"])).collect()
    }

    /// The statements of the function `id` that list `action`, such as `events:PutEvents`.
    pub fn statements_about(&self, id: &str, action: &str) -> Vec<&Value> {
        let names = |statement: &&Value| list(&statement["Action"]).iter().any(|one| one == action);
        self.statements(id).into_iter().filter(names).collect()
    }

    /// The functions that subscribe to events but do not participate in the order process: they publish nothing, and write
    /// nothing that another participant reads.
    pub fn observers(&self) -> BTreeSet<&str> {
        let functions = self.all(FUNCTION).into_iter();
        functions.filter(|(_, it)| it.at("/Metadata/OrderProtocol") == "observer").map(|(id, _)| id).collect()
    }

    /// The participants of the order process: pairs of an event type and the name of the function that it triggers, in kebab
    /// case.
    pub fn participants(&self) -> BTreeSet<(String, String)> {
        let observers = self.observers();
        let rules = self.subscriptions().into_iter();
        rules
            .filter_map(|(id, rule)| Some((id.strip_suffix("Rule")?, rule)))
            .filter(|(function, _)| !observers.contains(function))
            .flat_map(|(function, rule)| {
                let types = list(rule.property("/EventPattern/detail-type")).iter().filter_map(Value::as_str);
                types.map(move |event| (event.to_owned(), function.to_kebab_case()))
            })
            .collect()
    }

    fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
        let globals = self.globals();
        self.0["Resources"].as_object().into_iter().flatten().map(move |(id, body)| Resource {
            id,
            body,
            globals,
        })
    }
}

impl<'a> Resource<'a> {
    /// The value at `path` (RFC 6901), such as `/Metadata/BuildMethod`; null if it is not set.
    pub fn at(self, path: &str) -> &'a Value {
        self.body.pointer(path).unwrap_or(&Value::Null)
    }

    /// The property at `path`, such as `/RedrivePolicy/maxReceiveCount`; null if it is not set.
    pub fn property(self, path: &str) -> &'a Value {
        self.body["Properties"].pointer(path).unwrap_or(&Value::Null)
    }

    /// The property of a function at `path`, or else its default in the template's `Globals`.
    pub fn setting(self, path: &str) -> &'a Value {
        match self.property(path) {
            Value::Null => self.globals.pointer(path).unwrap_or(&Value::Null),
            own => own,
        }
    }
}

/// The logical id that a `Ref` or a `GetAtt` refers to.
pub fn target(value: &Value) -> Option<&str> {
    value["Ref"].as_str().or_else(|| value["Fn::GetAtt"][0].as_str())
}

/// `value` as a list: CloudFormation accepts a single value in place of a list of one.
pub fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(items) => items,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

fn long_form(yaml: Yaml) -> Result<Value> {
    Ok(match yaml {
        Yaml::Tagged(tagged) => {
            let value = long_form(tagged.value)?;
            match tagged.tag.to_string().trim_start_matches('!') {
                name @ ("Ref" | "Condition") => json!({ name: value }),
                "GetAtt" => match value.as_str().and_then(|text| text.split_once('.')) {
                    Some((id, attribute)) => json!({ "Fn::GetAtt": [id, attribute] }),
                    None => json!({ "Fn::GetAtt": value }),
                },
                name => json!({ format!("Fn::{name}"): value }),
            }
        }
        Yaml::Sequence(items) => Value::Array(items.into_iter().map(long_form).collect::<Result<_>>()?),
        Yaml::Mapping(entries) => {
            let mut map = Map::new();
            for (key, value) in entries {
                let Yaml::String(key) = key else { bail!("the key {key:?} is not a string") };
                map.insert(key, long_form(value)?);
            }
            Value::Object(map)
        }
        plain => serde_json::to_value(plain)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_forms_are_expanded() {
        let yaml = "Resources: {A: {Type: T, Properties: {x: !Ref B, y: !GetAtt B.Arn, z: !If [C, !Sub '${B}', 2]}}}";
        let template = Template::parse(yaml).unwrap();
        let all = template.all("T");
        assert_eq!(target(all["A"].property("/x")), Some("B"));
        assert_eq!(target(all["A"].property("/y")), Some("B"));
        assert_eq!(all["A"].property("/z"), &json!({ "Fn::If": ["C", { "Fn::Sub": "${B}" }, 2] }));
    }

    #[test]
    fn an_invalid_template_is_rejected() {
        assert!(Template::parse("Outputs: {}").is_err());
        assert!(Template::parse("a: [").is_err());
    }
}
