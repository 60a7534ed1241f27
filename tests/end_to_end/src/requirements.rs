//! The requirements of tests that only the local stack meets. On any other stack such a test is skipped and
//! reported.

use std::fmt;
use std::io::Write;

/// A requirement that only the local stack meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// The stand-in for Stripe: fault injection, held webhooks.
    StripeStandIn,
    /// The mailbox of the emulator's SES, which contains the text of the mails.
    Mailbox,
    /// Access to the processes of the functions, which the test kills.
    Processes,
    /// The credentials of a function's role, which only Lambda can assume on AWS.
    FunctionRoles,
    /// A webhook receiver on the machine of the functions.
    WebhookReceiver,
    /// The test signature of the local malware scanner.
    ScannerSignature,
    /// Exact usage plans: API Gateway applies them on a best-effort basis.
    ExactUsagePlans,
    /// A disposable stack: the test uses up invoice numbers, changes the report of a past day or the products
    /// of the samples, or creates hundreds of tables.
    ThrowawayStack,
    /// Public sign-up, whose confirmation code is mailed to an address without a recipient.
    PublicSignUp,
    /// Traces in the logs of the functions.
    Traces,
    /// An external order service whose events the stack subscribes to.
    ForeignOrders,
}

impl Requirement {
    /// Returns the reason why a test with this requirement is skipped.
    pub fn reason(self) -> &'static str {
        match self {
            Self::StripeStandIn => "needs the stand-in for Stripe, to inject faults",
            Self::Mailbox => "needs a mailbox to read mails in",
            Self::Processes => "needs the processes of the functions, to kill them",
            Self::FunctionRoles => {
                "needs the credentials of a function's role, which only Lambda gets on AWS"
            }
            Self::WebhookReceiver => "needs a webhook receiver on the machine of the functions",
            Self::ScannerSignature => "needs the test signature of the local malware scanner",
            Self::ExactUsagePlans => {
                "needs exact limits; API Gateway applies usage plans on a best-effort basis"
            }
            Self::ThrowawayStack => "needs a disposable stack",
            Self::PublicSignUp => "needs to sign up with an address without a recipient",
            Self::Traces => "needs the traces in the logs: the parameter TraceExport is `log`",
            Self::ForeignOrders => "needs an external order service that the stack subscribes to",
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// Returns whether the tests run against the local stack: `E2E_EMULATOR_URL` is set to the emulator's URL.
pub(crate) fn is_local() -> bool {
    std::env::var_os("E2E_EMULATOR_URL").is_some()
}

/// Returns whether the running test is skipped because the stack does not meet one of `requirements`.
///
/// Reports a skipped test on standard error, and appends its name and the reason, separated by a tab, to the
/// file named by `E2E_LEFT_OUT`: for the test runner, a test that returns early has passed.
///
/// # Errors
/// When the file cannot be written.
pub fn is_skipped(requirements: &[Requirement]) -> anyhow::Result<bool> {
    let Some(missing) = requirements.first().filter(|_| !is_local()) else { return Ok(false) };
    // The test runner names each test's thread after the test.
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    writeln!(std::io::stderr(), "skipped: {test}: {missing}")?;
    append("E2E_LEFT_OUT", &format!("{test}\t{missing}"))?;
    Ok(true)
}

/// Appends a line to the file named by the environment variable, if it is set.
pub(crate) fn append(variable: &str, line: &str) -> anyhow::Result<()> {
    let Ok(path) = std::env::var(variable) else { return Ok(()) };
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    // A single write, so that the lines of concurrent tests do not mix.
    file.write_all(format!("{line}\n").as_bytes())?;
    Ok(())
}
