//! Seeded, class-stratified selections of samples: held-out sets and small training sets in which every class keeps its
//! share, whatever the order of the file.
//!
//! 1. Group the samples by class, and shuffle each class.
//! 2. To take `count` samples, take from each class its share of `count`, rounded by largest remainders, from the front.
//! 3. Return the samples in file order.
//!
//! Samples without labels form one class.

use std::ops::{Range, RangeBounds};

/// Samples by class, each class in file order or shuffled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByClass(Vec<Vec<usize>>);

impl ByClass {
    /// Groups the samples of a range by class, each class in file order.
    ///
    /// `labels` has the label of every sample of the file, or is empty where there are no labels.
    ///
    /// # Panics
    /// Where the range goes beyond the labels.
    ///
    /// # Example
    /// ```
    /// use rivalry_data::{ByClass, synthetic};
    /// let labels = [0, 0, 0, 0, 1, 1, 1, 1]; // sorted by class
    /// let mut state = 1_u64;
    /// let all = ByClass::new(&labels, 0..8).shuffled(&mut || synthetic::split_mix(&mut state));
    /// let (held_out, rest) = all.split(2);
    /// assert_eq!(held_out.in_file_order().iter().map(|&sample| labels[sample]).collect::<Vec<_>>(), [0, 1]);
    /// assert_eq!(rest.in_file_order().len(), 6);
    /// ```
    #[must_use]
    pub fn new(labels: &[u8], samples: Range<usize>) -> Self {
        let mut classes = vec![Vec::new(); labels.iter().max().map_or(1, |&label| usize::from(label) + 1)];
        for sample in samples {
            let class = if labels.is_empty() { 0 } else { usize::from(labels[sample]) };
            classes[class].push(sample);
        }
        Self(classes)
    }

    /// Shuffles each class (Fisher–Yates) with random `bits`.
    #[must_use]
    pub fn shuffled(mut self, bits: &mut dyn FnMut() -> u64) -> Self {
        for class in &mut self.0 {
            for last in (1..class.len()).rev() {
                // The high half of the product is uniform from 0 to last; for 2³² samples the bias is below 2⁻³².
                let chosen = (u128::from(bits()) * (last as u128 + 1)) >> 64;
                class.swap(last, chosen as usize);
            }
        }
        self
    }

    /// The number of samples of each class.
    pub fn sizes(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.iter().map(Vec::len)
    }

    /// Splits off `count` samples, from each class its share: (those samples, the others).
    ///
    /// Class c with n_c of n samples gives ⌊count · n_c / n⌋, and the classes with the largest remainders (the lower
    /// class in a tie) give one more, so that the sum is `count`.
    ///
    /// # Panics
    /// Where there are fewer samples than `count`.
    #[must_use]
    pub fn split(self, count: usize) -> (Self, Self) {
        let all: usize = self.sizes().sum();
        assert!(count <= all, "{count} of {all} samples");
        let share = |class: &Vec<usize>| count as u128 * class.len() as u128;
        let mut takes: Vec<usize> = self.0.iter().map(|class| (share(class) / all.max(1) as u128) as usize).collect();
        let mut by_remainder: Vec<usize> = (0..self.0.len()).collect();
        by_remainder.sort_by_key(|&class| std::cmp::Reverse(share(&self.0[class]) % all.max(1) as u128));
        let rest = count - takes.iter().sum::<usize>();
        for &class in &by_remainder[..rest] {
            takes[class] += 1;
        }
        let halves = self.0.into_iter().zip(takes).map(|(mut class, take)| {
            let others = class.split_off(take);
            (class, others)
        });
        let (taken, others) = halves.unzip();
        (Self(taken), Self(others))
    }

    /// The first `count` samples of each class, or all of a smaller class.
    #[must_use]
    pub fn first_of_each(&self, count: usize) -> Self {
        Self(self.0.iter().map(|class| class[..class.len().min(count)].to_vec()).collect())
    }

    /// The samples of some classes; the other classes become empty.
    #[must_use]
    pub fn classes(&self, classes: impl RangeBounds<usize>) -> Self {
        let kept = |(class, samples): (usize, &Vec<usize>)| {
            if classes.contains(&class) { samples.clone() } else { Vec::new() }
        };
        Self(self.0.iter().enumerate().map(kept).collect())
    }

    /// The samples, ascending.
    #[must_use]
    pub fn in_file_order(&self) -> Vec<usize> {
        let mut samples = self.0.concat();
        samples.sort_unstable();
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::split_mix;

    fn shuffled(labels: &[u8], samples: usize, seed: u64) -> ByClass {
        let mut state = seed;
        ByClass::new(labels, 0..samples).shuffled(&mut || split_mix(&mut state))
    }

    /// How many of each class.
    fn counts(labels: &[u8], samples: &ByClass) -> Vec<usize> {
        let mut counts = vec![0; labels.iter().max().map_or(0, |&label| usize::from(label) + 1)];
        samples.in_file_order().iter().for_each(|&sample| counts[usize::from(labels[sample])] += 1);
        counts
    }

    #[test]
    fn every_class_keeps_its_share() {
        // Sorted by class: 50, 30, 20 samples.
        let labels = [vec![0; 50], vec![1; 30], vec![2; 20]].concat();
        for count in 0..=100 {
            let (taken, others) = shuffled(&labels, 100, 7).split(count);
            for (class, (&found, size)) in counts(&labels, &taken).iter().zip([50.0, 30.0, 20.0]).enumerate() {
                let exact = count as f64 * size / 100.0;
                assert!((found as f64 - exact).abs() < 1.0, "{count}, class {class}: {found} of {exact}");
            }
            let mut all = [taken.in_file_order(), others.in_file_order()].concat();
            assert_eq!(taken.in_file_order().len(), count);
            all.sort_unstable();
            assert_eq!(all, (0..100).collect::<Vec<_>>(), "each sample once");
        }
    }

    #[test]
    fn largest_remainders_get_the_rest() {
        // Shares of 4: 1.6, 1.6, 0.8; floors 1, 1, 0; remainders 0.6, 0.6, 0.8: class 2 first, then class 0.
        let labels = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2];
        assert_eq!(counts(&labels, &shuffled(&labels, 10, 1).split(4).0), [2, 1, 1]);
    }

    #[test]
    fn the_bits_decide_and_nothing_else() {
        let labels: Vec<u8> = (0..200).map(|sample| sample % 4).collect();
        let held_out = |seed| shuffled(&labels, 200, seed).split(40).0.in_file_order();
        assert_eq!(held_out(3), held_out(3));
        assert_ne!(held_out(3), held_out(4));
        assert!(held_out(3).is_sorted());
    }

    #[test]
    fn samples_without_labels_are_one_class() {
        let (taken, others) = shuffled(&[], 10, 5).split(3);
        assert_eq!((taken.in_file_order().len(), others.in_file_order().len()), (3, 7));
        assert_ne!(taken.in_file_order(), [0, 1, 2]);
    }

    #[test]
    fn classes_can_be_left_out() {
        let all = shuffled(&[0, 1, 2, 0, 1, 2], 6, 1);
        assert_eq!(all.classes(1..).in_file_order(), [1, 2, 4, 5]);
        assert_eq!(all.classes(..1).sizes().collect::<Vec<_>>(), [2, 0, 0]);
    }

    #[test]
    fn a_class_gives_at_most_what_it_has() {
        let labels = [0, 1, 1, 1];
        let few = shuffled(&labels, 4, 1).first_of_each(2);
        assert_eq!(counts(&labels, &few), [1, 2]);
    }

    /// Every order of three samples is about equally likely.
    #[test]
    fn the_shuffle_is_uniform() {
        let mut state = 9;
        let mut seen = std::collections::HashMap::new();
        for _ in 0..6000 {
            *seen.entry(ByClass::new(&[], 0..3).shuffled(&mut || split_mix(&mut state)).0).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|count| (900..1100).contains(count)), "{seen:?}");
    }
}
