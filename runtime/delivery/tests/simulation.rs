//! The engine in virtual time: thousands of histories, and the mistakes they must find.

use std::time::Instant;

use openfaas_delivery::engine::{Mistake, Planted};
use openfaas_delivery::sim;

/// Histories played; `simulate` plays as many.
const SEEDS: u64 = 2_000;

/// Two threads share the work: one seed is one history, whoever plays it.
fn in_halves<T: Send>(work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let halves = [0, 1].map(|half| {
            let work = &work;
            scope.spawn(move || work(half))
        });
        halves
            .into_iter()
            .map(|half| half.join().unwrap())
            .collect()
    })
}

#[test]
fn every_promise_is_kept_in_every_history() {
    let start = Instant::now();
    let broken = in_halves(|half| {
        let seeds = (0..SEEDS).filter(|seed| seed % 2 == half);
        sim::first_broken(seeds, Planted::default())
    });
    let found: Vec<_> = broken
        .into_iter()
        .flatten()
        .map(|report| (report.seed, report.violations))
        .collect();
    assert!(
        found.is_empty(),
        "{found:?}\na history: cargo run -p openfaas-delivery --example simulate -- --seed {}",
        found[0].0
    );
    println!("{SEEDS} histories in {:?}", start.elapsed());
}

#[test]
fn every_planted_mistake_is_found() {
    let missed = in_halves(|half| {
        let mine = Mistake::ALL
            .into_iter()
            .enumerate()
            .filter(|(index, _)| index % 2 == half as usize);
        mine.filter(|(_, mistake)| sim::first_broken(0..SEEDS, Planted::one(*mistake)).is_none())
            .map(|(_, mistake)| mistake)
            .collect::<Vec<_>>()
    });
    assert_eq!(missed.concat(), []);
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..20 {
        let (one, other) = (
            sim::play(seed, Planted::default(), true),
            sim::play(seed, Planted::default(), true),
        );
        assert_eq!(one.history, other.history, "seed {seed}");
        assert_eq!(one.hash, other.hash);
    }
}
