//! Terminal output: coloured on terminals only (`anstream` respects `NO_COLOR` and `CLICOLOR`).

use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const GREEN: Style = AnsiColor::Green.on_default();
pub(crate) const RED: Style = AnsiColor::Red.on_default();
pub(crate) const YELLOW: Style = AnsiColor::Yellow.on_default();
pub(crate) const CYAN: Style = AnsiColor::Cyan.on_default();

/// Prints a success message.
pub(crate) fn success(text: &str) {
    anstream::println!("{GREEN}✓{GREEN:#} {text}");
}

/// Prints information that the user should notice.
pub(crate) fn note(text: &str) {
    anstream::println!("{YELLOW}!{YELLOW:#} {text}");
}

/// Prints the reason for a failure to standard error.
pub(crate) fn failure(text: &str) {
    anstream::eprintln!("{RED}error:{RED:#} {text}");
}

/// Prints a heading.
pub(crate) fn heading(text: &str) {
    anstream::println!("\n{BOLD}{text}{BOLD:#}");
}

/// Prints a name and its value.
pub(crate) fn field(name: &str, value: &str) {
    anstream::println!("  {CYAN}{name:22}{CYAN:#}{value}");
}

/// Truncates `text` to `width` characters, the last of which is then an ellipsis.
pub(crate) fn truncate(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Seconds with one decimal, such as `3.2 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// The progress of a longer operation: a spinner with the elapsed time on a terminal, two plain lines
/// otherwise.
pub(crate) struct Progress {
    label: String,
    started: Instant,
    bar: ProgressBar,
}

impl Progress {
    /// Shows that the operation has started.
    pub(crate) fn start(label: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
            bar.set_style(style);
        }
        if bar.is_hidden() {
            anstream::println!("{DIM}·{DIM:#} {label} …");
        } else {
            bar.set_message(label.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { label: label.to_owned(), started: Instant::now(), bar }
    }

    /// Shows the current step, on terminals only.
    pub(crate) fn detail(&self, detail: &str) {
        self.bar.set_message(format!("{} · {detail}", self.label));
    }

    /// Ends with a line that shows the result and the elapsed time.
    pub(crate) fn done(self, outcome: &str) {
        self.bar.finish_and_clear();
        success(&format!("{outcome} {DIM}({}){DIM:#}", seconds(self.started.elapsed())));
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
