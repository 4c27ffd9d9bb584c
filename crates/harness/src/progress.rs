//! Progress on a terminal: epoch, error, examples per second, time left; bytes for downloads.
//!
//! Everything goes to stderr, and only when stderr is a terminal and `--quiet` is not given: a pipe or a log gets
//! nothing at all. Colour is used unless NO_COLOR is set.

pub mod points;

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::Common;

/// Where bars are drawn.
#[derive(Debug, Clone)]
enum Screen {
    /// Stderr, where indicatif draws nothing unless it is a terminal.
    Stderr,
    /// Nowhere.
    Nothing,
    #[cfg(test)]
    Memory(indicatif::InMemoryTerm),
}

impl Screen {
    fn of(common: &Common) -> Self {
        if common.quiet { Self::Nothing } else { Self::Stderr }
    }

    fn target(&self) -> ProgressDrawTarget {
        match self {
            Self::Stderr => ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND),
            Self::Nothing => ProgressDrawTarget::hidden(),
            #[cfg(test)]
            Self::Memory(terminal) => ProgressDrawTarget::term_like(Box::new(terminal.clone())),
        }
    }
}

/// Redraws per second: epochs can be shorter than the eye can follow.
const REDRAWS_PER_SECOND: u8 = 10;

/// The bar of one phase of a run.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    examples: u64,
    error_pct: Option<f64>,
    first_epoch: Option<u64>,
}

impl Progress {
    /// Starts a bar for `total_epochs` epochs of the phase `what`. It is silent off a terminal and with `--quiet`.
    pub fn new(common: &Common, what: &str, total_epochs: u64) -> Self {
        Self::on(&Screen::of(common), what, total_epochs)
    }

    fn on(screen: &Screen, what: &str, total_epochs: u64) -> Self {
        let template = coloured(
            "{prefix:<12} epoch {pos}/{len} [{wide_bar:.cyan/dim}] {msg}",
            "{prefix:<12} epoch {pos}/{len} [{wide_bar}] {msg}",
        );
        let bar = ProgressBar::with_draw_target(Some(total_epochs), screen.target())
            .with_style(style(template))
            .with_prefix(what.to_owned());
        Self { bar, started: Instant::now(), examples: 0, error_pct: None, first_epoch: None }
    }

    /// Reports that `epoch` epochs are done, the last one over `examples` examples. An error stays on display until
    /// the next one, because it is not measured in every epoch.
    pub fn tick(&mut self, epoch: u64, examples: u64, error_pct: Option<f64>) {
        // A resumed run starts at a later epoch: only what this process did counts for its speed.
        let first = *self.first_epoch.get_or_insert(epoch.saturating_sub(1));
        self.examples += examples;
        self.error_pct = error_pct.or(self.error_pct);
        let left = self.bar.length().unwrap_or(epoch).saturating_sub(epoch);
        let pace = Pace { elapsed: self.started.elapsed(), done: epoch.saturating_sub(first), left };
        // The message last: drawing it shows the new position too, whereas the position alone may be drawn with old words.
        self.bar.set_position(epoch);
        self.bar.set_message(message(&pace, self.examples, self.error_pct));
    }

    /// Prints a line above the bar without tearing it.
    pub fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Removes the bar: what it said is in the results.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

/// How far a phase has come, in epochs.
struct Pace {
    elapsed: Duration,
    done: u64,
    left: u64,
}

fn message(pace: &Pace, examples: u64, error_pct: Option<f64>) -> String {
    let seconds = pace.elapsed.as_secs_f64().max(1e-9);
    let mut parts = Vec::new();
    if let Some(error_pct) = error_pct {
        parts.push(format!("error {error_pct:.2} %"));
    }
    parts.push(format!("{} examples/s", thousands(examples as f64 / seconds)));
    let left_s = seconds / pace.done.max(1) as f64 * pace.left as f64;
    parts.push(format!("{} left", clock(left_s)));
    parts.join(", ")
}

/// `1 234 567`: digits in threes, which the eye can read at a glance.
fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// `59 s`, `4:05`, `1:02:03`.
fn clock(seconds: f64) -> String {
    let seconds = seconds.round().clamp(0.0, 1e9) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, _) => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// The bar of a download or of a file that is unpacked or checked; a new one for each file.
#[derive(Debug)]
pub struct Bytes {
    screen: Screen,
    current: Option<(String, ProgressBar)>,
}

impl Bytes {
    /// Nothing is drawn before the first [`Bytes::update`].
    pub fn new(common: &Common) -> Self {
        Self { screen: Screen::of(common), current: None }
    }

    /// Shows how far a step of `rivalry-data` has come.
    pub fn update(&mut self, step: rivalry_data::Progress<'_>) {
        let rivalry_data::Progress { what, done, total } = step;
        let same = self.current.as_ref().is_some_and(|(name, _)| name == what);
        if !same {
            self.clear();
            let bar = ProgressBar::with_draw_target(total, self.screen.target())
                .with_style(style(bytes_template(total)))
                .with_prefix(what.to_owned());
            self.current = Some((what.to_owned(), bar));
        }
        if let Some((_, bar)) = &self.current {
            bar.set_position(done);
        }
    }

    /// Removes the bar.
    pub fn clear(&mut self) {
        if let Some((_, bar)) = self.current.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.clear();
    }
}

fn bytes_template(total: Option<u64>) -> &'static str {
    match total {
        Some(_) => coloured(
            "{prefix} [{wide_bar:.cyan/dim}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
            "{prefix} [{wide_bar}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
        ),
        None => "{prefix} {bytes}, {bytes_per_sec}",
    }
}

/// NO_COLOR counts when it is set to anything but nothing (no-color.org).
fn coloured(with: &'static str, without: &'static str) -> &'static str {
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) { without } else { with }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates of this file are valid").progress_chars("=> ")
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    fn screen() -> (InMemoryTerm, Screen) {
        let terminal = InMemoryTerm::new(5, 100);
        (terminal.clone(), Screen::Memory(terminal))
    }

    #[test]
    fn an_epoch_shows_its_error_and_the_next_keeps_it() {
        let (terminal, screen) = screen();
        let mut progress = Progress::on(&screen, "readout", 60);
        progress.tick(6, 60_000, Some(2.345));
        progress.bar.force_draw();
        let line = terminal.contents();
        for part in ["readout", "epoch 6/60", "error 2.35 %", "examples/s", "left"] {
            assert!(line.contains(part), "no {part:?} in {line:?}");
        }
        progress.tick(7, 60_000, None);
        progress.bar.force_draw();
        assert!(terminal.contents().contains("epoch 7/60"), "{:?}", terminal.contents());
        assert!(terminal.contents().contains("error 2.35 %"), "{:?}", terminal.contents());
        progress.finish();
        assert_eq!(terminal.contents(), "");
    }

    #[test]
    fn speed_and_time_left_follow_from_what_this_process_did() {
        let pace = Pace { elapsed: Duration::from_secs(10), done: 2, left: 50 };
        assert_eq!(message(&pace, 12_345_670, Some(1.5)), "error 1.50 %, 1 234 567 examples/s, 4:10 left");
        assert_eq!(message(&pace, 20, None), "2 examples/s, 4:10 left");
        // Nothing done in no time must not divide by zero.
        let nothing = Pace { elapsed: Duration::ZERO, done: 0, left: 0 };
        assert_eq!(message(&nothing, 0, None), "0 examples/s, 0 s left");
    }

    #[test]
    fn times_are_seconds_minutes_hours() {
        assert_eq!([clock(0.4), clock(59.6), clock(245.0), clock(3723.0)], ["0 s", "1:00", "4:05", "1:02:03"]);
        assert_eq!([clock(f64::NAN), clock(-1.0)], ["0 s", "0 s"]);
    }

    #[test]
    fn every_file_has_its_own_bar() {
        let (terminal, screen) = screen();
        let mut bytes = Bytes { screen, current: None };
        for what in ["first file", "second file"] {
            bytes.update(rivalry_data::Progress { what, done: 1024, total: Some(2048) });
            bytes.current.as_ref().unwrap().1.force_draw();
            let line = terminal.contents();
            assert!(line.contains(what) && line.contains("1.00 KiB/2.00 KiB"), "{line:?}");
        }
        assert!(!terminal.contents().contains("first"), "{:?}", terminal.contents());
        bytes.update(rivalry_data::Progress { what: "no size", done: 1024, total: None });
        assert!(bytes_template(None).starts_with("{prefix} {bytes}"));
        drop(bytes);
        assert_eq!(terminal.contents(), "");
    }

    #[test]
    fn quiet_draws_nowhere() {
        let common = Common { quiet: true, ..Common::default() };
        assert!(Progress::new(&common, "x", 1).bar.is_hidden());
        assert!(matches!(Bytes::new(&common).screen, Screen::Nothing));
    }
}
