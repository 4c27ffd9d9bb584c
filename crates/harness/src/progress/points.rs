//! Progress of a sweep: a line for each point with the time left, on a terminal only. The epochs of the point have their
//! own bar below it.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::clock;
use crate::cli::Common;

/// How far a sweep has come.
#[derive(Debug)]
pub struct Points {
    shown: bool,
    name: String,
    /// How much each point has to do, beside the others.
    work: Vec<f64>,
    done: f64,
    started: Instant,
}

impl Points {
    /// Nothing is drawn off a terminal and with `--quiet`.
    pub fn new(common: &Common, name: &str, work: Vec<f64>) -> Self {
        let shown = !common.quiet && std::io::stderr().is_terminal();
        Self { shown, name: name.to_owned(), work, done: 0.0, started: Instant::now() }
    }

    /// Says which point begins.
    pub fn begin(&self, index: usize, label: &str) {
        if self.shown {
            let _ = writeln!(std::io::stderr(), "{}", self.line(index, label, self.started.elapsed()));
        }
    }

    /// Counts a point as done.
    pub fn done(&mut self, index: usize) {
        self.done += self.work[index];
    }

    fn line(&self, index: usize, label: &str, elapsed: Duration) -> String {
        let left: f64 = self.work[index..].iter().sum();
        let time = match self.done {
            done if done > 0.0 => format!(", about {} left", clock(elapsed.as_secs_f64() / done * left)),
            _ => String::new(),
        };
        format!("{} {}/{}: {label}{time}", self.name, index + 1, self.work.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_left_follows_from_the_work_done() {
        let mut points = Points::new(&Common { quiet: true, ..Common::default() }, "k-sweep", vec![0.0, 2.0, 6.0]);
        assert!(!points.shown);
        points.done(0);
        assert_eq!(points.line(1, "k 3", Duration::from_secs(1)), "k-sweep 2/3: k 3");
        points.done(1);
        assert_eq!(points.line(2, "k 5", Duration::from_secs(40)), "k-sweep 3/3: k 5, about 2:00 left");
    }
}
