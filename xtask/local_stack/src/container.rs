//! The order service as a long-lived process behind the gateway: the same binary, run without the Lambda
//! runtime.

use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;
use shopctl::Stack;
use shopctl::aws::{LOCAL_KEY, LOCAL_REGION};
use terminal::ui;

use crate::binaries::Binaries;
use crate::instance::Instance;
use crate::ports;
use crate::service::Service;

/// The binary of the order service.
const BINARY: &str = "orders-api";

/// The order service's process in one local stack.
pub(crate) struct Container<'a> {
    instance: &'a Instance,
    pub(crate) service: Service,
}

impl<'a> Container<'a> {
    pub(crate) fn new(instance: &'a Instance) -> Self {
        let service = Service {
            name: "the order service",
            pid_file: instance.run().join("orders-api.pid"),
            marker: instance.container_binary().display().to_string(),
            log: instance.log(BINARY),
        };
        Self { instance, service }
    }

    /// Restarts it, with the tables and the user pool of the deployed stack.
    pub(crate) fn start(&self, binaries: &Binaries, stack: &Stack) -> anyhow::Result<()> {
        self.stop()?;
        binaries.install(BINARY, &self.instance.container_binary())?;
        let outputs = stack.outputs()?;
        let output =
            |name: &str| outputs.get(name).with_context(|| format!("the stack has no output {name}"));
        let issuer = output("TokenIssuer")?;
        let pool = output("UserPoolId")?;
        let port = self.instance.container_port;
        ports::ensure_free(port, self.service.name)?;
        let mut command = Command::new(self.instance.container_binary());
        command
            .env_clear()
            .env("PORT", port.to_string())
            .env("BIND_ADDRESS", "127.0.0.1")
            .env("ORDERS_TABLE", output("OrdersTableName")?)
            .env("OUTBOX_TABLE", output("OutboxTableName")?)
            .env("IDEMPOTENCY_TABLE", output("IdempotencyTableName")?)
            .env("ORDER_COUNTS_TABLE", output("OrderCountsTableName")?)
            .env("ALLOWED_ORIGINS", stack.parameter("AllowedOrigins")?.unwrap_or_default())
            .env("TOKEN_ISSUER", issuer)
            // The emulator issues tokens with AWS's issuer, but serves the keys itself.
            .env("TOKEN_KEYS_URL", format!("{}/{pool}/.well-known/jwks.json", self.instance.endpoint()))
            .env("AWS_ENDPOINT_URL", self.instance.functions_endpoint())
            .env("AWS_REGION", LOCAL_REGION)
            .env("AWS_ACCESS_KEY_ID", LOCAL_KEY)
            .env("AWS_SECRET_ACCESS_KEY", LOCAL_KEY);
        let child = self.service.start(&mut command)?;
        self.service.wait_until_ready(child, Duration::from_secs(10), || ports::is_listening(port))?;
        ui::success(&format!("{} listens on {}", self.service.name, self.instance.container_url()));
        Ok(())
    }

    /// Stops it. Returns whether it was running.
    pub(crate) fn stop(&self) -> anyhow::Result<bool> {
        self.service.stop(Duration::from_secs(5))
    }
}
