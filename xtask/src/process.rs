//! Other programs: run to their end with their output kept, or started and left running until `down`.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::{instance::shown, signals};
use std::os::unix::process::CommandExt as _;

/// How often a wait looks again.
const POLL: Duration = Duration::from_millis(50);
/// How many lines of a log an error quotes.
const TAIL_LINES: usize = 30;

/// Runs `command` with its output in `log`; when it fails, the error quotes the end of the log.
pub(crate) fn run_logged(command: &mut Command, log: &Path) -> anyhow::Result<()> {
    let file = File::create(log).with_context(|| format!("cannot write {}", shown(log)))?;
    command.stdout(file.try_clone()?).stderr(file);
    let status = run(command)?;
    if !status.success() {
        bail!("`{}` failed ({status}). Its last words:\n{}", brief(command), tail(log));
    }
    Ok(())
}

/// Runs `command` to its end. A request to stop is passed on to it and to all that it started.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<ExitStatus> {
    let mut child = command
        .stdin(Stdio::null())
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start `{}`", brief(command)))?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Err(stop) = signals::check() {
            end_group(&mut child);
            return Err(stop);
        }
        std::thread::sleep(POLL);
    }
}

/// Runs `command` to its end like [`run`], and hands each line of its standard output to `take` as it comes.
pub(crate) fn run_reading(command: &mut Command, mut take: impl FnMut(&str)) -> anyhow::Result<ExitStatus> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start `{}`", brief(command)))?;
    let output = child.stdout.take().context("the output of a child is not to be had")?;
    let (sender, lines) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    loop {
        match lines.recv_timeout(POLL) {
            Ok(line) => take(&line),
            Err(RecvTimeoutError::Timeout) => {
                if let Err(stop) = signals::check() {
                    end_group(&mut child);
                    return Err(stop);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let _ = reader.join();
    Ok(child.wait()?)
}

/// Ends a child and what it started: asked first, forced after five seconds.
fn end_group(child: &mut Child) {
    let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) else { return };
    let _ = kill_process_group(group, Signal::TERM);
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        std::thread::sleep(POLL);
    }
    // Whatever of the group outlived its leader goes too.
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

/// The command as a person would type it, without the long paths.
pub(crate) fn brief(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut text = name.to_string_lossy().into_owned();
    for argument in command.get_args() {
        text.push(' ');
        text.push_str(&shown(Path::new(argument)));
    }
    text
}

/// The last lines of a log, and where the rest is.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    let quoted: String = lines.iter().skip(from).map(|line| format!("  | {line}\n")).collect();
    format!("{quoted}The whole log: {}", shown(log))
}

/// A `cargo` that does not inherit what the surrounding `cargo run` told this process: those variables
/// would make build scripts run again.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&*name);
        }
    }
    command.current_dir(crate::instance::repo_root());
    command
}

/// A program that keeps running after this one. Its process id is in a file, and what its command line must
/// contain says that the process of that id is still ours.
pub(crate) struct Service {
    /// What a person calls it.
    pub(crate) name: &'static str,
    /// Where the process id is kept.
    pub(crate) pid_file: PathBuf,
    /// A piece of its command line that no other program's has.
    pub(crate) marker: String,
    /// Where its output goes.
    pub(crate) log: PathBuf,
}

impl Service {
    /// The process id, if it runs.
    pub(crate) fn pid(&self) -> Option<Pid> {
        let pid = std::fs::read_to_string(&self.pid_file).ok()?.trim().parse().ok()?;
        let ours = command_line(pid).is_some_and(|line| line.contains(&self.marker));
        if ours { Pid::from_raw(pid) } else { None }
    }

    /// Whether it was started, and ended without being stopped by [`Service::stop`].
    pub(crate) fn died(&self) -> bool {
        self.pid_file.exists() && self.pid().is_none()
    }

    /// Starts it in a process group of its own, out of reach of the terminal's Ctrl-C.
    pub(crate) fn start(&self, command: &mut Command) -> anyhow::Result<Child> {
        let log = File::create(&self.log).with_context(|| format!("cannot write {}", shown(&self.log)))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {} (`{}`)", self.name, brief(command)))?;
        std::fs::write(&self.pid_file, child.id().to_string())?;
        Ok(child)
    }

    /// Waits until `ready` says so; an end of the process before that is an error that quotes its log.
    pub(crate) fn wait_until_ready(
        &self,
        mut child: Child,
        limit: Duration,
        ready: impl Fn() -> bool,
    ) -> anyhow::Result<()> {
        let deadline = Instant::now() + limit;
        while !ready() {
            if let Some(status) = child.try_wait()? {
                let _ = std::fs::remove_file(&self.pid_file);
                bail!("{} ended at once ({status}). Its last words:\n{}", self.name, tail(&self.log));
            }
            if Instant::now() > deadline {
                bail!(
                    "{} did not answer within {} s. Its last words:\n{}\nStop it: cargo xtask down",
                    self.name,
                    limit.as_secs(),
                    tail(&self.log)
                );
            }
            signals::check()?;
            std::thread::sleep(POLL);
        }
        Ok(())
    }

    /// Asks it to end, waits, forces it after `grace`. Returns whether it was running.
    pub(crate) fn stop(&self, grace: Duration) -> anyhow::Result<bool> {
        let Some(pid) = self.pid() else {
            let _ = std::fs::remove_file(&self.pid_file);
            return Ok(false);
        };
        kill_process(pid, Signal::TERM).with_context(|| format!("cannot stop {}", self.name))?;
        let deadline = Instant::now() + grace;
        while self.pid().is_some() {
            if Instant::now() > deadline {
                // The pid file stays: the next start then knows that this one was not clean.
                kill_process_group(pid, Signal::KILL)?;
                return Ok(true);
            }
            std::thread::sleep(POLL);
        }
        let _ = std::fs::remove_file(&self.pid_file);
        Ok(true)
    }
}

/// Ends every process whose command line contains `marker`.
pub(crate) fn kill_leftovers(marker: &str) {
    kill_those(marker, |_| true);
}

/// Kills (SIGKILL) those processes whose command line contains `marker` and whose id `chosen` says yes to. Returns
/// how many there were.
pub(crate) fn kill_those(marker: &str, chosen: impl Fn(i32) -> bool) -> usize {
    let found = processes().into_iter().filter(|(pid, line)| line.contains(marker) && chosen(*pid));
    let pids = found.filter_map(|(pid, _)| Pid::from_raw(pid));
    pids.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count()
}

/// The command line of a process; `None` when there is no such process, or only its exit status is left.
pub(crate) fn command_line(pid: i32) -> Option<String> {
    let line = if Path::new("/proc/self/cmdline").exists() {
        let raw = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        String::from_utf8_lossy(&raw).replace('\0', " ")
    } else {
        let output = Command::new("ps").args(["-o", "command=", "-p", &pid.to_string()]).output().ok()?;
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let line = line.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Every process that this user can see, but for this one, with its command line.
fn processes() -> Vec<(i32, String)> {
    let own = i32::try_from(std::process::id()).unwrap_or_default();
    let mut found = Vec::new();
    if let Ok(entries) = std::fs::read_dir("/proc") {
        for entry in entries.flatten() {
            let pid = entry.file_name().to_string_lossy().parse().ok().filter(|pid| *pid != own);
            found.extend(pid.and_then(|pid| Some((pid, command_line(pid)?))));
        }
    } else if let Ok(output) = Command::new("ps").args(["-axo", "pid=,command="]).output() {
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let (pid, command) = line.trim().split_once(' ').unwrap_or_default();
            found.extend(pid.parse().ok().filter(|pid| *pid != own).map(|pid| (pid, command.to_owned())));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(dir: &Path, marker: &str) -> Service {
        Service {
            name: "the sleeper",
            pid_file: dir.join("pid"),
            marker: marker.to_owned(),
            log: dir.join("log"),
        }
    }

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_service_is_found_by_its_pid_and_stopped() {
        let dir = scratch("stop");
        let service = service(&dir, "sleep 61.5");
        let mut child = service.start(Command::new("sleep").arg("61.5")).unwrap();
        // Between fork and exec the command line is still that of the test.
        while service.pid().is_none() {
            std::thread::sleep(POLL);
        }
        assert!(service.stop(Duration::from_secs(5)).unwrap());
        assert!(service.pid().is_none());
        assert!(!service.died());
        assert!(!child.wait().unwrap().success());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_process_of_someone_else_that_got_the_pid_is_left_alone() {
        let dir = scratch("stranger");
        let mut stranger = Command::new("sleep").arg("62.5").spawn().unwrap();
        let service = service(&dir, "some-other-program");
        std::fs::write(&service.pid_file, stranger.id().to_string()).unwrap();
        assert!(service.died());
        assert!(!service.stop(Duration::from_secs(1)).unwrap());
        assert!(stranger.try_wait().unwrap().is_none());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_failed_command_quotes_the_end_of_its_log() {
        let dir = scratch("quote");
        let log = dir.join("log");
        let error = run_logged(Command::new("sh").args(["-c", "echo no luck; exit 3"]), &log).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("  | no luck\n"), "{text}");
        assert!(text.contains("log"), "{text}");
        std::fs::remove_dir_all(dir).unwrap();
    }
}
