//! The dense engine: every unit of a shard is scored exactly, in blocks of examples and units that stay in the caches.

use crate::inputs::Inputs;
use crate::isa::Kernels;
use crate::matrix::Matrix;
use crate::ops;
use crate::rule::top_k::TopK;
use crate::vector::{LANES, Lanes};

/// Units whose scores are held at once: 6 vectors, so that a block for 100 examples stays near the core.
const UNITS: usize = 96;

/// Bytes of staged examples that are scored against all units before the next ones are staged: they and a tile of units
/// should stay in a second-level cache of 1 MiB.
const STAGED_BYTES: usize = 640 << 10;

/// The memory of the dense engine.
#[derive(Debug)]
pub(crate) struct Dense {
    /// A block of examples as padded f32.
    staged: Matrix,
    /// Scores of [staged examples × UNITS].
    scores: Vec<Lanes>,
}

impl Dense {
    pub(crate) fn new(inputs: usize, batch: usize) -> Dense {
        let row_bytes = inputs.next_multiple_of(LANES) * 4;
        let block = (STAGED_BYTES / row_bytes).clamp(8, batch.max(8)).min(batch);
        Dense { staged: Matrix::zeros(block, inputs), scores: vec![[0.0; LANES]; block * UNITS / LANES] }
    }

    /// Scores every unit of a shard for every example of the minibatch and pushes all scores to the lists.
    pub(crate) fn score(
        &mut self,
        kernels: &Kernels,
        rows: &Matrix,
        inputs: &Inputs<'_>,
        minibatch: &[u32],
        first_unit: usize,
        lists: &mut TopK,
    ) {
        if rows.rows() == 0 {
            return;
        }
        let Dense { staged, scores } = self;
        for (block, samples) in minibatch.chunks(staged.rows()).enumerate() {
            let example = block * staged.rows();
            let examples = inputs.stage_all(kernels, samples.iter().map(|&sample| sample as usize), staged);
            let scores = &mut scores[..samples.len() * UNITS / LANES];
            for first in (0..rows.rows()).step_by(UNITS) {
                let units = UNITS.min(rows.rows() - first);
                ops::gemm_nt(kernels, rows.panel(first, units), examples, scores.as_flattened_mut(), UNITS);
                lists.push_from(kernels, example, scores, UNITS / LANES, units, (first_unit + first) as u32);
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
        let (mut dense, mut lists) = (Dense::new(4, 3), TopK::new(3, 2));
        let inputs = Inputs::u8(&pixels, 4).unwrap();
        dense.score(Kernels::best(), &Matrix::zeros(0, 4), &inputs, &[0, 1, 2], 0, &mut lists);
        assert_eq!(dense.staged.to_rows(), [0.0; 12]);
    }
}
