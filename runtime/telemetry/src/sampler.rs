//! Which spans are recorded (`OTEL_TRACES_SAMPLER`).

use crate::context::{TraceContext, TraceId};

/// Decides once, at the root of a trace or where a trace comes in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Sampler {
    /// By its own rule, whatever the caller decided.
    Own(Rule),
    /// As the caller decided; by this rule where there is no caller.
    ParentBased(Rule),
}

/// How a sampler decides without a parent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rule {
    AlwaysOn,
    AlwaysOff,
    /// Those whose trace id is below this bound, of 2⁶³.
    Ratio(u64),
}

impl Sampler {
    /// Whether a span of `trace_id` below `parent` is recorded.
    pub(crate) fn samples(&self, parent: Option<&TraceContext>, trace_id: TraceId) -> bool {
        match (self, parent) {
            (Self::ParentBased(_), Some(parent)) => parent.sampled(),
            (Self::Own(rule) | Self::ParentBased(rule), _) => rule.samples(trace_id),
        }
    }
}

impl Default for Sampler {
    fn default() -> Self {
        Self::ParentBased(Rule::AlwaysOn)
    }
}

impl Rule {
    /// That share of all traces, in [0, 1].
    pub(crate) fn ratio(share: f64) -> Self {
        Self::Ratio((share * (1_u64 << 63) as f64) as u64)
    }

    fn samples(self, trace_id: TraceId) -> bool {
        match self {
            Self::AlwaysOn => true,
            Self::AlwaysOff => false,
            Self::Ratio(bound) => trace_id.low_bits() < bound,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_decides_unless_the_rule_is_ours_alone() {
        for sampled in [true, false] {
            let parent = TraceContext::new_root(sampled);
            let id = parent.trace_id();
            for rule in [Rule::AlwaysOn, Rule::AlwaysOff, Rule::ratio(0.5)] {
                assert_eq!(
                    Sampler::ParentBased(rule).samples(Some(&parent), id),
                    sampled
                );
            }
            assert!(Sampler::Own(Rule::AlwaysOn).samples(Some(&parent), id));
            assert!(!Sampler::Own(Rule::AlwaysOff).samples(Some(&parent), id));
        }
    }

    #[test]
    fn a_ratio_takes_that_share_and_the_same_traces_everywhere() {
        let ids: Vec<_> = (0..20_000).map(|_| TraceId::random()).collect();
        let taken = |share| {
            let rule = Sampler::Own(Rule::ratio(share));
            ids.iter().filter(|id| rule.samples(None, **id)).count()
        };
        assert_eq!(taken(0.0), 0);
        assert_eq!(taken(1.0), ids.len());
        assert!((4_000..6_000).contains(&taken(0.25)));
        let both = ids
            .iter()
            .filter(|id| Rule::ratio(0.25).samples(**id) && !Rule::ratio(0.5).samples(**id));
        assert_eq!(both.count(), 0);
    }
}
