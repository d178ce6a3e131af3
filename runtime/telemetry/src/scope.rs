//! The call that the current task works for: what gives log lines their ids and an author's spans their parent.

use std::cell::RefCell;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::author;
use crate::context::TraceContext;
use crate::span::Span;
use crate::telemetry::Telemetry;

/// Longest call id that is kept without an allocation: a UUID.
const INLINE: usize = 36;
thread_local! {
    static CURRENT: RefCell<Option<Scope>> = const { RefCell::new(None) };
}

/// The id of a call (`X-Call-Id`), cheap to clone.
#[derive(Clone)]
pub struct CallId(Text);

#[derive(Clone)]
enum Text {
    Inline([u8; INLINE], u8),
    Shared(Arc<str>),
}

/// One call, as those who work for it know it.
#[derive(Clone, Debug)]
pub struct Scope {
    telemetry: Telemetry,
    context: TraceContext,
    call_id: CallId,
    /// Whether the context may leave this process.
    local: bool,
}

pin_project! {
    /// A future that runs in a [`Scope`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        #[pin]
        future: F,
        scope: Option<Scope>,
    }
}

// === impl CallId ===

impl CallId {
    /// This id.
    pub fn new(id: &str) -> Self {
        let mut inline = [0; INLINE];
        match inline.get_mut(..id.len()) {
            Some(place) => {
                place.copy_from_slice(id.as_bytes());
                Self(Text::Inline(inline, id.len() as u8))
            }
            None => Self(Text::Shared(id.into())),
        }
    }

    /// A new random UUID (version 4).
    pub fn generate() -> Self {
        let random = fastrand::u128(..);
        let (one, two) = (random as u64, (random >> 64) as u64);
        let [a, b, c, d] = [one, one >> 4, two, two >> 4].map(digits);
        let mut text = [b'-'; INLINE];
        text[..8].copy_from_slice(&a);
        text[9..13].copy_from_slice(&b[..4]);
        text[14..18].copy_from_slice(&b[4..]);
        text[19..23].copy_from_slice(&c[..4]);
        text[24..28].copy_from_slice(&c[4..]);
        text[28..].copy_from_slice(&d);
        text[14] = b'4';
        text[19] = b"89ab"[(two & 3) as usize];
        Self(Text::Inline(text, INLINE as u8))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Text::Inline(bytes, len) => {
                std::str::from_utf8(&bytes[..usize::from(*len)]).unwrap_or_default()
            }
            Text::Shared(text) => text,
        }
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallId({self})")
    }
}

impl PartialEq for CallId {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for CallId {}

/// The lower-case hexadecimal digits of eight bytes' lower halves, all at once.
fn digits(bytes: u64) -> [u8; 8] {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let halves = bytes & (0x0f * EACH);
    let letters = ((halves + 0x06 * EACH) >> 4) & EACH;
    let ascii = halves + u64::from(b'0') * EACH + letters * u64::from(b'a' - b'0' - 10);
    ascii.to_le_bytes()
}

// === impl Scope ===

impl Scope {
    /// What is done for the call `call_id`, below `span`.
    pub fn new(telemetry: &Telemetry, span: &Span, call_id: CallId) -> Self {
        Self {
            telemetry: telemetry.clone(),
            context: span.context().clone(),
            call_id,
            local: span.outgoing().is_none(),
        }
    }

    /// The scope that this thread works in right now: the innermost `tracing` span's of the author, else the call's.
    pub fn current() -> Option<Self> {
        author::current().or_else(Self::of_task)
    }

    /// The scope of the call whose future is polled right now.
    pub(crate) fn of_task() -> Option<Self> {
        let scope = CURRENT.try_with(|current| current.borrow().clone());
        scope.ok().flatten()
    }

    /// The same call, further inside.
    pub(crate) fn within(self, span: &Span) -> Self {
        Self {
            context: span.context().clone(),
            ..self
        }
    }

    /// Whether this thread works in a call whose span is recorded.
    pub fn is_recorded() -> bool {
        let recorded = |scope: &Self| scope.context.sampled() && scope.telemetry.traces();
        let current = CURRENT.try_with(|current| current.borrow().as_ref().is_some_and(recorded));
        current.unwrap_or(false)
    }

    /// The span that what happens now belongs to.
    pub fn context(&self) -> &TraceContext {
        &self.context
    }

    /// As [`Span::outgoing`].
    pub fn outgoing(&self) -> Option<&TraceContext> {
        (!self.local).then_some(&self.context)
    }

    /// The call.
    pub fn call_id(&self) -> &CallId {
        &self.call_id
    }

    /// Who its spans go to.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// Does `work` in `scope`, which is away meanwhile.
    pub fn enter<R>(scope: &mut Option<Self>, work: impl FnOnce() -> R) -> R {
        let _entered = Entered::new(scope);
        work()
    }

    /// Runs `future` in this scope, on whichever thread it is polled.
    pub fn run<F: Future>(self, future: F) -> Scoped<F> {
        Scoped {
            future,
            scope: Some(self),
        }
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        Scope::enter(this.scope, || this.future.poll(cx))
    }
}

/// Swaps a scope in, and out again when it is dropped, also by a panic.
struct Entered<'a>(&'a mut Option<Scope>);

impl<'a> Entered<'a> {
    fn new(scope: &'a mut Option<Scope>) -> Self {
        swap(scope);
        Self(scope)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

fn swap(scope: &mut Option<Scope>) {
    let _ = CURRENT.try_with(|current| std::mem::swap(&mut *current.borrow_mut(), scope));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::Kind;

    fn scope(call_id: &str) -> Scope {
        let telemetry = Telemetry::disabled();
        let span = telemetry.span(Kind::Server, "GET", None);
        Scope::new(&telemetry, &span, CallId::new(call_id))
    }

    fn current() -> Option<String> {
        Scope::current().map(|scope| scope.call_id().to_string())
    }

    #[test]
    fn a_call_id_keeps_its_text_whatever_its_length() {
        for length in [0, 1, 35, 36, 37, 300] {
            let text = "x".repeat(length);
            assert_eq!(CallId::new(&text).as_str(), text);
        }
    }

    #[test]
    fn a_generated_call_id_is_a_random_uuid_in_lower_case() {
        let mut seen = [const { std::collections::BTreeSet::new() }; INLINE];
        for _ in 0..2000 {
            let generated = CallId::generate();
            assert_eq!(generated.as_str().len(), INLINE);
            for (place, digit) in seen.iter_mut().zip(generated.as_str().chars()) {
                place.insert(digit);
            }
        }
        for (place, seen) in seen.iter().enumerate() {
            let seen: String = seen.iter().collect();
            let right = match place {
                8 | 13 | 18 | 23 => "-",
                14 => "4",
                19 => "89ab",
                _ => "0123456789abcdef",
            };
            assert_eq!(seen, right, "at {place}");
        }
    }

    #[tokio::test]
    async fn a_future_sees_its_own_scope_and_leaves_none_behind() {
        let inner = scope("inner").run(async {
            tokio::task::yield_now().await;
            current()
        });
        let outer = scope("outer").run(async {
            let before = current();
            let seen = inner.await;
            (before, seen, current())
        });
        let other = scope("other").run(async {
            tokio::task::yield_now().await;
            current()
        });
        let (outer, other) = tokio::join!(outer, other);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(outer, (some("outer"), some("inner"), some("outer")));
        assert_eq!(other, some("other"));
        assert_eq!(current(), None);
    }

    #[tokio::test]
    async fn a_panic_leaves_no_scope_behind() {
        let panics = scope("bad").run(async { panic!("as planned") });
        let caught = tokio::spawn(panics).await;
        assert!(caught.is_err());
        assert_eq!(current(), None);
    }
}
