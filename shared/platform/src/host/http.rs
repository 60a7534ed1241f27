//! The host for functions that HTTP calls: an `axum` router under API Gateway, or, where there is no Lambda
//! runtime, on `$PORT`.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use http::{HeaderName, HeaderValue, Method};
use lambda_runtime::{LambdaEvent, service_fn};
use tower::ServiceExt;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::aws::UnsignedClient;
use crate::clock::{Clock, SystemClock, timeout};
use crate::config;
use crate::http::bearer::{TokenVerifier, authenticate};
use crate::http::{Problem, observe};

use super::gateway::{ProxyEvent, ProxyResponse, refuse};
use super::payload::Payload;

/// Serves `router` until the process is ended.
///
/// Under Lambda the stage is not part of the path that a route sees, and the gateway says whose a request is. An event
/// that is no request is answered with 400, one of another service than API Gateway with an error. Without Lambda, on `$PORT` (8080 where it is not set), each request's access token is checked here: it has to come from
/// `TOKEN_ISSUER`, whose keys are at `TOKEN_KEYS_URL`, or else where OpenID Connect has them. SIGTERM lets the requests
/// that are under way end. `ALLOWED_ORIGINS`, with commas between them, names whose pages may call (CORS).
///
/// # Errors
/// When the Lambda runtime fails, `$PORT` cannot be listened on, or a variable is missing or not understood.
pub async fn run(router: Router) -> Result<(), super::Error> {
    let clock = Arc::new(SystemClock);
    let origins = config::optional("ALLOWED_ORIGINS", String::new())?;
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        let app = with_observability(with_cors(with_fallbacks(router).layer(from_fn(refuse)), &origins)?, clock);
        let app = &app;
        return lambda_runtime::run(service_fn(move |event: LambdaEvent<Payload<ProxyEvent>>| async move {
            Ok::<_, super::Error>(answer(app.clone(), event.payload.0.into()).await)
        }))
        .await;
    }
    let bearer = from_fn_with_state(Arc::new(bearer(clock.clone())?), authenticate);
    let app = with_observability(with_cors(with_fallbacks(router).layer(bearer), &origins)?, clock);
    let port = config::optional("PORT", 8080_u16)?;
    let address = config::optional("BIND_ADDRESS", IpAddr::from(Ipv4Addr::UNSPECIFIED))?;
    let listener = tokio::net::TcpListener::bind((address, port)).await?;
    tracing::info!(port, "listening");
    Ok(axum::serve(listener, app).with_graceful_shutdown(termination_signal()).await?)
}

/// How long the user pool gets to tell its keys.
const KEYS_TIMEOUT: Duration = Duration::from_secs(3);

fn bearer(clock: Arc<dyn Clock>) -> anyhow::Result<TokenVerifier> {
    let issuer = config::required("TOKEN_ISSUER")?;
    let keys_url = config::optional("TOKEN_KEYS_URL", format!("{issuer}/.well-known/jwks.json"))?;
    Ok(TokenVerifier::new(Arc::new(UnsignedClient::new(KEYS_TIMEOUT)), issuer, keys_url, clock))
}

/// When a container is told to end.
async fn termination_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            terminate.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be waited for");
            std::future::pending::<()>().await;
        }
    }
}

/// How long a browser may remember what it may send: as long as Chromium does at most.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(7200);

/// Lets the pages of these origins call (<https://fetch.spec.whatwg.org/#http-cors-protocol>). No cookies: who calls
/// says so with a token.
fn with_cors(router: Router, origins: &str) -> anyhow::Result<Router> {
    let origins: Vec<HeaderValue> = origins
        .split(',')
        .map(str::trim)
        .filter(|origin| !origin.is_empty())
        .map(|origin| HeaderValue::try_from(origin).with_context(|| format!("ALLOWED_ORIGINS: {origin:?}")))
        .collect::<anyhow::Result<_>>()?;
    if origins.is_empty() {
        return Ok(router);
    }
    let sent = [
        "authorization",
        "content-type",
        "idempotency-key",
        "if-match",
        "if-none-match",
        "traceparent",
        "x-correlation-id",
    ];
    let read = [
        "etag",
        "location",
        "retry-after",
        "www-authenticate",
        // What API Gateway makes of it.
        "x-amzn-remapped-www-authenticate",
        "x-correlation-id",
    ];
    Ok(router.layer(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
            .allow_headers(sent.map(HeaderName::from_static))
            .expose_headers(read.map(HeaderName::from_static))
            .max_age(PREFLIGHT_MAX_AGE),
    ))
}

/// Longest that [`warm_up`] may take: Lambda gives all of init 10 seconds.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes a first, harmless call to what the routes will call, so that its connection is open before somebody waits
/// for an answer: init has a whole processor, an invocation at 256 MB a seventh of one. What it answers, or that it
/// does not, makes no difference. Figures: `docs/decisions/0004-tls-and-sdk.md`.
pub async fn warm_up<T>(call: impl Future<Output = anyhow::Result<T>>) {
    match timeout(&SystemClock, WARM_UP_TIMEOUT, call).await {
        Some(Ok(_)) => {}
        Some(Err(error)) => tracing::warn!(error = %format!("{error:#}"), "the first call failed"),
        None => tracing::warn!("the first call took too long"),
    }
}

/// The router with what every one has: answers for unknown paths, and [`observe`] around all of it.
pub fn build_app(router: Router, clock: Arc<dyn Clock>) -> Router {
    with_observability(with_fallbacks(router), clock)
}

/// Answers whatever path and method there is. Before any layer: a fallback that comes later stands outside of it.
fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(|| async { Problem::not_found("There is nothing at this path.") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
}

fn with_observability(router: Router, clock: Arc<dyn Clock>) -> Router {
    router.layer(from_fn_with_state(clock, observe))
}

async fn answer(app: Router, request: Request) -> ProxyResponse {
    let response = app.oneshot(request).await.unwrap_or_else(|never| match never {});
    ProxyResponse::from_response(response).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_browser_may_call_from_the_origins_that_are_named() {
        use axum::routing::post;

        let router = with_fallbacks(Router::new().route("/orders", post(|| async {})));
        let app = with_cors(router, "https://a.example, https://b.example").unwrap();
        let preflight = async |origin: &str| {
            let request = http::Request::options("/orders")
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization,idempotency-key");
            let request = request.body(axum::body::Body::empty()).unwrap();
            let answer = app.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), 200);
            let allowed = answer.headers().get("access-control-allow-origin").cloned();
            (allowed, answer.headers()["access-control-allow-headers"].to_str().unwrap().to_owned())
        };
        for origin in ["https://a.example", "https://b.example"] {
            let (allowed, headers) = preflight(origin).await;
            assert_eq!(allowed.unwrap(), origin);
            assert!(headers.contains("idempotency-key"), "{headers}");
        }
        assert_eq!(preflight("https://evil.example").await.0, None);
    }

    #[test]
    fn origins_are_those_that_are_named() {
        assert!(with_cors(Router::new(), "https://a.example, https://b.example").is_ok());
        assert!(with_cors(Router::new(), "").is_ok());
        assert!(with_cors(Router::new(), "https://a.example\n").is_ok(), "spaces around are no part of it");
        assert!(with_cors(Router::new(), "https://a\u{7f}.example").is_err());
    }
}
