//! What CloudFormation knows of the stack: its resources and its parameters.

use std::collections::BTreeMap;

use anyhow::Context;
use http::{Method, StatusCode};
use tokio::sync::OnceCell;

use crate::stack::Stack;

/// Read once: nothing is deployed while tests run.
static RESOURCES: OnceCell<BTreeMap<String, String>> = OnceCell::const_new();
static PARAMETERS: OnceCell<BTreeMap<String, String>> = OnceCell::const_new();

impl Stack {
    /// What AWS calls the resource with this logical name.
    ///
    /// # Errors
    /// When there is none, or CloudFormation does not say.
    pub async fn physical_id(&self, logical: &str) -> anyhow::Result<String> {
        let resources = RESOURCES.get_or_try_init(|| self.list_resources()).await?;
        resources.get(logical).cloned().with_context(|| format!("stack {} has no {logical}", self.name))
    }

    /// The value of a parameter that the stack was deployed with; empty where it has none of that name.
    ///
    /// # Errors
    /// When CloudFormation does not say.
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

    /// A request to a service that takes forms and answers with XML.
    pub(crate) async fn send_query(&self, service: &'static str, form: &str) -> anyhow::Result<String> {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let response =
            self.aws_request(service, Method::POST, "/", &headers, form).await?.expect(StatusCode::OK)?;
        Ok(response.body.as_str().context("no XML")?.to_owned())
    }
}

/// The text of the first element of that name.
pub(crate) fn element(xml: &str, name: &str) -> Option<String> {
    let text = xml.split(&format!("<{name}>")).nth(1)?.split(&format!("</{name}>")).next()?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(text.to_owned(), |text, (code, character)| text.replace(code, character)))
}

/// Of each list member that has both elements, their texts.
fn pairs<'a>(xml: &'a str, name: &'a str, value: &'a str) -> impl Iterator<Item = (String, String)> + 'a {
    let members = xml.split("<member>").skip(1);
    members.filter_map(move |member| Some((element(member, name)?, element(member, value)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_with_their_characters() {
        let xml = "<StackResourceSummaries><member><LogicalResourceId>Bus</LogicalResourceId>\
                   <PhysicalResourceId>a&amp;b</PhysicalResourceId></member><member><LogicalResourceId>X\
                   </LogicalResourceId></member></StackResourceSummaries><NextToken>t</NextToken>";
        let found: Vec<_> = pairs(xml, "LogicalResourceId", "PhysicalResourceId").collect();
        assert_eq!(found, [("Bus".to_owned(), "a&b".to_owned())]);
        assert_eq!(element(xml, "NextToken").as_deref(), Some("t"));
        assert_eq!(element(xml, "Absent"), None);
    }
}
