//! Requests, as AWS WAF sees them in front of API Gateway.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::Value;

/// One request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// What it shows.
    #[serde(default)]
    pub name: String,
    /// The HTTP method.
    pub method: String,
    /// The path as it was sent, with the stage in front: `/v1/orders`.
    pub path: String,
    /// What is behind the `?`, as it was sent.
    #[serde(default)]
    pub query: String,
    /// Name and value of each header.
    pub headers: Vec<(String, String)>,
    /// The body, where it is JSON: sent without white space.
    #[serde(default)]
    json: Option<Value>,
    /// The body, where it is text.
    #[serde(default)]
    body: Option<String>,
    /// The body, where it is anything else.
    #[serde(default)]
    body_base64: Option<String>,
    /// The address that it came from. `null` where it was written by hand.
    #[serde(default)]
    pub source: Option<String>,
    /// The status of the answer. `null` where it was written by hand.
    #[serde(default)]
    pub status: Option<u16>,
    /// The list of IP addresses (`AWSManagedIPReputationList`, …) that its source is on.
    #[serde(default)]
    pub listed: Option<String>,
    /// The managed rule that it is an attack by example of.
    #[serde(default)]
    pub attacks: Option<String>,
}

/// The host that a deployed API has.
const AWS_HOST: &str = "a1b2c3d4e5.execute-api.eu-central-1.amazonaws.com";

impl Request {
    /// A request without headers or a body.
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

    /// All requests in the files of a folder, each of which holds a JSON list of them. In a text, `<<x*100>>` stands for a
    /// hundred times `x`.
    ///
    /// # Errors
    /// When a file cannot be read, or is no such list.
    pub fn load_corpus(folder: &Path) -> Result<Vec<Self>> {
        let mut files: Vec<_> = fs::read_dir(folder)?.collect::<std::io::Result<_>>()?;
        files.sort_by_key(std::fs::DirEntry::path);
        let mut all = Vec::new();
        for file in files {
            let path = file.path();
            let text = fs::read_to_string(&path)?;
            let list =
                serde_json::from_str(&text).map(expand_repeats).and_then(serde_json::from_value::<Vec<Self>>);
            all.extend(list.with_context(|| format!("{} is no corpus", path.display()))?);
        }
        Ok(all)
    }

    /// The requests that the emulator's gateway wrote down, one a line (`xtask/src/python/launch_emulator.py`). They get the
    /// host that they would have had on AWS.
    ///
    /// # Errors
    /// When the file cannot be read, or a line is no request.
    pub fn load_recorded(file: &Path) -> Result<Vec<Self>> {
        let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        text.lines()
            .enumerate()
            .map(|(at, line)| {
                let mut request: Self = serde_json::from_str(line)
                    .with_context(|| format!("line {} of {} is no request", at + 1, file.display()))?;
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

    /// The value of a header, by its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter();
        all.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The request without its headers of that name.
    #[must_use]
    pub fn without_header(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// The request with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The bytes of the body.
    ///
    /// # Errors
    /// When it claims to be Base64 and is not.
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
