//! The host for HTTP functions: an `axum` router behind API Gateway or, outside Lambda, a server on `$PORT`.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use http::{HeaderName, HeaderValue, Method, Uri};
use lambda_runtime::{LambdaEvent, service_fn};
use tower::ServiceExt;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::clock::{Clock, SystemClock, timeout};
use crate::config;
use crate::http::bearer::{TokenVerifier, authenticate};
use crate::http::{Problem, observe};
use crate::http_client::HttpClient;

use super::gateway::{ProxyEvent, ProxyResponse, refuse};
use super::payload::Payload;

/// Serves `router` until the process is terminated.
///
/// In Lambda, the path does not include the stage, and API Gateway identifies the caller. An event that is
/// not a valid request gets a 400, and an event of a service other than API Gateway an error. Outside Lambda,
/// the host listens on `$PORT` (default 8080) and verifies the access token of each request: its issuer has
/// to be `TOKEN_ISSUER`, whose keys are at `TOKEN_KEYS_URL` (default: the issuer's OpenID Connect location).
/// They are fetched by a client that `client` makes, with the given timeout.
/// On SIGTERM, the requests in progress are completed. `ALLOWED_ORIGINS` is the comma-separated list of
/// origins whose pages may call the API (CORS).
///
/// # Errors
/// When the Lambda runtime fails, `$PORT` cannot be bound, or an environment variable is missing or invalid.
pub async fn run<C: HttpClient + 'static>(
    router: Router,
    client: fn(Duration) -> C,
) -> Result<(), super::Error> {
    let clock = Arc::new(SystemClock);
    let origins = config::optional("ALLOWED_ORIGINS", String::new())?;
    if std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some() {
        let app =
            with_observability(with_cors(with_fallbacks(router).layer(from_fn(refuse)), &origins)?, clock);
        let app = &app;
        return lambda_runtime::run(service_fn(move |event: LambdaEvent<Payload<ProxyEvent>>| async move {
            Ok::<_, super::Error>(respond(app.clone(), event.payload.0.into()).await)
        }))
        .await;
    }
    let authentication = from_fn_with_state(
        Arc::new(token_verifier(Arc::new(client(KEYS_TIMEOUT)), clock.clone())?),
        authenticate,
    );
    let app = with_observability(with_cors(with_fallbacks(router).layer(authentication), &origins)?, clock);
    let port = config::optional("PORT", 8080_u16)?;
    let address = config::optional("BIND_ADDRESS", IpAddr::from(Ipv4Addr::UNSPECIFIED))?;
    let listener = tokio::net::TcpListener::bind((address, port)).await?;
    tracing::info!(port, "listening");
    Ok(axum::serve(listener, app).with_graceful_shutdown(termination_signal()).await?)
}

/// The timeout of fetching the user pool's keys.
const KEYS_TIMEOUT: Duration = Duration::from_secs(3);

fn token_verifier(client: Arc<dyn HttpClient>, clock: Arc<dyn Clock>) -> anyhow::Result<TokenVerifier> {
    let issuer = config::required("TOKEN_ISSUER")?;
    let keys_url = config::optional("TOKEN_KEYS_URL", format!("{issuer}/.well-known/jwks.json"))?;
    Ok(TokenVerifier::new(client, issuer, keys_url, clock))
}

/// Completes when the container receives SIGTERM.
async fn termination_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            terminate.recv().await;
        }
        Err(error) => {
            tracing::warn!(%error, "no handler for SIGTERM could be installed");
            std::future::pending::<()>().await;
        }
    }
}

/// How long a browser may cache a preflight response: the maximum that Chromium honours.
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(7200);

/// Allows the pages of `origins` to call the API (<https://fetch.spec.whatwg.org/#http-cors-protocol>).
/// Credentials such as cookies are not allowed: callers authenticate with a token.
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
        // The name that API Gateway gives to `www-authenticate`.
        "x-amzn-remapped-www-authenticate",
        "x-correlation-id",
    ];
    Ok(router.layer(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([
                Method::GET,
                Method::HEAD,
                Method::POST,
                Method::PUT,
                Method::PATCH,
                Method::DELETE,
            ])
            .allow_headers(sent.map(HeaderName::from_static))
            .expose_headers(read.map(HeaderName::from_static))
            .max_age(PREFLIGHT_MAX_AGE),
    ))
}

/// The timeout of [`warm_up`]: Lambda limits the whole init phase to 10 seconds.
const WARM_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// Makes a first, harmless call to a dependency of the routes, so that its connection is open before the
/// first request: the init phase has a whole processor, an invocation at 256 MB a seventh of one. The result
/// of the call is ignored. Measurements: `docs/decisions/0004-tls-and-sdk.md`.
pub async fn warm_up<T>(call: impl Future<Output = anyhow::Result<T>>) {
    match timeout(&SystemClock, WARM_UP_TIMEOUT, call).await {
        Some(Ok(_)) => {}
        Some(Err(error)) => tracing::warn!(error = %format!("{error:#}"), "the first call failed"),
        None => tracing::warn!("the first call took too long"),
    }
}

/// Completes `router` with what all services share: responses for unknown paths, and [`observe`] around
/// everything.
pub fn build_app(router: Router, clock: Arc<dyn Clock>) -> Router {
    with_observability(with_fallbacks(router), clock)
}

/// Adds responses for unknown paths and methods. Call it before adding layers: a layer does not apply to a
/// fallback that is added later.
fn with_fallbacks(router: Router) -> Router {
    router
        .fallback(|uri: Uri| async move { unknown_path(uri.path()) })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
}

/// The problem of a path without a route. No route has an empty segment, so that is an empty parameter or a
/// slash too many.
fn unknown_path(path: &str) -> Problem {
    if path.split('/').skip(1).any(str::is_empty) && path != "/" {
        return Problem::unreadable(
            "A segment of the path is empty: a parameter has at least one character, and no slash follows the last segment.",
        );
    }
    Problem::not_found("There is nothing at this path.")
}

fn with_observability(router: Router, clock: Arc<dyn Clock>) -> Router {
    router.layer(from_fn_with_state(clock, observe))
}

async fn respond(app: Router, request: Request) -> ProxyResponse {
    let response = app.oneshot(request).await.unwrap_or_else(|never| match never {});
    ProxyResponse::from_response(response).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn browsers_may_call_from_the_allowed_origins_only() {
        use axum::routing::post;

        let router = with_fallbacks(Router::new().route("/orders", post(|| async {})));
        let app = with_cors(router, "https://a.example, https://b.example").unwrap();
        let preflight = async |origin: &str| {
            let request = http::Request::options("/orders")
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization,idempotency-key");
            let request = request.body(axum::body::Body::empty()).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), 200);
            let allowed = response.headers().get("access-control-allow-origin").cloned();
            (allowed, response.headers()["access-control-allow-headers"].to_str().unwrap().to_owned())
        };
        for origin in ["https://a.example", "https://b.example"] {
            let (allowed, headers) = preflight(origin).await;
            assert_eq!(allowed.unwrap(), origin);
            assert!(headers.contains("idempotency-key"), "{headers}");
        }
        assert_eq!(preflight("https://evil.example").await.0, None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_call_is_made_and_neither_its_failure_nor_its_duration_matters() {
        let called = std::cell::Cell::new(0);
        let count = || called.set(called.get() + 1);
        warm_up(async {
            count();
            Ok(())
        })
        .await;
        warm_up(async {
            count();
            Err::<(), _>(anyhow::anyhow!("unavailable"))
        })
        .await;
        let start = tokio::time::Instant::now();
        warm_up(async {
            count();
            std::future::pending::<anyhow::Result<()>>().await
        })
        .await;
        assert_eq!((called.get(), start.elapsed()), (3, WARM_UP_TIMEOUT));
    }

    #[test]
    fn origins_are_parsed_and_invalid_ones_are_errors() {
        assert!(with_cors(Router::new(), "https://a.example, https://b.example").is_ok());
        assert!(with_cors(Router::new(), "").is_ok());
        assert!(with_cors(Router::new(), "https://a.example\n").is_ok(), "surrounding whitespace is ignored");
        assert!(with_cors(Router::new(), "https://a\u{7f}.example").is_err());
    }
}
