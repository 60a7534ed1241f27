//! Pictures of products, as a page uploads and shows them: through the API and S3 alone.

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use platform::http::client::HttpClient;
use serde_json::{Value, json};

use crate::stack::{ApiResponse, Stack};
use crate::{WAIT_TIMEOUT, wait_for};

/// A form that the API gave for an upload.
#[derive(Debug, Clone)]
pub struct Form {
    /// Names the upload.
    pub upload_id: String,
    /// Where to send it.
    pub url: String,
    /// Its fields, in front of the file.
    pub fields: Vec<(String, String)>,
}

const BOUNDARY: &str = "the-file-does-not-hold-this";

impl Form {
    /// The form with another value of a field.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        for (_, old) in self.fields.iter_mut().filter(|(field, _)| field == name) {
            value.clone_into(old);
        }
        self
    }

    fn body(&self, file: &[u8]) -> Bytes {
        let mut body = Vec::new();
        for (name, value) in &self.fields {
            let part =
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
            body.extend_from_slice(part.as_bytes());
        }
        // The name of the file says the wrong thing on purpose: it counts for nothing.
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"picture.exe\"";
        body.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(file);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        body.into()
    }
}

impl Stack {
    /// Asks for an upload of a product's picture.
    ///
    /// # Errors
    /// When the API gives no form.
    pub async fn request_upload(&self, sku: &str, content_type: &str) -> anyhow::Result<Form> {
        let path = format!("/products/{sku}/image");
        let body = json!({ "content_type": content_type });
        let response =
            self.api(Method::POST, &path, &[], Some(&body)).await?.expect(StatusCode::CREATED)?.body;
        let text = |value: &Value| value.as_str().map(str::to_owned).with_context(|| format!("{response}"));
        let fields = response["fields"].as_object().with_context(|| format!("{response}"))?;
        let fields = fields.iter().map(|(name, value)| Ok((name.clone(), text(value)?)));
        Ok(Form {
            upload_id: text(&response["upload_id"])?,
            url: text(&response["url"])?,
            fields: fields.collect::<anyhow::Result<_>>()?,
        })
    }

    /// Sends a file with a form, as a browser does.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn upload(&self, form: &Form, file: &[u8]) -> anyhow::Result<ApiResponse> {
        let request = Request::post(&form.url)
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(form.body(file))?;
        ApiResponse::read(self.client.send(request).await?)
    }

    /// Asks for an upload, and sends a file.
    ///
    /// # Errors
    /// When one of the two does not work.
    pub async fn upload_image(&self, sku: &str, content_type: &str, file: &[u8]) -> anyhow::Result<Form> {
        let form = self.request_upload(sku, content_type).await?;
        self.upload(&form, file).await?.expect(StatusCode::NO_CONTENT)?;
        Ok(form)
    }

    /// What anybody is told of a product's picture.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn image_status(&self, sku: &str) -> anyhow::Result<Value> {
        let path = format!("/products/{sku}/image");
        let response = self.api(Method::GET, &path, &[("authorization", "")], None).await?;
        Ok(response.expect(StatusCode::OK)?.body)
    }

    /// Waits until the upload that was asked for last is decided, and gives back what is told of it.
    pub async fn wait_for_upload_result(&self, sku: &str) -> Value {
        // GuardDuty takes its time.
        let timeout = if self.is_local() { WAIT_TIMEOUT } else { WAIT_TIMEOUT * 4 };
        wait_for(&format!("what becomes of the upload for {sku}"), timeout, async || {
            Ok(Some(self.image_status(sku).await?).filter(|picture| picture["status"] != "pending"))
        })
        .await
    }

    /// Fetches something as anybody can: status, media type, and what it holds.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn fetch(&self, url: &str) -> anyhow::Result<(StatusCode, String, Bytes)> {
        let response = self.client.send(Request::get(url).body(Bytes::new())?).await?;
        let kind = response.headers().get("content-type").and_then(|kind| kind.to_str().ok());
        let kind = kind.unwrap_or_default().to_owned();
        Ok((response.status(), kind, response.into_body()))
    }
}
