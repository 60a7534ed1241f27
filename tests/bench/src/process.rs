//! One process of a function, started and called as Lambda does it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use crate::clock::now;
use crate::functions::Function;
use crate::runtime_api::{Call, RuntimeApi, invocation};

/// As long as Lambda gives a function to start.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// How many lines of a function's output an error quotes.
const QUOTED_LINES: usize = 20;
/// A session token is this long on Lambda, and is signed with every request.
const TOKEN_LENGTH: usize = 600;

/// A process of a function that waits for an event.
pub struct Process<'a> {
    function: &'a Function,
    log: &'a Path,
    child: Child,
    runtime_api: RuntimeApi,
    ready: oneshot::Sender<Response<Full<Bytes>>>,
}

/// What a start took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Init {
    /// From before the process is made until it asks for its first event.
    pub wall: Duration,
    /// Processor time of it, in user and kernel mode.
    pub cpu: Duration,
}

impl<'a> Process<'a> {
    /// Starts `binary` and waits until it asks for an event. Its output goes to `log`.
    pub async fn start(
        function: &'a Function,
        binary: &Path,
        environment: &[(String, String)],
        log: &'a Path,
    ) -> anyhow::Result<(Self, Init)> {
        let runtime_api = RuntimeApi::start().await?;
        let output = std::fs::File::create(log)?;
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(lambda_environment(function))
            .envs(&function.variables)
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .env("AWS_LAMBDA_RUNTIME_API", runtime_api.address())
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true);
        let (ready, _) = oneshot::channel();
        let start = Instant::now();
        let child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let mut process = Self { function, log, child, runtime_api, ready };
        let at = process.next(INIT_LIMIT).await?;
        let cpu = process.cpu()?;
        Ok((process, Init { wall: at.duration_since(start), cpu }))
    }

    /// Sends the function's event and waits for the answer, which must be a good one, and for the request of the
    /// next event. The time is from sending to answer.
    pub async fn invoke(&mut self) -> anyhow::Result<Duration> {
        Ok(self.invoke_with(self.function.event(now())).await?.0)
    }

    /// The same with another event; gives back the answer too.
    ///
    /// # Errors
    /// When the function does not answer, or with an error.
    pub async fn invoke_with(&mut self, event: Bytes) -> anyhow::Result<(Duration, Value)> {
        let function = self.function;
        let (took, result) = self.send(event).await?;
        let success = result.and_then(|answer| {
            let json = serde_json::from_slice::<Value>(&answer).ok();
            let good = json.filter(|answer| function.trigger.is_success(answer));
            good.ok_or_else(|| String::from_utf8_lossy(&answer).into_owned())
        });
        match success {
            Ok(answer) => Ok((took, answer)),
            Err(answer) => {
                bail!("{} did not handle its event: it answered {answer}.{}", function.name, self.output())
            }
        }
    }

    /// Sends an event and waits for what the function makes of it, an error being one of the answers that it may give, and
    /// for the request of the next event.
    ///
    /// # Errors
    /// When the process ends, or does not answer within the function's timeout.
    pub async fn send(&mut self, event: Bytes) -> anyhow::Result<(Duration, Result<Bytes, String>)> {
        let function = self.function;
        let event = invocation(&function.name, event, function.timeout);
        let (none, _) = oneshot::channel();
        let sent = Instant::now();
        if std::mem::replace(&mut self.ready, none).send(event).is_err() {
            bail!("{} no longer waits for an event.{}", function.name, self.output());
        }
        let (at, result) = match self.call(function.timeout).await? {
            Call::Answer { at, result } => (at, result),
            Call::Next { .. } => bail!("{} asked for another event before it answered", function.name),
        };
        self.next(function.timeout).await?;
        Ok((at.duration_since(sent), result))
    }

    /// The most memory that the process has taken up until now, in KiB, shared libraries and the binary's own
    /// pages included.
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        let status = self.proc("status")?;
        peak_memory(&status).context("the kernel does not tell how much memory the process takes (VmHWM)")
    }

    /// Ends it.
    pub async fn end(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Waits until it asks for an event.
    async fn next(&mut self, limit: Duration) -> anyhow::Result<Instant> {
        match self.call(limit).await? {
            Call::Next { at, reply } => {
                self.ready = reply;
                Ok(at)
            }
            Call::Answer { result: Err(error), .. } => {
                bail!("{} failed: {error}.{}", self.function.name, self.output())
            }
            Call::Answer { .. } => bail!("{} answered an event twice", self.function.name),
        }
    }

    async fn call(&mut self, limit: Duration) -> anyhow::Result<Call> {
        let problem = tokio::select! {
            biased;
            call = self.runtime_api.call() => match call {
                Some(call) => return Ok(call),
                None => "lost its Runtime API".to_owned(),
            },
            status = self.child.wait() => format!("ended by itself ({})", status?),
            () = tokio::time::sleep(limit) => format!("did nothing for {} s", limit.as_secs()),
        };
        bail!("{} {problem}.{}", self.function.name, self.output())
    }

    /// Processor time of all threads.
    fn cpu(&self) -> anyhow::Result<Duration> {
        let tasks = format!("/proc/{}/task", self.child.id().context("the process has ended")?);
        let mut sum = Duration::ZERO;
        for task in std::fs::read_dir(tasks)? {
            let path = task?.path().join("schedstat");
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let spent = text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok());
            sum = sum.saturating_add(Duration::from_nanos(spent.unwrap_or_default()));
        }
        Ok(sum)
    }

    fn proc(&self, file: &str) -> anyhow::Result<String> {
        let path = format!("/proc/{}/{file}", self.child.id().context("the process has ended")?);
        std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    }

    /// The end of what it printed, to be put behind an error.
    fn output(&self) -> String {
        let text = std::fs::read_to_string(self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let lines = lines.split_at(lines.len().saturating_sub(QUOTED_LINES)).1;
        if lines.is_empty() {
            return " It printed nothing.".to_owned();
        }
        format!(" Its last words:\n  {}", lines.join("\n  "))
    }
}

/// What Lambda sets for every function
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>).
fn lambda_environment(function: &Function) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ACCESS_KEY_ID", "ASIAIOSFODNN7EXAMPLE".to_owned()),
        ("AWS_DEFAULT_REGION", "us-east-1".to_owned()),
        ("AWS_EXECUTION_ENV", "AWS_Lambda_provided.al2023".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/bench/{}", function.name)),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO".to_owned()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/23/[$LATEST]0123456789abcdef0123456789abcdef".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
        ("AWS_SESSION_TOKEN", "A".repeat(TOKEN_LENGTH)),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".to_owned()),
        ("LAMBDA_TASK_ROOT", "/var/task".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("PATH", "/usr/local/bin:/usr/bin:/bin".to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("_HANDLER", "bootstrap".to_owned()),
    ]
}

/// The line `VmHWM:     9876 kB` of `/proc/<pid>/status`.
pub fn peak_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_read_from_the_kernels_text() {
        assert_eq!(peak_memory("Name:\tx\nVmHWM:\t    9876 kB\nVmRSS:\t 12 kB\n"), Some(9876));
        assert_eq!(peak_memory("Name:\tx\n"), None);
    }
}
