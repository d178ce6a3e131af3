//! Ratios of interleaved pairs, and the rule by which a budget is missed.

use std::fmt;

/// What was measured for a contender and for its reference, pair by pair.
#[derive(Debug, Default)]
pub struct Pairs {
    /// The reference's figures, in the order they were taken.
    reference: Vec<f64>,
    /// The contender's figures, each taken right after the reference's of the same place.
    contender: Vec<f64>,
}

/// What a ratio has to be.
#[derive(Clone, Copy, Debug)]
pub enum Budget {
    /// Such as a rate.
    AtLeast(f64),
    /// Such as a cost.
    AtMost(f64),
}

/// Whether a budget is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The median keeps it.
    Kept,
    /// The median does not, but by no more than the reference differs from itself.
    WithinUnrest,
    /// Neither.
    Missed,
}

// === impl Pairs ===

impl Pairs {
    /// Adds one pair.
    pub fn push(&mut self, reference: f64, contender: f64) {
        self.reference.push(reference);
        self.contender.push(contender);
    }

    /// The median of what the pairs' ratios are: contender by reference.
    pub fn ratio(&self) -> f64 {
        median(
            self.contender
                .iter()
                .zip(&self.reference)
                .map(|(contender, reference)| contender / reference),
        )
    }

    /// The median of what the contender has more than the reference.
    pub fn added(&self) -> f64 {
        median(
            self.contender
                .iter()
                .zip(&self.reference)
                .map(|(contender, reference)| contender - reference),
        )
    }

    /// How much the reference differs from itself in this run, as a share: the median change from one of its figures to the next.
    pub fn unrest(&self) -> f64 {
        median(
            self.reference
                .windows(2)
                .map(|pair| (pair[1] / pair[0] - 1.0).abs()),
        )
    }

    /// The median of the contender's figures.
    pub fn contender(&self) -> f64 {
        median(self.contender.iter().copied())
    }

    /// The median of the reference's figures.
    pub fn reference(&self) -> f64 {
        median(self.reference.iter().copied())
    }

    /// Holds the ratio against `budget`.
    pub fn verdict(&self, budget: Budget) -> Verdict {
        budget.verdict(self.ratio(), self.unrest())
    }
}

// === impl Budget ===

impl Budget {
    /// A budget is missed when `ratio` lies beyond it by more than `unrest`.
    pub fn verdict(self, ratio: f64, unrest: f64) -> Verdict {
        let short = match self {
            Self::AtLeast(least) => least - ratio,
            Self::AtMost(most) => ratio - most,
        };
        match short {
            _ if short <= 0.0 => Verdict::Kept,
            _ if short <= unrest => Verdict::WithinUnrest,
            _ => Verdict::Missed,
        }
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "≥ {least}"),
            Self::AtMost(most) => write!(f, "≤ {most}"),
        }
    }
}

// === impl Verdict ===

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kept => "kept",
            Self::WithinUnrest => "within unrest",
            Self::Missed => "MISSED",
        })
    }
}

/// The middle of some figures, or the mean of the two in the middle; 0 of none.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => 0.0,
        count if count % 2 == 1 => figures[count / 2],
        count => (figures[count / 2 - 1] + figures[count / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(figures: &[(f64, f64)]) -> Pairs {
        let mut pairs = Pairs::default();
        for (reference, contender) in figures {
            pairs.push(*reference, *contender);
        }
        pairs
    }

    #[test]
    fn a_ratio_is_the_median_of_the_pairs() {
        let pairs = pairs(&[(100.0, 90.0), (200.0, 220.0), (100.0, 300.0)]);
        assert!((pairs.ratio() - 1.1).abs() < 1e-9);
    }

    #[test]
    fn a_steady_reference_forgives_nothing() {
        let pairs = pairs(&[(100.0, 99.0), (100.0, 99.0), (100.0, 99.0)]);
        assert_eq!(pairs.verdict(Budget::AtLeast(1.0)), Verdict::Missed);
        assert_eq!(pairs.verdict(Budget::AtLeast(0.99)), Verdict::Kept);
    }

    #[test]
    fn an_unsteady_reference_forgives_as_much_as_it_differs_from_itself() {
        let pairs = pairs(&[(100.0, 95.0), (110.0, 104.5), (100.0, 95.0)]);
        assert_eq!(pairs.verdict(Budget::AtLeast(1.0)), Verdict::WithinUnrest);
        assert_eq!(pairs.verdict(Budget::AtLeast(1.2)), Verdict::Missed);
    }

    #[test]
    fn a_cost_is_held_from_above() {
        assert_eq!(Budget::AtMost(0.4).verdict(0.3, 0.0), Verdict::Kept);
        assert_eq!(Budget::AtMost(0.4).verdict(0.5, 0.05), Verdict::Missed);
    }
}
