//! What is done before exact scores, and when something else is tried.

/// With one digit, the second digits of candidates may be this much of a hundred of all first digits, in groups of four inputs
/// that are multiplied; beyond, both digits of all units cost less.
const DEAR_DIGITS: usize = 50;
/// With two digits, of a hundred units this many may be left to be scored exactly; beyond, the dense engine costs less.
const DEAR_SCORES: usize = 16;
/// Minibatches before fewer digits are tried again: at first, and at most.
pub(super) const PAUSE: (u32, u32) = (64, 4096);

/// What is done before exact scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    /// One digit of all units, the second one of candidates.
    OneDigit,
    /// Two digits of all units.
    TwoDigits,
    /// Nothing: screening does not pay, and the digits are out of date.
    Dense,
}

impl Course {
    /// Panels of sixteen units.
    pub(super) fn digits(self) -> usize {
        if self == Course::TwoDigits { 2 } else { 1 }
    }
}

/// What a minibatch came to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Toll {
    /// Units that came near, of all examples.
    pub(super) candidates: usize,
    /// Groups of four inputs that were multiplied for a unit, of all examples.
    pub(super) groups: usize,
}

/// The course at present, and when another one is due.
#[derive(Debug)]
pub(super) struct Courses {
    pub(super) now: Course,
    pause: u32,
    left: u32,
}

impl Courses {
    pub(super) fn new() -> Courses {
        Courses { now: Course::Dense, pause: PAUSE.0, left: 0 }
    }

    /// Whether the next minibatch will be screened.
    pub(super) fn screens_next(&self) -> bool {
        self.now != Course::Dense || self.left == 0
    }

    /// The course to take before the next minibatch, if it is another one.
    pub(super) fn before(&mut self) -> Option<Course> {
        if self.now == Course::OneDigit {
            return None;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                None
            }
            None => Some(Course::OneDigit),
        }
    }

    /// The course to take after a minibatch of so many `samples`, with so many `rows`, if too many units came near. `groups` is
    /// what one row of second digits has.
    pub(super) fn after(&mut self, toll: Toll, samples: usize, rows: usize, groups: usize) -> Option<Course> {
        let (dear, next) = match self.now {
            Course::OneDigit => (toll.candidates * groups * 100 > toll.groups * rows * DEAR_DIGITS, Course::TwoDigits),
            _ => (toll.candidates * 100 > samples * rows * DEAR_SCORES, Course::Dense),
        };
        if !dear {
            return None;
        }
        self.left = self.pause;
        self.pause = (self.pause * 2).min(PAUSE.1);
        Some(next)
    }
}
