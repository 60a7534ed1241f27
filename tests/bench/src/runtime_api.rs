//! An implementation of the Lambda Runtime API
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use tokio::sync::{mpsc, oneshot};

use crate::clock::epoch_ms;
use crate::server::{Handler, Server};

/// The Runtime API of one process.
pub struct RuntimeApi {
    server: Server,
    calls: mpsc::UnboundedReceiver<Call>,
}

/// A call of the function to the Runtime API.
pub enum Call {
    /// A request for the next event.
    Next {
        /// The time of the call.
        at: Instant,
        /// Sends the event.
        reply: oneshot::Sender<Response<Full<Bytes>>>,
    },
    /// The response to an event, or an error (`init/error` or `…/error`).
    Response {
        /// The time of the call.
        at: Instant,
        /// The body of the response, or of the error.
        result: Result<Bytes, String>,
    },
}

struct Calls(mpsc::UnboundedSender<Call>);

impl RuntimeApi {
    /// Starts a Runtime API on a free port.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start() -> anyhow::Result<Self> {
        let (sender, calls) = mpsc::unbounded_channel();
        Ok(Self { server: Server::start(None, Arc::new(Calls(sender))).await?, calls })
    }

    /// The value of `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> String {
        self.server.address()
    }

    /// Waits for the function's next call. It is never `None`, because the server lives as long as `self`.
    pub async fn call(&mut self) -> Option<Call> {
        self.calls.recv().await
    }
}

/// The response to `next` with an event.
pub fn invocation(function: &str, event: Bytes, timeout: Duration) -> Response<Full<Bytes>> {
    let deadline = epoch_ms().saturating_add(timeout.as_millis());
    let mut response = Response::new(Full::new(event));
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("lambda-runtime-aws-request-id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned()),
        ("lambda-runtime-deadline-ms", deadline.to_string()),
        (
            "lambda-runtime-invoked-function-arn",
            format!("arn:aws:lambda:us-east-1:123456789012:function:{function}"),
        ),
        (
            "lambda-runtime-trace-id",
            "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=0".to_owned(),
        ),
    ];
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

impl Handler for Calls {
    async fn handle(&self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        let at = Instant::now();
        let path = request.uri().path();
        let route = path.strip_prefix("/2018-06-01/runtime/").map(|path| path.rsplit('/').next());
        let (status, call, event) = match (request.method(), route.flatten()) {
            (&Method::GET, Some("next")) => {
                let (reply, event) = oneshot::channel();
                (StatusCode::OK, Call::Next { at, reply }, Some(event))
            }
            (&Method::POST, Some("response")) => {
                (StatusCode::ACCEPTED, Call::Response { at, result: Ok(request.into_body()) }, None)
            }
            (&Method::POST, Some("error")) => {
                let error = String::from_utf8_lossy(request.body()).into_owned();
                (StatusCode::ACCEPTED, Call::Response { at, result: Err(error) }, None)
            }
            (method, _) => {
                let error = format!("{method} {path} is not part of the Runtime API");
                (StatusCode::NOT_FOUND, Call::Response { at, result: Err(error) }, None)
            }
        };
        // The receiver is only dropped when the measurement is over.
        let _ = self.0.send(call);
        if let Some(event) = event
            && let Ok(response) = event.await
        {
            return response;
        }
        let mut response = Response::new(Full::default());
        *response.status_mut() = status;
        response
    }
}
