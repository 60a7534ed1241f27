//! What a function talks to while it does a job: tables, a bucket and a queue, in the memory of this process.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, HeaderName, IF_NONE_MATCH, RANGE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use platform::memory::lock;
use serde_json::{Value, json};

use bench::backend::Service;
use bench::functions::Function;
use bench::process::{Init, Process};
use bench::server::{Handler, Server};

/// What `DynamoDB` knows.
pub(super) trait Tables: Send + Sync + 'static {
    /// Answers an operation, such as `Query`.
    fn answer(&self, operation: &str, body: &Value) -> impl Future<Output = anyhow::Result<Value>> + Send;
}

/// What a job took that was run to its end.
pub(super) struct Done {
    /// In all runs together.
    pub(super) took: Duration,
    /// How often the function was called.
    pub(super) runs: usize,
    /// The most memory that it had.
    pub(super) peak_kib: u64,
}

/// All of it.
pub(super) struct Services<T> {
    /// The tables.
    pub(super) tables: T,
    /// How long a table takes to answer.
    latency: Duration,
    /// Each file, by its path.
    files: Mutex<HashMap<String, Bytes>>,
    /// What was sent to the queue and not taken from it.
    messages: Mutex<Vec<String>>,
    requests: AtomicUsize,
}

impl<T: Tables> Services<T> {
    /// With tables that take so long to answer.
    pub(super) fn new(tables: T, latency: Duration) -> Self {
        Self {
            tables,
            latency,
            files: Mutex::default(),
            messages: Mutex::default(),
            requests: AtomicUsize::new(0),
        }
    }

    /// Starts a function, has `work` done with it, which is told what the start took, and ends it.
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
        let done = work(&mut process, init, &function).await?;
        process.end().await?;
        Ok(done)
    }

    /// Calls a function with its sample, and again with each message that it sends itself.
    pub(super) async fn run_to_end(self: &Arc<Self>, name: &str, binary: &Path) -> anyhow::Result<Done> {
        self.with_function(name, binary, async |process, _, function| {
            let (mut took, mut runs) = (process.invoke().await?, 1);
            while let Some(message) = self.take_messages().pop() {
                took += process.invoke_with(with_message(&function.sample, &message)?).await?.0;
                runs += 1;
            }
            Ok(Done { took, runs, peak_kib: process.peak_memory()? })
        })
        .await
    }

    /// Puts a file into a bucket: its path is the bucket's name and the file's.
    pub(super) fn put(&self, path: &str, body: Bytes) {
        lock(&self.files).insert(path.to_owned(), body);
    }

    /// A file.
    pub(super) fn file(&self, path: &str) -> Option<Bytes> {
        lock(&self.files).get(path).cloned()
    }

    /// Takes the messages from the queue.
    fn take_messages(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.messages))
    }

    /// How many requests came in since this was last asked for.
    pub(super) fn take_requests(&self) -> usize {
        self.requests.swap(0, Ordering::SeqCst)
    }

    /// S3's answer, as far as functions read it
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>). The parts of
    /// a large file are taken, and not kept.
    fn bucket(&self, request: &Request<Bytes>) -> Response<Full<Bytes>> {
        let path = request.uri().path().trim_start_matches('/').to_owned();
        let query = request.uri().query().unwrap_or_default();
        let is_part = query.contains("uploadId=");
        match *request.method() {
            Method::GET => self.read(&path, header(request, RANGE)),
            Method::PUT if is_part => with_tag(Bytes::new()),
            Method::PUT if header(request, IF_NONE_MATCH).is_some() && self.file(&path).is_some() => {
                failed(StatusCode::PRECONDITION_FAILED, "PreconditionFailed")
            }
            Method::PUT => {
                self.put(&path, request.body().clone());
                with_tag(Bytes::new())
            }
            Method::POST if is_part => with_tag(
                "<CompleteMultipartUploadResult><ETag>\"made\"</ETag></CompleteMultipartUploadResult>".into(),
            ),
            Method::POST => with_tag(
                "<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>"
                    .into(),
            ),
            Method::DELETE => {
                lock(&self.files).remove(&path);
                with_status(StatusCode::NO_CONTENT, Bytes::new())
            }
            _ => failed(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        }
    }

    fn read(&self, path: &str, range: Option<&str>) -> Response<Full<Bytes>> {
        let Some(file) = self.file(path) else { return failed(StatusCode::NOT_FOUND, "NoSuchKey") };
        let from = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
        let mut answer = with_tag(file.slice(from.unwrap_or(0).min(file.len())..));
        if range.is_some() {
            *answer.status_mut() = StatusCode::PARTIAL_CONTENT;
        }
        answer
    }
}

impl<T: Tables> Handler for Services<T> {
    async fn answer(&self, request: Request<Bytes>) -> Response<Full<Bytes>> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let Some((service, operation)) =
            header(&request, HeaderName::from_static("x-amz-target")).and_then(|it| it.split_once('.'))
        else {
            return self.bucket(&request);
        };
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        if service == "AmazonSQS" {
            lock(&self.messages).push(body["MessageBody"].as_str().unwrap_or_default().to_owned());
            return with_status(StatusCode::OK, r#"{"MessageId":"m-1"}"#.into());
        }
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        match self.tables.answer(operation, &body).await {
            Ok(answer) => with_status(StatusCode::OK, answer.to_string().into()),
            Err(error) => {
                let body = json!({ "__type": "ValidationException", "message": format!("{error:#}") });
                with_status(StatusCode::BAD_REQUEST, body.to_string().into())
            }
        }
    }
}

/// A sample event that a queue brings, with another message in it.
fn with_message(sample: &Bytes, message: &str) -> anyhow::Result<Bytes> {
    let mut event: Value = serde_json::from_slice(sample)?;
    event["Records"][0]["body"] = message.into();
    Ok(event.to_string().into())
}

fn header(request: &Request<Bytes>, name: HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

fn with_status(status: StatusCode, body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let json = HeaderValue::from_static("application/x-amz-json-1.0");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

fn with_tag(body: Bytes) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body));
    answer.headers_mut().insert(ETAG, HeaderValue::from_static("\"made\""));
    answer
}

fn failed(status: StatusCode, code: &str) -> Response<Full<Bytes>> {
    with_status(status, format!("<Error><Code>{code}</Code></Error>").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct None;

    impl Tables for None {
        async fn answer(&self, operation: &str, _: &Value) -> anyhow::Result<Value> {
            anyhow::bail!("there is no {operation} here")
        }
    }

    #[tokio::test]
    async fn files_are_written_once_read_from_where_it_is_asked_and_removed() {
        let services = Services::new(None, Duration::ZERO);
        let ask = async |method: Method, name: HeaderName, value: &str| {
            let request = Request::builder().method(method).uri("/bucket/a").header(name, value);
            let answer = services.answer(request.body("abc".into()).unwrap()).await;
            (answer.status().as_u16(), answer.headers().contains_key(ETAG))
        };
        assert_eq!(ask(Method::GET, RANGE, "bytes=1-").await, (404, false));
        assert_eq!(ask(Method::PUT, IF_NONE_MATCH, "*").await, (200, true));
        assert_eq!(ask(Method::PUT, IF_NONE_MATCH, "*").await, (412, false));
        assert_eq!(ask(Method::GET, RANGE, "bytes=1-").await, (206, true));
        assert_eq!(services.file("bucket/a").unwrap(), "abc");
        assert_eq!(ask(Method::DELETE, RANGE, "").await, (204, false));
        assert_eq!((services.file("bucket/a"), services.take_requests()), (Option::None, 5));
    }

    #[tokio::test]
    async fn messages_wait_in_the_queue_and_tables_answer_what_they_know() {
        let services = Services::new(None, Duration::from_millis(1));
        let ask = async |target: &str| {
            let request = Request::builder().header("x-amz-target", target);
            let body = r#"{"MessageBody": "go on"}"#;
            services.answer(request.body(body.into()).unwrap()).await.status()
        };
        assert_eq!(ask("AmazonSQS.SendMessage").await, 200);
        assert_eq!((services.take_messages(), services.take_messages()), (vec!["go on".to_owned()], vec![]));
        assert_eq!(ask("DynamoDB_20120810.Query").await, 400);
    }
}
