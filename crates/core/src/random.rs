//! Random numbers with the same bits on every machine: xoshiro256++ streams, a normal transform, a shuffle.
//!
//! Each purpose has a stream of its own, made from (seed, name, index), so the order of epoch 700 can be drawn without
//! drawing the 699 before it: that is what lets an interrupted run go on with the same bits. Logarithm and cosine come
//! from `libm`, because those of the system differ between machines in the last bit.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// One stream of random numbers.
///
/// # Example
/// ```
/// use rivalry_core::Random;
/// let mut random = Random::keyed(1, "order", 0);
/// let mut order = random.order(5);
/// order.sort();
/// assert_eq!(order, [0, 1, 2, 3, 4]);
/// ```
#[derive(Debug, Clone)]
pub struct Random(Xoshiro256PlusPlus);

impl Random {
    /// Opens the stream of a seed that has this name and number, such as `("order", epoch)`.
    ///
    /// The five names in recorded runs (`weights`, `order`, `readout-weights`, `readout-order`, `synthetic`) have the numbers
    /// 1 to 5; any other name is hashed (FNV-1a, 64 bits).
    pub fn keyed(seed: u64, name: &str, index: u32) -> Random {
        let purpose = match name {
            "weights" => 1,
            "order" => 2,
            "readout-weights" => 3,
            "readout-order" => 4,
            "synthetic" => 5,
            _ => fnv(name.as_bytes()),
        };
        // The 256-bit state is the identity of the stream, stirred: two streams never share a state, and SplitMix64
        // (inside `seed_from_u64`) keeps states of few set bits away.
        let mut key = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut state = [0; 32];
        for (i, word) in state.chunks_exact_mut(8).enumerate() {
            let tag = match i {
                0 => purpose,
                1 => u64::from(index),
                _ => 0,
            };
            word.copy_from_slice(&(key.next_u64() ^ tag).to_le_bytes());
        }
        let mut stream = Xoshiro256PlusPlus::from_seed(state);
        for _ in 0..16 {
            stream.next_u64();
        }
        Random(stream)
    }

    /// Draws 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Draws from the uniform distribution over (0, 1): the middle of one of 2⁵³ equal parts.
    pub fn uniform(&mut self) -> f64 {
        ((self.next_u64() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Draws from the normal distribution N(0, 1): √(−2 ln u) cos(2π v) (Box & Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.uniform()));
        radius * libm::cos(std::f64::consts::TAU * self.uniform())
    }

    /// Shuffles (Fisher & Yates), every order equally likely up to 2⁻³².
    pub fn shuffle(&mut self, values: &mut [u32]) {
        for last in (1..values.len()).rev() {
            let chosen = (u128::from(self.next_u64()) * (last as u128 + 1)) >> 64;
            values.swap(last, chosen as usize);
        }
    }

    /// Draws a random order of the numbers 0 … samples − 1.
    ///
    /// # Allocates
    /// The order.
    ///
    /// # Panics
    /// If `samples` exceeds 2³² − 1.
    pub fn order(&mut self, samples: usize) -> Vec<u32> {
        let mut order: Vec<u32> = (0..u32::try_from(samples).expect("at most 2^32 - 1 samples")).collect();
        self.shuffle(&mut order);
        order
    }
}

/// FNV-1a, 64 bits (Fowler, Noll & Vo).
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_and_repeat() {
        let streams = [
            ("weights", 0),
            ("order", 0),
            ("order", 1),
            ("readout-order", 0),
            ("synthetic", 0),
            ("biological", 0),
            ("biological", 1),
            ("backpropagation", 0),
        ];
        let first: Vec<u64> = streams.iter().map(|&(name, index)| Random::keyed(7, name, index).next_u64()).collect();
        for (i, a) in first.iter().enumerate() {
            let (name, index) = streams[i];
            assert_eq!(*a, Random::keyed(7, name, index).next_u64());
            assert_ne!(*a, Random::keyed(8, name, index).next_u64());
            assert!(first[..i].iter().all(|b| a != b));
        }
    }

    #[test]
    fn names_are_hashed_as_published() {
        // Test vectors of the FNV authors.
        assert_eq!(fnv(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv(b"foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn normals_have_mean_zero_and_variance_one() {
        let mut random = Random::keyed(1, "weights", 0);
        let draws: Vec<f64> = (0..100_000).map(|_| random.normal()).collect();
        let mean = draws.iter().sum::<f64>() / 1e5;
        let variance = draws.iter().map(|draw| draw * draw).sum::<f64>() / 1e5;
        assert!(mean.abs() < 0.01 && (variance - 1.0).abs() < 0.02, "mean {mean}, variance {variance}");
    }
}
