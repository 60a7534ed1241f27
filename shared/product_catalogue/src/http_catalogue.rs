//! The catalogue over the public API of the inventory.

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use domain::Sku;
use http::{Request, StatusCode};
use platform::http_client::HttpClient;
use serde::Deserialize;

use crate::{Catalogue, ProductInfo};

/// The product catalogue over HTTP.
pub struct HttpCatalogue<C> {
    client: C,
    base: String,
}

impl<C: HttpClient> HttpCatalogue<C> {
    /// Uses the API at `base`, such as `https://….execute-api.eu-central-1.amazonaws.com/v1`.
    pub fn new(client: C, base: &str) -> Self {
        Self { client, base: base.trim_end_matches('/').to_owned() }
    }
}

#[async_trait]
impl<C: HttpClient> Catalogue for HttpCatalogue<C> {
    async fn product(&self, sku: &Sku, correlation_id: &str) -> anyhow::Result<Option<ProductInfo>> {
        let request = Request::get(format!("{}/products/{sku}", self.base))
            .header("x-correlation-id", correlation_id)
            .body(Bytes::new())?;
        let response = self.client.send(request).await?;
        match response.status() {
            status if status.is_success() => {
                let product = serde_json::from_slice(response.body());
                Ok(Some(
                    product.with_context(|| {
                        format!("the response of the inventory for {sku} cannot be parsed")
                    })?,
                ))
            }
            // Only a problem of the inventory itself means that the product does not exist. During a
            // deployment, API Gateway may return a 404 as well.
            StatusCode::NOT_FOUND if is_problem(response.body()) => Ok(None),
            status => anyhow::bail!("the inventory returned {status} for {sku}"),
        }
    }
}

fn is_problem(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct ProblemBody {
        #[serde(rename = "type")]
        kind: String,
    }
    serde_json::from_slice::<ProblemBody>(body).is_ok_and(|problem| problem.kind.ends_with(":not-found"))
}

#[cfg(test)]
mod tests {
    use domain::TaxRate;
    use http::Response;
    use platform::http_client::NoResponse;

    use super::*;

    struct FixedResponse(u16, &'static str);

    #[async_trait]
    impl HttpClient for FixedResponse {
        async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoResponse> {
            assert_eq!(request.uri(), "https://api.example/v1/products/TEA-001");
            assert_eq!(request.headers()["x-correlation-id"], "request-1");
            Ok(Response::builder().status(self.0).body(Bytes::from_static(self.1.as_bytes())).unwrap())
        }
    }

    async fn fetch(status: u16, body: &'static str) -> anyhow::Result<Option<ProductInfo>> {
        let catalogue = HttpCatalogue::new(FixedResponse(status, body), "https://api.example/v1/");
        catalogue.product(&"TEA-001".parse().unwrap(), "request-1").await
    }

    #[tokio::test]
    async fn only_a_not_found_problem_means_that_there_is_no_such_product() {
        let found = fetch(200, r#"{"sku":"TEA-001","name":"Tea","tax_rate":700,"available":1}"#)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((found.name.as_str(), found.tax_rate.map(TaxRate::basis_points)), ("Tea", Some(700)));
        let standard = fetch(200, r#"{"name":"Tea"}"#).await.unwrap().unwrap();
        assert_eq!(standard.tax_rate, None);
        let absent =
            fetch(404, r#"{"type":"urn:serverless-orders:problem:not-found","status":404}"#).await.unwrap();
        assert_eq!(absent, None);
        for (status, body) in [
            (404, r#"{"message":"Not Found"}"#),
            (403, r#"{"message":"Missing Authentication Token"}"#),
            (429, ""),
            (500, ""),
            (200, "<html>"),
            (200, r#"{"name":""}"#),
        ] {
            assert!(fetch(status, body).await.is_err(), "{status} {body}");
        }
    }
}
