//! Which level of screening is used, and when another one is tried.

/// Switch to the residual level once refinement costs more than this percentage of the coarse pass, counted in 4-input dot
/// products.
const REFINE_LIMIT: usize = 50;
/// Switch to the dense engine once this percentage of the units is left to score exactly.
const SCORE_LIMIT: usize = 16;
/// Minibatches before a coarser level is tried again: at first, and at most. Every switch doubles the pause.
pub(super) const PAUSE: (u32, u32) = (64, 4096);

/// What is computed for all units before exact scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// The coarse int8 product; the residual one of candidates only.
    Coarse,
    /// Both int8 products.
    Residual,
    /// Nothing: screening does not pay, and the int8 levels are out of date.
    Dense,
}

impl Level {
    /// The int8 levels in the panels.
    pub(super) fn depth(self) -> usize {
        if self == Level::Residual { 2 } else { 1 }
    }
}

/// What the screening of a minibatch cost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Cost {
    /// Candidates, summed over the examples.
    pub(super) candidates: usize,
    /// 4-input dot products per unit, summed over the examples.
    pub(super) groups: usize,
}

/// The level at present, and the minibatches until a coarser one is tried.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) level: Level,
    pause: u32,
    left: u32,
}

impl Policy {
    pub(super) fn new() -> Policy {
        Policy { level: Level::Dense, pause: PAUSE.0, left: 0 }
    }

    /// Whether the next minibatch will be screened.
    pub(super) fn screens_next(&self) -> bool {
        self.level != Level::Dense || self.left == 0
    }

    /// Returns the level of the next minibatch if it is another one.
    pub(super) fn before(&mut self) -> Option<Level> {
        if self.level == Level::Coarse {
            return None;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                None
            }
            None => Some(Level::Coarse),
        }
    }

    /// Returns the next level if a minibatch of so many `samples`, screened for so many `rows`, cost too much. `groups` are the
    /// 4-input dot products of one row.
    pub(super) fn after(&mut self, cost: Cost, samples: usize, rows: usize, groups: usize) -> Option<Level> {
        let (too_much, next) = match self.level {
            Level::Coarse => (cost.candidates * groups * 100 > cost.groups * rows * REFINE_LIMIT, Level::Residual),
            _ => (cost.candidates * 100 > samples * rows * SCORE_LIMIT, Level::Dense),
        };
        if !too_much {
            return None;
        }
        self.left = self.pause;
        self.pause = (self.pause * 2).min(PAUSE.1);
        Some(next)
    }
}
