//! When a driver looks again.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::clock::{Clock, Time};

/// The one timer of a driver. One that rings too early costs a look; setting it anew each time would cost more.
#[derive(Default)]
pub(super) struct Alarm {
    set: Option<(Time, BoxFuture<'static, ()>)>,
}

impl Alarm {
    pub(super) fn set<C: Clock>(&mut self, wanted: Option<Time>, clock: &Arc<C>) {
        let Some(wanted) = wanted else { return };
        if self.set.as_ref().is_some_and(|(time, _)| *time <= wanted) {
            return;
        }
        let clock = Arc::clone(clock);
        self.set = Some((
            wanted,
            Box::pin(async move { clock.sleep_until(wanted).await }),
        ));
    }

    pub(super) async fn rings(&mut self) {
        match &mut self.set {
            Some((_, sleep)) => sleep.await,
            None => std::future::pending().await,
        }
        self.set = None;
    }
}
