//! The report on functions, in Markdown.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::measure::{Bench, Cold, Measurements};
use crate::statistics::{decimal, hundredths, median, megabytes, milliseconds, percentile};
use bench::functions::{FLOOR, Function};

/// The targets that a function should meet.
struct Targets;

impl Targets {
    /// The maximum init time, in hundredths of the floor's.
    const INIT: u128 = 160;
    /// The maximum time of init and first invocation of a function that makes one call, in hundredths of the floor's init.
    const ONE_CALL: u128 = 310;
    /// The maximum peak memory in bytes.
    const PEAK: u64 = 12_000_000;
    /// The maximum size of the binary in bytes.
    const SIZE: u64 = 8_000_000;
}

/// The row of one function. Durations are medians.
struct Row<'a> {
    name: &'a str,
    measurements: &'a Measurements,
    init: Duration,
    init_cpu: Duration,
    first: Duration,
    both: Duration,
}

impl<'a> Row<'a> {
    fn new(function: &'a Function, measurements: &'a Measurements) -> Self {
        let median = |duration: fn(&Cold) -> Duration| median(measurements.cold.iter().map(duration));
        Self {
            name: &function.name,
            measurements,
            init: median(|cold| cold.init.wall),
            init_cpu: median(|cold| cold.init.cpu),
            first: median(|cold| cold.first),
            both: median(|cold| cold.init.wall + cold.first),
        }
    }

    fn peak_bytes(&self) -> u64 {
        self.measurements.peak_memory * 1024
    }

    /// The numbers of requests and connections for the first event.
    fn traffic(&self) -> (usize, usize) {
        let traffic = self.measurements.cold.first().map(|cold| &cold.traffic);
        traffic.map_or((0, 0), |traffic| (traffic.requests, traffic.connections))
    }

    /// The ratio of the init time to the floor's, in hundredths.
    fn init_ratio(&self, floor: &Row<'_>) -> u128 {
        hundredths(self.init.as_nanos(), floor.init.as_nanos())
    }

    /// The row in Markdown.
    fn line(&self, floor: &Row<'_>) -> String {
        let init =
            |percent| milliseconds(percentile(self.measurements.cold.iter().map(|c| c.init.wall), percent));
        let warm = |percent| milliseconds(percentile(self.measurements.warm.iter().copied(), percent));
        let (requests, connections) = self.traffic();
        format!(
            "| {} | {} | {} ({}–{}) | {} | {} | {} | {} | {} / {} | {requests} / {connections} | {} |",
            self.name,
            megabytes(self.measurements.size),
            milliseconds(self.init),
            init(10),
            init(90),
            decimal(self.init_ratio(floor)),
            milliseconds(self.init_cpu),
            milliseconds(self.first),
            milliseconds(self.both),
            warm(50),
            warm(99),
            megabytes(self.peak_bytes()),
        )
    }
}

/// Writes the whole document. `functions` contains the floor.
pub(crate) fn report(
    bench: &Bench,
    functions: &[Function],
    measured: &[Measurements],
    repo: &Path,
) -> String {
    let rows: Vec<Row<'_>> =
        functions.iter().zip(measured).map(|(function, measured)| Row::new(function, measured)).collect();
    let mut text = String::from("# Benchmarks\n\nCold start, latency, memory and size of each function.\n\n");
    let Some(floor) = rows.iter().find(|row| row.name == FLOOR) else { return text };
    text.push_str(&table(&rows, floor));
    text.push_str(LEGEND);
    text.push_str(&targets(&rows, floor));
    let tls = if bench.http { "plain HTTP (`--http`)" } else { "HTTPS" };
    let _ = write!(text, "\n## Method\n\n{}\n{}", environment(repo), method(bench, tls));
    text.push_str(LIMITATIONS);
    text
}

fn table(rows: &[Row<'_>], floor: &Row<'_>) -> String {
    let mut text = String::from(
        "| function | file MB | init ms (p10–p90) | × floor | init CPU ms | first ms | init + first ms | warm ms p50 / p99 | calls / connections | peak MB |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    );
    for row in rows {
        text.push_str(&row.line(floor));
        text.push('\n');
    }
    text
}

/// The section on the targets, with the functions that miss them.
fn targets(rows: &[Row<'_>], floor: &Row<'_>) -> String {
    let missed = |excess: &dyn Fn(&Row<'_>) -> Option<String>| {
        let missed: Vec<String> = rows
            .iter()
            .filter(|row| row.name != FLOOR)
            .filter_map(|row| Some(format!("{} ({})", row.name, excess(row)?)))
            .collect();
        if missed.is_empty() { "met by all".to_owned() } else { format!("missed by {}", missed.join(", ")) }
    };
    let init = missed(&|row| {
        let times = row.init_ratio(floor);
        let connects = row.measurements.cold.iter().any(|cold| cold.connects_in_init);
        (times > Targets::INIT && !connects).then(|| format!("{} ×", decimal(times)))
    });
    let one_call = missed(&|row| {
        let times = hundredths(row.both.as_nanos(), floor.init.as_nanos());
        (row.traffic() == (1, 1) && times > Targets::ONE_CALL).then(|| format!("{} ×", decimal(times)))
    });
    let peak = missed(&|row| (row.peak_bytes() > Targets::PEAK).then(|| megabytes(row.peak_bytes())));
    let size =
        missed(&|row| (row.measurements.size > Targets::SIZE).then(|| megabytes(row.measurements.size)));
    format!(
        "\n## Targets\n\n| target | |\n|---|---|\n\
         | init ≤ {} × floor, except for functions that open a connection in init, which saves that time in *first* | {init} |\n\
         | init + first ≤ {} × the floor's init, for functions that make one call (1.3 × the time of a program that makes the call without the AWS SDK, measured separately as 2.4 × the floor's init) | {one_call} |\n\
         | peak memory ≤ {} MB | {peak} |\n\
         | file ≤ {} MB | {size} |\n",
        decimal(Targets::INIT),
        decimal(Targets::ONE_CALL),
        megabytes(Targets::PEAK),
        megabytes(Targets::SIZE),
    )
}

const LEGEND: &str = "
- **floor**: the baseline, a `lambda_runtime` function that does nothing (`tests/floor`).
- **init**: from just before the process is spawned until it requests its first event; median, 10th and 90th percentile.
- **first**: from its first event, `events/<function>.json`, to the response; median. It includes opening the connections that were not opened in init.
- **warm**: the same for the events after the first one.
- **calls / connections**: outgoing requests for the first event, and the connections they use.
- **peak**: peak resident memory of the process (`VmHWM`), including shared libraries. 1 MB is 1,000,000 bytes.
";

fn method(bench: &Bench, tls: &str) -> String {
    let (rounds, warm) = (bench.rounds, bench.warm);
    let http = if bench.http { " --http" } else { "" };
    format!(
        "The binaries are those of `sam build` (the floor is built separately, so that it gets none of the features of the \
others), each a freshly written copy. `tests/bench` implements the Lambda Runtime API and starts each function as Lambda \
does, with the environment that Lambda and `template.yaml` set. It is also the backend of the functions, over {tls}: each \
service has its own address, a certificate chain of three levels, and responses with which the sample event succeeds; any \
other request, and any failure of a function, aborts the benchmark. {rounds} cold starts of each function, interleaved, \
after one that is not counted. Then one process of each handles {warm} events after its first.\n\n\
```sh\ncargo xtask bench --rounds {rounds} --warm {warm}{http}\n```\n"
    )
}

const LIMITATIONS: &str = "
## Limitations

- Nothing ran on AWS. Creating the microVM, fetching the package and network round trips come on top. So does Lambda's CPU \
share: at 128 MB a function has 7 % of a vCPU, after an init with a full one.
- The pages of the binary are in memory. Reading them from a disk takes about a millisecond more for each MB of the file.
- The backend does no work: *first* and *warm* exclude the time of a real table, bus or payment provider, and include a few \
hundredths of a millisecond per call for the backend itself, and its half of the TLS handshake.
- Certificates are ECDSA. AWS's are RSA, which is slightly cheaper to verify.
- Host names are resolved from a file, not by DNS.
- Functions that call Stripe load the machine's root certificates. Here they load them for AWS as well, where they normally \
use the compiled-in Amazon roots, so their init is slightly too long.
- `sam build` links with zig against an older glibc.
";

/// The date, the machine and the versions of the measurement.
pub(crate) fn environment(repo: &Path) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let model = model.trim_start_matches(['\t', ' ', ':']);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rustc = Command::new("rustc").arg("--version").output();
    let rustc =
        rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let lock = std::fs::read_to_string(repo.join("Cargo.lock")).unwrap_or_default();
    let crates = ["lambda_runtime", "aws-sdk-dynamodb", "hyper", "rustls", "tokio"];
    let versions: Vec<String> =
        crates.iter().filter_map(|name| Some(format!("{name} {}", locked_version(&lock, name)?))).collect();
    format!(
        "{}, Linux {}, {cores} × {model}, {rustc}; {}.\n",
        bench::clock::today(),
        read("/proc/sys/kernel/osrelease").trim(),
        versions.join(", ")
    )
}

/// The version of a package in the text of a `Cargo.lock`.
fn locked_version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let package =
        lock.split("[[package]]").find(|package| package.contains(&format!("\nname = \"{name}\"\n")))?;
    package.split("\nversion = \"").nth(1)?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench::backend::Traffic;
    use bench::process::Init;

    fn function(name: &str) -> Function {
        Function { name: name.to_owned(), ..Function::floor() }
    }

    fn measured(init_ms: u64, size: u64) -> Measurements {
        let cold = |extra| Cold {
            init: Init { wall: Duration::from_millis(init_ms + extra), cpu: Duration::from_millis(1) },
            connects_in_init: size == 5_000_000,
            first: Duration::from_millis(2),
            traffic: Traffic { requests: 1, connections: 1, unexpected: Vec::new() },
        };
        Measurements {
            cold: vec![cold(2), cold(0), cold(1)],
            warm: vec![Duration::from_micros(150); 4],
            peak_memory: 8000,
            size,
        }
    }

    #[test]
    fn a_function_is_compared_with_the_floor_and_the_targets() {
        let bench = Bench { binaries: ".".into(), rounds: 3, warm: 4, http: false };
        let functions = [function("floor"), function("slow"), function("quick"), function("connects")];
        let all = [
            measured(9, 1_000_000),
            measured(19, 9_000_000),
            measured(14, 7_000_000),
            measured(29, 5_000_000),
        ];
        let text = report(&bench, &functions, &all, Path::new("."));
        let slow =
            "| slow | 9.00 | 20.00 (19.00–21.00) | 2.00 | 1.00 | 2.00 | 22.00 | 0.15 / 0.15 | 1 / 1 | 8.19 |";
        assert!(text.contains(slow), "{text}");
        assert!(text.contains("in *first* | missed by slow (2.00 ×) |"), "{text}");
        assert!(text.contains("| peak memory ≤ 12.00 MB | met by all |"), "{text}");
        assert!(text.contains("| file ≤ 8.00 MB | missed by slow (9.00) |"), "{text}");
    }

    #[test]
    fn versions_are_read_from_the_lock_file() {
        let lock = "version = 4\n\n[[package]]\nname = \"a-b\"\nversion = \"1.2.3\"\n\n[[package]]\nname = \"b\"\nversion = \"2.0.0\"\n";
        assert_eq!(locked_version(lock, "b"), Some("2.0.0"));
        assert_eq!(locked_version(lock, "a-b"), Some("1.2.3"));
        assert_eq!(locked_version(lock, "c"), None);
    }
}
