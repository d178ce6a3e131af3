//! What of-watchdog has no setting for, or does not do.
