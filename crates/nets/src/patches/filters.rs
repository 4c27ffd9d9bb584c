//! Filters of image patches beside those that compete: what every kind of filter goes through, and two to compare with.
//!
//! Competing filters are the weights of a [`FastLearner`](crate::FastLearner) that learned from whitened patches, through
//! [`unit_filters`]. k-means centroids and patches themselves are the usual comparison (Coates, Ng & Lee 2011).

use crate::error::{Error, Result};
use crate::eval::{check_size, unit_length};
use rivalry_core::{Compute, Layer, Matrix, Random, ops, range_of};

/// Patches that are scored at once.
const BLOCK: usize = 256;
/// Patches for each centroid among which k-means++ looks for its starts.
const STARTS: usize = 20;
/// The cosine above which two filters count as one.
const DUPLICATE: f32 = 0.99;
/// How far rounding leaves the squared length of a scaled filter from 1.
const ROUNDING: f64 = 1e-6;

/// Scales every unit to unit Euclidean length; one that is zero, or has this length up to rounding, stays as it is.
///
/// # Errors
/// [`Error::Core`] if a weight is not finite.
pub fn unit_filters(layer: &Layer) -> Result<Layer> {
    let mut rows = layer.to_rows();
    let is_scaled = |row: &&mut [f32]| (squares(row) - 1.0).abs() <= ROUNDING;
    rows.chunks_exact_mut(layer.inputs()).filter(|row| !is_scaled(row)).for_each(unit_length);
    Ok(Layer::from_rows(layer.hidden(), layer.inputs(), &rows)?)
}

/// Draws patches, each at most once, as filters.
///
/// # Shapes
/// `patches` [patches × inputs] at unit length, as [`Whitening::apply`](crate::Whitening::apply) gives them.
///
/// # Errors
/// [`Error::Invalid`] if there are fewer patches than filters.
pub fn random_filters(patches: &Matrix, filters: usize, random: &mut Random) -> Result<Layer> {
    check_size("the number of filters", filters, 1, patches.rows())?;
    let order = random.order(patches.rows());
    let rows: Vec<f32> = order[..filters].iter().flat_map(|&patch| patches.row(patch as usize)).copied().collect();
    Ok(Layer::from_rows(filters, patches.columns(), &rows)?)
}

/// Computes centroids of patches by k-means, and scales them to unit length.
///
/// ```text
/// start: k-means++ among the first 20 patches for each centroid
/// repeat: each patch belongs to the nearest centroid; each centroid is the mean of its patches
/// ```
/// A centroid without patches stays where it is.
///
/// Source: Lloyd 1982; Arthur & Vassilvitskii 2007 for the start.
///
/// # Shapes
/// `patches` [patches × inputs] in random order, as [`Whitening::apply`](crate::Whitening::apply) gives them.
///
/// # Numerics
/// The same bits for any number of threads and on every instruction set.
///
/// # Errors
/// [`Error::Invalid`] if there are fewer patches than filters.
///
/// # Allocates
/// The centroids three times, and three numbers for each patch.
pub fn k_means(
    compute: &Compute,
    patches: &Matrix,
    filters: usize,
    rounds: usize,
    random: &mut Random,
) -> Result<Layer> {
    check_size("the number of filters", filters, 1, patches.rows())?;
    let mut centroids = spread_starts(compute, patches, filters, random);
    let mut before = Vec::new();
    for _ in 0..rounds {
        let halves: Vec<f32> = (0..filters).map(|i| 0.5 * squares(centroids.row(i)) as f32).collect();
        let nearest = nearest(compute, &centroids, &halves, patches);
        if nearest == before {
            break;
        }
        let mut sums = vec![0.0_f64; filters * patches.columns()];
        let mut counts = vec![0_u32; filters];
        for (patch, &centroid) in nearest.iter().enumerate() {
            let sums = &mut sums[centroid as usize * patches.columns()..][..patches.columns()];
            sums.iter_mut().zip(patches.row(patch)).for_each(|(sum, &x)| *sum += f64::from(x));
            counts[centroid as usize] += 1;
        }
        for (centroid, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let sums = &sums[centroid * patches.columns()..];
            let row = centroids.row_mut(centroid).iter_mut().zip(sums);
            row.for_each(|(x, sum)| *x = (sum / f64::from(count)) as f32);
        }
        before = nearest;
    }
    unit_filters(&Layer::from_rows(filters, patches.columns(), &centroids.to_rows())?)
}

/// k-means++: each start is a patch drawn with a probability in proportion to its squared distance from the nearest start.
fn spread_starts(compute: &Compute, patches: &Matrix, filters: usize, random: &mut Random) -> Matrix {
    let among = patches.rows().min(STARTS * filters);
    let lengths: Vec<f32> = (0..among).map(|patch| squares(patches.row(patch)) as f32).collect();
    let mut distances = vec![f32::INFINITY; among];
    let mut centroids = Matrix::zeros(filters, patches.columns());
    let mut chosen = (random.uniform() * among as f64) as usize;
    for centroid in 0..filters {
        centroids.row_mut(centroid).copy_from_slice(patches.row(chosen));
        if centroid + 1 == filters {
            break;
        }
        let products = compute.map(|worker| {
            let own = range_of(among, BLOCK, worker, compute.threads());
            let mut products = vec![0.0; own.len()];
            if !own.is_empty() {
                // Patches take the place of units, so that the products lie side by side.
                let patches = patches.panel(own.start, own.len());
                ops::gemm_nt(compute.kernels(), patches, centroids.panel(centroid, 1), &mut products, own.len());
            }
            products
        });
        let products = products.iter().flatten();
        for ((distance, length), product) in distances.iter_mut().zip(&lengths).zip(products) {
            *distance = distance.min((length + lengths[chosen] - 2.0 * product).max(0.0));
        }
        let total: f64 = distances.iter().map(|&distance| f64::from(distance)).sum();
        let mut rest = random.uniform() * total;
        let passed = |&distance: &f32| {
            rest -= f64::from(distance);
            rest < 0.0
        };
        // Where all patches coincide with starts there is nothing to prefer.
        chosen = distances.iter().position(passed).unwrap_or(centroid % among);
    }
    centroids
}

/// For each patch x the filter c of the largest x·c − bias, the lowest among equals. With half the squared length of c as bias
/// it is the nearest.
fn nearest(compute: &Compute, filters: &Matrix, biases: &[f32], patches: &Matrix) -> Vec<u32> {
    let parts = compute.map(|worker| {
        let own = range_of(patches.rows(), BLOCK, worker, compute.threads());
        let mut scores = Matrix::zeros(BLOCK, filters.rows());
        let mut nearest = Vec::with_capacity(own.len());
        for first in own.clone().step_by(BLOCK) {
            let block = patches.panel(first, BLOCK.min(own.end - first));
            ops::gemm_nt_into(compute.kernels(), filters.panel(0, filters.rows()), block, &mut scores, [0, 0]);
            for row in 0..block.rows() {
                let mut best = (0, f32::NEG_INFINITY);
                for (filter, (score, bias)) in scores.row(row).iter().zip(biases).enumerate() {
                    if score - bias > best.1 {
                        best = (filter as u32, score - bias);
                    }
                }
                nearest.push(best.0);
            }
        }
        nearest
    });
    parts.concat()
}

/// The health of filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterHealth {
    /// Filters that are the nearest to no patch.
    pub dead: usize,
    /// Filters whose cosine with an earlier filter is above 0.99.
    pub duplicates: usize,
}

/// Counts dead and duplicate filters on a sample of patches.
///
/// # Shapes
/// `filters` at unit length; `patches` [patches × inputs] at unit length.
///
/// # Errors
/// [`Error::Invalid`] if the patches have another size.
pub fn filter_health(compute: &Compute, filters: &Layer, patches: &Matrix) -> Result<FilterHealth> {
    let (count, inputs) = (filters.hidden(), filters.inputs());
    if patches.columns() != inputs {
        let found = patches.columns();
        return Err(Error::invalid(format!("a patch has {found} values, the filters have {inputs}")));
    }
    let mut rows = Matrix::zeros(count, inputs);
    (0..count).for_each(|filter| rows.row_mut(filter).copy_from_slice(filters.row(filter)));
    let mut wins = vec![0_u32; count];
    nearest(compute, &rows, &vec![0.0; count], patches).iter().for_each(|&filter| wins[filter as usize] += 1);
    let mut cosines = Matrix::zeros(1, count);
    let is_duplicate = |filter: &usize| {
        ops::gemm_nt_into(compute.kernels(), rows.panel(0, *filter), rows.panel(*filter, 1), &mut cosines, [0, 0]);
        cosines.row(0)[..*filter].iter().any(|cosine| *cosine > DUPLICATE)
    };
    Ok(FilterHealth {
        dead: wins.iter().filter(|&&wins| wins == 0).count(),
        duplicates: (1..count).filter(is_duplicate).count(),
    })
}

/// Σ x² in f64.
fn squares(row: &[f32]) -> f64 {
    row.iter().map(|&x| f64::from(x) * f64::from(x)).sum()
}
