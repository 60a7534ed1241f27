//! The resources and parameters of the stack, from CloudFormation.

use std::collections::BTreeMap;

use anyhow::Context;
use http::{Method, StatusCode};
use tokio::sync::OnceCell;

use crate::stack::Stack;

/// Cached: nothing is deployed while the tests run.
static RESOURCES: OnceCell<BTreeMap<String, String>> = OnceCell::const_new();
static PARAMETERS: OnceCell<BTreeMap<String, String>> = OnceCell::const_new();

impl Stack {
    /// Returns the physical id of the resource with this logical id.
    ///
    /// # Errors
    /// When there is no such resource, or CloudFormation does not return it.
    pub async fn physical_id(&self, logical: &str) -> anyhow::Result<String> {
        let resources = RESOURCES.get_or_try_init(|| self.list_resources()).await?;
        resources.get(logical).cloned().with_context(|| format!("stack {} has no {logical}", self.name))
    }

    /// Returns the value of a parameter of the deployed stack; empty if there is no parameter with this name.
    ///
    /// # Errors
    /// When CloudFormation does not return the parameters.
    pub async fn parameter(&self, name: &str) -> anyhow::Result<String> {
        let parameters = PARAMETERS.get_or_try_init(async || {
            let form = [("Action", "DescribeStacks"), ("Version", "2010-05-15"), ("StackName", &self.name)];
            let response = self.send_query("cloudformation", &serde_urlencoded::to_string(form)?).await?;
            anyhow::Ok(pairs(&response, "ParameterKey", "ParameterValue").collect())
        });
        Ok(parameters.await?.get(name).cloned().unwrap_or_default())
    }

    async fn list_resources(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let mut resources = BTreeMap::new();
        let mut next: Option<String> = None;
        loop {
            let mut form =
                vec![("Action", "ListStackResources"), ("Version", "2010-05-15"), ("StackName", &self.name)];
            form.extend(next.as_deref().map(|token| ("NextToken", token)));
            let response = self.send_query("cloudformation", &serde_urlencoded::to_string(form)?).await?;
            resources.extend(pairs(&response, "LogicalResourceId", "PhysicalResourceId"));
            next = element(&response, "NextToken").filter(|token| !token.is_empty());
            if next.is_none() {
                return Ok(resources);
            }
        }
    }

    /// Sends a request to a service with the AWS Query protocol: form-encoded requests and XML responses.
    pub(crate) async fn send_query(&self, service: &'static str, form: &str) -> anyhow::Result<String> {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let response =
            self.aws_request(service, Method::POST, "/", &headers, form).await?.expect(StatusCode::OK)?;
        Ok(response.body.as_str().context("the response is not XML")?.to_owned())
    }
}

/// Returns the text of the first element with this name.
pub(crate) fn element(xml: &str, name: &str) -> Option<String> {
    let text = xml.split(&format!("<{name}>")).nth(1)?.split(&format!("</{name}>")).next()?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(text.to_owned(), |text, (code, character)| text.replace(code, character)))
}

/// Returns the texts of two elements from each list member that has both.
fn pairs<'a>(xml: &'a str, name: &'a str, value: &'a str) -> impl Iterator<Item = (String, String)> + 'a {
    let members = xml.split("<member>").skip(1);
    members.filter_map(move |member| Some((element(member, name)?, element(member, value)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn list_members_are_parsed_and_unescaped() {
        let xml = "<StackResourceSummaries><member><LogicalResourceId>Bus</LogicalResourceId>\
                   <PhysicalResourceId>a&amp;b</PhysicalResourceId></member><member><LogicalResourceId>X\
                   </LogicalResourceId></member></StackResourceSummaries><NextToken>t</NextToken>";
        let found: Vec<_> = pairs(xml, "LogicalResourceId", "PhysicalResourceId").collect();
        assert_eq!(found, [("Bus".to_owned(), "a&b".to_owned())]);
        assert_eq!(element(xml, "NextToken").as_deref(), Some("t"));
        assert_eq!(element(xml, "Absent"), None);
    }
}
