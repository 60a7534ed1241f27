//! Where webhooks may go, as far as a URL tells. What its name resolves to is looked at when something is sent
//! ([`aws::PublicClient`]).

use std::fmt;

use platform::config;
use platform::net::LocalReceiver;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// The most characters that a URL has.
pub const LONGEST_URL: usize = 2048;

/// Names that never are on the public internet, with all names below them (RFC 6761, RFC 6762, RFC 8375, and
/// <https://www.icann.org/en/board-activities-and-meetings/materials/approved-resolutions-special-meeting-of-the-icann-board-29-07-2024-en>
/// for `internal`).
const INSIDE: [&str; 4] = ["localhost", "local", "internal", "home.arpa"];

/// A URL that webhooks can be sent to: `https`, the name of a host, any port and path. The host is spelt out plainly:
/// no user, no address in its place, nothing that one parser takes for one host and another for another.
///
/// Over `http`, a loopback address can be named too; [`EndpointUrl::is_allowed`] says whether it may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(
    with = "String",
    extend(
        "maxLength" = 2048,
        "pattern" = r"^(https://([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?|http://127\.0\.0\.1)(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?([/?][A-Za-z0-9._~:/?@!$&'()*+,;=%-]*)?$"
)
)]
pub struct EndpointUrl(String);

/// Says what is wrong with a URL, in words for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidUrl(&'static str);

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

const NOT_PUBLIC: InvalidUrl = InvalidUrl("must lead to the public internet, by the name of a host");

impl EndpointUrl {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether webhooks may be sent there: to the public internet, and to `exempt`.
    ///
    /// # Errors
    /// Says why not.
    pub fn is_allowed(&self, exempt: Option<LocalReceiver>) -> Result<(), InvalidUrl> {
        let url = Url::parse(&self.0).map_err(|_| NOT_PUBLIC)?;
        match url.host() {
            Some(Host::Domain(_)) => Ok(()),
            Some(Host::Ipv4(address))
                if exempt.is_some_and(|exempt| exempt.matches(&address.to_string(), url.port())) =>
            {
                Ok(())
            }
            _ => Err(NOT_PUBLIC),
        }
    }
}

impl TryFrom<String> for EndpointUrl {
    type Error = InvalidUrl;

    fn try_from(text: String) -> Result<Self, InvalidUrl> {
        if text.len() > LONGEST_URL {
            return Err(InvalidUrl("may have at most 2048 characters"));
        }
        if !text.bytes().all(is_url_byte) {
            return Err(InvalidUrl("may have the characters of a URL only, and no fragment"));
        }
        let url =
            Url::parse(&text).map_err(|_| InvalidUrl("must be a URL such as https://example.com/hooks"))?;
        let Some(behind) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
            return Err(InvalidUrl("must start with https://"));
        };
        let authority = behind.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(InvalidUrl("may name no user"));
        }
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        if port.is_some_and(|port| port.starts_with('0') || port.parse::<u16>().is_err()) {
            return Err(InvalidUrl("must have a port from 1 to 65535, if it has one"));
        }
        // The parser understands 0x7f.1 and %6c too. Who means a public host writes it as it is.
        if !url.host_str().is_some_and(|understood| understood.eq_ignore_ascii_case(host)) {
            return Err(NOT_PUBLIC);
        }
        match url.host() {
            Some(Host::Domain(_)) if url.scheme() != "https" => Err(InvalidUrl("must start with https://")),
            Some(Host::Domain(name)) if is_public_name(name) => Ok(Self(url.into())),
            Some(Host::Ipv4(address)) if url.scheme() == "http" && address.is_loopback() => {
                Ok(Self(url.into()))
            }
            _ => Err(NOT_PUBLIC),
        }
        .and_then(|url| {
            // Percent-encoding may have made it longer.
            if url.0.len() > LONGEST_URL {
                Err(InvalidUrl("may have at most 2048 characters"))
            } else {
                Ok(url)
            }
        })
    }
}

impl From<EndpointUrl> for String {
    fn from(url: EndpointUrl) -> Self {
        url.0
    }
}

fn is_url_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._~:/?@!$&'()*+,;=%-".contains(&byte)
}

/// Whether a name can be one of the public internet: at least two labels, and none of those that never are.
fn is_public_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let inside =
        |suffix: &&str| name.strip_suffix(*suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(is_label)
        && name
            .rsplit('.')
            .next()
            .is_some_and(|last| last.starts_with(|first: char| first.is_ascii_alphabetic()))
        && !INSIDE.iter().any(inside)
}

/// The receiver in `WEBHOOK_TEST_RECEIVER` that is exempt from the rule that webhooks go to the public internet alone;
/// none where that is not set.
///
/// # Errors
/// When it names anything but a port of this machine.
pub fn test_receiver() -> anyhow::Result<Option<LocalReceiver>> {
    let named = config::optional("WEBHOOK_TEST_RECEIVER", String::new())?;
    if named.is_empty() { Ok(None) } else { Ok(Some(named.parse()?)) }
}

#[cfg(test)]
mod tests;
