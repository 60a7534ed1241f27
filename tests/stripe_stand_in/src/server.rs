//! The TCP server. `axum::serve` always sends a response; a fault must also be able to close a connection
//! without one, which requires hyper's connection API.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpListener;
use tower::ServiceExt;

/// How long the server waits for requests in flight when it is stopped.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// Marks a response that closes the connection and sends nothing.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connection is closed without a response, as an injected fault requires")]
pub(crate) struct CloseConnection;

impl IntoResponse for CloseConnection {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

/// Serves requests until `stop` completes.
///
/// # Errors
/// When no more connections can be accepted.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) -> io::Result<()> {
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = &mut stop => break,
        };
        // Responses are small and the client waits for each: Nagle's algorithm would delay them by up to 40
        // ms.
        stream.set_nodelay(true)?;
        let router = router.clone();
        let service = service_fn(move |request| {
            let router = router.clone();
            async move {
                let answered: Result<Response, Infallible> = router.oneshot(request).await;
                let Ok(response) = answered;
                if response.extensions().get::<CloseConnection>().is_some() {
                    Err(CloseConnection)
                } else {
                    Ok(response)
                }
            }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // An error on a connection concerns only its client.
        tokio::spawn(connections.watch(connection));
    }
    // A request that is still open after this is delayed by a fault; its client gets no response.
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, connections.shutdown()).await;
    Ok(())
}
