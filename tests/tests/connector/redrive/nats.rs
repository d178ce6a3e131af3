//! Over NATS.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use openfaas_delivery::dead_letter;
use openfaas_tests::connector::{Ended, run};
use openfaas_tests::runner::until;

use super::{Dead, bodies, names};
use crate::support::Scene;

impl Scene {
    pub(super) async fn bury(&self, dead: Dead<'_>) {
        let letter = dead.letter();
        let mut headers = async_nats::HeaderMap::new();
        for header in &letter.headers {
            headers.append(header.name.as_str(), header.text().unwrap());
        }
        let publish = self.look.jetstream.publish_with_headers(
            letter.topic.to_string(),
            headers,
            letter.body.unwrap(),
        );
        publish.await.unwrap().await.unwrap();
    }

    pub(super) async fn redrive(&self, arguments: &[&str]) -> Ended {
        self.redrive_as(&[], arguments).await
    }

    pub(super) async fn redrive_as(
        &self,
        environment: &[(&str, &str)],
        arguments: &[&str],
    ) -> Ended {
        let address = self.server.address();
        let mut all = vec![
            ("broker_host", address.as_str()),
            ("gateway_url", self.gateway.url.as_str()),
        ];
        all.extend(environment);
        let arguments = [&["redrive", "--broker", "nats"], arguments].concat();
        run(&arguments, &all).await
    }

    pub(super) async fn letters(&self) -> Vec<String> {
        bodies(self.look.messages("dead-letter.>").await)
    }

    pub(super) async fn orders(&self) -> Vec<String> {
        bodies(self.look.messages("orders").await)
    }
}

#[tokio::test]
async fn what_a_function_refused_goes_back_to_it_and_to_no_other() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    scene
        .gateway
        .answer(&[(StatusCode::UNPROCESSABLE_ENTITY, "unknown customer")]);
    let connector = scene.connector(&[]).await;
    scene.publish("orders", "one").await;
    let buried = async || Some(scene.letters().await).filter(|letters| !letters.is_empty());
    assert_eq!(until("a letter", buried).await, ["one"]);
    scene.gateway.deploy("audit", &[("topic", "orders")]);
    scene.gateway.until_called(2).await;

    let listed = scene.redrive(&["list"]).await;
    let line = listed.stdout.lines().nth(1).unwrap();
    for part in [
        "dead-letter.openfaas-fn.order@1 ",
        " order ",
        " orders ",
        "unknown customer",
    ] {
        assert!(line.contains(part), "{part}: {listed:?}");
    }
    let shown = scene
        .redrive(&["show", "dead-letter.openfaas-fn.order@1"])
        .await;
    assert!(shown.stdout.ends_with("\n\none\n"), "{shown:?}");
    assert!(shown.stdout.contains("order.openfaas-fn"), "{shown:?}");

    let back = scene.redrive(&["put-back", "--all"]).await;
    assert_eq!(back.code, Some(0), "{back:?}");
    assert_eq!(
        back.stdout,
        "dead-letter.openfaas-fn.order@1 is back in orders for order\n1 put back, 0 stay\n"
    );
    let calls = scene.gateway.until_called(3).await;
    assert_eq!(
        (&*calls[2].path, &calls[2].body),
        ("/function/order.openfaas-fn/", &Bytes::from("one"))
    );
    scene.publish("orders", "two").await;
    let calls = scene.gateway.until_called(5).await;
    let audit = calls
        .iter()
        .filter(|call| call.path == "/function/audit.openfaas-fn/");
    let audit: Vec<_> = audit.map(|call| &call.body[..]).collect();
    assert_eq!(audit, [b"one", b"two"], "it was called with each once");
    assert!(scene.letters().await.is_empty());
    assert_eq!(scene.redrive(&["list"]).await.stdout, "no dead letters\n");
    drop(connector);
}

#[tokio::test]
async fn letters_are_chosen_by_function_reason_age_topic_and_name() {
    let scene = Scene::new(&["orders"]).await;
    let hour = Duration::from_secs(3_600);
    for (function, reason, age) in [
        ("order", "unknown customer", hour),
        ("order", "no stock", Duration::ZERO),
        ("audit", "unknown customer", Duration::ZERO),
    ] {
        let dead = Dead {
            function,
            reason,
            age,
            ..Dead::default()
        };
        scene.bury(dead).await;
    }
    let (order, audit) = (
        "dead-letter.openfaas-fn.order",
        "dead-letter.openfaas-fn.audit",
    );
    let [one, two, three] = [(order, 1), (order, 2), (audit, 3)].map(|(t, n)| format!("{t}@{n}"));
    for (arguments, expected) in [
        (vec![], vec![&three, &one, &two]),
        (vec!["--function", "order"], vec![&one, &two]),
        (vec!["--function", "audit.openfaas-fn"], vec![&three]),
        (vec!["--function", "audit.dev"], vec![]),
        (vec!["--reason", "customer"], vec![&three, &one]),
        (vec!["--older-than", "30m"], vec![&one]),
        (vec!["--newer-than", "30m"], vec![&three, &two]),
        (vec!["--topic", order], vec![&one, &two]),
        (vec!["--topic", order, "--reason", "stock"], vec![&two]),
    ] {
        let arguments = [&["list", "--json"], &arguments[..]].concat();
        let found = names(&scene.redrive(&arguments).await);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{arguments:?}");
    }
    let gone = scene.redrive(&["show", &format!("{order}@3")]).await;
    assert_eq!(gone.code, Some(1));
    assert!(gone.stderr.starts_with("there is no letter"), "{gone:?}");
    let unnamed = scene.redrive(&["put-back"]).await;
    assert_eq!(unnamed.code, Some(2), "nothing says which: {unnamed:?}");
}

#[tokio::test]
async fn a_letter_stays_where_nobody_would_take_it() {
    let scene = Scene::new(&["orders"]).await;
    scene.bury(Dead::default()).await;
    let arguments = ["put-back", "--function", "order"];
    let stays = "dead-letter.openfaas-fn.order@1 stays: order.openfaas-fn does not consume orders now: deploy it with \
                 `topic: orders`, then put the letter back\n0 put back, 1 stay\n";
    for annotations in [None, Some(("topic", "payments"))] {
        if let Some(annotation) = annotations {
            scene.gateway.deploy("order", &[annotation]);
        }
        let refused = scene.redrive(&arguments).await;
        assert_eq!((refused.code, &*refused.stdout), (Some(1), stays));
    }
    scene.gateway.deploy("order", &[("topic", "orders")]);
    scene.gateway.break_list(true);
    let unknown = scene.redrive(&arguments).await;
    assert_eq!((unknown.code, &*unknown.stdout), (Some(1), ""));
    assert_eq!(scene.letters().await, ["one"]);
    assert!(scene.orders().await.is_empty());
    scene.gateway.break_list(false);
    assert_eq!(scene.redrive(&arguments).await.code, Some(0));
}

#[tokio::test]
async fn what_has_come_back_three_times_stays_unless_forced() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    for times in [2, 3] {
        let body = if times == 2 { "twice" } else { "thrice" };
        let dead = Dead {
            times,
            body,
            ..Dead::default()
        };
        scene.bury(dead).await;
    }
    let back = scene.redrive(&["put-back", "--all"]).await;
    assert_eq!(back.code, Some(1), "{back:?}");
    assert!(back.stdout.contains("put back 3 times"), "{back:?}");
    assert_eq!(scene.letters().await, ["thrice"]);
    let orders = scene.look.messages("orders").await;
    assert_eq!(dead_letter::redrive(&orders[0]).unwrap().times, 3);
    let forced = scene.redrive(&["put-back", "--all", "--force"]).await;
    assert_eq!(forced.code, Some(0), "{forced:?}");
    assert_eq!(scene.orders().await, ["twice", "thrice"]);
}

#[tokio::test]
async fn letters_that_are_named_go_back_and_no_others() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    for body in ["one", "two", "three"] {
        let dead = Dead {
            body,
            ..Dead::default()
        };
        scene.bury(dead).await;
    }
    let [one, two] = [1, 2].map(|number| format!("dead-letter.openfaas-fn.order@{number}"));
    let shown = scene.redrive(&["show", &one]).await;
    assert!(shown.stdout.ends_with("\n\none\n"), "{shown:?}");
    let back = scene.redrive(&["put-back", &two, &one]).await;
    assert_eq!(back.code, Some(0), "{back:?}");
    assert_eq!(scene.orders().await, ["two", "one"]);
    assert_eq!(scene.letters().await, ["three"]);
}

#[tokio::test]
async fn a_dry_run_touches_nothing_and_a_rate_is_kept() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    for body in ["one", "two", "three"] {
        let dead = Dead {
            body,
            ..Dead::default()
        };
        scene.bury(dead).await;
    }
    let dry = scene.redrive(&["put-back", "--all", "--dry-run"]).await;
    assert!(dry.stdout.ends_with("3 would go back, 0 stay\n"), "{dry:?}");
    assert_eq!(scene.letters().await.len(), 3);
    assert!(scene.orders().await.is_empty());
    let begun = Instant::now();
    let back = scene.redrive(&["put-back", "--all", "--rate", "5/s"]).await;
    assert_eq!(back.code, Some(0), "{back:?}");
    assert!(begun.elapsed() >= Duration::from_millis(400), "two waits");
    assert_eq!(scene.orders().await, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_purge_asks_first_and_removes_what_was_meant() {
    let scene = Scene::new(&["orders"]).await;
    for reason in ["no stock", "unknown customer"] {
        let dead = Dead {
            reason,
            body: reason,
            ..Dead::default()
        };
        scene.bury(dead).await;
    }
    let purge = ["purge", "--reason", "stock"];
    let asked = scene.redrive(&purge).await;
    assert_eq!(asked.code, Some(1), "nobody says yes: {asked:?}");
    assert!(asked.stderr.contains("Remove 1 dead letters"), "{asked:?}");
    let dry = scene.redrive(&["purge", "--all", "--dry-run"]).await;
    assert!(dry.stdout.ends_with("2 would be removed\n"), "{dry:?}");
    assert_eq!(scene.letters().await.len(), 2);
    let done = scene
        .redrive(&["purge", "--reason", "stock", "--yes"])
        .await;
    assert!(done.stdout.ends_with("1 removed\n"), "{done:?}");
    assert_eq!(scene.letters().await, ["unknown customer"]);
}
