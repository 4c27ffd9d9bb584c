//! Every level of screening, entered, left and entered again: each list is checked, and that nothing kept beside weights is old.

use super::super::policy::PAUSE;
use super::super::*;
use super::{BATCH, alone, images, normal_rows, ranks};
use crate::matrix::Matrix;
use crate::rule::layer::Layer;
use crate::rule::parameters::Rule;
use crate::rule::rows::Rows;
use crate::rule::thresholds::Thresholds;

/// A layer that learns, as `shard.rs` drives it, whose every list is checked.
struct Driven {
    rule: Rule,
    rows: Rows,
    screen: Screen,
    thresholds: Thresholds,
    lists: TopK,
    images: Vec<u8>,
    minibatch: u32,
}

impl Driven {
    fn new(rows: &[Vec<f32>], p: f64, k: usize, non_zero: u64) -> Driven {
        let (rule, inputs) = (Rule::new(p, k, 0.4).unwrap(), rows[0].len());
        let kept = Rows::new(0..rows.len(), &Layer::from_rows(rows.len(), inputs, &rows.concat()).unwrap(), &rule);
        let screen = Screen::new(rows.len(), inputs, BATCH, k).unwrap();
        let (thresholds, lists) = (Thresholds::new(1, BATCH, k), TopK::new(BATCH, k));
        Driven { rule, rows: kept, screen, thresholds, lists, images: images(inputs, non_zero), minibatch: 0 }
    }

    /// w′ of the weights as they are now.
    fn powers(&self) -> Vec<Vec<f32>> {
        let weights = self.rows.weights();
        let mut power = Matrix::zeros(1, weights.columns());
        let mut powers = |row| {
            self.rule.power(Kernels::best(), weights.lanes(row), power.lanes_mut(0));
            power.row(0).to_vec()
        };
        (0..weights.rows()).map(&mut powers).collect()
    }

    /// One minibatch: the level it began with and the one it left behind.
    fn step(&mut self, kernels: &Kernels) -> (Level, Level) {
        self.minibatch += 1;
        let powers = self.powers();
        let (inputs, k) = (self.rows.weights().columns(), self.rule.k());
        let samples: Vec<u32> = (0..BATCH as u32).collect();
        let pixels = Pixels { all: &self.images, inputs, samples: &samples };
        let scored = self.rows.refresh(kernels, &self.rule, self.screen.screens_next());
        let levels = match self.screen.begin(kernels, scored) {
            true => {
                let screen = &mut self.screen;
                let before = screen.policy.level;
                self.lists.clear();
                let thresholds = alone(&self.thresholds, self.minibatch);
                screen.score(kernels, scored, [pixels, pixels], thresholds, 0, &mut self.lists);
                // All of the first minibatches, some of the later ones.
                for example in (0..BATCH).step_by(if self.minibatch < 4 { 1 } else { 7 }) {
                    let found: Vec<(f32, u32)> = self.lists.list(example).collect();
                    let what = format!("{}, minibatch {}, {before:?}", kernels.name(), self.minibatch);
                    assert_eq!(found, ranks(&powers, pixels.example(example), k), "{what}, example {example}");
                }
                (before, screen.policy.level)
            }
            false => {
                // The dense engine scores stored powers: they must not be out of date.
                assert_eq!((scored.rows.to_rows(), scored.power), (powers.concat(), None));
                (Level::Dense, Level::Dense)
            }
        };
        // Some rows learn.
        for row in (self.minibatch as usize % 5..powers.len()).step_by(5) {
            self.change(kernels, row, |lanes| lanes[0][0] += 1e-6);
        }
        levels
    }

    /// As `shard.rs` changes a row.
    fn change(&mut self, kernels: &Kernels, row: usize, change: impl FnOnce(&mut [Lanes])) {
        let screened = self.screen.is_active();
        self.rows.change(kernels, &self.rule, screened, row, change);
        if screened {
            self.screen.requantise(kernels, self.rows.scored(&self.rule, true), row);
        }
    }

    fn replace(&mut self, kernels: &Kernels, rows: &[Vec<f32>]) {
        for (row, values) in rows.iter().enumerate() {
            let lanes = |lanes: &mut [Lanes]| lanes.as_flattened_mut()[..values.len()].copy_from_slice(values);
            self.change(kernels, row, lanes);
        }
    }
}

const NORMS: [f64; 4] = [2.0, 2.5, 3.0, 5.0];

#[test]
fn unlike_units_need_the_coarse_level_only() {
    let of = |kernels: &'static Kernels| {
        [(2.0, 15), (3.0, 15), (2.0, 95), (3.0, 95)].map(|(p, non_zero)| (kernels, p, non_zero))
    };
    for (kernels, p, non_zero) in Kernels::all().into_iter().flat_map(of) {
        let mut driven = Driven::new(&normal_rows(300, 200, 0.0, 1.0), p, 3, non_zero);
        for _ in 0..3 {
            let what = format!("{}, p {p}, {non_zero} % non-zero", kernels.name());
            assert_eq!(driven.step(kernels), (Level::Coarse, Level::Coarse), "{what}");
        }
    }
}

#[test]
fn units_that_differ_little_need_the_residual_level_and_the_coarse_one_is_tried_again() {
    for (kernels, p) in Kernels::all().into_iter().flat_map(|it| [2.5, 3.0].map(|p| (it, p))) {
        let what = format!("{}, p {p}", kernels.name());
        let mut driven = Driven::new(&normal_rows(150, 100, 1.0, 0.003), p, 2, 95);
        assert_eq!(driven.step(kernels), (Level::Coarse, Level::Residual), "{what}");
        for _ in 0..PAUSE.0 {
            assert_eq!(driven.step(kernels), (Level::Residual, Level::Residual), "{what}");
        }
        assert_eq!(driven.step(kernels), (Level::Coarse, Level::Residual), "{what}: tried again");
        assert_eq!(driven.step(kernels), (Level::Residual, Level::Residual), "{what}");
        // Units of another kind need the coarse level only, once that is tried again, and the pause was doubled.
        driven.replace(kernels, &normal_rows(150, 100, 0.0, 1.0));
        for _ in 0..2 * PAUSE.0 - 1 {
            assert_eq!(driven.step(kernels), (Level::Residual, Level::Residual), "{what}");
        }
        for _ in 0..3 {
            assert_eq!(driven.step(kernels), (Level::Coarse, Level::Coarse), "{what}");
        }
    }
}

#[test]
fn equal_units_are_left_to_the_dense_engine_and_screened_again_when_they_differ() {
    for (kernels, p) in Kernels::all().into_iter().flat_map(|it| NORMS.map(|p| (it, p))) {
        let what = format!("{}, p {p}", kernels.name());
        let mut driven = Driven::new(&vec![vec![0.3; 50]; 120], p, 2, 15);
        assert_eq!(driven.step(kernels), (Level::Coarse, Level::Residual), "{what}");
        assert_eq!(driven.step(kernels), (Level::Residual, Level::Dense), "{what}");
        for _ in 0..PAUSE.0 * 2 {
            assert_eq!(driven.step(kernels), (Level::Dense, Level::Dense), "{what}");
        }
        driven.replace(kernels, &normal_rows(120, 50, 0.0, 1.0));
        assert_eq!(driven.step(kernels).0, Level::Coarse, "{what}");
        for _ in 0..3 {
            assert_ne!(driven.step(kernels).0, Level::Dense, "{what}: screened, with levels that were kept up to date");
        }
    }
}
