//! A deployed stack: on this machine or on AWS.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use aws_sdk_cloudformation::error::DisplayErrorContext;

use crate::{api::Shop, aws::Aws, mail::Mailbox, names, token};

/// A stack, and how to access it.
#[derive(Clone, Debug)]
pub struct Target {
    /// The name of the CloudFormation stack.
    pub stack: String,
    /// The AWS region; `None` means that of the environment or the profile.
    pub region: Option<String>,
    /// The URL of the emulator that a local stack runs on; `None` for a stack on AWS.
    pub emulator: Option<String>,
    /// The program and its options that select this stack, for advice: `shopctl --stack NAME`.
    pub program: String,
    /// The folder of the files that commands write unless they are given another path.
    pub files: PathBuf,
}

impl Target {
    /// A stack on AWS, for `shopctl`.
    pub fn on_aws(stack: String, region: Option<String>, files: PathBuf) -> Self {
        let region_option = region.as_ref().map(|region| format!(" --region {region}")).unwrap_or_default();
        let program = format!("shopctl --stack {stack}{region_option}");
        Self { stack, region, emulator: None, program, files }
    }
}

/// A deployed stack.
pub struct Stack {
    /// What it was opened with.
    pub target: Target,
    /// The AWS clients for its account and region.
    pub aws: Aws,
}

/// A resource of a stack.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its name in the template.
    pub logical_id: String,
    /// Its type, such as `AWS::SQS::Queue`.
    pub kind: String,
    /// Its identifier in AWS: the URL of a queue, the name of a function.
    pub physical_id: String,
}

impl Stack {
    /// Prepares access to a stack. It may not exist.
    ///
    /// # Errors
    /// When no AWS region is set.
    pub fn open(target: Target) -> anyhow::Result<Self> {
        let aws = match &target.emulator {
            Some(endpoint) => Aws::local(endpoint)?,
            None => Aws::deployed(target.region.clone())?,
        };
        Ok(Self { target, aws })
    }

    /// The name of the stack.
    pub fn name(&self) -> &str {
        &self.target.stack
    }

    /// The status, such as `UPDATE_COMPLETE`; `None` if the stack does not exist.
    pub fn status(&self) -> anyhow::Result<Option<String>> {
        Ok(self.describe()?.and_then(|stack| stack.stack_status().map(|status| status.as_str().to_owned())))
    }

    /// The outputs of the stack.
    pub fn outputs(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let stack = self.describe()?.with_context(|| self.missing())?;
        let outputs = stack.outputs().iter();
        Ok(outputs
            .filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())))
            .collect())
    }

    /// The value of one output.
    pub fn output(&self, name: &str) -> anyhow::Result<String> {
        let value = self.outputs()?.remove(name);
        value.with_context(|| format!("stack {} has no output {name}: deploy it again", self.name()))
    }

    /// The value of a parameter, either given or the template's default; `None` if there is none.
    pub fn parameter(&self, name: &str) -> anyhow::Result<Option<String>> {
        let stack = self.describe()?.with_context(|| self.missing())?;
        let parameter = stack.parameters().iter().find(|parameter| parameter.parameter_key() == Some(name));
        Ok(parameter.and_then(|parameter| parameter.parameter_value()).map(str::to_owned))
    }

    /// The base URL of the API.
    pub fn api_url(&self) -> anyhow::Result<String> {
        self.output(names::API_URL_OUTPUT)
    }

    /// The API with a machine token.
    pub fn shop(&self) -> anyhow::Result<Shop> {
        Ok(Shop::new(&self.api_url()?, &token::machine_token(self)?))
    }

    /// The emails that were sent, which can be read on the local stack only.
    pub fn mailbox(&self) -> Option<Mailbox> {
        self.target.emulator.as_deref().map(Mailbox::new)
    }

    /// All resources of the stack.
    pub fn resources(&self) -> anyhow::Result<Vec<Resource>> {
        let mut pages =
            self.aws.cloudformation.list_stack_resources().stack_name(self.name()).into_paginator().send();
        let mut resources = Vec::new();
        while let Some(page) = self.aws.wait(pages.next()) {
            let page =
                page.map_err(|error| anyhow::anyhow!("{}: {}", self.missing(), DisplayErrorContext(&error)))?;
            resources.extend(page.stack_resource_summaries().iter().map(|resource| Resource {
                logical_id: resource.logical_resource_id().unwrap_or_default().to_owned(),
                kind: resource.resource_type().unwrap_or_default().to_owned(),
                physical_id: resource.physical_resource_id().unwrap_or_default().to_owned(),
            }));
        }
        Ok(resources)
    }

    /// The Lambda functions of the stack.
    pub fn functions(&self) -> anyhow::Result<Vec<Resource>> {
        let mut functions = self.resources()?;
        functions.retain(|resource| resource.kind == "AWS::Lambda::Function");
        Ok(functions)
    }

    /// The log group of each function, by its kebab-case name (`orders-api`).
    pub fn log_groups(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let functions = self.functions()?;
        Ok(functions
            .into_iter()
            .map(|resource| {
                let function = names::kebab_case(&resource.logical_id);
                let group = format!("/{}/{function}", self.name());
                (function, group)
            })
            .collect())
    }

    fn describe(&self) -> anyhow::Result<Option<aws_sdk_cloudformation::types::Stack>> {
        let described =
            self.aws.wait(self.aws.cloudformation.describe_stacks().stack_name(self.name()).send());
        match described {
            Ok(response) => Ok(response.stacks().first().cloned()),
            Err(error) => {
                let text = DisplayErrorContext(&error).to_string();
                // CloudFormation reports a missing stack as a ValidationError, like other mistakes.
                if text.contains("does not exist") {
                    return Ok(None);
                }
                anyhow::bail!("cannot read stack {}: {text}", self.name())
            }
        }
    }

    fn missing(&self) -> String {
        let name = self.name();
        match &self.target.emulator {
            Some(endpoint) => format!("stack {name} is not deployed on the emulator at {endpoint}"),
            None => format!("there is no stack {name} in this account and region"),
        }
    }
}
