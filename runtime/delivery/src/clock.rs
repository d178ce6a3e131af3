//! Time and chance, as parameters: the engine reads no wall clock and draws from no generator of its own, so that the
//! simulator can replay a history exactly.

use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::ops::{Add, Sub};
use std::time::{Duration, Instant, SystemTime};

/// A moment on a [`Clock`], counted from that clock's own beginning. Never goes back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(Duration);

/// Where the engine reads the time and waits for it.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> Time;

    /// The time of day, for what people and other machines read: the notes of a dead letter, a Retry-After date.
    fn wall(&self) -> SystemTime;

    /// Completes at `time` or soon after it, never before.
    fn sleep_until(&self, time: Time) -> impl Future<Output = ()> + Send;
}

/// Where the engine draws its waits from.
pub trait Random: Send + 'static {
    /// The next 64 uniform bits.
    fn next(&mut self) -> u64;

    /// Uniform in [0, `longest`], to the nanosecond: the full jitter of a wait.
    fn up_to(&mut self, longest: Duration) -> Duration {
        let span = longest.as_nanos() + 1;
        Duration::from_nanos(((u128::from(self.next()) * span) >> 64) as u64)
    }
}

/// The clock of this machine, on tokio's timers.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    origin: Instant,
}

/// SplitMix64 (Steele, Lea, Flood 2014): one seed, one sequence.
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Time {
    /// `since` after the beginning of the clock.
    pub const fn from_origin(since: Duration) -> Self {
        Self(since)
    }

    /// How long after the beginning of the clock this is.
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(wait))
    }
}

impl Sub<Duration> for Time {
    type Output = Self;

    fn sub(self, wait: Duration) -> Self {
        Self(self.0.saturating_sub(wait))
    }
}

impl SystemClock {
    /// A clock that begins now.
    pub fn start() -> Self {
        Self {
            origin: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::start()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Time {
        Time(self.origin.elapsed())
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep_until(&self, time: Time) -> impl Future<Output = ()> + Send {
        let deadline = self.origin.checked_add(time.0);
        async move {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
                None => std::future::pending().await,
            }
        }
    }
}

impl Seeded {
    /// The sequence of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A sequence nobody can foresee, from the keys that the standard library draws for its hash maps.
    pub fn unpredictable() -> Self {
        Self(
            std::collections::hash_map::RandomState::new()
                .build_hasher()
                .finish(),
        )
    }

    /// A sequence of its own, drawn from this one.
    pub fn fork(&mut self) -> Self {
        Self(self.next())
    }
}

impl Random for Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_wait_covers_its_range_and_never_leaves_it() {
        let mut random = Seeded::new(7);
        let longest = Duration::from_millis(100);
        let draws: Vec<Duration> = (0..2_000).map(|_| random.up_to(longest)).collect();
        assert!(draws.iter().all(|wait| *wait <= longest));
        assert!(draws.iter().any(|wait| *wait < longest / 20));
        assert!(draws.iter().any(|wait| *wait > longest * 19 / 20));
        assert_eq!(random.up_to(Duration::ZERO), Duration::ZERO);
    }
}
