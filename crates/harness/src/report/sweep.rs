//! Sweeps among the groups of a part: error against one setting, a line for each choice of all others.
//!
//! 1. A setting is an axis when it is a number that takes at least two values among the groups of one method.
//! 2. The other settings in which those groups differ tell lines apart, unless the axis decides their value (as where the
//!    readout's epochs advance together with the labels): those are named as changing along.
//! 3. Of settings that decide each other, the first is the axis. A line needs two points.

use super::group::{Group, Part};
use super::settings::{self, Setting};
use crate::statistics::MeanSd;

/// Error against one setting.
pub(super) struct Sweep<'a> {
    /// The setting on the horizontal axis.
    pub(super) key: &'static str,
    pub(super) measured: Measured,
    pub(super) lines: Vec<Swept<'a>>,
    /// Settings whose value follows from that of the axis.
    pub(super) along: Vec<&'static str>,
    /// Published numbers for groups of these lines, each once.
    pub(super) published: Vec<(f64, f64)>,
}

/// One line of a sweep.
pub(super) struct Swept<'a> {
    /// Method, and the settings that tell it from the other lines.
    pub(super) label: String,
    /// Value of the setting, error, and the group, from left to right.
    pub(super) points: Vec<(f64, MeanSd, &'a Group<'a>)>,
}

/// On which examples the error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measured {
    Test,
    Validation,
}

impl Measured {
    /// As an axis is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Test => "test error",
            Self::Validation => "validation error",
        }
    }

    pub(super) fn of(self, group: &Group<'_>) -> Option<MeanSd> {
        group.spread(|row| match self {
            Self::Test => row.test_error_pct,
            Self::Validation => row.validation_error_pct,
        })
    }
}

type Measurement<'a> = (&'a Group<'a>, MeanSd);

/// Every sweep of a part.
pub(super) fn sweeps<'a>(part: &'a Part<'a>) -> Vec<Sweep<'a>> {
    let mut found = Vec::new();
    for measured in [Measured::Test, Measured::Validation] {
        let all: Vec<Measurement<'a>> =
            part.groups.iter().filter_map(|group| Some((group, measured.of(group)?))).collect();
        let Some((first, _)) = all.first() else { continue };
        found.extend(first.settings.iter().filter_map(|setting| along_key(&all, setting.key, measured)));
    }
    found
}

fn along_key<'a>(all: &[Measurement<'a>], key: &'static str, measured: Measured) -> Option<Sweep<'a>> {
    let mut sweep = Sweep { key, measured, lines: Vec::new(), along: Vec::new(), published: Vec::new() };
    let mut methods: Vec<&str> = all.iter().map(|(group, _)| group.method).collect();
    methods.dedup();
    for method in methods {
        let own: Vec<Measurement<'a>> = all.iter().copied().filter(|(group, _)| group.method == method).collect();
        let varied = settings::varied(&own.iter().map(|(group, _)| &group.settings[..]).collect::<Vec<_>>());
        if !varied.contains(&key) || own.iter().any(|(group, _)| of(group, key).number.is_none()) {
            continue;
        }
        let (along, apart): (Vec<&str>, Vec<&str>) =
            varied.into_iter().filter(|other| *other != key).partition(|other| decides(&own, key, other));
        let earlier = |other: &&&str| {
            own[0].0.settings.iter().position(|setting| setting.key == **other)
                < own[0].0.settings.iter().position(|setting| setting.key == key)
        };
        // The same sweep under the name of another setting.
        if along.iter().filter(earlier).any(|other| decides(&own, other, key) && of(own[0].0, other).number.is_some()) {
            continue;
        }
        let lines = lines(&own, method, key, &apart);
        if !lines.is_empty() {
            sweep.along.extend(along.into_iter().filter(|other| !sweep.along.contains(other)).collect::<Vec<_>>());
        }
        sweep.lines.extend(lines);
    }
    for (x, _, group) in sweep.lines.iter().flat_map(|line| &line.points) {
        let published = group.runs.iter().find_map(|run| run.row.published_test_error_pct);
        let point = published.filter(|_| measured == Measured::Test).map(|published| (*x, published));
        sweep.published.extend(point.filter(|point| !sweep.published.contains(point)));
    }
    (!sweep.lines.is_empty()).then_some(sweep)
}

fn lines<'a>(own: &[Measurement<'a>], method: &str, key: &str, apart: &[&str]) -> Vec<Swept<'a>> {
    let mut lines: Vec<Swept<'a>> = Vec::new();
    for &(group, spread) in own {
        let label = match settings::named(&group.settings, apart) {
            named if named.is_empty() => method.to_owned(),
            named => format!("{method}, {named}"),
        };
        let point = of(group, key).number.map(|x| (x, spread, group));
        match lines.iter_mut().find(|line| line.label == label) {
            Some(line) => line.points.extend(point),
            None => lines.push(Swept { label, points: point.into_iter().collect() }),
        }
    }
    for line in &mut lines {
        line.points.sort_by(|ours, theirs| ours.0.total_cmp(&theirs.0));
    }
    lines.retain(|line| line.points.len() > 1);
    lines
}

/// Whether groups that agree in `key` agree in `other` too.
fn decides(groups: &[Measurement<'_>], key: &str, other: &str) -> bool {
    groups.iter().all(|(ours, _)| {
        let alike = groups.iter().filter(|(theirs, _)| of(theirs, key).text == of(ours, key).text);
        alike.into_iter().all(|(theirs, _)| of(theirs, other).text == of(ours, other).text)
    })
}

fn of<'a>(group: &'a Group<'_>, key: &str) -> &'a Setting {
    group.settings.iter().find(|setting| setting.key == key).expect("every row has every key")
}

#[cfg(test)]
mod tests {
    use super::super::group::parts;
    use super::super::search::Run;
    use super::*;
    use crate::rows::ResultRow;

    fn run(change: impl FnOnce(&mut ResultRow)) -> Run {
        let mut row = ResultRow { method: "biological".to_owned(), seed: 1, ..ResultRow::default() };
        change(&mut row);
        Run::of_row(row)
    }

    /// Key, label and points of a line.
    type Found = (&'static str, String, Vec<(f64, f64)>);

    fn found(runs: &[Run]) -> Vec<Found> {
        let parts = parts(runs);
        let lines = |sweep: Sweep<'_>| {
            let key = sweep.key;
            let line = |line: Swept<'_>| (key, line.label, line.points.iter().map(|(x, y, _)| (*x, y.mean)).collect());
            sweep.lines.into_iter().map(line).collect::<Vec<_>>()
        };
        parts.iter().flat_map(sweeps).flat_map(lines).collect()
    }

    #[test]
    fn one_setting_varied_is_one_line() {
        let runs = [3.0, 10.0, 2.0].map(|p| run(|row| (row.p, row.test_error_pct) = (Some(p), Some(p / 2.0))));
        assert_eq!(found(&runs), [("p", "biological".to_owned(), vec![(2.0, 1.0), (3.0, 1.5), (10.0, 5.0)])]);
    }

    #[test]
    fn a_grid_is_a_sweep_of_each_of_its_settings() {
        let mut runs = Vec::new();
        for (p, delta) in [(2.0, 0.0), (2.0, 0.4), (3.0, 0.0), (3.0, 0.4)] {
            runs.push(run(|row| {
                (row.p, row.delta, row.test_error_pct) = (Some(p), Some(delta), Some(p + delta));
            }));
        }
        let found = found(&runs);
        let names: Vec<(&str, &str)> = found.iter().map(|(key, label, _)| (*key, label.as_str())).collect();
        let expected = [
            ("p", "biological, delta 0"),
            ("p", "biological, delta 0.4"),
            ("delta", "biological, p 2"),
            ("delta", "biological, p 3"),
        ];
        assert_eq!(names, expected);
        assert_eq!(found[1].2, [(2.0, 2.4), (3.0, 3.4)]);
    }

    #[test]
    fn what_advances_together_is_one_sweep() {
        let runs = [(10, 300), (100, 300), (1000, 60)].map(|(labels, epochs)| {
            run(|row| {
                (row.labels_per_class, row.readout_epochs, row.test_error_pct) = (Some(labels), epochs, Some(2.0));
            })
        });
        let parts = parts(&runs);
        let sweeps = sweeps(&parts[0]);
        let told: Vec<_> = sweeps.iter().map(|sweep| (sweep.key, sweep.along.clone(), sweep.lines.len())).collect();
        // 300 epochs go with two numbers of labels, so over the epochs no two points share a line.
        assert_eq!(told, [("labels_per_class", vec!["readout_epochs"], 1)]);
        let both = [(100, 60), (1000, 300)].map(|(epochs, readout)| {
            run(|row| (row.epochs, row.readout_epochs, row.test_error_pct) = (Some(epochs), readout, Some(2.0)))
        });
        assert_eq!(found(&both).iter().map(|line| line.0).collect::<Vec<_>>(), ["epochs"]);
    }

    #[test]
    fn methods_are_lines_of_one_sweep() {
        let mut runs = Vec::new();
        for (method, hidden) in [("biological", 10), ("biological", 20), ("random", 10), ("random", 20), ("shallow", 0)]
        {
            runs.push(run(|row| {
                row.method = method.to_owned();
                (row.hidden, row.test_error_pct) = ((hidden > 0).then(|| hidden.into()), Some(2.0));
            }));
        }
        let labels: Vec<String> = found(&runs).into_iter().map(|line| line.1).collect();
        assert_eq!(labels, ["biological", "random"]);
    }

    #[test]
    fn published_numbers_stand_once_where_they_belong() {
        let runs = [(2.0, None), (3.0, Some(1.46)), (4.0, Some(1.46))].map(|(p, published)| {
            run(|row| (row.p, row.test_error_pct, row.published_test_error_pct) = (Some(p), Some(2.0), published))
        });
        let parts = parts(&runs);
        assert_eq!(sweeps(&parts[0])[0].published, [(3.0, 1.46), (4.0, 1.46)]);
    }

    #[test]
    fn test_and_validation_errors_are_not_mixed() {
        let runs =
            [(2.0, Some(1.0), None), (3.0, None, Some(1.0)), (4.0, None, Some(2.0))].map(|(p, test, held_out)| {
                run(|row| (row.p, row.test_error_pct, row.validation_error_pct) = (Some(p), test, held_out))
            });
        let parts = parts(&runs);
        let sweeps = sweeps(&parts[0]);
        assert_eq!(sweeps.len(), 1);
        assert_eq!(sweeps[0].measured, Measured::Validation);
        assert_eq!(sweeps[0].lines[0].points.len(), 2);
    }

    #[test]
    fn one_point_is_no_sweep() {
        assert!(found(&[run(|row| row.test_error_pct = Some(1.0))]).is_empty());
        let apart = [run(|row| (row.p, row.test_error_pct) = (Some(2.0), Some(1.0))), run(|row| row.p = Some(3.0))];
        assert!(found(&apart).is_empty(), "the second has no error");
    }
}
