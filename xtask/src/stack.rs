//! A deployed stack: on this machine or on AWS.

use std::collections::BTreeMap;

use anyhow::Context as _;
use aws_sdk_cloudformation::error::DisplayErrorContext;

use crate::{api::Shop, aws::Aws, instance::Instance, mail::Mailbox, names, ports, token};

/// A deployed stack.
pub(crate) struct Stack {
    pub(crate) name: String,
    pub(crate) aws: Aws,
    /// The local instance that it runs on; `None` on AWS.
    pub(crate) local: Option<Instance>,
}

/// A resource of a stack.
#[derive(Clone, Debug)]
pub(crate) struct Resource {
    /// Its name in the template.
    pub(crate) logical_id: String,
    /// Its type, such as `AWS::SQS::Queue`.
    pub(crate) kind: String,
    /// Its identifier in AWS: the URL of a queue, the name of a function.
    pub(crate) physical_id: String,
}

impl Stack {
    /// Opens the stack with this name: the developer's local one, or one on AWS.
    pub(crate) fn open(name: &str) -> anyhow::Result<Self> {
        if name == names::LOCAL_STACK {
            return Self::local(Instance::developer());
        }
        Ok(Self { name: name.to_owned(), aws: Aws::deployed()?, local: None })
    }

    /// Opens the stack of a local instance, whose emulator must be running.
    pub(crate) fn local(instance: Instance) -> anyhow::Result<Self> {
        anyhow::ensure!(
            ports::is_listening(instance.emulator_port),
            "the local stack is not running. Start it: cargo xtask up"
        );
        let aws = Aws::local(&instance)?;
        Ok(Self { name: names::LOCAL_STACK.to_owned(), aws, local: Some(instance) })
    }

    /// The same stack without access to the local instance, as a stack on AWS is seen.
    pub(crate) fn into_remote(self) -> Self {
        Self { local: None, ..self }
    }

    /// The status, such as `UPDATE_COMPLETE`; `None` if the stack does not exist.
    pub(crate) fn status(&self) -> anyhow::Result<Option<String>> {
        Ok(self.describe()?.and_then(|stack| stack.stack_status().map(|status| status.as_str().to_owned())))
    }

    /// The outputs of the stack.
    pub(crate) fn outputs(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let stack = self.describe()?.with_context(|| self.missing())?;
        let outputs = stack.outputs().iter();
        Ok(outputs
            .filter_map(|output| Some((output.output_key()?.to_owned(), output.output_value()?.to_owned())))
            .collect())
    }

    /// The value of one output.
    pub(crate) fn output(&self, name: &str) -> anyhow::Result<String> {
        let value = self.outputs()?.remove(name);
        value.with_context(|| format!("stack {} has no output {name}: deploy it again", self.name))
    }

    /// The value of a parameter, either given or the template's default; `None` if there is none.
    pub(crate) fn parameter(&self, name: &str) -> anyhow::Result<Option<String>> {
        let stack = self.describe()?.with_context(|| self.missing())?;
        let parameter = stack.parameters().iter().find(|parameter| parameter.parameter_key() == Some(name));
        Ok(parameter.and_then(|parameter| parameter.parameter_value()).map(str::to_owned))
    }

    /// The base URL of the API.
    pub(crate) fn api_url(&self) -> anyhow::Result<String> {
        self.output(names::API_URL_OUTPUT)
    }

    /// The API with a machine token.
    pub(crate) fn shop(&self) -> anyhow::Result<Shop> {
        Ok(Shop::new(&self.api_url()?, &token::machine_token(self)?))
    }

    /// The emails that were sent, which can be read on the local stack only.
    pub(crate) fn mailbox(&self) -> Option<Mailbox> {
        self.local.as_ref().map(|instance| Mailbox::new(&instance.endpoint()))
    }

    /// All resources of the stack.
    pub(crate) fn resources(&self) -> anyhow::Result<Vec<Resource>> {
        let mut pages =
            self.aws.cloudformation.list_stack_resources().stack_name(&self.name).into_paginator().send();
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
    pub(crate) fn functions(&self) -> anyhow::Result<Vec<Resource>> {
        let mut functions = self.resources()?;
        functions.retain(|resource| resource.kind == "AWS::Lambda::Function");
        Ok(functions)
    }

    /// The log group of each function, by its kebab-case name (`orders-api`).
    pub(crate) fn log_groups(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let functions = self.functions()?;
        Ok(functions
            .into_iter()
            .map(|resource| {
                let function = names::kebab_case(&resource.logical_id);
                let group = format!("/{}/{function}", self.name);
                (function, group)
            })
            .collect())
    }

    fn describe(&self) -> anyhow::Result<Option<aws_sdk_cloudformation::types::Stack>> {
        let described =
            self.aws.wait(self.aws.cloudformation.describe_stacks().stack_name(&self.name).send());
        match described {
            Ok(response) => Ok(response.stacks().first().cloned()),
            Err(error) => {
                let text = DisplayErrorContext(&error).to_string();
                // CloudFormation reports a missing stack as a ValidationError, like other mistakes.
                if text.contains("does not exist") {
                    return Ok(None);
                }
                anyhow::bail!("cannot read stack {}: {text}", self.name)
            }
        }
    }

    fn missing(&self) -> String {
        match self.local {
            Some(_) => {
                "the stack is not deployed on the local emulator. Deploy it: cargo xtask up".to_owned()
            }
            None => format!("there is no stack {} in this account and region", self.name),
        }
    }
}
