use std::{borrow::Cow, error::Error, fmt, time::Duration};

/// Boxed error, as `?` and handlers hand it over.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why an event was not done, and what shall become of it.
///
/// ```
/// # use openfaas_runtime::Failure;
/// # use std::time::Duration;
/// let busy = Failure::retry().after(Duration::from_secs(30)).because("the bank is busy");
/// let wrong = Failure::reject("an order without lines");
/// assert!(busy.is_retry() && !wrong.is_retry());
/// ```
///
/// Every [`std::error::Error`] becomes a retry by `?`: what an author did not judge is worth another attempt.
///
/// Over HTTP a retry is 503 with `Retry-After` (and `X-Delivery-Wait: back-off` where it names no time), a rejection is 422;
/// the reason is the answer's text.
pub struct Failure(Box<Inner>);

#[derive(Debug)]
struct Inner {
    /// What the sender is asked to do.
    verdict: Verdict,
    /// For the log, the answer and the dead letter.
    reason: Cow<'static, str>,
    /// The error behind it.
    source: Option<BoxError>,
}

/// What the sender is asked to do with the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Send it again, no earlier than this; `None`: whenever the sender's back-off says.
    Retry(Option<Duration>),
    /// Never send it again: it goes to the dead letters.
    Reject,
}

/// Carries a [`Failure`] through `Box<dyn Error>` and back.
#[derive(Debug)]
struct Carried(Failure);

// === impl Failure ===

impl Failure {
    /// The event is given back and comes again later.
    pub fn retry() -> Failure {
        Failure::new(Verdict::Retry(None), "to be retried")
    }

    /// The event is never tried again: it goes to the dead letters with this reason.
    pub fn reject(reason: impl Into<Cow<'static, str>>) -> Failure {
        Failure::new(Verdict::Reject, reason)
    }

    fn new(verdict: Verdict, reason: impl Into<Cow<'static, str>>) -> Failure {
        Failure(Box::new(Inner {
            verdict,
            reason: reason.into(),
            source: None,
        }))
    }

    /// A retry comes no earlier than this; it travels in whole seconds, rounded up. A rejection stays one.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Failure {
        if let Verdict::Retry(after) = &mut self.0.verdict {
            *after = Some(wait);
        }
        self
    }

    /// Says why, for the log, the answer and the dead letter.
    #[must_use]
    pub fn because(mut self, reason: impl Into<Cow<'static, str>>) -> Failure {
        self.0.reason = reason.into();
        self
    }

    /// Whether the event shall come again.
    pub fn is_retry(&self) -> bool {
        matches!(self.0.verdict, Verdict::Retry(_))
    }

    /// Whether the event goes to the dead letters.
    pub fn is_rejection(&self) -> bool {
        !self.is_retry()
    }

    /// The wait a retry asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self.0.verdict {
            Verdict::Retry(after) => after,
            Verdict::Reject => None,
        }
    }

    /// Why: the words of [`because`](Failure::because) or [`reject`](Failure::reject), or the error and its causes.
    pub fn reason(&self) -> &str {
        &self.0.reason
    }

    /// Takes back a [`Failure`] that travelled as a boxed error; any other error is a retry.
    pub(crate) fn from_box(error: BoxError) -> Failure {
        match error.downcast::<Carried>() {
            Ok(carried) => carried.0,
            Err(error) => Failure::from_error(error),
        }
    }

    fn from_error(error: BoxError) -> Failure {
        let mut reason = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            reason.push_str(": ");
            reason.push_str(&inner.to_string());
            cause = inner.source();
        }
        let mut failure = Failure::new(Verdict::Retry(None), reason);
        failure.0.source = Some(error);
        failure
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure::from_error(Box::new(error))
    }
}

impl From<Failure> for BoxError {
    fn from(failure: Failure) -> BoxError {
        Box::new(Carried(failure))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("verdict", &self.0.verdict)
            .field("reason", &self.0.reason)
            .field("source", &self.0.source)
            .finish()
    }
}

// === impl Carried ===

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Carried {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.0.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot charge")]
    struct Charge(#[source] std::io::Error);

    #[test]
    fn any_error_is_a_retry_whose_reason_names_its_causes() {
        let failure = Failure::from(Charge(std::io::Error::other("no route to bank")));
        assert!(failure.is_retry());
        assert_eq!(failure.retry_after(), None);
        assert_eq!(failure.reason(), "cannot charge: no route to bank");
    }

    #[test]
    fn a_rejection_stays_one_through_a_box_and_past_after() {
        let failure = Failure::reject("no lines").after(Duration::from_secs(3));
        let failure = Failure::from_box(BoxError::from(failure));
        assert!(failure.is_rejection());
        assert_eq!(failure.retry_after(), None);
        assert_eq!(failure.reason(), "no lines");
    }

    #[test]
    fn words_are_an_error_too() {
        let failure = Failure::from_box("not today".into());
        assert!(failure.is_retry());
        assert_eq!(failure.reason(), "not today");
    }
}
