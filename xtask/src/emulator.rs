//! The emulator of AWS (MiniStack): starting and stopping it, and what it leaves behind.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use crate::instance::Instance;
use crate::process::{Service, kill_leftovers};
use crate::tools::Tools;
use crate::{ports, ui};

const LAUNCHER: &str = include_str!("python/launch_emulator.py");
/// How long it may take to start, with a lot of saved state on a slow machine.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to write its state.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// The emulator of one local stack.
pub(crate) struct Emulator<'a> {
    instance: &'a Instance,
    pub(crate) service: Service,
}

impl<'a> Emulator<'a> {
    pub(crate) fn of(instance: &'a Instance) -> Self {
        let service = Service {
            name: "the AWS emulator",
            pid_file: instance.run().join("emulator.pid"),
            marker: instance.run().join("launch_emulator.py").display().to_string(),
            log: instance.log("emulator"),
        };
        Self { instance, service }
    }

    /// Starts it with the state of last time, unless it runs already.
    pub(crate) fn start(&self, tools: &Tools) -> anyhow::Result<()> {
        if self.service.pid().is_some() {
            return Ok(());
        }
        if self.service.died() {
            self.after_a_crash()?;
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
        self.service.wait_until_ready(child, START_LIMIT, || ports::answers(port))?;
        progress.done(&format!("{} listens on {}", self.service.name, self.instance.endpoint()));
        Ok(())
    }

    /// Lets it save its state and end, with the functions that it started. Returns whether it was running.
    pub(crate) fn stop(&self) -> anyhow::Result<bool> {
        let was_running = self.service.stop(STOP_LIMIT)?;
        self.clean_up()?;
        Ok(was_running)
    }

    /// The functions inherit this environment, so nothing of the person's gets in: no credentials, no proxy, no
    /// certificates.
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
            // An address instead of a name: with it the SDKs put a bucket's name into the path.
            .env("AWS_ENDPOINT_URL", self.instance.functions_endpoint())
            .env("AUTH", "true")
            .env("PERSIST_STATE", "1")
            .env("STATE_DIR", state.join("emulator"))
            .env("S3_PERSIST", "1")
            .env("S3_DATA_DIR", state.join("s3"))
            .env("TMPDIR", self.instance.tmp())
            .env("GATEWAY_LOG", self.instance.gateway_log())
            // Without this it would listen on all interfaces for MQTT.
            .env("IOT_MTLS_ENABLED", "0")
            .env("PYTHONUNBUFFERED", "1");
    }

    /// A crash loses what happened since the last clean stop; what was deployed last is then unknown.
    fn after_a_crash(&self) -> anyhow::Result<()> {
        ui::note(
            "the emulator was not stopped with `cargo xtask down`: its state is that of the last clean stop",
        );
        let _ = std::fs::remove_file(self.instance.deployed_stamp());
        self.clean_up()
    }

    /// Ends function processes that outlived the emulator, and removes the code that they ran from.
    fn clean_up(&self) -> anyhow::Result<()> {
        let tmp = self.instance.tmp();
        kill_leftovers(&format!("{}/", tmp.display()));
        if tmp.exists() {
            std::fs::remove_dir_all(&tmp).with_context(|| format!("cannot remove {}", tmp.display()))?;
        }
        Ok(())
    }
}
