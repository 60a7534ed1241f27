//! A process of a function, which is started and invoked as Lambda does it.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use crate::clock::now;
use crate::functions::Function;
use crate::runtime_api::{Call, RuntimeApi, invocation};

/// Lambda's limit for the init phase of a function.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// The maximum number of lines of a function's output that an error quotes.
const MAX_QUOTED_LINES: usize = 20;
/// The approximate length of a session token on Lambda, which is signed with every request.
const TOKEN_LENGTH: usize = 600;

/// A process of a function, which waits for an event.
pub struct Process<'a> {
    function: &'a Function,
    log: &'a Path,
    child: Child,
    runtime_api: RuntimeApi,
    ready: oneshot::Sender<Response<Full<Bytes>>>,
}

/// The duration of a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Init {
    /// The time from just before the process is spawned until it requests its first event.
    pub wall: Duration,
    /// The CPU time until then, in user and kernel mode.
    pub cpu: Duration,
}

impl<'a> Process<'a> {
    /// Starts `binary` and waits until it requests an event. Its output goes to `log`.
    ///
    /// # Errors
    /// If it cannot be started, or requests no event within the limit.
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
        let at = process.wait_until_ready(INIT_LIMIT).await?;
        let cpu = process.cpu()?;
        Ok((process, Init { wall: at.duration_since(start), cpu }))
    }

    /// Sends the function's event and waits for the response, which must be a success, and for the request of the
    /// next event. Returns the time from sending the event to the response.
    ///
    /// # Errors
    /// If the function does not respond, or does not respond with a success.
    pub async fn invoke(&mut self) -> anyhow::Result<Duration> {
        Ok(self.invoke_with(self.function.event(now())).await?.0)
    }

    /// The same with another event. Also returns the response.
    ///
    /// # Errors
    /// If the function does not respond, or does not respond with a success.
    pub async fn invoke_with(&mut self, event: Bytes) -> anyhow::Result<(Duration, Value)> {
        let function = self.function;
        let (duration, result) = self.send(event).await?;
        let success = result.and_then(|response| {
            let json = serde_json::from_slice::<Value>(&response).ok();
            let success = json.filter(|response| function.trigger.is_success(response));
            success.ok_or_else(|| String::from_utf8_lossy(&response).into_owned())
        });
        match success {
            Ok(response) => Ok((duration, response)),
            Err(response) => {
                bail!(
                    "{} did not handle its event: it responded with {response}.{}",
                    function.name,
                    self.output()
                )
            }
        }
    }

    /// Sends an event and waits for the function's response, which may be an error of the function (the inner `Err`), and
    /// for the request of the next event.
    ///
    /// # Errors
    /// If the process ends, or does not respond within the function's timeout.
    pub async fn send(&mut self, event: Bytes) -> anyhow::Result<(Duration, Result<Bytes, String>)> {
        let function = self.function;
        let event = invocation(&function.name, event, function.timeout);
        let (closed, _) = oneshot::channel();
        let sent = Instant::now();
        if std::mem::replace(&mut self.ready, closed).send(event).is_err() {
            bail!("{} is no longer waiting for an event.{}", function.name, self.output());
        }
        let (at, result) = match self.next_call(function.timeout).await? {
            Call::Response { at, result } => (at, result),
            Call::Next { .. } => bail!("{} requested another event before it responded", function.name),
        };
        self.wait_until_ready(function.timeout).await?;
        Ok((at.duration_since(sent), result))
    }

    /// The peak memory of the process until now in KiB, including shared libraries and the pages of the binary.
    ///
    /// # Errors
    /// If the kernel does not report it.
    pub fn peak_memory(&self) -> anyhow::Result<u64> {
        let status = self.proc("status")?;
        peak_memory(&status).context("the kernel does not report the peak memory of the process (VmHWM)")
    }

    /// Kills the process.
    ///
    /// # Errors
    /// If the signal cannot be sent.
    pub async fn end(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// Asks the process to end and waits for it, so that a profiler that runs it can write its result.
    ///
    /// # Errors
    /// If the signal cannot be sent.
    pub async fn terminate(mut self) -> anyhow::Result<()> {
        let pid = self.child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
        kill_process(pid.context("the process has exited")?, Signal::TERM)?;
        self.child.wait().await?;
        Ok(())
    }

    /// Waits until the process requests an event.
    async fn wait_until_ready(&mut self, limit: Duration) -> anyhow::Result<Instant> {
        match self.next_call(limit).await? {
            Call::Next { at, reply } => {
                self.ready = reply;
                Ok(at)
            }
            Call::Response { result: Err(error), .. } => {
                bail!("{} failed: {error}.{}", self.function.name, self.output())
            }
            Call::Response { .. } => bail!("{} responded to an event twice", self.function.name),
        }
    }

    async fn next_call(&mut self, limit: Duration) -> anyhow::Result<Call> {
        let failure = tokio::select! {
            biased;
            call = self.runtime_api.call() => match call {
                Some(call) => return Ok(call),
                None => "lost the connection to its Runtime API".to_owned(),
            },
            status = self.child.wait() => format!("exited ({})", status?),
            () = tokio::time::sleep(limit) => format!("did not respond for {} s", limit.as_secs()),
        };
        bail!("{} {failure}.{}", self.function.name, self.output())
    }

    /// The CPU time of all threads.
    fn cpu(&self) -> anyhow::Result<Duration> {
        let tasks = format!("/proc/{}/task", self.child.id().context("the process has exited")?);
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
        let path = format!("/proc/{}/{file}", self.child.id().context("the process has exited")?);
        std::fs::read_to_string(&path).with_context(|| format!("reading {path}"))
    }

    /// The end of the process's output as a sentence, to be appended to an error.
    fn output(&self) -> String {
        let text = std::fs::read_to_string(self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let lines = lines.split_at(lines.len().saturating_sub(MAX_QUOTED_LINES)).1;
        if lines.is_empty() {
            return " It wrote no output.".to_owned();
        }
        format!(" The end of its output:\n  {}", lines.join("\n  "))
    }
}

/// The environment variables that Lambda sets for every function
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

/// Parses the peak memory in KiB from the line `VmHWM:     9876 kB` of `/proc/<pid>/status`.
pub fn peak_memory(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peak_memory_is_parsed() {
        assert_eq!(peak_memory("Name:\tx\nVmHWM:\t    9876 kB\nVmRSS:\t 12 kB\n"), Some(9876));
        assert_eq!(peak_memory("Name:\tx\n"), None);
    }
}
