//! Terminal output: coloured on terminals only (`anstream` respects `NO_COLOR` and `CLICOLOR`).

use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

/// Headings and names.
pub const BOLD: Style = Style::new().bold();
/// Text that matters less than the rest.
pub const DIM: Style = Style::new().dimmed();
/// A success, or a result as expected.
pub const GREEN: Style = AnsiColor::Green.on_default();
/// A failure, or a violation.
pub const RED: Style = AnsiColor::Red.on_default();
/// Something to notice that is not a failure.
pub const YELLOW: Style = AnsiColor::Yellow.on_default();
/// The name of a field, a function or a message.
pub const CYAN: Style = AnsiColor::Cyan.on_default();

/// Prints a success message.
pub fn success(text: &str) {
    anstream::println!("{GREEN}✓{GREEN:#} {text}");
}

/// Prints information that the user should notice.
pub fn note(text: &str) {
    anstream::println!("{YELLOW}!{YELLOW:#} {text}");
}

/// Prints the reason for a failure to standard error.
pub fn failure(text: &str) {
    anstream::eprintln!("{RED}error:{RED:#} {text}");
}

/// Prints a heading.
pub fn heading(text: &str) {
    anstream::println!("\n{BOLD}{text}{BOLD:#}");
}

/// Prints a name and its value.
pub fn field(name: &str, value: &str) {
    anstream::println!("  {CYAN}{name:22}{CYAN:#}{value}");
}

/// Truncates `text` to `width` characters, the last of which is then an ellipsis.
pub fn truncate(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Seconds with one decimal, such as `3.2 s`.
pub fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// The progress of a longer operation, on standard error: a spinner with the elapsed time on a terminal, two plain
/// lines otherwise.
pub struct Progress {
    label: String,
    started: Instant,
    bar: ProgressBar,
}

impl Progress {
    /// Shows that the operation has started.
    pub fn start(label: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        if bar.is_hidden() {
            anstream::eprintln!("{DIM}·{DIM:#} {label} …");
        } else {
            bar.set_message(label.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { label: label.to_owned(), started: Instant::now(), bar }
    }

    /// Shows the current step, on terminals only.
    pub fn detail(&self, detail: &str) {
        self.bar.set_message(format!("{} · {detail}", self.label));
    }

    /// Ends with a line that shows the result and the elapsed time.
    pub fn done(self, outcome: &str) {
        self.bar.finish_and_clear();
        let elapsed = seconds(self.started.elapsed());
        anstream::eprintln!("{GREEN}✓{GREEN:#} {outcome} {DIM}({elapsed}){DIM:#}");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::truncate;

    #[test]
    fn a_long_text_is_truncated_at_characters() {
        assert_eq!(truncate("héllo", 5), "héllo");
        assert_eq!(truncate("héllo!", 5), "héll…");
    }
}
