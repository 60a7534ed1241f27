//! Services: processes that run until `down`.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use terminal::process::{POLL_INTERVAL, command_text};
use terminal::signals;
use xtask::paths::display_path;
use xtask::process::log_tail;

/// A program that keeps running after this one. A file holds its process id; the marker tells whether the
/// process with that id is still the same program.
pub(crate) struct Service {
    /// Its name in messages.
    pub(crate) name: &'static str,
    /// The file that holds the process id.
    pub(crate) pid_file: PathBuf,
    /// A part of its command line that identifies it.
    pub(crate) marker: String,
    /// The file that receives its output.
    pub(crate) log: PathBuf,
}

impl Service {
    /// The process id, if it is running.
    pub(crate) fn pid(&self) -> Option<Pid> {
        let pid = std::fs::read_to_string(&self.pid_file).ok()?.trim().parse().ok()?;
        let is_ours = command_line(pid).is_some_and(|line| line.contains(&self.marker));
        if is_ours { Pid::from_raw(pid) } else { None }
    }

    /// Whether it was started and ended without [`Service::stop`].
    pub(crate) fn has_crashed(&self) -> bool {
        self.pid_file.exists() && self.pid().is_none()
    }

    /// Starts it in its own process group, which the terminal's Ctrl-C does not reach.
    pub(crate) fn start(&self, command: &mut Command) -> anyhow::Result<Child> {
        let log =
            File::create(&self.log).with_context(|| format!("cannot write {}", display_path(&self.log)))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {} (`{}`)", self.name, command_text(command)))?;
        std::fs::write(&self.pid_file, child.id().to_string())?;
        Ok(child)
    }

    /// Waits until `ready` returns true. If the process ends before that, the error quotes its log.
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
                bail!(
                    "{} exited during startup ({status}). The end of its output:\n{}",
                    self.name,
                    log_tail(&self.log)
                );
            }
            if Instant::now() > deadline {
                bail!(
                    "{} was not ready within {} s. The end of its output:\n{}\nStop it: cargo xtask down",
                    self.name,
                    limit.as_secs(),
                    log_tail(&self.log)
                );
            }
            signals::check()?;
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// Stops it: with SIGTERM, and after `grace` with SIGKILL. Returns whether it was running.
    pub(crate) fn stop(&self, grace: Duration) -> anyhow::Result<bool> {
        let Some(pid) = self.pid() else {
            let _ = std::fs::remove_file(&self.pid_file);
            return Ok(false);
        };
        kill_process(pid, Signal::TERM).with_context(|| format!("cannot stop {}", self.name))?;
        let deadline = Instant::now() + grace;
        while self.pid().is_some() {
            if Instant::now() > deadline {
                // The pid file stays, so that the next start detects the unclean stop.
                kill_process_group(pid, Signal::KILL)?;
                return Ok(true);
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        let _ = std::fs::remove_file(&self.pid_file);
        Ok(true)
    }
}

/// Kills every process whose command line contains `marker`.
pub(crate) fn kill_leftovers(marker: &str) {
    kill_matching(marker, |_| true);
}

/// Kills (SIGKILL) the processes whose command line contains `marker` and whose id satisfies `filter`.
/// Returns their number.
pub(crate) fn kill_matching(marker: &str, filter: impl Fn(i32) -> bool) -> usize {
    let found = processes().into_iter().filter(|(pid, line)| line.contains(marker) && filter(*pid));
    let pids = found.filter_map(|(pid, _)| Pid::from_raw(pid));
    pids.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count()
}

/// The command line of a process; `None` if there is no such process, or it is a zombie.
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

/// The processes that are visible to this user, except this one, with their command lines.
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
        // Between fork and exec the process still has the command line of the test.
        while service.pid().is_none() {
            std::thread::sleep(POLL_INTERVAL);
        }
        assert!(service.stop(Duration::from_secs(5)).unwrap());
        assert!(service.pid().is_none());
        assert!(!service.has_crashed());
        assert!(!child.wait().unwrap().success());
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn another_process_that_reuses_the_pid_is_not_stopped() {
        let dir = scratch("reused-pid");
        let mut other = Command::new("sleep").arg("62.5").spawn().unwrap();
        let service = service(&dir, "some-other-program");
        std::fs::write(&service.pid_file, other.id().to_string()).unwrap();
        assert!(service.has_crashed());
        assert!(!service.stop(Duration::from_secs(1)).unwrap());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
        std::fs::remove_dir_all(dir).unwrap();
    }
}
