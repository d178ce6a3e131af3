//! Mistakes that can be planted in the engine, to see that the simulator finds them.

/// A mistake an engine could have. None can be planted without the feature `mistakes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    not(feature = "mistakes"),
    expect(unreachable_pub, reason = "exported with the feature alone")
)]
#[cfg_attr(
    not(feature = "sim"),
    allow(
        dead_code,
        reason = "some are those of a source, and the simulator has the sources"
    )
)]
pub enum Mistake {
    /// An input is settled when its call begins.
    AcknowledgeFirst,
    /// An input is settled on 2xx, and its replies are published after that.
    SettleBeforeReplies,
    /// What is held is not reported as in progress.
    ForgetProgress,
    /// A function that is down or full costs an attempt.
    CountRefusals,
    /// A sick function costs attempts like a well one.
    CountWhileSick,
    /// An event does not wait for the one before it in its lane.
    OvertakeKey,
    /// A retry lets the next of its lane go first.
    RetryAtTheEnd,
    /// When the dead-letter store is away the input is settled without.
    DropWithoutLetterStore,
    /// A retry does not wait for its time.
    RetryEarly,
    /// A Retry-After is not heard.
    IgnoreRetryAfter,
    /// A death charges everybody in flight.
    ChargeNeighbours,
    /// A suspect does not run alone.
    SuspectsTogether,
    /// After a hand-over new messages run before those of the old owner.
    IgnoreHandover,
    /// What comes when the window is full is settled unseen.
    DropOnFullWindow,
    /// The window and the body budget are not kept.
    NoWindow,
    /// A reply that is published again gets another dedup id.
    NewIdOnRepeat,
    /// A reply is published under its event's id alone, and a letter under its event's id.
    IdOfEvent,
    /// A reply is published before all of its answer are checked.
    PublishBeforeCheck,
    /// A publication that fails calls the function again.
    CallAgainOnPublish,
    /// A batch that fails as a whole charges each of its events.
    ChargeBatch,
    /// An event that is held and comes again is started again.
    StartRepeated,
    /// After the subscription is lost, what is held goes on to be settled.
    SettleWhenLost,
    /// Of a log that goes to another owner, events are started still.
    StartRevoked,
    /// Each subscription takes the whole body budget.
    WholeBudgetEach,
    /// A source of partitions commits up to the last that is finished, whatever lies before it.
    CommitPastUnfinished,
    /// A source of partitions writes more into a commit than the broker takes.
    CommitTooMuch,
    /// A source of partitions begins after all that the owner before it may have read.
    BeginPastCommit,
    /// A lease is taken as soon as it was not renewed.
    TakeOverEarly,
    /// A lease that was not renewed is worked under all the same.
    KeepOldLease,
    /// A source does not look whether messages between two of its own went to somebody else, or were lost.
    IgnoreGap,
    /// A source repeats for ever the ack of a delivery that its server has forgotten.
    RepeatForgotten,
}

/// At most one planted mistake.
#[derive(Debug, Clone, Copy, Default)]
pub struct Planted(#[cfg(feature = "mistakes")] Option<Mistake>);

#[cfg(feature = "mistakes")]
impl Mistake {
    /// Every one.
    pub const ALL: [Self; 31] = [
        Self::AcknowledgeFirst,
        Self::SettleBeforeReplies,
        Self::ForgetProgress,
        Self::CountRefusals,
        Self::CountWhileSick,
        Self::OvertakeKey,
        Self::RetryAtTheEnd,
        Self::DropWithoutLetterStore,
        Self::RetryEarly,
        Self::IgnoreRetryAfter,
        Self::ChargeNeighbours,
        Self::SuspectsTogether,
        Self::IgnoreHandover,
        Self::DropOnFullWindow,
        Self::NoWindow,
        Self::NewIdOnRepeat,
        Self::IdOfEvent,
        Self::PublishBeforeCheck,
        Self::CallAgainOnPublish,
        Self::ChargeBatch,
        Self::StartRepeated,
        Self::SettleWhenLost,
        Self::StartRevoked,
        Self::WholeBudgetEach,
        Self::CommitPastUnfinished,
        Self::CommitTooMuch,
        Self::BeginPastCommit,
        Self::TakeOverEarly,
        Self::KeepOldLease,
        Self::IgnoreGap,
        Self::RepeatForgotten,
    ];
}

impl Planted {
    /// This one.
    #[cfg(feature = "mistakes")]
    pub const fn one(mistake: Mistake) -> Self {
        Self(Some(mistake))
    }

    /// Whether this one is planted; never without the feature.
    #[cfg(feature = "mistakes")]
    pub(crate) fn is(self, mistake: Mistake) -> bool {
        self.0 == Some(mistake)
    }

    /// Whether this one is planted; never without the feature.
    #[cfg(not(feature = "mistakes"))]
    #[expect(
        clippy::unused_self,
        reason = "with the feature it says which one is planted"
    )]
    pub(crate) const fn is(self, _: Mistake) -> bool {
        false
    }
}
