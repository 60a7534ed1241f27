//! Serving over TCP. `axum::serve` always answers; here a fault must also be able to close a connection
//! without an answer, which takes hyper's own loop.

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

/// How long requests that are under way get to end when the server is stopped.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(2);

/// As a response: close the connection and send nothing.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connection is closed without an answer, as a fault asked for")]
pub(crate) struct CloseConnection;

impl IntoResponse for CloseConnection {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

/// Serves until `stop` is ready.
///
/// # Errors
/// When connections can no longer be accepted.
pub async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) -> io::Result<()> {
    let connections = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = &mut stop => break,
        };
        // Answers are small, and a client waits for each: without this, for 40 ms more.
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
        // A connection that ends in an error concerns its client only.
        tokio::spawn(connections.watch(connection));
    }
    // Whoever still hangs after this is in a fault, and waits for nothing.
    let _ = tokio::time::timeout(SHUTDOWN_TIMEOUT, connections.shutdown()).await;
    Ok(())
}
