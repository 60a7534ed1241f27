//! What clients send, checked field by field.

use platform::http::{FieldError, Problem};
use platform::net::LocalReceiver;
use schemars::JsonSchema;

use crate::endpoint::EndpointUrl;
use crate::event::EventTypes;
use crate::webhook::{Change, Remark};

/// The body of `POST /webhooks`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateWebhook {
    /// Where to send events: `https`, and on the public internet.
    #[eserde(compat)]
    url: EndpointUrl,
    /// Which events: all where it is left out.
    #[eserde(compat)]
    #[serde(default)]
    events: Option<EventTypes>,
    /// Something to know it by.
    #[eserde(compat)]
    #[serde(default)]
    description: Option<Remark>,
}

/// What a partner asks for.
pub(crate) struct Wish {
    pub(crate) url: EndpointUrl,
    pub(crate) events: EventTypes,
    pub(crate) description: Option<Remark>,
}

impl CreateWebhook {
    pub(crate) fn checked(self, exempt: Option<LocalReceiver>) -> Result<Wish, Problem> {
        let Self { url, events, description } = self;
        allowed(&url, exempt)?;
        Ok(Wish {
            url,
            events: events.unwrap_or_default(),
            description: description.and_then(Remark::or_none),
        })
    }
}

/// The body of `PATCH /webhooks/{webhook_id}`. What is left out, or null, stays as it is.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeWebhook {
    /// Where to send events: `https`, and on the public internet.
    #[eserde(compat)]
    #[serde(default)]
    url: Option<EndpointUrl>,
    /// Which events.
    #[eserde(compat)]
    #[serde(default)]
    events: Option<EventTypes>,
    /// Something to know it by. An empty one removes it.
    #[eserde(compat)]
    #[serde(default)]
    description: Option<Remark>,
    /// Whether anything is sent. `true` also enables one again that was disabled because nothing arrived.
    #[eserde(compat)]
    #[serde(default)]
    enabled: Option<bool>,
}

impl ChangeWebhook {
    pub(crate) fn checked(self, exempt: Option<LocalReceiver>) -> Result<Change, Problem> {
        let Self { url, events, description, enabled } = self;
        if let Some(url) = &url {
            allowed(url, exempt)?;
        }
        Ok(Change { url, events, description, enabled })
    }
}

/// A 400 that names the URL, if webhooks may not go there.
fn allowed(url: &EndpointUrl, exempt: Option<LocalReceiver>) -> Result<(), Problem> {
    url.is_allowed(exempt).map_err(|why| Problem::invalid(vec![FieldError::pointer("/url", why)]))
}
