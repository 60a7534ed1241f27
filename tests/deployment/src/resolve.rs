//! Applies parameters to a template as CloudFormation does: evaluates conditions, and resolves intrinsic functions of
//! parameters. References to resources (`Ref` and `GetAtt`), which only a real deployment can resolve, are kept.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::Parameters;

/// The stack name of the test deployments: as long as a stack name may be to leave room for the names that are derived
/// from it.
pub const STACK: &str = "serverless-orders-production-eu-2026";
const ACCOUNT: &str = "123456789012";
const REGION: &str = "ap-southeast-2";

/// A template with its parameters and conditions applied.
#[derive(Debug, Clone)]
pub struct Deployed {
    /// The output of SAM's translator, before conditions are applied.
    pub transformed: Value,
    /// The resources whose conditions are met, by logical id.
    pub resources: BTreeMap<String, Value>,
    parameters: BTreeMap<String, String>,
}

impl Deployed {
    /// Applies `parameters` to a transformed template.
    ///
    /// # Errors
    /// If an intrinsic function cannot be evaluated.
    pub fn new(transformed: Value, parameters: &Parameters) -> Result<Self> {
        let mut known: BTreeMap<String, String> = transformed["Parameters"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, it)| {
                let default = it.get("Default")?;
                Some((name.clone(), default.as_str().map_or_else(|| default.to_string(), str::to_owned)))
            })
            .collect();
        known.extend(parameters.clone());
        for (name, value) in [
            ("AWS::StackName", STACK),
            ("AWS::AccountId", ACCOUNT),
            ("AWS::Region", REGION),
            ("AWS::Partition", "aws"),
            ("AWS::URLSuffix", "amazonaws.com"),
        ] {
            known.insert(name.to_owned(), value.to_owned());
        }
        let mut deployed = Self { transformed, resources: BTreeMap::new(), parameters: known };
        let all = deployed.transformed["Resources"].as_object().cloned().unwrap_or_default();
        for (id, resource) in all {
            let exists = match resource["Condition"].as_str() {
                Some(condition) => deployed.evaluate(&json!({ "Condition": condition }))?,
                None => true,
            };
            if exists {
                let value = deployed.resolve(&resource).with_context(|| id.clone())?.unwrap_or_default();
                deployed.resources.insert(id, value);
            }
        }
        Ok(deployed)
    }

    /// The properties of the resources of a type, with their logical ids.
    pub fn all<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let of_kind = move |(_, resource): &(&String, &Value)| resource["Type"] == kind;
        self.resources.iter().filter(of_kind).map(|(id, resource)| (id.as_str(), &resource["Properties"]))
    }

    /// The descriptions of the assertions (`AssertDescription`) that the parameters violate.
    ///
    /// # Errors
    /// If a rule cannot be evaluated.
    pub fn rule_violations(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for rule in self.transformed["Rules"].as_object().into_iter().flatten().map(|(_, rule)| rule) {
            if !rule["RuleCondition"].is_null() && !self.evaluate(&rule["RuleCondition"])? {
                continue;
            }
            for assertion in rule["Assertions"].as_array().into_iter().flatten() {
                if !self.evaluate(&assertion["Assert"])? {
                    found.push(assertion["AssertDescription"].as_str().unwrap_or_default().to_owned());
                }
            }
        }
        Ok(found)
    }

    /// The logical ids of the resources that the resource `id` depends on.
    pub fn dependencies(&self, id: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        if let Some(resource) = self.resources.get(id) {
            references(resource, &mut found);
            let explicit = &resource["DependsOn"];
            found.extend(explicit.as_str().map(str::to_owned));
            found.extend(
                explicit.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned),
            );
        }
        found.retain(|name| self.resources.contains_key(name));
        found
    }

    fn evaluate(&self, condition: &Value) -> Result<bool> {
        let Some((function, argument)) = single_entry(condition) else {
            bail!("{condition} is not a condition")
        };
        let all = |argument: &Value| -> Result<Vec<bool>> {
            argument.as_array().into_iter().flatten().map(|it| self.evaluate(it)).collect()
        };
        Ok(match function {
            "Condition" => {
                let name = argument.as_str().unwrap_or_default();
                let named = &self.transformed["Conditions"][name];
                self.evaluate(named).with_context(|| format!("condition {name}"))?
            }
            "Fn::Equals" => {
                let [one, other] = [&argument[0], &argument[1]].map(|it| self.resolve(it));
                text(&one?.unwrap_or_default()) == text(&other?.unwrap_or_default())
            }
            "Fn::Not" => !self.evaluate(&argument[0])?,
            "Fn::And" => all(argument)?.into_iter().all(|it| it),
            "Fn::Or" => all(argument)?.into_iter().any(|it| it),
            other => bail!("the condition function {other} is not supported here"),
        })
    }

    /// Resolves `value`; `None` if it is `AWS::NoValue`.
    fn resolve(&self, value: &Value) -> Result<Option<Value>> {
        if let Some((function, argument)) = single_entry(value) {
            match (function, argument) {
                ("Ref", Value::String(name)) if name == "AWS::NoValue" => return Ok(None),
                ("Ref", Value::String(name)) if self.parameters.contains_key(name) => {
                    return Ok(self.parameters.get(name).map(|it| json!(it)));
                }
                ("Fn::If", argument) => {
                    let is_met = self.evaluate(&json!({ "Condition": argument[0] }))?;
                    return self.resolve(&argument[if is_met { 1 } else { 2 }]);
                }
                ("Fn::Sub", argument) => return self.substitute(argument).map(Some),
                ("Fn::Split", argument) => {
                    let [separator, whole] = [&argument[0], &argument[1]].map(|it| self.resolve(it));
                    let (separator, whole) = (separator?.unwrap_or_default(), whole?.unwrap_or_default());
                    if let (Some(separator), Some(whole)) = (separator.as_str(), whole.as_str()) {
                        return Ok(Some(whole.split(separator).collect()));
                    }
                }
                ("Fn::Select", argument) => {
                    let items = self.resolve(&argument[1])?.unwrap_or_default();
                    let index = text(&argument[0])
                        .parse::<usize>()
                        .context("the index of Fn::Select must be a number")?;
                    return Ok(items.get(index).cloned());
                }
                _ => {}
            }
        }
        Ok(match value {
            Value::Array(items) => {
                let mut resolved = Vec::new();
                for item in items {
                    resolved.extend(self.resolve(item)?);
                }
                Some(Value::Array(resolved))
            }
            Value::Object(fields) => {
                let mut resolved = Map::new();
                for (name, field) in fields {
                    if let Some(field) = self.resolve(field)? {
                        resolved.insert(name.clone(), field);
                    }
                }
                Some(Value::Object(resolved))
            }
            plain => Some(plain.clone()),
        })
    }

    fn substitute(&self, argument: &Value) -> Result<Value> {
        let (pattern, own) = match argument {
            Value::Array(parts) => (&parts[0], parts.get(1).cloned().unwrap_or_default()),
            pattern => (pattern, Value::Null),
        };
        let mut text = pattern.as_str().unwrap_or_default().to_owned();
        for (name, value) in &self.parameters {
            text = text.replace(&format!("${{{name}}}"), value);
        }
        let mut unresolved = Map::new();
        for (name, value) in own.as_object().into_iter().flatten() {
            match self.resolve(value)?.unwrap_or_default() {
                Value::String(value) => text = text.replace(&format!("${{{name}}}"), &value),
                other => drop(unresolved.insert(name.clone(), other)),
            }
        }
        Ok(match (text.contains("${"), unresolved.is_empty()) {
            (false, _) => json!(text),
            (true, true) => json!({ "Fn::Sub": text }),
            (true, false) => json!({ "Fn::Sub": [text, unresolved] }),
        })
    }
}

fn single_entry(value: &Value) -> Option<(&str, &Value)> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    fields.iter().next().map(|(name, argument)| (name.as_str(), argument))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    if let Some((function, argument)) = single_entry(value) {
        match function {
            "Ref" => found.extend(argument.as_str().map(str::to_owned)),
            "Fn::GetAtt" => {
                let dotted = argument.as_str().and_then(|it| it.split('.').next());
                found.extend(argument[0].as_str().or(dotted).map(str::to_owned));
            }
            "Fn::Sub" => {
                let pattern = argument.as_str().or(argument[0].as_str()).unwrap_or_default();
                let names = pattern.split("${").skip(1).filter_map(|rest| rest.split(['}', '.']).next());
                found.extend(names.map(str::to_owned));
            }
            _ => {}
        }
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| references(field, found)),
        _ => {}
    }
}
