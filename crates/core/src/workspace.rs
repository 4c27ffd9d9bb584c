//! The working memory of a shard, sized once from shapes; nothing in a minibatch allocates.

use crate::inputs::Inputs;
use crate::isa::Kernels;
use crate::matrix::Matrix;
use crate::ops;
use crate::shard::Sizes;
use crate::top_k::TopK;
use crate::update::Update;
use crate::vector::{LANES, Lanes};

/// Units whose scores are held at once: 6 vectors, so that a block for 100 examples stays near the core.
const UNITS: usize = 96;

/// Bytes of staged examples that are scored against all units before the next ones are staged: they and a tile of units
/// should stay in a second-level cache of 1 MiB.
const STAGED_BYTES: usize = 640 << 10;

/// What a shard needs beside its weights.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// A block of examples as padded f32.
    staged: Matrix,
    /// Scores of [staged examples × UNITS].
    scores: Vec<Lanes>,
    /// The shard's top k of every example of the minibatch.
    pub(crate) lists: TopK,
    /// The active rows.
    pub(crate) update: Update,
    /// One place per shard, for merging.
    pub(crate) heads: Vec<usize>,
}

impl Workspace {
    pub(crate) fn new(rows: usize, inputs: usize, sizes: Sizes) -> Workspace {
        let Sizes { batch, k, shards } = sizes;
        let row_bytes = inputs.next_multiple_of(LANES) * 4;
        let block = (STAGED_BYTES / row_bytes).clamp(8, batch.max(8)).min(batch);
        Workspace {
            staged: Matrix::zeros(block, inputs),
            scores: vec![[0.0; LANES]; block * UNITS / LANES],
            lists: TopK::new(batch, k),
            update: Update::new(rows, batch),
            heads: vec![0; shards],
        }
    }

    /// Scores every unit of a shard for every example of the minibatch and offers all of them to the lists.
    pub(crate) fn offer_all(
        &mut self,
        kernels: &Kernels,
        rows: &Matrix,
        inputs: &Inputs<'_>,
        minibatch: &[u32],
        first_unit: usize,
    ) {
        if rows.rows() == 0 {
            return;
        }
        let Workspace { staged, scores, lists, .. } = self;
        for (block, samples) in minibatch.chunks(staged.rows()).enumerate() {
            let example = block * staged.rows();
            let examples = inputs.stage_all(kernels, samples.iter().map(|&sample| sample as usize), staged);
            let scores = &mut scores[..samples.len() * UNITS / LANES];
            for first in (0..rows.rows()).step_by(UNITS) {
                let units = UNITS.min(rows.rows() - first);
                ops::gemm_nt(kernels, rows.panel(first, units), examples, scores.as_flattened_mut(), UNITS);
                lists.offer_from(kernels, example, scores, UNITS / LANES, units, (first_unit + first) as u32);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_units_no_example_is_staged() {
        let pixels = [7; 12];
        let mut workspace = Workspace::new(0, 4, Sizes { batch: 3, k: 2, shards: 5 });
        let inputs = Inputs::u8(&pixels, 4).unwrap();
        workspace.offer_all(Kernels::best(), &Matrix::zeros(0, 4), &inputs, &[0, 1, 2], 0);
        assert_eq!(workspace.staged.to_rows(), [0.0; 12]);
    }
}
