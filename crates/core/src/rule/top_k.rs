//! The k best units of every example of a minibatch: the lists, and the safe wrapper of their kernel.

use crate::isa::Kernels;
use crate::kernels::select::{self, ScoreBlock};
use crate::vector::{LANES, Lanes};

/// One descending list of k (score, unit) pairs per example.
///
/// Order: greater score first, then lower unit; −0 equals +0. A score of −∞ or NaN is never ranked.
///
/// Source: Krotov & Hopfield 2019, eq. 10, which ranks the units by their current.
///
/// # Example
/// ```
/// use rivalry_core::{Kernels, TopK};
/// let mut lists = TopK::new(1, 2);
/// lists.push(Kernels::best(), &[[1.0; 16]], 1, 3, 10); // three equal scores: units 10, 11, 12
/// assert_eq!(lists.list(0).collect::<Vec<_>>(), [(1.0, 10), (1.0, 11)]);
/// ```
#[derive(Debug, Clone)]
pub struct TopK {
    k: usize,
    best: Vec<f32>,
    who: Vec<u32>,
}

impl TopK {
    /// The unit of a free place in a list.
    pub const NONE: u32 = u32::MAX;

    /// Allocates empty lists.
    ///
    /// # Panics
    /// If `k` is zero.
    pub fn new(examples: usize, k: usize) -> TopK {
        assert!(k > 0, "a list of no units");
        TopK { k, best: vec![f32::NEG_INFINITY; examples * k], who: vec![TopK::NONE; examples * k] }
    }

    /// Empties every list.
    pub fn clear(&mut self) {
        self.best.fill(f32::NEG_INFINITY);
        self.who.fill(TopK::NONE);
    }

    /// Pushes scores of the units `first_unit .. first_unit + units` to the lists of the first examples. Units must come
    /// in increasing order over all calls.
    ///
    /// # Shapes
    /// `scores` is [examples × stride · 16], of which the first `units` of each row count.
    ///
    /// # Panics
    /// If there are more rows than lists, or `units` exceeds a row.
    ///
    /// # Allocates
    /// Nothing.
    pub fn push(&mut self, kernels: &Kernels, scores: &[Lanes], stride: usize, units: usize, first_unit: u32) {
        self.push_from(kernels, 0, scores, stride, units, first_unit);
    }

    /// As [`TopK::push`], to the lists from example `first` on.
    pub(crate) fn push_from(
        &mut self,
        kernels: &Kernels,
        first: usize,
        scores: &[Lanes],
        stride: usize,
        units: usize,
        first_unit: u32,
    ) {
        assert!(stride > 0 && units <= stride * LANES, "{units} units in rows of {stride} vectors");
        let (from, to) = (first * self.k, (first + scores.len() / stride) * self.k);
        let block = ScoreBlock { scores, stride, units, first_unit };
        kernels.top_k(block, self.k, &mut self.best[from..to], &mut self.who[from..to]);
    }

    /// Pushes one score. Units must come in increasing order to each list.
    pub(crate) fn insert(&mut self, example: usize, score: f32, unit: u32) {
        let places = example * self.k..(example + 1) * self.k;
        select::insert(&mut self.best[places.clone()], &mut self.who[places], score, unit);
    }

    /// The list of one example, best first; free places hold [`TopK::NONE`].
    pub fn list(&self, example: usize) -> impl ExactSizeIterator<Item = (f32, u32)> {
        let places = example * self.k..(example + 1) * self.k;
        self.best[places.clone()].iter().copied().zip(self.who[places].iter().copied())
    }
}
