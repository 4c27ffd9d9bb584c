//! Definitions, grids, shards and merging; what is run is tested from outside, with the program.

mod grids;
mod merging;

use std::path::PathBuf;

use super::definition::Definition;
use super::grid::{self, Axis, Point};
use crate::config::{Assignment, Protocol};
use crate::failure::Failure;

/// A sweep of `mnist` over axes as typed.
fn typed(vary: &[&str], sets: &[&str], seeds: u32) -> anyhow::Result<Vec<Point>> {
    let mut sweep = Definition::load("mnist", Protocol::Paper)?;
    sweep.axes = vary.iter().map(|vary| Axis::parse(vary)).collect::<anyhow::Result<_>>()?;
    sweep.set(sets.iter().map(|set| Assignment::parse(set, "--set")).collect::<anyhow::Result<_>>()?);
    sweep.seeds = seeds;
    grid::points(&sweep, 1)
}

/// A sweep file.
fn from_text(text: &str, protocol: Protocol) -> anyhow::Result<Definition> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("mine.toml");
    std::fs::write(&path, text).unwrap();
    Definition::load(&path.to_string_lossy(), protocol)
}

fn labels(points: &[Point]) -> Vec<String> {
    points.iter().map(Point::label).collect()
}

#[track_caller]
fn refused<T>(result: anyhow::Result<T>, expected: &str) {
    let Err(error) = result else { panic!("expected `{expected}`, found no error") };
    assert!(error.to_string().contains(expected), "expected `{expected}` in: {error}");
    assert!(!error.downcast_ref::<Failure>().expect("a failure with a hint").hint().is_empty());
}
