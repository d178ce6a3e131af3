//! A function of events, called over HTTP.
