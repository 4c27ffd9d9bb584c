//! The units of an example that may have to be scored exactly.

use super::Place;
use crate::offers::Stage;

/// Candidates with the upper ends of their intervals, and the bar that they have to reach.
#[derive(Debug, Clone)]
pub(super) struct Survivors {
    pub(super) rows: Vec<u32>,
    pub(super) upper: Vec<f32>,
    pub(super) count: usize,
    /// The highest lower ends of own units.
    pub(super) best: Vec<f32>,
    /// The bar that is known beside that list: it may count the same units.
    pub(super) bar: f32,
}

impl Survivors {
    /// Makes room for so many units and ranks.
    pub(super) fn new(units: usize, k: usize) -> Survivors {
        Survivors { rows: vec![0; units], upper: vec![0.0; units], count: 0, best: vec![0.0; k], bar: 0.0 }
    }

    /// The rows that survived so far.
    pub(super) fn rows(&self) -> &[u32] {
        &self.rows[..self.count]
    }

    /// Drops the rows of an example that do not reach the bar that is known by now.
    pub(super) fn settle(&mut self, example: usize, place: Place<'_>) {
        place.offers.raise_bars(place.bars(Stage::Candidates, example), &mut self.best);
        let bar = self.best[self.best.len() - 1].max(self.bar);
        let mut kept = 0;
        for i in 0..self.count {
            self.rows[kept] = self.rows[i];
            kept += usize::from(self.upper[i] >= bar);
        }
        self.count = kept;
    }
}
