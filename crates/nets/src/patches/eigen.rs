//! Eigenvalues and eigenvectors of a small symmetric matrix, by Jacobi rotations in f64.
//!
//! A library would be faster and choose its instructions by the CPU. Filters are learned from what is whitened with this
//! matrix, and their bits must not depend on the machine; for a few hundred inputs plain loops take a second at most.

/// Rounds over all pairs after which it must have converged: it takes fewer than 15.
const ROUNDS: usize = 60;

/// The eigenvalues, and the eigenvectors as rows, of a symmetric matrix [size × size].
///
/// ```text
/// until no number beside the diagonal counts:
///     for each pair p < q: rotate rows and columns p and q so that A[p, q] = 0
/// ```
/// Source: Jacobi 1846, in the cyclic order of Golub & Van Loan, Matrix Computations, section 8.5.
pub(crate) fn symmetric(mut matrix: Vec<f64>, size: usize) -> (Vec<f64>, Vec<f64>) {
    let mut vectors = vec![0.0; size * size];
    (0..size).for_each(|i| vectors[i * size + i] = 1.0);
    let total: f64 = matrix.iter().map(|a| a * a).sum();
    for _ in 0..ROUNDS {
        let beside: f64 = (0..size).flat_map(|p| matrix[p * size..p * size + p].iter()).map(|a| a * a).sum();
        if beside <= 1e-30 * total {
            break;
        }
        for p in 0..size {
            for q in p + 1..size {
                let apq = matrix[p * size + q];
                if apq != 0.0 {
                    let half = (matrix[q * size + q] - matrix[p * size + p]) / (2.0 * apq);
                    let tangent = half.signum() / (half.abs() + libm::sqrt(half * half + 1.0));
                    let cosine = 1.0 / libm::sqrt(tangent * tangent + 1.0);
                    let rotation = (cosine, tangent * cosine);
                    rotate_columns(&mut matrix, size, [p, q], rotation);
                    rotate_rows(&mut matrix, size, [p, q], rotation);
                    rotate_rows(&mut vectors, size, [p, q], rotation);
                }
            }
        }
    }
    ((0..size).map(|i| matrix[i * size + i]).collect(), vectors)
}

fn rotate_rows(matrix: &mut [f64], size: usize, [p, q]: [usize; 2], (cosine, sine): (f64, f64)) {
    let (above, below) = matrix.split_at_mut(q * size);
    for (a, b) in above[p * size..][..size].iter_mut().zip(&mut below[..size]) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

fn rotate_columns(matrix: &mut [f64], size: usize, [p, q]: [usize; 2], (cosine, sine): (f64, f64)) {
    for row in matrix.chunks_exact_mut(size) {
        (row[p], row[q]) = (cosine * row[p] - sine * row[q], sine * row[p] + cosine * row[q]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rivalry_core::Random;

    #[test]
    fn vectors_and_values_give_the_matrix_back() {
        let mut random = Random::keyed(1, "eigen", 0);
        for size in [1, 2, 3, 10, 40] {
            let factor: Vec<f64> = (0..size * size).map(|_| random.normal()).collect();
            let product = |i: usize, j: usize| (0..size).map(|k| factor[i * size + k] * factor[j * size + k]).sum();
            let matrix: Vec<f64> = (0..size * size).map(|at| product(at / size, at % size)).collect();
            let (values, vectors) = symmetric(matrix.clone(), size);
            for i in 0..size {
                for j in 0..size {
                    let entry = |k: usize| values[k] * vectors[k * size + i] * vectors[k * size + j];
                    let found: f64 = (0..size).map(entry).sum();
                    assert!((found - matrix[i * size + j]).abs() <= 1e-11 * size as f64, "{size}: {found}");
                    let product: f64 = (0..size).map(|k| vectors[i * size + k] * vectors[j * size + k]).sum();
                    assert!((product - if i == j { 1.0 } else { 0.0 }).abs() <= 1e-12);
                }
            }
        }
        assert_eq!(symmetric(vec![3.0, 0.0, 0.0, 2.0], 2).0, [3.0, 2.0]);
    }
}
