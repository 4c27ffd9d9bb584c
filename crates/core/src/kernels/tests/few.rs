//! Exact scores of a few rows: the canonical bits, whatever rows and however many.

use super::super::power::IntegerNorm;
use super::{adversarial_rows, canonical, normals, unknown_rows, widths};
use crate::isa::Kernels;
use crate::matrix::Matrix;
use crate::random::Random;
use crate::vector::LANES;

/// A bit pattern of NaN that no arithmetic makes.
const CANARY: u32 = 0x7fc0_dead;

fn example(seed: u64, inputs: usize) -> Vec<u8> {
    let mut random = Random::keyed(seed, "synthetic", 0);
    (0..inputs).map(|_| random.next_u64()).map(|bits| if bits % 3 == 0 { 0 } else { (bits >> 32) as u8 }).collect()
}

fn powered(power: Option<IntegerNorm>, weights: &[f32]) -> Vec<f32> {
    let of = |w: &f32| match power {
        None => *w,
        Some(IntegerNorm::Three) => w * w.abs(),
        Some(IntegerNorm::Four) => w * (w * w),
        Some(IntegerNorm::Five) => (w * w.abs()) * (w * w),
    };
    weights.iter().map(of).collect()
}

/// The rows that are named, in that order, and nothing beside the places for them.
fn assert_scores(
    place: &str,
    kernels: &Kernels,
    layer: &Matrix,
    order: &[u32],
    power: Option<IntegerNorm>,
    example: &[u8],
) {
    let mut out = vec![f32::from_bits(CANARY); order.len() + 2];
    let panel = layer.panel(0, layer.rows()).gather(order);
    kernels.gemv_gathered(panel, power, example, &mut out[1..=order.len()]);
    for (&row, found) in order.iter().zip(&out[1..]) {
        let expected = canonical(&powered(power, layer.row(row as usize)), example);
        let same = found.to_bits() == expected.to_bits() || (found.is_nan() && expected.is_nan());
        assert!(same, "{}, {place}, {power:?}, row {row}: {found} for {expected}", kernels.name());
    }
    assert_eq!([out[0].to_bits(), out[order.len() + 1].to_bits()], [CANARY; 2], "{place}: written beside");
}

const POWERS: [Option<IntegerNorm>; 4] =
    [None, Some(IntegerNorm::Three), Some(IntegerNorm::Four), Some(IntegerNorm::Five)];

#[test]
fn any_number_of_rows_has_the_canonical_bits() {
    for inputs in [1, 16, 67, 1025] {
        let mut layer = Matrix::zeros(40, inputs);
        normals(1, 40 * inputs).chunks(inputs).enumerate().for_each(|(row, w)| layer.row_mut(row).copy_from_slice(w));
        let example = example(2, inputs);
        for rows in 0..=2 * LANES + 1 {
            let order: Vec<u32> = (0..rows as u32).map(|row| row * 7 % 40).collect();
            for kernels in Kernels::all() {
                for power in POWERS {
                    assert_scores(&format!("{rows} x {inputs}"), kernels, &layer, &order, power, &example);
                }
            }
        }
    }
}

#[test]
fn rows_of_any_width_and_kind_have_the_canonical_bits() {
    for inputs in widths() {
        let rows: Vec<Vec<f32>> =
            adversarial_rows(inputs).into_iter().chain(unknown_rows(inputs)).map(|(_, row)| row).collect();
        let mut layer = Matrix::zeros(rows.len(), inputs);
        rows.iter().enumerate().for_each(|(row, values)| layer.row_mut(row).copy_from_slice(values));
        let order: Vec<u32> = (0..rows.len() as u32).collect();
        for example in [example(3, inputs), vec![255; inputs], vec![0; inputs]] {
            for kernels in Kernels::all() {
                for power in POWERS {
                    assert_scores(&format!("width {inputs}"), kernels, &layer, &order, power, &example);
                }
            }
        }
    }
}
