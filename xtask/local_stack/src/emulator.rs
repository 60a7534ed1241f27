//! The AWS emulator (MiniStack): starts and stops it, and cleans up after it.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use terminal::ui;
use xtask::tools::Tools;

use crate::instance::Instance;
use crate::ports;
use crate::service::{Service, kill_leftovers};

const LAUNCHER: &str = include_str!("python/launch_emulator.py");
/// How long it may take to start, with much saved state on a slow machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to save its state.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The emulator of one local stack.
pub(crate) struct Emulator<'a> {
    instance: &'a Instance,
    pub(crate) service: Service,
}

impl<'a> Emulator<'a> {
    pub(crate) fn new(instance: &'a Instance) -> Self {
        let service = Service {
            name: "the AWS emulator",
            pid_file: instance.run().join("emulator.pid"),
            marker: instance.run().join("launch_emulator.py").display().to_string(),
            log: instance.log("emulator"),
        };
        Self { instance, service }
    }

    /// Starts it with its saved state, unless it is running.
    pub(crate) fn start(&self, tools: &Tools) -> anyhow::Result<()> {
        if self.service.pid().is_some() {
            return Ok(());
        }
        if self.service.has_crashed() {
            self.recover_from_crash()?;
        }
        ports::ensure_free(self.instance.emulator_port, self.service.name)?;
        let progress = ui::Progress::start("starting the AWS emulator");
        let launcher = self.instance.run().join("launch_emulator.py");
        std::fs::write(&launcher, LAUNCHER)?;
        let mut command = Command::new(tools.python());
        command.arg(&launcher);
        self.set_environment(&mut command);
        let child = self.service.start(&mut command)?;
        let port = self.instance.emulator_port;
        self.service.wait_until_ready(child, START_LIMIT, || ports::is_listening(port))?;
        progress.done(&format!("{} listens on {}", self.service.name, self.instance.endpoint()));
        Ok(())
    }

    /// Stops it and the functions that it started; it saves its state. Returns whether it was running.
    pub(crate) fn stop(&self) -> anyhow::Result<bool> {
        let was_running = self.service.stop(STOP_LIMIT)?;
        self.clean_up()?;
        Ok(was_running)
    }

    /// The functions inherit this environment, so it contains nothing of the user's: no credentials, no
    /// proxy, no certificates.
    fn set_environment(&self, command: &mut Command) {
        let state = self.instance.state();
        let port = self.instance.emulator_port.to_string();
        command.env_clear();
        for kept in ["PATH", "HOME", "LANG", "LC_ALL"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        command
            .env("GATEWAY_PORT", port)
            .env("BIND_HOST", "127.0.0.1")
            // An IP address, because the SDKs then put the name of a bucket into the path.
            .env("AWS_ENDPOINT_URL", self.instance.functions_endpoint())
            .env("AUTH", "true")
            .env("PERSIST_STATE", "1")
            .env("STATE_DIR", state.join("emulator"))
            .env("S3_PERSIST", "1")
            .env("S3_DATA_DIR", state.join("s3"))
            .env("TMPDIR", self.instance.tmp())
            .env("GATEWAY_LOG", self.instance.gateway_log())
            // Otherwise it would listen for MQTT on all interfaces.
            .env("IOT_MTLS_ENABLED", "0")
            .env("PYTHONUNBUFFERED", "1");
    }

    /// After a crash, changes since the last clean stop are lost, so the last deployment is unknown.
    fn recover_from_crash(&self) -> anyhow::Result<()> {
        ui::note(
            "the emulator was not stopped with `cargo xtask down`: changes since its last clean stop are lost",
        );
        let _ = std::fs::remove_file(self.instance.deployed_stamp());
        self.clean_up()
    }

    /// Kills function processes that outlived the emulator, and removes their code.
    fn clean_up(&self) -> anyhow::Result<()> {
        let tmp = self.instance.tmp();
        kill_leftovers(&format!("{}/", tmp.display()));
        if tmp.exists() {
            std::fs::remove_dir_all(&tmp).with_context(|| format!("cannot remove {}", tmp.display()))?;
        }
        Ok(())
    }
}
