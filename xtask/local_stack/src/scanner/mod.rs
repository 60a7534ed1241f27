//! The malware scanner of a local stack: ClamAV's `clamd`, with signatures for the tests only. The official
//! signatures are several hundred megabytes, and only available through `freshclam`.

mod install;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use terminal::ui;

use crate::instance::Instance;
use crate::ports;
use crate::service::Service;

/// Signatures of the EICAR test file (<https://www.eicar.org/download-anti-malware-testfile/>) and of a
/// harmless text at any position in a file, both in hexadecimal so that scanners do not detect them in this
/// repository.
const SIGNATURES: &str = include_str!("signatures.ndb");
const START_LIMIT: Duration = Duration::from_secs(30);

/// The scanner of one local stack.
pub(crate) struct Scanner<'a> {
    instance: &'a Instance,
    pub(crate) service: Service,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(instance: &'a Instance) -> Self {
        let service = Service {
            name: "the malware scanner",
            pid_file: instance.run().join("clamd.pid"),
            marker: config_file(instance).display().to_string(),
            log: instance.log("clamd"),
        };
        Self { instance, service }
    }

    /// Starts it, unless it is running. If it cannot be installed, the stack runs without it, and uploads
    /// stay pending.
    pub(crate) fn start(&self) -> anyhow::Result<()> {
        if self.service.pid().is_some() {
            return Ok(());
        }
        let program = match install::find_or_install() {
            Ok(program) => program,
            // A request to stop is not an installation failure.
            Err(error) => {
                terminal::signals::check()?;
                ui::note(&format!(
                    "uploads will stay pending, because there is no malware scanner: {error:#}"
                ));
                return Ok(());
            }
        };
        ports::ensure_free(self.instance.scanner_port, self.service.name)?;
        self.write_config()?;
        let mut command = Command::new(&program.path);
        command.arg(format!("--config-file={}", config_file(self.instance).display()));
        if !program.libraries.is_empty() {
            command.env("LD_LIBRARY_PATH", std::env::join_paths(&program.libraries)?);
        }
        let child = self.service.start(&mut command)?;
        let port = self.instance.scanner_port;
        self.service.wait_until_ready(child, START_LIMIT, || ports::is_listening(port))?;
        ui::success(&format!("{} listens on 127.0.0.1:{port}", self.service.name));
        Ok(())
    }

    /// Stops it. Returns whether it was running.
    pub(crate) fn stop(&self) -> anyhow::Result<bool> {
        self.service.stop(Duration::from_secs(5))
    }

    fn write_config(&self) -> anyhow::Result<()> {
        let dir = self.instance.run().join("clamd");
        let signatures = dir.join("signatures");
        let temporary = dir.join("tmp");
        for dir in [&signatures, &temporary] {
            std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        }
        std::fs::write(signatures.join("tests.ndb"), SIGNATURES)?;
        // With AlertExceedsMax, a file that exceeds a limit counts as a threat instead of as harmless.
        let config = format!(
            "Foreground yes\nTCPAddr 127.0.0.1\nTCPSocket {}\nDatabaseDirectory {}\nTemporaryDirectory {}\n\
             StreamMaxLength 16M\nAlertExceedsMax yes\nMaxThreads 2\nConcurrentDatabaseReload no\nLogTime yes\n",
            self.instance.scanner_port,
            signatures.display(),
            temporary.display(),
        );
        std::fs::write(config_file(self.instance), config)?;
        Ok(())
    }
}

fn config_file(instance: &Instance) -> PathBuf {
    instance.run().join("clamd.conf")
}
