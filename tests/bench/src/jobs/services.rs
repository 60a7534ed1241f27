//! The services of a function under measurement: tables, a bucket and a queue, in the memory of this process.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, RANGE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use platform::lock;
use serde_json::{Value, json};

use bench::backend::Service;
use bench::functions::Function;
use bench::process::{Init, Process};
use bench::server::{Handler, Server};

/// A fake of `DynamoDB`.
pub(super) trait Tables: Send + Sync + 'static {
    /// Handles an operation, such as `Query`.
    fn handle(&self, operation: &str, body: &Value) -> impl Future<Output = anyhow::Result<Value>> + Send;
}

/// The measurements of a completed job.
pub(super) struct JobRun {
    /// The total duration of all invocations.
    pub(super) duration: Duration,
    /// The number of invocations.
    pub(super) runs: usize,
    /// The peak memory of the process in KiB.
    pub(super) peak_kib: u64,
}

/// The fake AWS services that the function of a job calls.
pub(super) struct Services<T> {
    /// The fake tables.
    pub(super) tables: T,
    /// The simulated latency of the tables.
    latency: Duration,
    /// The objects by path: the bucket's name and the key.
    objects: Mutex<HashMap<String, Bytes>>,
    /// The messages in the queue.
    messages: Mutex<Vec<String>>,
    requests: AtomicUsize,
}

impl<T: Tables> Services<T> {
    /// Creates services with tables of this latency.
    pub(super) fn new(tables: T, latency: Duration) -> Self {
        Self {
            tables,
            latency,
            objects: Mutex::default(),
            messages: Mutex::default(),
            requests: AtomicUsize::new(0),
        }
    }

    /// Starts a function, calls `work` with its process and the duration of the start, and kills the process.
    pub(super) async fn with_function<R>(
        self: &Arc<Self>,
        name: &str,
        binary: &Path,
        work: impl AsyncFnOnce(&mut Process<'_>, Init, &Function) -> anyhow::Result<R>,
    ) -> anyhow::Result<R> {
        let server = Server::start(None, Arc::clone(self)).await?;
        let all = [Service::DynamoDb, Service::S3, Service::Sqs];
        let url = format!("http://{}", server.address());
        let environment = all.map(|service| (service.variable().to_owned(), url.clone()));
        let function = Function::named(name)?;
        let dir = tempfile::tempdir()?;
        let log = dir.path().join("output");
        let (mut process, init) = Process::start(&function, binary, &environment, &log).await?;
        let result = work(&mut process, init, &function).await?;
        process.end().await?;
        Ok(result)
    }

    /// Invokes a function with its sample, and then with each message that it sends to its queue.
    pub(super) async fn run_to_end(self: &Arc<Self>, name: &str, binary: &Path) -> anyhow::Result<JobRun> {
        self.with_function(name, binary, async |process, _, function| {
            let (mut duration, mut runs) = (process.invoke().await?, 1);
            while let Some(message) = self.take_messages().pop() {
                duration += process.invoke_with(with_message(&function.sample, &message)?).await?.0;
                runs += 1;
            }
            Ok(JobRun { duration, runs, peak_kib: process.peak_memory()? })
        })
        .await
    }

    /// Puts an object into a bucket. Its path is the bucket's name and the key.
    pub(super) fn put(&self, path: &str, body: Bytes) {
        lock(&self.objects).insert(path.to_owned(), body);
    }

    /// The content of an object.
    pub(super) fn object(&self, path: &str) -> Option<Bytes> {
        lock(&self.objects).get(path).cloned()
    }

    /// Removes and returns all messages of the queue.
    fn take_messages(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.messages))
    }

    /// Returns the number of requests since the last call, and resets it.
    pub(super) fn take_requests(&self) -> usize {
        self.requests.swap(0, Ordering::SeqCst)
    }

    /// The response of S3, as far as functions read it
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>). The parts of
    /// a multipart upload are accepted, but not stored.
    fn respond_as_s3(&self, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let query = request.uri().query().unwrap_or_default();
        let is_part = query.contains("uploadId=");
        match *request.method() {
            Method::GET => self.read(&path, header(request, RANGE)),
            Method::PUT if is_part => with_etag(Bytes::new()),
            Method::PUT if header(request, IF_NONE_MATCH).is_some() && self.object(&path).is_some() => {
                error_response(StatusCode::PRECONDITION_FAILED, "PreconditionFailed")
            }
            Method::PUT => {
                self.put(&path, request.body().clone());
                with_etag(Bytes::new())
            }
            Method::POST if is_part => with_etag(
                "<CompleteMultipartUploadResult><ETag>\"made\"</ETag></CompleteMultipartUploadResult>".into(),
            ),
            Method::POST => with_etag(
                "<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>"
                    .into(),
            ),
            Method::DELETE => {
                lock(&self.objects).remove(&path);
                with_status(StatusCode::NO_CONTENT, Bytes::new())
            }
            _ => error_response(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        }
    }

    fn read(&self, path: &str, range: Option<&str>) -> Response<Full<Bytes>> {
        let Some(file) = self.object(path) else { return error_response(StatusCode::NOT_FOUND, "NoSuchKey") };
        let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let mut response = with_etag(file.slice(from.unwrap_or(0).min(file.len())..));
        if range.is_some() {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        response
    }
}

impl<T: Tables> Handler for Services<T> {
    async fn handle(&self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let Some((service, operation)) =
            header(&request, HeaderName::from_static("x-amz-target")).and_then(|it| it.split_once('.'))
        else {
            return self.respond_as_s3(&request);
        };
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        if service == "AmazonSQS" {
            lock(&self.messages).push(body["MessageBody"].as_str().unwrap_or_default().to_owned());
            return with_status(StatusCode::OK, r#"{"MessageId":"m-1"}"#.into());
        }
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        match self.tables.handle(operation, &body).await {
            Ok(result) => with_status(StatusCode::OK, result.to_string().into()),
            Err(error) => {
                let body = json!({ "__type": "ValidationException", "message": format!("{error:#}") });
                with_status(StatusCode::BAD_REQUEST, body.to_string().into())
            }
        }
    }
}

/// The sample event of a queue, with another message.
fn with_message(sample: &Bytes, message: &str) -> anyhow::Result<Bytes> {
    let mut event: Value = serde_json::from_slice(sample)?;
    event["Records"][0]["body"] = message.into();
    Ok(event.to_string().into())
}

fn header(request: &Request<Bytes>, name: HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

fn with_status(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn with_etag(body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    response.headers_mut().insert(ETAG, HeaderValue::from_static("\"made\""));
    response
}

fn error_response(status: StatusCode, code: &str) -> Response<Full<Bytes>> {
    with_status(status, format!("<Error><Code>{code}</Code></Error>").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoTables;

    impl Tables for NoTables {
        async fn handle(&self, operation: &str, _: &Value) -> anyhow::Result<Value> {
            anyhow::bail!("{operation} is not supported")
        }
    }

    #[tokio::test]
    async fn objects_are_written_once_read_by_range_and_deleted() {
        let services = Services::new(NoTables, Duration::ZERO);
        let send = async |method: Method, name: HeaderName, value: &str| {
            let request = Request::builder().method(method).uri("/bucket/a").header(name, value);
            let response = services.handle(request.body("abc".into()).unwrap()).await;
            (response.status().as_u16(), response.headers().contains_key(ETAG))
        };
        assert_eq!(send(Method::GET, RANGE, "bytes=1-").await, (404, false));
        assert_eq!(send(Method::PUT, IF_NONE_MATCH, "*").await, (200, true));
        assert_eq!(send(Method::PUT, IF_NONE_MATCH, "*").await, (412, false));
        assert_eq!(send(Method::GET, RANGE, "bytes=1-").await, (206, true));
        assert_eq!(services.object("bucket/a").unwrap(), "abc");
        assert_eq!(send(Method::DELETE, RANGE, "").await, (204, false));
        assert_eq!((services.object("bucket/a"), services.take_requests()), (None, 5));
    }

    #[tokio::test]
    async fn messages_are_queued_and_unsupported_operations_fail() {
        let services = Services::new(NoTables, Duration::from_millis(1));
        let send = async |target: &str| {
            let request = Request::builder().header("x-amz-target", target);
            let body = r#"{"MessageBody": "go on"}"#;
            services.handle(request.body(body.into()).unwrap()).await.status()
        };
        assert_eq!(send("AmazonSQS.SendMessage").await, 200);
        assert_eq!((services.take_messages(), services.take_messages()), (vec!["go on".to_owned()], vec![]));
        assert_eq!(send("DynamoDB_20120810.Query").await, 400);
    }
}
