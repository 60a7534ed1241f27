//! A web ACL and its evaluation.
//!
//! Anything in a web ACL that this module does not support is an error, so that no untested statement is
//! deployed.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use architecture::template::Template;
use serde::Deserialize;
use serde_json::Value;

use crate::condition::compile_cached;
use crate::managed::{Group, Rule as ManagedRule};
use crate::request::Request;

/// The properties of an `AWS::WAFv2::WebACL`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct WebAcl {
    scope: String,
    default_action: Value,
    #[expect(dead_code, reason = "deserialized only because unknown fields are denied")]
    visibility_config: Value,
    #[serde(default)]
    association_config: Value,
    /// The bodies of custom responses, by key.
    #[serde(default)]
    pub custom_response_bodies: BTreeMap<String, Body>,
    /// The rules, by priority.
    pub rules: Vec<Rule>,
}

/// The body of a custom response.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Body {
    /// The content type, such as `APPLICATION_JSON`.
    pub content_type: String,
    /// The body, at most 4 KB.
    pub content: String,
}

/// A rule of the web ACL.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Rule {
    /// The name of the rule.
    pub name: String,
    priority: u32,
    action: Option<Value>,
    override_action: Option<Value>,
    /// The statement that a request has to match.
    pub statement: Statement,
    #[expect(dead_code, reason = "deserialized only because unknown fields are denied")]
    visibility_config: Value,
}

/// A statement of a rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "as AWS names them")]
pub enum Statement {
    #[serde(rename_all = "PascalCase")]
    RateBasedStatement {
        limit: Value,
        evaluation_window_sec: u32,
        aggregate_key_type: String,
        scope_down_statement: Option<Box<Statement>>,
    },
    #[serde(rename_all = "PascalCase")]
    ManagedRuleGroupStatement {
        vendor_name: String,
        name: String,
        #[serde(default)]
        rule_action_overrides: Vec<Override>,
        scope_down_statement: Option<Box<Statement>>,
    },
    #[serde(rename_all = "PascalCase")]
    AndStatement { statements: Vec<Statement> },
    #[serde(rename_all = "PascalCase")]
    OrStatement { statements: Vec<Statement> },
    #[serde(rename_all = "PascalCase")]
    NotStatement { statement: Box<Statement> },
    #[serde(rename_all = "PascalCase")]
    LabelMatchStatement { scope: String, key: String },
    #[serde(rename_all = "PascalCase")]
    RegexMatchStatement { regex_string: String, field_to_match: Field, text_transformations: Vec<Value> },
}

/// An action that overrides that of a managed rule.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub struct Override {
    /// The name of the managed rule.
    pub name: String,
    action_to_use: Value,
}

/// The request component that a pattern is matched against.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Field {
    /// The path as it was sent.
    UriPath {},
}

/// The result of evaluating a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The rule of the web ACL that blocks the request, and the managed rules that matched.
    pub blocked_by: Option<Block>,
    /// The labels that were added to the request.
    pub labels: Vec<String>,
    /// The rate-based rules that count the request.
    pub counted_by: Vec<String>,
}

/// Why a request is blocked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The rule of the web ACL.
    pub rule: String,
    /// The managed rule that blocks, or those whose labels the rule matched.
    pub matched_rules: Vec<String>,
}

/// Returns whether a request matches a managed rule. The number is how many bytes of the body are inspected.
pub type RuleMatcher<'a> = &'a dyn Fn(&ManagedRule, &Request, usize) -> Result<bool>;

/// Returns whether a request matches the documented condition of a managed rule.
///
/// # Errors
/// When the request's body cannot be decoded.
pub fn matches_documented_condition(rule: &ManagedRule, request: &Request, inspected: usize) -> Result<bool> {
    rule.condition.matches(rule.name, request, inspected)
}

impl WebAcl {
    /// Reads the web ACL of a template.
    ///
    /// # Errors
    /// When there is none, or it contains something unsupported.
    pub fn from_template(template: &Template) -> Result<Self> {
        let all = template.all("AWS::WAFv2::WebACL");
        let (id, resource) = all.first_key_value().context("there is no web ACL")?;
        let properties = resource.property("").clone();
        let mut acl: Self =
            serde_json::from_value(properties).with_context(|| format!("{id} cannot be parsed"))?;
        acl.rules.sort_by_key(|rule| rule.priority);
        if acl.scope != "REGIONAL" || acl.default_action != serde_json::json!({ "Allow": {} }) {
            bail!("{id} is not a regional web ACL with the default action Allow");
        }
        Ok(acl)
    }

    /// Returns how many bytes of a body API Gateway forwards for inspection: 16 KB, unless the web ACL sets a
    /// higher limit
    /// (<https://docs.aws.amazon.com/waf/latest/developerguide/web-acl-setting-body-inspection-limit.html>).
    ///
    /// # Errors
    /// When the setting is unknown.
    pub fn inspected_bytes(&self) -> Result<usize> {
        let setting = self.association_config.pointer("/RequestBody/API_GATEWAY/DefaultSizeInspectionLimit");
        let kilobytes = match setting.and_then(Value::as_str) {
            None | Some("KB_16") => 16,
            Some("KB_32") => 32,
            Some("KB_48") => 48,
            Some("KB_64") => 64,
            Some(other) => bail!("{other} is not a size inspection limit of API Gateway"),
        };
        Ok(kilobytes * 1024)
    }

    /// Evaluates a request that exceeds no rate limit.
    ///
    /// # Errors
    /// When a pattern or a name is unsupported.
    pub fn evaluate(&self, request: &Request, matches: RuleMatcher<'_>) -> Result<Outcome> {
        let inspected = self.inspected_bytes()?;
        let mut outcome = Outcome::default();
        for rule in &self.rules {
            let matched_rules = match &rule.statement {
                Statement::RateBasedStatement { scope_down_statement, .. } => {
                    if in_scope(scope_down_statement.as_deref(), request, &outcome.labels)? {
                        outcome.counted_by.push(rule.name.clone());
                    }
                    continue;
                }
                Statement::ManagedRuleGroupStatement {
                    vendor_name,
                    name,
                    rule_action_overrides,
                    scope_down_statement,
                } => {
                    if vendor_name != "AWS" || rule.override_action != Some(serde_json::json!({ "None": {} }))
                    {
                        bail!("rule {} is not an enforced rule group of AWS", rule.name);
                    }
                    if !in_scope(scope_down_statement.as_deref(), request, &outcome.labels)? {
                        continue;
                    }
                    let group =
                        Group::by_name(name).with_context(|| format!("the rule group {name} is unknown"))?;
                    let found = evaluate_group(
                        group,
                        rule_action_overrides,
                        request,
                        inspected,
                        matches,
                        &mut outcome.labels,
                    )?;
                    found.into_iter().collect()
                }
                statement if statement.matches(request, &outcome.labels)? => {
                    statement.labels(&outcome.labels)
                }
                _ => continue,
            };
            let is_group = matches!(rule.statement, Statement::ManagedRuleGroupStatement { .. });
            if is_group && matched_rules.is_empty() {
                continue;
            }
            if !is_group && rule.action.as_ref().is_none_or(|action| action.get("Block").is_none()) {
                bail!("the action of rule {} is not Block", rule.name);
            }
            outcome.blocked_by = Some(Block { rule: rule.name.clone(), matched_rules });
            break;
        }
        Ok(outcome)
    }

    /// Returns the custom response of `rule`, if it has one: status, headers, body.
    pub fn custom_response(&self, rule: &str) -> Option<(u64, BTreeMap<String, String>, &Body)> {
        let rule = self.rules.iter().find(|other| other.name == rule)?;
        let response = rule.action.as_ref()?.pointer("/Block/CustomResponse")?;
        let headers = response.get("ResponseHeaders").and_then(Value::as_array).into_iter().flatten();
        let text = |header: &Value, key: &str| header.get(key).and_then(Value::as_str).map(str::to_owned);
        let headers = headers.filter_map(|header| Some((text(header, "Name")?, text(header, "Value")?)));
        let body = self.custom_response_bodies.get(response.get("CustomResponseBodyKey")?.as_str()?)?;
        Some((response.get("ResponseCode")?.as_u64()?, headers.collect(), body))
    }

    /// Returns the managed rules whose action is overridden to Count, by group.
    pub fn counted_rules(&self) -> BTreeMap<&str, Vec<&str>> {
        let groups = self.rules.iter().filter_map(|rule| match &rule.statement {
            Statement::ManagedRuleGroupStatement { name, rule_action_overrides, .. } => {
                Some((name.as_str(), rule_action_overrides.iter().map(|other| other.name.as_str()).collect()))
            }
            _ => None,
        });
        groups.collect()
    }
}

fn in_scope(scope: Option<&Statement>, request: &Request, labels: &[String]) -> Result<bool> {
    scope.map_or(Ok(true), |scope| scope.matches(request, labels))
}

/// Returns the managed rule that blocks the request, if any. Rules that only count add their labels.
fn evaluate_group(
    group: &Group,
    overrides: &[Override],
    request: &Request,
    inspected: usize,
    matches: RuleMatcher<'_>,
    labels: &mut Vec<String>,
) -> Result<Option<String>> {
    let stray = overrides.iter().find(|other| group.rules.iter().all(|rule| rule.name != other.name));
    if let Some(stray) = stray {
        bail!("{} has no rule {}", group.name, stray.name);
    }
    for rule in group.rules {
        if !matches(rule, request, inspected)? {
            continue;
        }
        labels.push(format!("{}{}", group.namespace, rule.label));
        let action = overrides.iter().find(|other| other.name == rule.name).map(|other| &other.action_to_use);
        let counts = match action {
            Some(action) if *action == serde_json::json!({ "Count": {} }) => true,
            Some(action) => bail!("{} is overridden with {action}", rule.name),
            None => rule.is_count_only,
        };
        if !counts {
            return Ok(Some(rule.name.to_owned()));
        }
    }
    Ok(None)
}

impl Statement {
    fn matches(&self, request: &Request, labels: &[String]) -> Result<bool> {
        Ok(match self {
            Self::AndStatement { statements } => all(statements, |one| one.matches(request, labels))?,
            Self::OrStatement { statements } => !all(statements, |one| Ok(!one.matches(request, labels)?))?,
            Self::NotStatement { statement } => !statement.matches(request, labels)?,
            Self::LabelMatchStatement { scope, key } => {
                if scope != "LABEL" {
                    bail!("the label match scope {scope} is unsupported: use LABEL");
                }
                labels.contains(key)
            }
            Self::RegexMatchStatement {
                regex_string,
                field_to_match: Field::UriPath {},
                text_transformations,
            } => {
                if *text_transformations != [serde_json::json!({ "Priority": 0, "Type": "NONE" })] {
                    bail!("{regex_string} has a text transformation: use NONE");
                }
                compile_cached(regex_string)?.is_match(&request.path)
            }
            Self::RateBasedStatement { .. } | Self::ManagedRuleGroupStatement { .. } => {
                bail!("{self:?} cannot be nested in another statement")
            }
        })
    }

    /// Returns those of `labels` that the statement matches.
    fn labels(&self, labels: &[String]) -> Vec<String> {
        let mut wanted = Vec::new();
        self.visit(&mut |statement| {
            if let Self::LabelMatchStatement { key, .. } = statement
                && labels.contains(key)
            {
                wanted.push(key.clone());
            }
        });
        wanted
    }

    /// Visits this statement and the nested ones, outermost first.
    pub fn visit<'a>(&'a self, visitor: &mut dyn FnMut(&'a Self)) {
        visitor(self);
        match self {
            Self::AndStatement { statements } | Self::OrStatement { statements } => {
                for one in statements {
                    one.visit(visitor);
                }
            }
            Self::NotStatement { statement } => statement.visit(visitor),
            Self::RateBasedStatement { scope_down_statement, .. }
            | Self::ManagedRuleGroupStatement { scope_down_statement, .. } => {
                if let Some(scope) = scope_down_statement {
                    scope.visit(visitor);
                }
            }
            Self::LabelMatchStatement { .. } | Self::RegexMatchStatement { .. } => {}
        }
    }
}

fn all(statements: &[Statement], mut holds: impl FnMut(&Statement) -> Result<bool>) -> Result<bool> {
    for one in statements {
        if !holds(one)? {
            return Ok(false);
        }
    }
    Ok(true)
}
