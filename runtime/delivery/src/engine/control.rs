//! What a delivery is told from outside.

use tokio::sync::watch;

/// Says when to drain, and when a function's image changed. A clone speaks to the same deliveries.
#[derive(Debug, Clone)]
pub struct Control(watch::Sender<Said>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) drain: bool,
    /// Grows with each new image.
    pub(super) image: u64,
}

impl Control {
    /// Nothing said yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(Said::default()))
    }

    /// Finish what runs, hand back the rest, end.
    pub fn drain(&self) {
        self.0.send_modify(|said| said.drain = true);
    }

    /// The function has a new image: what was found out about the old one is forgotten.
    pub fn new_image(&self) {
        self.0.send_modify(|said| said.image += 1);
    }

    pub(super) fn listen(&self) -> watch::Receiver<Said> {
        let mut said = self.0.subscribe();
        said.mark_changed();
        said
    }
}

impl Default for Control {
    fn default() -> Self {
        Self::new()
    }
}
