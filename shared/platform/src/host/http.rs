//! The host for functions that HTTP calls: an `axum` router under API Gateway, or, where there is no Lambda
//! runtime, on `$PORT`.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use lambda_http::RequestExt;
use tower::ServiceBuilder;

use crate::clock::{Clock, SystemClock, timeout};
use crate::config;
use crate::http::{Problem, observe};

/// Serves `router` until the process is ended. Under Lambda the stage is not part of the path that a route sees.
///
/// # Errors
/// When the Lambda runtime fails, or `$PORT` cannot be listened on.
pub async fn run(router: Router) -> Result<(), super::Error> {
    let app = complete(router, Arc::new(SystemClock));
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        let without_stage = ServiceBuilder::new().map_request(remove_stage).service(app);
        return lambda_http::run(without_stage).await;
    }
    let port = config::optional("PORT", 8080_u16)?;
    let listener = tokio::net::TcpListener::bind(("0.0.0.0", port)).await?;
    tracing::info!(port, "listening");
    Ok(axum::serve(listener, app).await?)
}

/// Longest that [`warm_up`] may take: Lambda gives all of init 10 seconds.
const WARM_UP: Duration = Duration::from_secs(1);

/// Makes a first, harmless call to what the routes will call, so that its connection is open before somebody waits
/// for an answer: init has a whole processor, an invocation at 256 MB a seventh of one. What it answers, or that it
/// does not, makes no difference. Figures: `docs/decisions/0004-tls-and-sdk.md`.
pub async fn warm_up<T>(call: impl Future<Output = anyhow::Result<T>>) {
    match timeout(&SystemClock, WARM_UP, call).await {
        Some(Ok(_)) => {}
        Some(Err(error)) => tracing::warn!(error = %format!("{error:#}"), "the first call failed"),
        None => tracing::warn!("the first call took too long"),
    }
}

/// The router with what every one has: answers for unknown paths, and [`observe`] around all of it.
pub fn complete(router: Router, clock: Arc<dyn Clock>) -> Router {
    router
        .fallback(|| async { Problem::not_found("There is nothing at this path.") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(from_fn_with_state(clock, observe))
}

/// `lambda_http` puts the stage in front of the path; the event has the path without it.
fn remove_stage(mut request: lambda_http::Request) -> lambda_http::Request {
    let path = request.raw_http_path().to_owned();
    let path_and_query = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    if let Ok(uri) = path_and_query.parse() {
        *request.uri_mut() = uri;
    }
    request
}
