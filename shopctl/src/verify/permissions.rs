//! Compares the permissions of each role of the stack with the template. The tests alone would not detect a
//! missing permission that running functions need during initialisation only, such as reading a secret.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_cloudformation::error::DisplayErrorContext;
use aws_sdk_cloudformation::types::TemplateStage;
use serde_json::Value;

use super::{Outcome, TestResult};
use crate::stack::Stack;

/// The name of the check among the tests.
pub(crate) const NAME: &str = "permissions::each_role_has_exactly_the_permissions_in_the_template";

/// How often a role has a permission: effect, action, and the operators of its conditions.
type Grants = BTreeMap<String, usize>;

/// Compares the roles with the template of the last deployment.
///
/// # Errors
/// When the template or a role cannot be read.
pub(crate) fn check(stack: &Stack) -> anyhow::Result<TestResult> {
    let template = deployed_template(stack)?;
    let mut differences = Vec::new();
    let roles = stack.resources()?.into_iter().filter(|resource| resource.kind == "AWS::IAM::Role");
    for role in roles {
        let Some(declared) = template.pointer(&format!("/Resources/{}/Properties", role.logical_id)) else {
            continue;
        };
        let policies = declared.get("Policies").and_then(Value::as_array).cloned().unwrap_or_default();
        // Policies that depend on a parameter are not compared.
        let is_conditional = Value::from(policies.clone()).to_string().contains("\"Fn::If\"");
        let documents = policies.iter().filter_map(|policy| policy.get("PolicyDocument"));
        let wanted = grants(documents);
        let found = grants(attached(stack, &role.physical_id)?.iter());
        let name = &role.logical_id;
        differences.extend(more_in(&wanted, &found).map(|grant| format!("{name}: {grant}: is missing")));
        if !is_conditional {
            let extra = more_in(&found, &wanted);
            differences.extend(extra.map(|grant| format!("{name}: {grant}: is not in the template")));
        }
    }
    let outcome =
        if differences.is_empty() { Outcome::Passed } else { Outcome::Failed(differences.join("\n")) };
    Ok(TestResult { name: NAME.to_owned(), outcome })
}

/// The template of the deployment, after its transformation.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn deployed_template(stack: &Stack) -> anyhow::Result<Value> {
    let call = stack.aws.cloudformation.get_template().stack_name(stack.name());
    let response = stack.aws.wait(call.template_stage(TemplateStage::Processed).send());
    let response = response.map_err(|error| {
        anyhow::anyhow!("cannot read the template of {}: {}", stack.name(), DisplayErrorContext(&error))
    })?;
    // The transformed template is JSON.
    serde_json::from_str(response.template_body().unwrap_or_default())
        .with_context(|| format!("the transformed template of {} is not JSON", stack.name()))
}

/// The policy documents of a role's inline policies.
fn attached(stack: &Stack, role: &str) -> anyhow::Result<Vec<Value>> {
    let list =
        stack.aws.form("iam", &format!("Action=ListRolePolicies&Version=2010-05-08&RoleName={role}"))?;
    let names = list.split("<member>").skip(1).filter_map(|part| part.split("</member>").next());
    let document = |name: &str| {
        let form = format!("Action=GetRolePolicy&Version=2010-05-08&RoleName={role}&PolicyName={name}");
        let response = stack.aws.form("iam", &form)?;
        let text =
            response.split("<PolicyDocument>").nth(1).and_then(|text| text.split("</PolicyDocument>").next());
        let text = text.with_context(|| format!("the policy {name} of {role} has no document"))?;
        serde_json::from_str(&decoded(text))
            .with_context(|| format!("the policy {name} of {role} is not JSON"))
    };
    names.map(document).collect()
}

/// Decodes a policy document as IAM returns it: percent-encoded (RFC 3986) and within XML.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let code = others.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match (first, code.and_then(|code| u8::from_str_radix(code, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = others.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).replace("&quot;", "\"").replace("&amp;", "&")
}

fn grants<'a>(documents: impl Iterator<Item = &'a Value>) -> Grants {
    let mut grants = Grants::new();
    for statement in documents.flat_map(|document| list(document.get("Statement"))) {
        let effect = statement.get("Effect").and_then(Value::as_str).unwrap_or_default();
        let operators = statement.get("Condition").and_then(Value::as_object);
        let condition = operators.map(|operators| {
            let mut names: Vec<&str> = operators.keys().map(String::as_str).collect();
            names.sort_unstable();
            format!(" on condition ({})", names.join(", "))
        });
        for action in list(statement.get("Action")) {
            let Some(action) = action.as_str() else { continue };
            let grant = format!("{effect} {action}{}", condition.as_deref().unwrap_or_default());
            let count = grants.entry(grant).or_default();
            *count = count.saturating_add(1);
        }
    }
    grants
}

/// The elements of a list. IAM also accepts a single element without a list.
fn list(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(list)) => list.iter().collect(),
        Some(one) => vec![one],
        None => Vec::new(),
    }
}

/// The grants that `one` contains more often. A condition that depends on a parameter matches any condition,
/// or none.
fn more_in<'a>(one: &'a Grants, other: &'a Grants) -> impl Iterator<Item = &'a str> {
    let found = |grant: &str| match grant.strip_suffix(" on condition (Fn::If)") {
        Some(any) => other.iter().filter(|(grant, _)| grant.starts_with(any)).map(|(_, count)| *count).sum(),
        None => other.get(grant).copied().unwrap_or_default(),
    };
    one.iter().filter(move |(grant, count)| found(grant) < **count).map(|(grant, _)| grant.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_missing_permission_or_condition_is_a_difference() {
        let put =
            json!({ "Effect": "Allow", "Action": "events:PutEvents", "Condition": { "StringEquals": {} } });
        let read = json!({ "Effect": "Allow", "Action": ["sqs:ReceiveMessage", "sqs:DeleteMessage"] });
        let wanted = grants([json!({ "Statement": [put, read] })].iter());
        assert_eq!(more_in(&wanted, &wanted).count(), 0);
        let less = grants([json!({ "Statement": read })].iter());
        assert_eq!(
            more_in(&wanted, &less).collect::<Vec<_>>(),
            ["Allow events:PutEvents on condition (StringEquals)"]
        );
        let free = json!({ "Effect": "Allow", "Action": "events:PutEvents" });
        let loose = grants([json!({ "Statement": [free, read] })].iter());
        assert_eq!(more_in(&loose, &wanted).collect::<Vec<_>>(), ["Allow events:PutEvents"]);
        let either =
            json!({ "Effect": "Allow", "Action": "events:PutEvents", "Condition": { "Fn::If": [] } });
        let either = grants([json!({ "Statement": either })].iter());
        assert_eq!(more_in(&either, &wanted).count() + more_in(&either, &loose).count(), 0);
        assert_eq!(more_in(&either, &less).count(), 1);
    }

    #[test]
    fn a_document_is_decoded_byte_by_byte() {
        assert_eq!(decoded("%7B%22a%22%3A+%22%C3%BC%25%22%7D"), "{\"a\":+\"ü%\"}");
        assert_eq!(decoded("{&quot;a&quot;: 1}100%"), "{\"a\": 1}100%");
        assert_eq!(decoded("%é"), "%é");
    }
}
