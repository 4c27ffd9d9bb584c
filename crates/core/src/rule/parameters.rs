//! What a caller chooses: the numbers of the rule, and how scores are found.
//!
//! One minibatch, in the author's words (NumPy):
//! ```text
//! I  = (sgn W ∘ |W|^(p−1)) X                 score      every unit, every example
//! y  = 1 for the largest I of an example,    rank
//!      −Δ for the k-th largest, 0 elsewhere
//! ds = y Xᵀ − rowsum(y ∘ I) ∘ W              update     only rows with y ≠ 0 somewhere
//! W += ε ds / max(max |ds|, 1e−30)
//! ```
//!
//! Unlike the authors' code, an updated weight below 2^(−120/(p−1)), between 2⁻¹⁰⁰ and 2⁻³⁰, is flushed to zero.

use crate::error::{Error, Result};
use crate::inputs::{Elements, Inputs};
use crate::isa::Kernels;
use crate::kernels::{IntegerNorm, power_real};
use crate::vector::Lanes;

/// The learning rule of Krotov & Hopfield 2019: Lebesgue norm p, anti-Hebbian rank k, anti-Hebbian strength Δ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    p: f64,
    k: usize,
    delta: f32,
    balance: Option<f32>,
}

/// How w′ is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Norm {
    Two,
    Integer(IntegerNorm),
    Real(f64),
}

impl Rule {
    /// Checks and takes the three numbers.
    ///
    /// Source: PNAS 116(16):7723, eq. 2 (p), eq. 10 (k counts the winner as 1; Δ).
    ///
    /// # Errors
    /// [`Error::Value`] unless 1 ≤ p < ∞, k ≥ 2 and 0 ≤ Δ < ∞.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::Rule;
    /// assert_eq!(Rule::new(3.0, 7, 0.4)?.k(), 7);
    /// assert!(Rule::new(0.5, 7, 0.4).is_err());
    /// # Ok::<(), rivalry_core::Error>(())
    /// ```
    pub fn new(p: f64, k: usize, delta: f64) -> Result<Rule> {
        if !(p.is_finite() && p >= 1.0) {
            return Err(Error::value("p", "a finite number of at least 1", p));
        }
        if k < 2 {
            return Err(Error::value("k", "a rank of at least 2", k));
        }
        if !(delta >= 0.0 && delta <= f64::from(f32::MAX)) {
            return Err(Error::value("delta", "a finite number of at least 0", delta));
        }
        Ok(Rule { p, k, delta: delta as f32, balance: None })
    }

    /// Limits how often a unit takes the anti-Hebbian update; `None` is the rule of the paper.
    ///
    /// A unit of rank k learns with g = −Δ only while pushes + 1 ≤ balance · wins, where wins and pushes count how often the
    /// unit won and was pushed. Wins start at 1, pushes at 0, and both are multiplied by f32 0.9995 before every minibatch.
    /// Ours; it keeps units from turning negative for good.
    ///
    /// # Errors
    /// [`Error::Value`] unless the balance is finite and above 0.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::Rule;
    /// assert_eq!(Rule::new(3.0, 7, 0.4)?.with_balance(Some(1.0))?.balance(), Some(1.0));
    /// # Ok::<(), rivalry_core::Error>(())
    /// ```
    pub fn with_balance(self, balance: Option<f32>) -> Result<Rule> {
        match balance {
            Some(limit) if !(limit.is_finite() && limit > 0.0) => {
                Err(Error::value("balance", "a finite number above 0", limit))
            }
            _ => Ok(Rule { balance, ..self }),
        }
    }

    /// The Lebesgue norm p.
    pub fn p(&self) -> f64 {
        self.p
    }

    /// The rank k that learns with the opposite sign.
    pub fn k(&self) -> usize {
        self.k
    }

    /// The anti-Hebbian strength Δ.
    pub fn delta(&self) -> f32 {
        self.delta
    }

    /// The largest number of anti-Hebbian updates of a unit for each of its wins.
    pub fn balance(&self) -> Option<f32> {
        self.balance
    }

    /// The ranks that have to be known: k, or the winner alone where rank k learns nothing.
    pub fn ranks(&self) -> usize {
        if self.delta > 0.0 { self.k } else { 1 }
    }

    fn norm(&self) -> Norm {
        match self.p {
            2.0 => Norm::Two,
            3.0 => Norm::Integer(IntegerNorm::Three),
            4.0 => Norm::Integer(IntegerNorm::Four),
            5.0 => Norm::Integer(IntegerNorm::Five),
            p => Norm::Real(p),
        }
    }

    /// The norm, if w′ takes only a few multiplications.
    pub(crate) fn integer_norm(&self) -> Option<IntegerNorm> {
        match self.norm() {
            Norm::Integer(p) => Some(p),
            Norm::Two | Norm::Real(_) => None,
        }
    }

    /// The smallest magnitude of a weight that is kept: 2^(−120/(p−1)), between 2⁻¹⁰⁰ and 2⁻³⁰, so that w′ is never subnormal
    /// up to p = 5. A learned weight that becomes smaller is 0: the weights of pixels that are always blank shrink for ever.
    /// Beyond p = 5 the bound would reach weights that count.
    pub fn smallest(&self) -> f32 {
        libm::exp2((-120.0 / (self.p - 1.0)).clamp(-100.0, -30.0)) as f32
    }

    /// Whether w′ differs from w, so that it has to be kept beside it.
    pub(crate) fn has_powers(&self) -> bool {
        self.norm() != Norm::Two
    }

    /// Writes w′ = sgn(w) |w|^(p−1) of a row.
    pub(crate) fn power(&self, kernels: &Kernels, weights: &[Lanes], powers: &mut [Lanes]) {
        match self.norm() {
            Norm::Two => powers.copy_from_slice(weights),
            Norm::Integer(p) => kernels.power(p, weights, powers),
            Norm::Real(p) => {
                for (power, w) in powers.as_flattened_mut().iter_mut().zip(weights.as_flattened()) {
                    *power = power_real(*w, p);
                }
            }
        }
    }
}

/// The longest example whose int8 scores fit 32 bits.
pub(crate) const MAX_INPUTS: usize = 1 << 16;
/// With more ranks than this too many of them would share a lane of the lower bounds.
pub(crate) const MAX_RANKS: usize = 32;

/// How a [`crate::Learner`] finds the k best units of each example.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// Screened for u8 inputs, dense otherwise.
    #[default]
    Auto,
    /// Every unit is scored exactly.
    Dense,
    /// Int8 scores show which units can be among the k best; only those are scored exactly. For pixels only, at most
    /// 65 536 an example, and k up to 32.
    Screened,
}

impl Engine {
    /// Returns the engine that finds the k best units for these inputs: never [`Engine::Auto`].
    ///
    /// # Errors
    /// [`Error::Engine`] if [`Engine::Screened`] does not apply.
    ///
    /// # Example
    /// ```
    /// use rivalry_core::{Engine, Inputs};
    /// assert_eq!(Engine::Auto.on(&Inputs::u8(&[0; 4], 2)?, 7)?, Engine::Screened);
    /// assert_eq!(Engine::Auto.on(&Inputs::f32(&[0.5; 4], 2)?, 7)?, Engine::Dense);
    /// # Ok::<(), rivalry_core::Error>(())
    /// ```
    pub fn on(self, inputs: &Inputs<'_>, k: usize) -> Result<Engine> {
        let refusal = match inputs.elements() {
            Elements::F32(_) => Some("inputs that are floats".to_owned()),
            Elements::U8(_) if inputs.inputs() > MAX_INPUTS => Some(format!("more than {MAX_INPUTS} inputs")),
            Elements::U8(_) if k > MAX_RANKS => Some(format!("k above {MAX_RANKS}")),
            Elements::U8(_) => None,
        };
        match (self, refusal) {
            (Engine::Screened, Some(what)) => Err(Error::Engine { what }),
            (Engine::Dense, _) | (Engine::Auto, Some(_)) => Ok(Engine::Dense),
            (Engine::Auto | Engine::Screened, None) => Ok(Engine::Screened),
        }
    }

    /// The name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Engine::Auto => "auto",
            Engine::Dense => "dense",
            Engine::Screened => "screened",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flushed_weights_are_far_below_those_that_count() {
        let smallest = |p| Rule::new(p, 2, 0.0).unwrap().smallest();
        for (p, exponent) in [(1.0, -100), (2.0, -100), (2.2, -100), (3.0, -60), (4.0, -40), (5.0, -30), (12.0, -30)] {
            assert_eq!(smallest(p), libm::ldexpf(1.0, exponent), "p {p}");
        }
        for p in [2.0, 2.5, 3.0, 4.5, 5.0] {
            assert!(power_real(smallest(p), p).is_normal(), "p {p}");
        }
    }
}
