//! HTTP/1.1 on loopback, with or without TLS: what the Runtime API and the services of the backend are served by.

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

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// A client has connected; with TLS, its handshake is done.
    fn connected(&self) {}

    /// Answers one request.
    fn answer(&self, request: Request<Bytes>) -> impl Future<Output = Response<Full<Bytes>>> + Send;
}

/// A server that ends, with all of its connections, when this is dropped.
pub struct Server {
    _tasks: JoinSet<()>,
    port: u16,
}

impl Server {
    /// Starts to listen on a free port of `localhost`.
    pub async fn start<H: Handler>(tls: Option<Arc<ServerConfig>>, handler: Arc<H>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("localhost:0").await?;
        let port = listener.local_addr()?.port();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, tls.map(TlsAcceptor::from), handler));
        Ok(Self { _tasks: tasks, port })
    }

    /// Where it listens: `localhost:12345`.
    pub fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }
}

async fn accept<H: Handler>(listener: TcpListener, tls: Option<TlsAcceptor>, handler: Arc<H>) {
    let mut connections = JoinSet::new();
    // A connection that cannot be accepted is the client's to notice.
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection(stream, tls.clone(), Arc::clone(&handler)));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection<H: Handler>(stream: TcpStream, tls: Option<TlsAcceptor>, handler: Arc<H>) {
    let _ = stream.set_nodelay(true);
    match tls {
        None => requests(stream, handler).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                requests(stream, handler).await;
            }
        }
    }
}

async fn requests<H: Handler>(stream: impl AsyncRead + AsyncWrite + Unpin, handler: Arc<H>) {
    handler.connected();
    let service = service_fn(|request: Request<Incoming>| {
        let handler = Arc::clone(&handler);
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
            Ok::<_, Infallible>(handler.answer(Request::from_parts(parts, body)).await)
        }
    });
    // Functions are killed in the middle of a request: that ends a connection too.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
