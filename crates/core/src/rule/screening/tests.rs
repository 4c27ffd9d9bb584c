//! The proof against f64 and against the canonical scores; and the thresholds of other shards.

mod policy;

use super::*;
use crate::error::Error;
use crate::inputs::Inputs;
use crate::kernels::IntegerNorm;
use crate::kernels::tests::{adversarial_rows, canonical, exact, normals, unknown_rows};
use crate::matrix::Matrix;
use crate::random::Random;
use crate::rule::thresholds::Thresholds;

const ALONE: usize = 0;

/// More than are between refining and exact scores.
const BATCH: usize = LAG + 8;

fn matrix(rows: &[Vec<f32>]) -> Matrix {
    let mut matrix = Matrix::zeros(rows.len(), rows[0].len());
    rows.iter().enumerate().for_each(|(row, values)| matrix.row_mut(row).copy_from_slice(values));
    matrix
}

fn alone(all: &Thresholds, minibatch: u32) -> ShardThresholds<'_> {
    ShardThresholds { all, shard: ALONE, minibatch }
}

fn normal_rows(hidden: usize, inputs: usize, mean: f32, spread: f32) -> Vec<Vec<f32>> {
    let rows = normals(5, hidden * inputs);
    rows.chunks(inputs).map(|row| row.iter().map(|w| mean + spread * w).collect()).collect()
}

/// Every adversarial row and its opposite, whose upper bound is the row's lower bound, and normal ones.
fn hard_rows(inputs: usize) -> Vec<Vec<f32>> {
    let mut rows: Vec<Vec<f32>> = normals(3, 90 * inputs).chunks(inputs).map(<[f32]>::to_vec).collect();
    for (_, row) in adversarial_rows(inputs).into_iter().chain(unknown_rows(inputs)) {
        rows.push(row.iter().map(|w| -w).collect());
        rows.push(row);
    }
    rows
}

/// Images of which `non_zero` of a hundred pixels are not zero, and some that are hard.
fn images(inputs: usize, non_zero: u64) -> Vec<u8> {
    let mut random = Random::keyed(non_zero, "synthetic", 0);
    let mut images: Vec<u8> = (0..BATCH * inputs)
        .map(|_| random.next_u64())
        .map(|bits| if bits % 100 < non_zero { (bits >> 56) as u8 | 1 } else { 0 })
        .collect();
    for (image, pixel) in images.chunks_exact_mut(inputs).zip([0, 255, 77, 1]) {
        image.fill(pixel);
    }
    let one = 5 * inputs;
    images[one - inputs..one].fill(0);
    images[one - 1] = 255;
    images
}

/// The k best by canonical scores: the definition.
fn ranks(powers: &[Vec<f32>], example: &[u8], k: usize) -> Vec<(f32, u32)> {
    let mut all: Vec<(f32, u32)> = powers.iter().map(|row| canonical(row, example)).zip(0..).collect();
    all.retain(|(score, _)| *score > f32::NEG_INFINITY);
    all.sort_by(|a, b| b.0.partial_cmp(&a.0).unwrap());
    all.resize(k.max(all.len()), (f32::NEG_INFINITY, TopK::NONE));
    all.truncate(k);
    all
}

fn assert_upper(what: &str, row: &[f32], example: &[u8], upper: f32, levels: f64) {
    let most = row.iter().fold(0.0_f32, |most, w| if w.abs() <= most { most } else { w.abs() });
    if most.is_nan() || most > 1e25 || (most < 1e-25 && most > 0.0) {
        return assert_eq!(upper, f32::INFINITY, "{what}");
    }
    let (score, plain) = (exact(row, example), f64::from(canonical(row, example)));
    assert!(f64::from(upper) >= score.max(plain), "{what}: {upper} for {score}, canonical {plain}");
    // And it is not far off: the whole width of an interval, of digits with 64 levels. The norm of what they leave can give
    // one 3^½ times as wide as the maximum does, where that is not spread evenly.
    let total = f64::from(example.iter().map(|&x| u32::from(x)).sum::<u32>().max(1));
    let width = 2.0 * f64::from(most) * total * (0.51 * 1.74 / levels + 2e-5) + 1e-30;
    assert!(f64::from(upper) - score <= width, "{what}: {upper} for {score}, width {width}");
}

#[test]
fn intervals_hold_the_exact_and_the_canonical_score() {
    const K: usize = 7;
    for inputs in [3, 65, 784, 1100] {
        let rows = hard_rows(inputs);
        let matrix = matrix(&rows);
        let scored = Scored { rows: &matrix, power: None };
        for non_zero in [15, 95] {
            let all = images(inputs, non_zero);
            let samples: Vec<u32> = (0..BATCH as u32).collect();
            let pixels = Pixels { all: &all, inputs, samples: &samples };
            for (kernels, level) in
                Kernels::all().into_iter().flat_map(|it| [(it, Level::Coarse), (it, Level::Residual)])
            {
                let what = format!("{}, {level:?}, {inputs} inputs, {non_zero} % non-zero", kernels.name());
                let thresholds = Thresholds::new(1, BATCH, K);
                let mut screen = Screen::new(rows.len(), inputs, BATCH, K).unwrap();
                screen.set_level(level, kernels, scored);
                screen.bound(kernels, pixels, alone(&thresholds, 1), 0);
                let panels = screen.levels.panels();
                let levels = if level == Level::Residual { 2.0 * 64.0 * 64.0 } else { 64.0 };
                for example in 0..BATCH {
                    let of = pixels.example(example);
                    let upper = screen.upper[example * panels..][..panels].as_flattened().to_vec();
                    for (unit, row) in rows.iter().enumerate() {
                        assert_upper(&format!("{what}, {example}, {unit}"), row, of, upper[unit], levels);
                    }
                    assert!(upper[rows.len()..].iter().all(|upper| upper.is_nan()), "{what}: units that are not there");
                    let best = ranks(&rows, of, K);
                    let below = |bounds: &[f32]| bounds.iter().zip(&best).all(|(bound, (score, _))| bound <= score);
                    assert!(below(&screen.lower[example].as_flattened()[..K]), "{what}, {example}: lower bounds");
                    screen.refine(kernels, example, pixels, alone(&thresholds, 1), 0);
                    let candidates = &screen.candidates[example % (LAG + 2)];
                    for (&row, &upper) in candidates.rows().iter().zip(&candidates.upper) {
                        let what = format!("{what}, {example}, refined {row}");
                        assert_upper(&what, &rows[row as usize], of, upper, 2.0 * 64.0 * 64.0);
                    }
                    assert!(below(&candidates.best), "{what}, {example}: refined lower bounds");
                    screen.candidates[example % (LAG + 2)].prune(example, alone(&thresholds, 1));
                    let candidates = &screen.candidates[example % (LAG + 2)];
                    let kept = candidates.rows();
                    assert!(
                        best.iter().all(|(_, unit)| kept.contains(unit)),
                        "{what}, {example}: {kept:?} for {best:?}"
                    );
                    assert!(kept.is_sorted());
                }
            }
        }
    }
}

#[test]
fn what_cannot_be_screened_is_refused_and_auto_does_without() {
    use crate::rule::parameters::Engine::{Auto, Dense, Screened};
    let pixels = vec![0; MAX_INPUTS + 1];
    let (most, more) = (Inputs::u8(&pixels[1..], MAX_INPUTS).unwrap(), Inputs::u8(&pixels, MAX_INPUTS + 1).unwrap());
    assert_eq!(Screened.on(&most, MAX_RANKS), Ok(Screened));
    for (inputs, k) in [(&more, 2), (&most, MAX_RANKS + 1)] {
        assert!(matches!(Screened.on(inputs, k), Err(Error::Engine { .. })));
        assert_eq!([Auto.on(inputs, k), Dense.on(inputs, k)], [Ok(Dense), Ok(Dense)]);
    }
    assert!(Screen::new(10, MAX_INPUTS, 4, MAX_RANKS).is_some());
    assert!(Screen::new(0, 5, 4, 2).is_none());
}

/// The lists of a shard when another one has published `bounds` in some minibatch.
fn pushed(rows: &Matrix, images: &[u8], (bounds, minibatch): (&[f32], u32), stage: Stage) -> Vec<Vec<(f32, u32)>> {
    let (k, inputs, kernels) = (bounds.len(), rows.columns(), Kernels::best());
    let (all, mut lists) = (Thresholds::new(2, BATCH, k), TopK::new(BATCH, k));
    for example in 0..BATCH {
        ShardThresholds { all: &all, shard: 1, minibatch }.publish(stage, example, bounds);
    }
    let mut screen = Screen::new(rows.rows(), inputs, BATCH, k).unwrap();
    let scored = Scored { rows, power: Some(IntegerNorm::Three) };
    assert!(screen.begin(kernels, scored));
    let samples: Vec<u32> = (0..BATCH as u32).collect();
    let thresholds = ShardThresholds { all: &all, shard: 0, minibatch: 9 };
    let pixels = Pixels { all: images, inputs, samples: &samples };
    let next = Pixels { samples: &[], ..pixels };
    screen.score(kernels, scored, [pixels, next], thresholds, 0, &mut lists);
    (0..BATCH).map(|example| lists.list(example).collect()).collect()
}

#[test]
fn thresholds_of_other_shards_count_only_in_their_minibatch_and_never_cost_a_unit_that_reaches_them() {
    let rows = normal_rows(200, 100, 0.0, 1.0);
    let (matrix, images) = (matrix(&rows), images(100, 20));
    let powers: Vec<Vec<f32>> = rows.iter().map(|row| row.iter().map(|w| w * w.abs()).collect()).collect();
    let expected: Vec<_> = images.chunks(100).map(|example| ranks(&powers, example, 3)).collect();
    for stage in [Stage::All, Stage::Candidates] {
        for stale in [8, 10, 0, u32::MAX] {
            assert_eq!(pushed(&matrix, &images, (&[1e30; 3], stale), stage), expected, "minibatch {stale}");
        }
        // Three units elsewhere are beyond all of these: nothing of theirs can rank, and nothing has to be scored.
        let none = pushed(&matrix, &images, (&[1e30; 3], 9), stage);
        assert!(none.iter().flatten().all(|ranked| ranked.1 == TopK::NONE), "{stage:?}: thresholds count");
        // Only one or two are: the best of these must be there.
        for beyond in [1, 2] {
            let mut bounds = [f32::NEG_INFINITY; 3];
            bounds[..beyond].fill(1e30);
            for (found, expected) in pushed(&matrix, &images, (&bounds, 9), stage).iter().zip(&expected) {
                assert_eq!(found[..3 - beyond], expected[..3 - beyond]);
            }
        }
    }
}
