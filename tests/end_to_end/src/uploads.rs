//! Product images, as a page uploads and shows them: only through the API and S3.

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use platform::http_client::HttpClient;
use serde_json::{Value, json};

use crate::stack::{ApiResponse, Stack};
use crate::{WAIT_TIMEOUT, wait_for};

/// An upload form from the API.
#[derive(Debug, Clone)]
pub struct Form {
    /// The id of the upload.
    pub upload_id: String,
    /// The URL to post the form to.
    pub url: String,
    /// The form fields, which precede the file.
    pub fields: Vec<(String, String)>,
}

const BOUNDARY: &str = "the-file-does-not-hold-this";

impl Form {
    /// Returns the form with another value for a field.
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
        // The file name is misleading on purpose: it must be ignored.
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"picture.exe\"";
        body.extend_from_slice(format!("--{BOUNDARY}\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(file);
        body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
        body.into()
    }
}

impl Stack {
    /// Requests an upload form for a product's image.
    ///
    /// # Errors
    /// When the API returns no form.
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

    /// Uploads a file with a form, as a browser does.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn upload(&self, form: &Form, file: &[u8]) -> anyhow::Result<ApiResponse> {
        let request = Request::post(&form.url)
            .header("content-type", format!("multipart/form-data; boundary={BOUNDARY}"))
            .body(form.body(file))?;
        ApiResponse::read(self.client.send(request).await?)
    }

    /// Requests an upload form and uploads a file with it.
    ///
    /// # Errors
    /// When one of the two requests fails.
    pub async fn upload_image(&self, sku: &str, content_type: &str, file: &[u8]) -> anyhow::Result<Form> {
        let form = self.request_upload(sku, content_type).await?;
        self.upload(&form, file).await?.expect(StatusCode::NO_CONTENT)?;
        Ok(form)
    }

    /// Returns the public status of a product's image.
    ///
    /// # Errors
    /// When there is no response.
    pub async fn image_status(&self, sku: &str) -> anyhow::Result<Value> {
        let path = format!("/products/{sku}/image");
        let response = self.api(Method::GET, &path, &[("authorization", "")], None).await?;
        Ok(response.expect(StatusCode::OK)?.body)
    }

    /// Waits until the latest upload has been processed, and returns its status.
    pub async fn wait_for_upload_result(&self, sku: &str) -> Value {
        // GuardDuty is slower than the local scanner.
        let timeout = if self.is_local() { WAIT_TIMEOUT } else { WAIT_TIMEOUT * 4 };
        wait_for(&format!("the result of the upload for {sku}"), timeout, async || {
            Ok(Some(self.image_status(sku).await?).filter(|image| image["status"] != "pending"))
        })
        .await
    }

    /// Fetches a public URL. Returns the status, the media type and the body.
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
