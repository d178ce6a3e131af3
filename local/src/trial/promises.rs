//! What has to become of the sample orders.

use super::{
    Promise,
    orders::{DEADLY, Fate, IN_ORDER, ORDERS, Order},
};
use crate::bus::{Path, Verdict, Visit};

/// Compares what became of the first orders with what had to; `paths` are in the order of [`ORDERS`].
#[must_use]
pub fn check(paths: &[Path]) -> Vec<Promise> {
    let mut promises = each(&ORDERS, paths);
    promises.push(order_is_kept(paths));
    promises
}

/// The same for those that come after them; `paths` are in the order of [`DEADLY`].
#[must_use]
pub fn check_deadly(paths: &[Path]) -> Vec<Promise> {
    each(&DEADLY, paths)
}

fn each(orders: &[Order], paths: &[Path]) -> Vec<Promise> {
    let find = |order: &Order| {
        paths
            .iter()
            .find(|path| path.id == order.id)
            .ok_or("it is not remembered")
    };
    let kept = |order: &Order| {
        let path = find(order)?;
        if path.is_over() {
            fate(order, path)
        } else {
            Err("it has not come to an end".to_owned())
        }
    };
    orders
        .iter()
        .map(|order| Promise::new(promise(order), kept(order)))
        .collect()
}

fn promise(order: &Order) -> String {
    let what = match order.fate {
        Fate::Shipped => "is shipped",
        Fate::Declined => "is declined by the bank, and the storefront is told",
        Fate::ShippedAtThirdAttempt => {
            "finds the bank busy twice and is shipped at the third attempt"
        }
        Fate::Rejected => "is refused once and becomes a dead letter",
        Fate::Kills => "kills its function until it becomes a dead letter",
    };
    format!("{} {what}", order.id)
}

fn fate(order: &Order, path: &Path) -> Result<(), String> {
    match order.fate {
        Fate::Shipped => shipped(path, &[200]),
        Fate::ShippedAtThirdAttempt => shipped(path, &[503, 503, 200]),
        Fate::Declined => {
            answers(path, "payment", &[200])?;
            arrives(path, "declined")
        }
        Fate::Rejected => {
            answers(path, "order", &[422])?;
            letter(path, "order").map(drop)
        }
        Fate::Kills => {
            let visit = letter(path, "payment")?;
            let answered = visit.attempts.iter().find_map(|attempt| attempt.status);
            answered.map_or(Ok(()), |status| {
                Err(format!("payment answered {status} instead of dying"))
            })
        }
    }
}

fn shipped(path: &Path, by_payment: &[u16]) -> Result<(), String> {
    answers(path, "order", &[200])?;
    answers(path, "payment", by_payment)?;
    answers(path, "shipment", &[200])?;
    arrives(path, "shipped")
}

/// The chain ends in the storefront, by way of `topic`.
fn arrives(path: &Path, topic: &str) -> Result<(), String> {
    answers(path, "storefront", &[204])?;
    let mut replies = path.visits().flat_map(|visit| &visit.replies);
    replies
        .find(|reply| reply.topic == topic)
        .map(drop)
        .ok_or_else(|| format!("nothing came to {topic}"))
}

/// A function answered with these, was cut as often as it may be, and took the event.
fn answers(path: &Path, function: &str, expected: &[u16]) -> Result<(), String> {
    let visit = visit(path, function)?;
    let answers: Vec<_> = visit
        .attempts
        .iter()
        .filter_map(|attempt| attempt.status)
        .collect();
    if answers != expected {
        return Err(format!(
            "{function} answered {answers:?} instead of {expected:?}"
        ));
    }
    let is_taken = visit.verdict == Verdict::Done;
    if is_taken || expected.last().is_some_and(|last| *last >= 300) {
        return Ok(());
    }
    Err(format!(
        "{function} took it and the verdict is {:?}",
        visit.verdict
    ))
}

fn letter<'a>(path: &'a Path, function: &str) -> Result<&'a Visit, String> {
    let visit = visit(path, function)?;
    match (&visit.verdict, path.dead_letters()) {
        (Verdict::DeadLetter { .. }, 1) => Ok(visit),
        (Verdict::DeadLetter { .. }, more) => Err(format!("it became {more} dead letters")),
        (other, _) => Err(format!("{function} made no dead letter of it: {other:?}")),
    }
}

fn visit<'a>(path: &'a Path, function: &str) -> Result<&'a Visit, String> {
    path.visit(function)
        .ok_or_else(|| format!("it never came to {function}"))
}

/// The second order of a customer starts in each function only after the first has left it.
fn order_is_kept(paths: &[Path]) -> Promise {
    let kept = || {
        let find = |id: &str| {
            paths
                .iter()
                .find(|path| path.id == id)
                .ok_or_else(|| format!("{id} is missing"))
        };
        let [first, second] = [find(IN_ORDER[0])?, find(IN_ORDER[1])?];
        for function in ["order", "payment", "shipment", "storefront"] {
            let (first, second) = (visit(first, function)?, visit(second, function)?);
            let left = first.received.map(|at| at + first.took);
            let began = second
                .received
                .zip(second.attempts.first())
                .map(|(at, attempt)| at + attempt.after);
            if began < left {
                return Err(format!("in {function} the second order overtook the first"));
            }
        }
        Ok(())
    };
    Promise::new(
        "first and second, of one customer, stay in that order all the way",
        kept(),
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;
    use crate::bus::Attempt;

    fn visit(
        function: &str,
        statuses: &[Option<u16>],
        verdict: Verdict,
        replies: Vec<Path>,
    ) -> Visit {
        let attempt = |status: &Option<u16>| Attempt {
            number: 1,
            after: Duration::ZERO,
            took: Duration::ZERO,
            status: *status,
            unanswered: None,
        };
        let attempts = statuses.iter().map(attempt).collect();
        let received = Some(SystemTime::UNIX_EPOCH);
        Visit {
            function: function.into(),
            verdict,
            received,
            attempts,
            took: Duration::ZERO,
            replies,
        }
    }

    fn path(id: &str, topic: &str, visit: Visit) -> Path {
        let (id, topic) = (id.to_owned(), topic.to_owned());
        let (source, ty) = (String::new(), String::new());
        Path {
            topic,
            offset: None,
            id,
            source,
            ty,
            subject: None,
            trace: None,
            functions: vec![visit],
        }
    }

    fn done(function: &str, status: u16, reply: Option<Path>) -> Visit {
        visit(
            function,
            &[Some(status)],
            Verdict::Done,
            reply.into_iter().collect(),
        )
    }

    fn letter() -> Verdict {
        Verdict::DeadLetter {
            topic: "dead".into(),
            reason: "no".into(),
        }
    }

    /// What becomes of orders when all is well.
    fn well(orders: &[Order]) -> Vec<Path> {
        let way = |order: &Order| {
            let id = order.id;
            let end = |topic: &str| path(id, topic, done("storefront", 204, None));
            let shipments = || path(id, "shipments", done("shipment", 200, Some(end("shipped"))));
            let payments = |visit: Visit| {
                path(
                    id,
                    "orders",
                    done("order", 200, Some(path(id, "payments", visit))),
                )
            };
            match order.fate {
                Fate::Shipped => payments(done("payment", 200, Some(shipments()))),
                Fate::Declined => payments(done("payment", 200, Some(end("declined")))),
                Fate::ShippedAtThirdAttempt => {
                    let statuses = [Some(503), None, Some(503), Some(200)];
                    payments(visit(
                        "payment",
                        &statuses,
                        Verdict::Done,
                        vec![shipments()],
                    ))
                }
                Fate::Rejected => {
                    path(id, "orders", visit("order", &[Some(422)], letter(), vec![]))
                }
                Fate::Kills => payments(visit("payment", &[None, None], letter(), vec![])),
            }
        };
        orders.iter().map(way).collect()
    }

    fn broken(promises: Vec<Promise>) -> Vec<String> {
        promises
            .into_iter()
            .filter(|promise| promise.differs.is_some())
            .map(|promise| promise.what)
            .collect()
    }

    #[test]
    fn all_is_well_when_all_went_as_it_had_to() {
        assert_eq!(broken(check(&well(&ORDERS))), Vec::<String>::new());
        assert_eq!(broken(check_deadly(&well(&DEADLY))), Vec::<String>::new());
    }

    #[test]
    fn each_promise_is_seen_to_be_broken() {
        let differs = |change: &dyn Fn(&mut Vec<Path>)| {
            let mut paths = well(&ORDERS);
            change(&mut paths);
            broken(check(&paths)).join("; ")
        };
        let payment = |path: &mut Path| path.functions[0].replies[0].functions.remove(0);
        for (change, said) in [
            (
                &(|paths: &mut Vec<Path>| drop(paths.remove(0))) as &dyn Fn(&mut Vec<Path>),
                "good is shipped",
            ),
            (
                &|paths| paths[0].functions[0].verdict = Verdict::Pending,
                "good is shipped",
            ),
            (
                &|paths| paths[0].functions[0].replies.clear(),
                "good is shipped",
            ),
            (
                &|paths| drop(payment(&mut paths[1])),
                "declined is declined",
            ),
            (
                &|paths| {
                    drop(
                        paths[2].functions[0].replies[0].functions[0]
                            .attempts
                            .remove(0),
                    )
                },
                "busy finds",
            ),
            (
                &|paths| paths[3].functions[0].verdict = Verdict::Done,
                "poison is refused",
            ),
            (
                &|paths| paths[4].functions[0].took = Duration::from_millis(1),
                "stay in that order",
            ),
        ] {
            let differs = differs(change);
            assert!(
                differs.contains(said) && !differs.contains(';'),
                "{said}: {differs}"
            );
        }
    }

    #[test]
    fn a_function_that_answers_or_a_neighbour_that_dies_breaks_the_promise() {
        let mut paths = well(&DEADLY);
        paths[0].functions[0].replies[0].functions[0].attempts[1].status = Some(500);
        paths[1].functions[0].replies[0].functions[0].verdict = letter();
        let broken = broken(check_deadly(&paths));
        assert!(
            broken[0].starts_with("kills ") && broken[1].starts_with("neighbour "),
            "{broken:?}"
        );
    }
}
