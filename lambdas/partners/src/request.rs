//! The request bodies of the API and their validation.

use platform::http::input::TextInput;
use platform::http::{FieldError, Problem};
use platform::net::LocalReceiver;
use schemars::JsonSchema;

use crate::endpoint::EndpointUrl;
use crate::event::EventTypes;
use crate::webhook::{Change, Description};

/// The body of `POST /webhooks`.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateWebhook {
    /// The URL to send events to: `https`, with a public host name.
    #[eserde(compat)]
    url: EndpointUrl,
    /// The event types to send. Default: all.
    #[eserde(compat)]
    #[serde(default)]
    events: Option<EventTypes>,
    /// A description for your own use.
    #[eserde(compat)]
    #[serde(default)]
    description: Option<TextInput<Description>>,
}

/// A valid request to create a webhook.
pub(crate) struct NewSubscription {
    pub(crate) url: EndpointUrl,
    pub(crate) events: EventTypes,
    pub(crate) description: Option<Description>,
}

impl CreateWebhook {
    pub(crate) fn validate(self, exempt: Option<LocalReceiver>) -> Result<NewSubscription, Problem> {
        let Self { url, events, description } = self;
        check_url(&url, exempt)?;
        Ok(NewSubscription {
            url,
            events: events.unwrap_or_default(),
            description: description.and_then(|text| text.0.non_empty()),
        })
    }
}

/// The body of `PATCH /webhooks/{webhook_id}`. Fields that are omitted or null stay unchanged.
#[derive(Debug, eserde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeWebhook {
    /// The URL to send events to: `https`, with a public host name.
    #[eserde(compat)]
    #[serde(default)]
    url: Option<EndpointUrl>,
    /// The event types to send.
    #[eserde(compat)]
    #[serde(default)]
    events: Option<EventTypes>,
    /// A description for your own use. An empty one removes it.
    #[eserde(compat)]
    #[serde(default)]
    description: Option<TextInput<Description>>,
    /// Whether events are sent. `true` also enables a webhook that was disabled because of failures.
    #[eserde(compat)]
    #[serde(default)]
    enabled: Option<bool>,
}

impl ChangeWebhook {
    pub(crate) fn validate(self, exempt: Option<LocalReceiver>) -> Result<Change, Problem> {
        let Self { url, events, description, enabled } = self;
        if let Some(url) = &url {
            check_url(url, exempt)?;
        }
        Ok(Change { url, events, description: description.map(|text| text.0), enabled })
    }
}

/// Returns a 400 that points to the URL if webhooks may not be sent to it.
fn check_url(url: &EndpointUrl, exempt: Option<LocalReceiver>) -> Result<(), Problem> {
    url.check_allowed(exempt).map_err(|why| Problem::invalid(vec![FieldError::pointer("/url", why)]))
}
