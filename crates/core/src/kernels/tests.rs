//! The kernels that no public function runs alone, on every instruction set: powers, staging, changes and their application,
//! products of gathered rows; and what lies between the rows that a kernel writes.

mod quantise;
mod screen;

use super::gemm_tn::Products;
use super::update::{ActiveRow, Contribution, UpdateStep};
use super::{IntegerNorm, power_real};
use crate::inputs::Inputs;
use crate::isa::Kernels;
use crate::matrix::Matrix;
use crate::random::Random;
use crate::vector::LANES;

/// The largest relative error of one rounding to f32.
const ROUNDING: f64 = 1.0 / (1 << 24) as f64;

/// Widths around every edge of vectors, tiles and blocks.
fn widths() -> impl Iterator<Item = usize> {
    (1..=33).chain(47..=81).chain(1008..=1040).chain(2047..=2050)
}

pub(crate) fn normals(seed: u64, count: usize) -> Vec<f32> {
    let mut random = Random::keyed(seed, "synthetic", 0);
    (0..count).map(|_| random.normal() as f32).collect()
}

fn row(values: &[f32]) -> Matrix {
    let mut row = Matrix::zeros(1, values.len());
    row.row_mut(0).copy_from_slice(values);
    row
}

/// A row full of NaN, padding included.
fn unwritten(columns: usize) -> Matrix {
    let mut row = Matrix::zeros(1, columns);
    row.lanes_mut(0).fill([f32::NAN; 16]);
    row
}

/// The canonical score of the crate docs, one number at a time.
pub(crate) fn canonical(powers: &[f32], pixels: &[u8]) -> f32 {
    let block = |(w, x): (&[f32], &[u8])| {
        let mut lanes = [0.0_f32; 16];
        for (i, (w, x)) in w.iter().zip(x).enumerate() {
            lanes[i % 16] = w.mul_add(f32::from(*x), lanes[i % 16]);
        }
        for step in [8, 4, 2, 1] {
            for lane in 0..step {
                lanes[lane] += lanes[lane + step];
            }
        }
        lanes[0]
    };
    powers.chunks(1024).zip(pixels.chunks(1024)).map(block).reduce(|total, sum| total + sum).unwrap()
}

/// Σ w′x in f64.
pub(crate) fn exact(powers: &[f32], pixels: &[u8]) -> f64 {
    powers.iter().zip(pixels).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum()
}

/// Rows that are hard to quantise, as long as the padded width is `width`.
pub(crate) fn adversarial_rows(width: usize) -> Vec<(&'static str, Vec<f32>)> {
    let normal = normals(7, width);
    let of = |value: fn(usize) -> f32| (0..width).map(value).collect::<Vec<f32>>();
    let scaled = |factor: f32| normal.iter().map(|w| w * factor).collect::<Vec<f32>>();
    let mut one_large = scaled(1e-4);
    one_large[width / 2] = 3.0;
    let mut one_hot = vec![0.0; width];
    one_hot[width - 1] = -0.3;
    let mut nearly = vec![1.0; width];
    nearly[0] = 1.0_f32.next_up();
    vec![
        ("normal", normal.clone()),
        ("cubic", normal.iter().map(|w| w * w.abs() * (w * w)).collect()),
        ("one large among small", one_large),
        ("one hot", one_hot),
        ("alternating", of(|i| if i % 2 == 0 { 1.0 } else { -1.0 })),
        ("constant", of(|_| 0.1)),
        ("1 ulp apart", nearly),
        ("between two levels", of(|i| (i % 255) as f32 - 127.0 + if i % 255 == 0 { 0.0 } else { 0.5 })),
        ("between two levels of 64", of(|i| (i % 129) as f32 - 64.0 + if i % 129 == 0 { 0.0 } else { 0.5 })),
        ("powers of two", of(|i| libm::ldexpf(1.0, -((i % 140) as i32)))),
        ("huge", scaled(1e24)),
        ("tiny", scaled(1e-24)),
        ("with subnormal ones", of(|i| if i % 3 == 1 { 1e-42 } else { 1e-20 })),
        ("minus zero", of(|_| -0.0)),
        ("zero", of(|_| 0.0)),
    ]
}

/// Rows of which nothing is to be said.
pub(crate) fn unknown_rows(width: usize) -> Vec<(&'static str, Vec<f32>)> {
    let mut last_is = [f32::INFINITY, f32::NEG_INFINITY, f32::NAN].map(|last| {
        let mut row = normals(8, width);
        row[width - 1] = last;
        row
    });
    let [infinite, minus_infinite, nan] = &mut last_is;
    let take = std::mem::take::<Vec<f32>>;
    vec![
        ("infinite", take(infinite)),
        ("minus infinite", take(minus_infinite)),
        ("NaN", take(nan)),
        ("1e30", vec![1e30; width]),
        ("just too large", vec![-1e25_f32.next_up(); width]),
        ("just too small", vec![1e-25_f32.next_down(); width]),
        ("1e-30", vec![1e-30; width]),
        ("subnormal", vec![1e-45; width]),
    ]
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The padding of a row that has one.
fn padding(row: &Matrix) -> &[f32] {
    &row.lanes(0).as_flattened()[row.columns()..]
}

#[test]
fn powers_have_the_sign_and_the_magnitude_of_their_formula() {
    let special = [0.0, -0.0, 1e-45, -1e-45, 1e-12, -1e12, 3e38, 1.0, -1.0];
    for width in widths() {
        let mut w = normals(1, width);
        w.iter_mut().zip(special).for_each(|(w, special)| *w = special);
        for (norm, p) in [(IntegerNorm::Three, 3), (IntegerNorm::Four, 4), (IntegerNorm::Five, 5)] {
            let expected: Vec<f32> = w
                .iter()
                .map(|w| match norm {
                    IntegerNorm::Three => w * w.abs(),
                    IntegerNorm::Four => w * (w * w),
                    IntegerNorm::Five => (w * w.abs()) * (w * w),
                })
                .collect();
            for kernels in Kernels::all() {
                let mut found = unwritten(width);
                kernels.power(norm, row(&w).lanes(0), found.lanes_mut(0));
                assert_eq!(bits(found.row(0)), bits(&expected), "{}, p {p}, width {width}", kernels.name());
                assert!(padding(&found).iter().all(|pad| pad.to_bits() == 0), "{}: padding", kernels.name());
            }
            for (w, power) in w.iter().zip(&expected).filter(|(w, _)| w.abs() > 1e-6 && w.abs() < 1e6) {
                let exact = f64::from(w.signum()) * f64::from(w.abs()).powi(p - 1);
                assert!((f64::from(*power) - exact).abs() <= 3.01 * ROUNDING * exact.abs(), "{power} for {exact}");
            }
        }
    }
}

#[test]
fn real_powers_are_rounded_once_and_have_the_sign_of_the_weight() {
    for p in [1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 6.3] {
        for w in normals(2, 1000) {
            let exact = f64::from(w.signum()) * f64::from(w.abs()).powf(p - 1.0);
            assert!((f64::from(power_real(w, p)) - exact).abs() <= 1.001 * ROUNDING * exact.abs(), "p {p}, w {w}");
        }
        assert_eq!([power_real(0.0, p), power_real(-0.0, p)].map(f32::to_bits), [0, 0], "p {p}");
    }
    assert_eq!([power_real(-7.0, 1.0), power_real(1e-40, 1.0)], [-1.0, 1.0]);
}

#[test]
fn staged_rows_hold_the_example_and_zeros_behind() {
    for width in widths() {
        let bytes: Vec<u8> = (0..width).map(|i| (i * 37 % 256) as u8).collect();
        let floats = normals(3, width);
        let as_floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
        for kernels in Kernels::all() {
            for (inputs, expected) in
                [(Inputs::u8(&bytes, width).unwrap(), &as_floats), (Inputs::f32(&floats, width).unwrap(), &floats)]
            {
                let mut found = unwritten(width);
                inputs.stage(kernels, 0, &mut found, 0);
                assert_eq!(bits(found.row(0)), bits(expected), "{}, width {width}", kernels.name());
                assert!(padding(&found).iter().all(|pad| pad.to_bits() == 0), "{}: padding", kernels.name());
            }
        }
    }
}

/// ds and max |ds| as the specification says, and the size of what was added, for a bound.
fn expected_change(
    w: &[f32],
    contributions: &[Contribution],
    decay: f32,
    inputs: &[f32],
) -> (Vec<f32>, f32, Vec<(f64, f64)>) {
    let (mut change, mut exact) = (vec![0.0_f32; w.len()], vec![(0.0, 0.0); w.len()]);
    for (i, (ds, exact)) in change.iter_mut().zip(&mut exact).enumerate() {
        let mut add = |a: f32, b: f32| {
            let product = f64::from(a) * f64::from(b);
            *exact = (exact.0 + product, exact.1 + product.abs());
            *ds = a.mul_add(b, *ds);
        };
        for contribution in contributions {
            add(contribution.coefficient, inputs[contribution.example as usize * w.len() + i]);
        }
        add(-decay, w[i]);
    }
    let largest = change.iter().fold(0.0_f32, |largest, ds| largest.max(ds.abs()));
    (change, largest, exact)
}

#[test]
fn changes_have_the_bits_of_the_specification_and_are_within_the_bound_of_f64() {
    const STEP: UpdateStep = UpdateStep { size: 0.037, smallest: 0.01 };
    for width in widths() {
        let bytes: Vec<u8> = (0..5 * width).map(|i| (i * 53 % 256) as u8).collect();
        let as_floats: Vec<f32> = bytes.iter().map(|&byte| f32::from(byte)).collect();
        let (w, floats) = (normals(4, width), normals(5, 5 * width));
        for contributions in [vec![], vec![(3, 0.25)], vec![(0, -0.4), (4, 1.0), (4, 1.0), (2, 0.3), (0, 0.0)]] {
            let contributions: Vec<Contribution> =
                contributions.into_iter().map(|(example, coefficient)| Contribution { example, coefficient }).collect();
            for decay in [0.0, 0.7, -3.0] {
                let active = ActiveRow { contributions: &contributions, decay, inputs: width };
                for kernels in Kernels::all() {
                    for (of_bytes, inputs) in [(true, &as_floats), (false, &floats)] {
                        let (change, expected_largest, exact) = expected_change(&w, &contributions, decay, inputs);
                        let changed = w.iter().zip(&change).map(|(w, ds)| STEP.size.mul_add(*ds, *w));
                        let expected: Vec<f32> =
                            changed.map(|w| if w.abs() < STEP.smallest { 0.0 } else { w }).collect();
                        let mut found = row(&w);
                        let largest = match of_bytes {
                            true => kernels.change_u8(active, &bytes, found.lanes(0)),
                            false => kernels.change_f32(active, &floats, found.lanes(0)),
                        };
                        match of_bytes {
                            true => kernels.apply_u8(active, &bytes, STEP, found.lanes_mut(0)),
                            false => kernels.apply_f32(active, &floats, STEP, found.lanes_mut(0)),
                        }
                        let place = format!("{}, width {width}, {} contributions", kernels.name(), contributions.len());
                        assert_eq!(bits(found.row(0)), bits(&expected), "{place}");
                        assert_eq!(largest.to_bits(), expected_largest.to_bits(), "{place}: largest");
                        assert!(padding(&found).iter().all(|pad| *pad == 0.0), "{place}: padding");
                        for (ds, (exact, size)) in change.iter().zip(exact) {
                            let bound = 1.001 * (contributions.len() + 1) as f64 * ROUNDING * size;
                            assert!((f64::from(*ds) - exact).abs() <= bound, "{place}: {ds} for {exact}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn the_largest_change_is_found_in_every_lane() {
    for width in [1, 16, 49, 81] {
        for place in 0..width {
            for sign in [1.0, -1.0] {
                let mut inputs = vec![0.5; width];
                inputs[place] = sign * 2.0;
                let (weights, contributions) =
                    (Matrix::zeros(1, width), [Contribution { example: 0, coefficient: 1.0 }]);
                let active = ActiveRow { contributions: &contributions, decay: 0.0, inputs: width };
                for kernels in Kernels::all() {
                    let largest = kernels.change_f32(active, &inputs, weights.lanes(0));
                    assert_eq!(largest, 2.0, "{}, lane {place} of {width}", kernels.name());
                }
            }
        }
    }
}

#[test]
fn a_gradient_writes_nothing_between_its_rows_nor_behind_them() {
    let canary = [f32::from_bits(0x7fc0_dead); 16];
    for (classes, width) in [(1, 1), (4, 3), (5, 4), (7, 9), (10, 13)] {
        let examples = Matrix::zeros(3, width * 16);
        let mut deltas = Matrix::zeros(classes, 3);
        (0..classes).for_each(|class| deltas.row_mut(class).fill(1.0));
        for kernels in Kernels::all() {
            let stride = width + 2;
            let mut out = vec![canary; classes * stride + 3];
            let products = Products { deltas: &deltas, examples: examples.panel(0, 3), nonzeros: None };
            kernels.gemm_tn(products, &mut out, stride);
            for (i, lanes) in out.iter().enumerate() {
                let inside = i < classes * stride && i % stride < width;
                let expected = if inside { [0.0; 16] } else { canary };
                assert_eq!(bits(lanes), bits(&expected), "{}: vector {i}, {classes} x {width}", kernels.name());
            }
        }
    }
}

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
