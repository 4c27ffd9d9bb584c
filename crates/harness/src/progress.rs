//! Progress on a terminal: epoch, error, examples per second, time left; bytes for downloads; the points of a sweep.
//!
//! Everything goes to stderr, and only when stderr is a terminal and `--quiet` is not given: a pipe or a log gets
//! nothing at all. Colour is used unless NO_COLOR is set. Rates and times left are indicatif's. A bar that is dropped
//! is removed: what it said is in the results.

use std::io::{IsTerminal, Write};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use crate::common::Common;

/// Redraws per second: epochs can be shorter than the eye can follow.
const REDRAWS_PER_SECOND: u8 = 10;

/// Stderr, where indicatif draws nothing unless it is a terminal; nowhere with `--quiet`.
fn screen(quiet: bool) -> ProgressDrawTarget {
    if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_SECOND) }
}

fn bar(screen: ProgressDrawTarget, length: Option<u64>, template: &str, prefix: &str) -> ProgressBar {
    // NO_COLOR counts when it is set to anything but nothing (no-color.org).
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let template = template.replace("{wide_bar}", if plain { "{wide_bar}" } else { "{wide_bar:.cyan/dim}" });
    let style = ProgressStyle::with_template(&template).expect("the templates of this file are valid");
    ProgressBar::with_draw_target(length, screen)
        .with_style(style.progress_chars("=> "))
        .with_prefix(prefix.to_owned())
        .with_finish(ProgressFinish::AndClear)
}

/// The bar of one phase of a run. It counts examples, so that the rate is that of examples.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    total_epochs: u64,
    error_pct: Option<f64>,
}

impl Progress {
    /// Starts a bar for the phase `what`.
    pub(crate) fn new(common: &Common, what: &str, total_epochs: u64) -> Self {
        Self::on(screen(common.quiet), what, total_epochs)
    }

    fn on(screen: ProgressDrawTarget, what: &str, total_epochs: u64) -> Self {
        let template = "{prefix:<12} {msg} [{wide_bar}] {per_sec} examples, {eta} left";
        Self { bar: bar(screen, None, template, what), total_epochs, error_pct: None }
    }

    /// Reports that `epoch` epochs are done, each over `examples` examples. An error stays on display until the next one,
    /// because it is not measured in every epoch.
    pub(crate) fn tick(&mut self, epoch: u64, examples: u64, error_pct: Option<f64>) {
        if self.bar.length().is_none() {
            self.bar.set_length(self.total_epochs * examples);
            if epoch > 1 {
                // A resumed run: only what this process did counts for its speed.
                self.bar.set_position((epoch - 1) * examples);
                self.bar.reset_eta();
            }
        }
        self.error_pct = error_pct.or(self.error_pct);
        let error = self.error_pct.map_or(String::new(), |error| format!(", error {error:.2} %"));
        // The message last: drawing it shows the new position too.
        self.bar.set_position(epoch * examples);
        self.bar.set_message(format!("epoch {epoch}/{}{error}", self.total_epochs));
    }

    /// Prints a line above the bar without tearing it.
    pub(crate) fn suspend<T>(&self, print: impl FnOnce() -> T) -> T {
        self.bar.suspend(print)
    }

    /// Removes the bar.
    pub(crate) fn finish(self) {}
}

/// The bar of a download or of a file that is unpacked or checked, for `rivalry-data`; a new one for each file.
pub(crate) fn bytes(common: &Common) -> impl FnMut(rivalry_data::Progress<'_>) + use<> {
    let quiet = common.quiet;
    bytes_on(move || screen(quiet))
}

fn bytes_on(screen: impl Fn() -> ProgressDrawTarget) -> impl FnMut(rivalry_data::Progress<'_>) {
    let mut current: Option<ProgressBar> = None;
    move |rivalry_data::Progress { what, done, total }| {
        if current.as_ref().is_none_or(|bar| bar.prefix() != what) {
            let template = match total {
                Some(_) => "{prefix} [{wide_bar}] {bytes}/{total_bytes}, {bytes_per_sec}, {eta} left",
                None => "{prefix} {bytes}, {bytes_per_sec}",
            };
            // The old bar goes before the new one comes.
            current = None;
            current = Some(bar(screen(), total, template, what));
        }
        current.iter().for_each(|bar| bar.set_position(done));
    }
}

/// The points of a sweep: a line for each, with the time left. The epochs of the point have their own bar below it.
#[derive(Debug)]
pub(crate) struct Points {
    shown: bool,
    name: String,
    /// How much each point has to do, beside the others.
    work: Vec<f64>,
    /// Counts thousandths of all work and is never drawn; it estimates the time left.
    bar: ProgressBar,
    done: f64,
}

impl Points {
    pub(crate) fn new(common: &Common, name: &str, work: Vec<f64>) -> Self {
        let shown = !common.quiet && std::io::stderr().is_terminal();
        let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::hidden());
        Self { shown, name: name.to_owned(), work, bar, done: 0.0 }
    }

    /// Says which point begins.
    pub(crate) fn begin(&self, index: usize, label: &str) {
        if self.shown {
            let _ = writeln!(std::io::stderr(), "{}", self.line(index, label));
        }
    }

    /// Counts a point as done.
    pub(crate) fn done(&mut self, index: usize) {
        self.done += self.work[index];
        let all: f64 = self.work.iter().sum();
        if all > 0.0 {
            self.bar.set_position((1000.0 * self.done / all) as u64);
        }
    }

    fn line(&self, index: usize, label: &str) -> String {
        let time = match self.bar.eta() {
            left if left.is_zero() => String::new(),
            left => format!(", about {} left", HumanDuration(left)),
        };
        format!("{} {}/{}: {label}{time}", self.name, index + 1, self.work.len())
    }
}

#[cfg(test)]
mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    fn target(terminal: &InMemoryTerm) -> ProgressDrawTarget {
        ProgressDrawTarget::term_like(Box::new(terminal.clone()))
    }

    #[test]
    fn an_epoch_shows_its_error_and_the_next_keeps_it() {
        let terminal = InMemoryTerm::new(5, 100);
        let mut progress = Progress::on(target(&terminal), "readout", 60);
        progress.tick(6, 60_000, Some(2.345));
        progress.bar.force_draw();
        let line = terminal.contents();
        for part in ["readout", "epoch 6/60", "error 2.35 %", "/s examples", "left"] {
            assert!(line.contains(part), "no {part:?} in {line:?}");
        }
        progress.tick(7, 60_000, None);
        progress.bar.force_draw();
        assert!(terminal.contents().contains("epoch 7/60, error 2.35 %"), "{:?}", terminal.contents());
        progress.finish();
        assert_eq!(terminal.contents(), "");
    }

    #[test]
    fn every_file_has_its_own_bar() {
        let terminal = InMemoryTerm::new(5, 100);
        let own = terminal.clone();
        let mut bytes = bytes_on(move || target(&own));
        for (what, total, expected) in [
            ("first file", Some(2048), "1.00 KiB/2.00 KiB"),
            ("second file", Some(2048), "1.00 KiB/2.00 KiB"),
            ("no size", None, "no size 1.00 KiB, "),
        ] {
            bytes(rivalry_data::Progress { what, done: 1024, total });
            let line = terminal.contents();
            assert!(line.starts_with(what) && line.contains(expected), "{line:?}");
        }
        drop(bytes);
        assert_eq!(terminal.contents(), "");
    }

    #[test]
    fn the_points_of_a_sweep_are_counted_and_the_time_left_is_known_after_the_first() {
        let mut points = Points::new(&Common { quiet: true, ..Common::default() }, "k-sweep", vec![0.0, 2.0, 6.0]);
        assert!(!points.shown);
        points.done(0);
        assert_eq!(points.line(1, "k 3"), "k-sweep 2/3: k 3", "a point without work says nothing about time");
        std::thread::sleep(std::time::Duration::from_millis(20));
        points.done(1);
        let line = points.line(2, "k 5");
        assert!(line.starts_with("k-sweep 3/3: k 5, about ") && line.ends_with(" left"), "{line}");
    }

    #[test]
    fn quiet_draws_nowhere() {
        assert!(screen(true).is_hidden());
    }
}
