//! The URLs that webhooks may be sent to. The addresses that a host name resolves to are checked when a
//! request is sent ([`aws::PublicClient`]).

use std::fmt;

use platform::config;
use platform::net::LocalReceiver;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use url::{Host, Url};

/// The maximum length of a URL.
pub const MAX_URL_LENGTH: usize = 2048;

/// Domains that are never on the public internet, with all their subdomains.
const NON_PUBLIC_TOP_LEVEL_DOMAINS: [&str; 56] = [
    // Special-use domain names (<https://www.iana.org/assignments/special-use-domain-names>), among them those
    // of RFC 6761, RFC 6762, RFC 7686 and RFC 9476. `arpa` has no hosts for the public: most of its special-use
    // names are below it, such as `home.arpa` (RFC 8375).
    "alt",
    "arpa",
    "example",
    "invalid",
    "local",
    "localhost",
    "onion",
    "test",
    // Reserved for private use by ICANN
    // (<https://www.icann.org/en/board-activities-and-meetings/materials/approved-resolutions-special-meeting-of-the-icann-board-29-07-2024-en>).
    "internal",
    // Never delegated, because networks use them
    // (<https://www.icann.org/en/board-activities-and-meetings/materials/approved-board-resolutions-regular-meeting-of-the-icann-board-04-02-2018-en>).
    "corp",
    "home",
    "mail",
    // Used in private networks (RFC 6762 appendix G), and names that routers, directory services, container
    // platforms and other software use by default. None of them is a top-level domain.
    "cluster",
    "consul",
    "containers",
    "dhcp",
    "dmz",
    "docker",
    "dom",
    "domain",
    "gateway",
    "homenet",
    "homestation",
    "hosts",
    "intern",
    "intra",
    "intranet",
    "isatap",
    "k8s",
    "kube",
    "kubernetes",
    "lab",
    "lan",
    "local-network",
    "localdomain",
    "localnet",
    "loopback",
    "mdns",
    "mshome",
    "netbird",
    "nomad",
    "priv",
    "private",
    "pvt",
    "router",
    "server",
    "station",
    "svc",
    "tailscale",
    "vpn",
    "wan",
    "workgroup",
    "wpad",
    // Other systems of names than the DNS.
    "bit",
    "eth",
    "i2p",
];

/// A URL that webhooks can be sent to: `https`, a host name, any port and path. It must not contain a user
/// name or an IP address, nor any notation of the host that parsers may interpret differently.
///
/// A loopback address with `http` is valid too; [`EndpointUrl::check_allowed`] decides whether it is allowed.
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

/// The error for an invalid URL, worded for the client that sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidUrl(&'static str);

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

const NOT_PUBLIC: InvalidUrl = InvalidUrl("must have a public host name, and no IP address");

impl EndpointUrl {
    /// Returns the URL as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Deserializes a stored URL. It was valid when it was stored: a webhook whose URL no longer is has to remain
    /// readable, so that the partner can change it. Nothing is sent to an address that is not public.
    pub(crate) fn deserialize_stored<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }

    /// Checks that webhooks may be sent to the URL: it is on the public internet, or is `exempt`.
    ///
    /// # Errors
    /// When they may not be.
    pub fn check_allowed(&self, exempt: Option<LocalReceiver>) -> Result<(), InvalidUrl> {
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
        if text.len() > MAX_URL_LENGTH {
            return Err(InvalidUrl("may have at most 2048 characters"));
        }
        if !text.bytes().all(is_url_byte) {
            return Err(InvalidUrl("may only contain the characters of a URL, and no fragment"));
        }
        let url =
            Url::parse(&text).map_err(|_| InvalidUrl("must be a URL such as https://example.com/hooks"))?;
        let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
            return Err(InvalidUrl("must start with https://"));
        };
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(InvalidUrl("must not contain a user name"));
        }
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        if port.is_some_and(|port| port.starts_with('0') || port.parse::<u16>().is_err()) {
            return Err(InvalidUrl("must have a port from 1 to 65535, if any"));
        }
        // The parser also accepts notations such as 0x7f.1 and %6c, which nobody needs for a public host.
        if !url.host_str().is_some_and(|parsed| parsed.eq_ignore_ascii_case(host)) {
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
            // Percent-encoding may have made the URL longer.
            if url.0.len() > MAX_URL_LENGTH {
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

/// Returns whether a host name can be public: it has at least two labels, and is not in a domain that is
/// never public.
fn is_public_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253
        && name.contains('.')
        && name.split('.').all(is_label)
        && name.rsplit('.').next().is_some_and(|last| {
            last.starts_with(|first: char| first.is_ascii_alphabetic())
                && !NON_PUBLIC_TOP_LEVEL_DOMAINS.contains(&last)
        })
}

/// Returns the receiver in `WEBHOOK_TEST_RECEIVER`, which is exempt from the rule that webhooks are sent only
/// to the public internet, or `None` if the variable is not set.
///
/// # Errors
/// When the value is not a loopback address with a port.
pub fn test_receiver() -> anyhow::Result<Option<LocalReceiver>> {
    let receiver = config::optional("WEBHOOK_TEST_RECEIVER", String::new())?;
    if receiver.is_empty() { Ok(None) } else { Ok(Some(receiver.parse()?)) }
}

#[cfg(test)]
mod tests;
