//! Requests as AWS WAF sees them in front of API Gateway.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;

/// A request as the firewall sees it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The purpose of the request in the corpus.
    #[serde(default)]
    pub name: String,
    /// The HTTP method.
    pub method: String,
    /// The path as it was sent, with the stage in front: `/v1/orders`.
    pub path: String,
    /// The query string as it was sent, without the `?`.
    #[serde(default)]
    pub query: String,
    /// The name and value of each header.
    pub headers: Vec<(String, String)>,
    /// The body, if it is JSON: sent without white space.
    #[serde(default)]
    json: Option<Value>,
    /// The body, if it is text.
    #[serde(default)]
    body: Option<String>,
    /// The body in Base64, if it is anything else.
    #[serde(default)]
    body_base64: Option<String>,
    /// The source address. `null` if the request was written by hand.
    #[serde(default)]
    pub source: Option<String>,
    /// The status of the response. `null` if the request was written by hand.
    #[serde(default)]
    pub status: Option<u16>,
    /// The IP list (`AWSManagedIPReputationList`, …) that contains the source address.
    #[serde(default)]
    pub listed: Option<String>,
    /// The managed rule that should block this attack.
    #[serde(default)]
    pub attacks: Option<String>,
}

/// The host of a deployed API.
const AWS_HOST: &str = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com";

impl Request {
    /// Creates a request without headers or a body.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            name: format!("{method} {path}"),
            method: method.to_owned(),
            path: path.to_owned(),
            query: String::new(),
            headers: Vec::new(),
            json: None,
            body: None,
            body_base64: None,
            source: None,
            status: None,
            listed: None,
            attacks: None,
        }
    }

    /// Loads all requests in the files of a directory, each of which contains a JSON list of them. In
    /// strings, `<<x*100>>` stands for `x` repeated a hundred times.
    ///
    /// # Errors
    /// When a file cannot be read or parsed.
    pub fn load_corpus(folder: &Path) -> Result<Vec<Self>> {
        let mut files: Vec<_> = fs::read_dir(folder)?.collect::<std::io::Result<_>>()?;
        files.sort_by_key(std::fs::DirEntry::path);
        let mut all = Vec::new();
        for file in files {
            let path = file.path();
            let text = fs::read_to_string(&path)?;
            let list =
                serde_json::from_str(&text).map(expand_repeats).and_then(serde_json::from_value::<Vec<Self>>);
            all.extend(list.with_context(|| format!("{} is not a list of requests", path.display()))?);
        }
        Ok(all)
    }

    /// Loads the requests that the emulator's gateway recorded, one per line
    /// (`xtask/local_stack/src/python/launch_emulator.py`). Their host is replaced by that of an API on AWS.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is not a request.
    pub fn load_recorded(file: &Path) -> Result<Vec<Self>> {
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        text.lines()
            .enumerate()
            .map(|(at, line)| {
                let mut request: Self = serde_json::from_str(line)
                    .with_context(|| format!("line {} of {} is not a request", at + 1, file.display()))?;
                request.name = format!("line {}: {} {}", at + 1, request.method, request.path);
                for (name, value) in &mut request.headers {
                    if name.eq_ignore_ascii_case("host") {
                        AWS_HOST.clone_into(value);
                    }
                }
                Ok(request)
            })
            .collect()
    }

    /// Returns the value of a header. Names are case-insensitive.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Returns the request without the headers of this name.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// Returns the request with an additional header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns the bytes of the body.
    ///
    /// # Errors
    /// When the Base64 of the body is invalid.
    pub fn body(&self) -> Result<Vec<u8>> {
        Ok(match (&self.json, &self.body, &self.body_base64) {
            (Some(json), ..) => json.to_string().into_bytes(),
            (_, Some(text), _) => text.clone().into_bytes(),
            (_, _, Some(encoded)) => BASE64_STANDARD.decode(encoded)?,
            _ => Vec::new(),
        })
    }
}

fn expand_repeats(value: Value) -> Value {
    match value {
        Value::String(text) => {
            let mut parts = text.split("<<");
            let mut whole = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let repeated = part.split_once(">>").and_then(|(inside, rest)| {
                    let (unit, times) = inside.rsplit_once('*')?;
                    Some(unit.repeat(times.parse().ok()?) + rest)
                });
                whole.push_str(&repeated.unwrap_or_else(|| format!("<<{part}")));
            }
            whole.into()
        }
        Value::Array(items) => items.into_iter().map(expand_repeats).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, expand_repeats(value))).collect()
        }
        other => other,
    }
}
