//! What a test requirements that only the stack on this machine has. On any other it is left out, visibly.

use std::fmt;
use std::io::Write;

/// What only the local stack has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requirement {
    /// The stand-in for Stripe: faults, held webhooks.
    StripeStandIn,
    /// The mailbox of the emulator's SES, in which the text of a mail can be read.
    Mailbox,
    /// The processes of the functions, which the test kills.
    Processes,
    /// The credentials of a function's role, which on AWS only Lambda can assume.
    FunctionRoles,
    /// An address on the functions' own machine that webhooks may be sent to.
    WebhookReceiver,
    /// The malware signature that the local scanner is given.
    ScannerSignature,
    /// Usage plans that count exactly: API Gateway applies them on a best-effort basis.
    ExactUsagePlans,
    /// A stack that is thrown away afterwards: the test uses up invoice numbers, changes the report of a past day or the
    /// products of the samples, or makes hundreds of tables.
    ThrowawayStack,
    /// Public sign-up, whose confirmation code is mailed to an address that nobody has.
    PublicSignUp,
    /// An order service of somebody else's, whose events this stack listens to.
    ForeignOrders,
}

impl Requirement {
    /// The reason why a test that requirements this is left out.
    pub fn reason(self) -> &'static str {
        match self {
            Self::StripeStandIn => "requirements the stand-in for Stripe, which fails on request",
            Self::Mailbox => "requirements a mailbox in which mails can be read",
            Self::Processes => "requirements the functions' processes, to kill them",
            Self::FunctionRoles => "requirements a function's own credentials, which on AWS only Lambda gets",
            Self::WebhookReceiver => "requirements a receiver of webhooks on the functions' machine",
            Self::ScannerSignature => "requirements the malware signature of the local scanner",
            Self::ExactUsagePlans => {
                "requirements exact limits; API Gateway applies usage plans on a best-effort basis"
            }
            Self::ThrowawayStack => "requirements a stack that is thrown away afterwards",
            Self::PublicSignUp => "requirements sign-up by an address that nobody has",
            Self::ForeignOrders => "requirements a foreign order service that this stack listens to",
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

/// Whether the tests may use what only the local stack has: `E2E_EMULATOR_URL` says where the emulator is.
pub(crate) fn is_local() -> bool {
    std::env::var_os("E2E_EMULATOR_URL").is_some()
}

/// Whether the running test is left out, for want of one of `requirements`.
///
/// It says so on standard error, and appends the test's name and the reason, with a tab between them, to the file in
/// `E2E_LEFT_OUT`: for the test runner, a test that returns early has passed.
///
/// # Errors
/// When the file cannot be written.
pub fn is_skipped(requirements: &[Requirement]) -> anyhow::Result<bool> {
    let Some(missing) = requirements.first().filter(|_| !is_local()) else { return Ok(false) };
    // The test runner names each test's thread after the test.
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    writeln!(std::io::stderr(), "left out: {test}: {missing}")?;
    append("E2E_LEFT_OUT", &format!("{test}\t{missing}"))?;
    Ok(true)
}

/// Appends a line to the file that the environment variable names, if it does.
pub(crate) fn append(variable: &str, line: &str) -> anyhow::Result<()> {
    let Ok(path) = std::env::var(variable) else { return Ok(()) };
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    // One write, so that lines of tests that run at the same time do not mix.
    file.write_all(format!("{line}\n").as_bytes())?;
    Ok(())
}
