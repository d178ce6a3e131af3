//! The bus: events are published and followed, dead letters put back, and nothing is lost.

mod brokers;
mod chain;
mod dead_letters;
mod doors;
mod faults;
mod publish;
