//! Operates a deployed stack: dead-letter messages, audits, timelines, verification. `shopctl` is the command line
//! for stacks on AWS; `cargo xtask` runs the same commands on the local stack.

pub mod api;
pub mod audit;
pub mod aws;
mod buckets;
pub mod commands;
pub mod duration;
pub mod follow;
pub mod http;
pub mod logs;
pub mod mail;
pub mod names;
pub mod queues;
pub mod stack;
pub mod timeline;
pub mod token;
pub mod trace;
mod verify;

pub use commands::Command;
pub use stack::{Stack, Target};

use std::process::ExitCode;

use terminal::ui;

/// The exit codes, as `--help` shows them. A wrong command line exits with 2, which is clap's code.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done; a check found nothing
  1  done; a check found something, such as dead-letter messages or violations
  2  wrong command line
  3  not done: no credentials or permissions, no such stack, AWS unavailable, interrupted";

/// How a command ended that was not stopped by an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what it should, and found nothing wrong.
    Success,
    /// It found what it was to look for, such as violations or dead-letter messages.
    Findings,
}

impl Exit {
    /// [`Exit::Success`] if a check found nothing.
    pub fn from_check(passed: bool) -> Self {
        if passed { Self::Success } else { Self::Findings }
    }
}

/// The exit code of a command, as in [`EXIT_CODES`]. Prints an error.
pub fn exit_code(result: anyhow::Result<Exit>) -> ExitCode {
    match result {
        Ok(Exit::Success) => ExitCode::SUCCESS,
        Ok(Exit::Findings) => ExitCode::from(1),
        Err(error) => {
            ui::failure(&format!("{error:#}"));
            ExitCode::from(3)
        }
    }
}
