//! An HTTP/1.1 server on loopback, with or without TLS, for the Runtime API and the services of the backend.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// Handles the requests of a server.
pub trait Handler: Send + Sync + 'static {
    /// Called when a client has connected, with TLS after the handshake.
    fn connected(&self) {}

    /// Handles one request.
    fn handle(&self, request: Request<Bytes>) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// A server that stops, with all its connections, when it is dropped.
pub struct Server {
    _tasks: JoinSet<()>,
    port: u16,
}

impl Server {
    /// Starts to listen on a free port of `localhost`.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start<H: Handler>(tls: Option<Arc<ServerConfig>>, handler: Arc<H>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("localhost:0").await?;
        let port = listener.local_addr()?.port();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, tls.map(TlsAcceptor::from), handler));
        Ok(Self { _tasks: tasks, port })
    }

    /// Its address, such as `localhost:12345`.
    pub fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }
}

async fn accept<H: Handler>(listener: TcpListener, tls: Option<TlsAcceptor>, handler: Arc<H>) {
    let mut connections = JoinSet::new();
    // If a connection cannot be accepted, the client gets an error.
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, tls.clone(), Arc::clone(&handler)));
        while connections.try_join_next().is_some() {}
    }
}

async fn serve<H: Handler>(stream: TcpStream, tls: Option<TlsAcceptor>, handler: Arc<H>) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => serve_http(stream, handler).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve_http(stream, handler).await;
            }
        }
    }
}

async fn serve_http<H: Handler>(stream: impl AsyncRead + AsyncWrite + Unpin, handler: Arc<H>) {
    handler.connected();
    let service = service_fn(|request: Request<Incoming>| {
        let handler = Arc::clone(&handler);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            Ok::<_, Infallible>(handler.handle(Request::from_parts(parts, body)).await)
        }
    });
    // Functions are killed during requests, so errors of a connection are ignored.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
