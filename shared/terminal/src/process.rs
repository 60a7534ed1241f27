//! Child processes that run to completion, or until a stop is requested.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::signals;

/// The interval at which the state of a process is checked.
pub const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Runs `command` to completion. A request to stop is forwarded to it and its children.
///
/// # Errors
/// When it cannot be started, or a stop was requested.
pub fn run(command: &mut Command) -> anyhow::Result<ExitStatus> {
    let mut child = spawn(command)?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if let Err(stop) = signals::check() {
            terminate_group(&mut child);
            return Err(stop);
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Runs `command` like [`run`], and passes each line of its standard output to `on_line` as it arrives.
///
/// # Errors
/// As for [`run`].
pub fn run_with_lines(command: &mut Command, mut on_line: impl FnMut(&str)) -> anyhow::Result<ExitStatus> {
    let mut child = spawn(command.stdout(Stdio::piped()))?;
    let output = child.stdout.take().context("the output of a child process is unavailable")?;
    let (sender, lines) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
        }
    });
    loop {
        match lines.recv_timeout(POLL_INTERVAL) {
            Ok(line) => on_line(&line),
            Err(RecvTimeoutError::Timeout) => {
                if let Err(stop) = signals::check() {
                    terminate_group(&mut child);
                    return Err(stop);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let _ = reader.join();
    Ok(child.wait()?)
}

/// Runs an interactive program in the foreground, with this process's input and output. After a request to stop,
/// it has as long as it needs to clean up.
///
/// # Errors
/// When it cannot be started.
pub fn run_foreground(command: &mut Command) -> anyhow::Result<ExitStatus> {
    let mut child = command.spawn().with_context(|| cannot_start(command))?;
    let mut forwarded = false;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        // The terminal's Ctrl-C reaches it anyway; a `kill` of this process does not.
        if !forwarded && signals::check().is_err() {
            forwarded = true;
            if let Some(pid) = pid(&child) {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// Gives way to other programs from now on: this process, and those that it starts. Does nothing where that is not possible.
pub fn lower_priority() {
    let _ = rustix::process::nice(10);
}

/// The command line in short form: without the folder of the program, and with paths relative to the folder in
/// which it runs.
pub fn command_text(command: &Command) -> String {
    let name = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let mut text = name.to_string_lossy().into_owned();
    for argument in command.get_args().map(Path::new) {
        let inside = command.get_current_dir().and_then(|folder| argument.strip_prefix(folder).ok());
        text.push(' ');
        text.push_str(&inside.unwrap_or(argument).to_string_lossy());
    }
    text
}

/// Starts a process in its own process group, which the terminal's Ctrl-C does not reach.
fn spawn(command: &mut Command) -> anyhow::Result<Child> {
    command.stdin(Stdio::null()).process_group(0);
    command.spawn().with_context(|| cannot_start(command))
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start `{}`", command_text(command))
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Terminates a child and its children: with SIGTERM, and after five seconds with SIGKILL.
fn terminate_group(child: &mut Child) {
    let Some(group) = pid(child) else { return };
    let _ = kill_process_group(group, Signal::TERM);
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if matches!(child.try_wait(), Ok(Some(_))) {
            break;
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    // Processes of the group that outlived its leader.
    let _ = kill_process_group(group, Signal::KILL);
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_process_arrive_in_order() {
        let mut lines = Vec::new();
        let status = run_with_lines(Command::new("sh").args(["-c", "echo one; echo two; exit 3"]), |line| {
            lines.push(line.to_owned());
        });
        assert_eq!((lines.join(" ").as_str(), status.unwrap().code()), ("one two", Some(3)));
    }

    #[test]
    fn a_command_is_shown_without_the_folder_it_runs_in() {
        let mut command = Command::new("/opt/bin/checkov");
        command.args(["--file", "/repository/.local/transformed.json", "/etc/x"]);
        assert_eq!(command_text(&command), "checkov --file /repository/.local/transformed.json /etc/x");
        command.current_dir("/repository");
        assert_eq!(command_text(&command), "checkov --file .local/transformed.json /etc/x");
    }
}
