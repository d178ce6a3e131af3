//! Dead letters: listed, shown, put back, purged, over NATS.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::StatusCode;
use openfaas_delivery::broker::{Header, Message, Position};
use openfaas_delivery::dead_letter::{self, Notes, Redrive};
use openfaas_delivery::ids;
use openfaas_tests::connector::{Ended, command, run};
use openfaas_tests::runner::until;
use serde_json::Value;

use crate::support::Scene;

/// What became a dead letter.
pub(crate) struct Dead<'a> {
    pub(crate) function: &'a str,
    pub(crate) body: &'a str,
    pub(crate) reason: &'a str,
    /// So long ago.
    pub(crate) age: Duration,
    /// It was put back so often before.
    pub(crate) times: u32,
}

impl Default for Dead<'_> {
    fn default() -> Self {
        Self {
            function: "order",
            body: "one",
            reason: "unknown customer",
            age: Duration::ZERO,
            times: 0,
        }
    }
}

impl Dead<'_> {
    /// The letter about it, which came from `orders`.
    pub(crate) fn letter(&self) -> openfaas_delivery::broker::Publication {
        let redrive = Redrive {
            function: self.function.into(),
            namespace: "openfaas-fn".into(),
            log: "orders".into(),
            offset: 7,
            times: self.times,
        };
        let mut headers = vec![Header::new("ce-odd", "kept")];
        if self.times > 0 {
            let redrive = serde_json::to_string(&redrive).unwrap();
            headers.push(Header::new(dead_letter::REDRIVE, redrive));
        }
        let message = Message {
            topic: "orders".into(),
            position: Position {
                log: "orders".into(),
                offset: 7,
            },
            time: None,
            key: None,
            headers,
            body: Some(Bytes::copy_from_slice(self.body.as_bytes())),
        };
        let notes = Notes::on(&message, "openfaas-fn", self.function);
        let notes = notes.because(self.reason, 3, SystemTime::now() - self.age, "a test");
        let topic = format!("dead-letter.openfaas-fn.{}", self.function);
        dead_letter::letter(&message, &topic, &notes)
    }
}

impl Scene {
    async fn bury(&self, dead: Dead<'_>) {
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

    async fn redrive(&self, arguments: &[&str]) -> Ended {
        self.redrive_as(&[], arguments).await
    }

    async fn redrive_as(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Ended {
        let address = self.server.address();
        let mut all = vec![
            ("broker_host", address.as_str()),
            ("gateway_url", self.gateway.url.as_str()),
        ];
        all.extend(environment);
        let arguments = [&["redrive", "--broker", "nats"], arguments].concat();
        run(&arguments, &all).await
    }

    async fn letters(&self) -> Vec<String> {
        bodies(self.look.messages("dead-letter.>").await)
    }

    async fn orders(&self) -> Vec<String> {
        bodies(self.look.messages("orders").await)
    }
}

fn bodies(messages: Vec<Message>) -> Vec<String> {
    let body = |message: Message| String::from_utf8(message.body.unwrap().to_vec()).unwrap();
    messages.into_iter().map(body).collect()
}

/// The names in a list.
fn names(ended: &Ended) -> Vec<String> {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let list: Vec<Value> = serde_json::from_str(&ended.stdout).unwrap();
    let name = |letter: &Value| letter["letter"].as_str().unwrap().to_owned();
    list.iter().map(name).collect()
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

/// Between the put-back and the end of the letter, here by a user who may not delete.
#[tokio::test]
async fn one_that_was_interrupted_between_its_steps_is_done_again_and_stored_once() {
    let limited = r#"
        authorization: { users: [
            { user: root, password: pass }
            { user: limited, password: pass, permissions: { publish: {
                allow: [">"], deny: ["$JS.API.STREAM.MSG.DELETE.>"] } } }
        ] }"#;
    let scene = Scene::guarded(limited, ("root", "pass"), &["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    scene.bury(Dead::default()).await;
    let user = |name| [("nats_user", name), ("nats_password", "pass")];
    let put_back = ["put-back", "--all"];
    let half = scene.redrive_as(&user("limited"), &put_back).await;
    assert_eq!(half.code, Some(1), "{half:?}");
    assert!(half.stderr.contains("cannot be deleted"), "{half:?}");
    assert_eq!(
        (scene.letters().await, scene.orders().await),
        (vec!["one".into()], vec!["one".into()])
    );
    let whole = scene.redrive_as(&user("root"), &put_back).await;
    assert_eq!(whole.code, Some(0), "{whole:?}");
    assert!(scene.letters().await.is_empty());
    assert_eq!(scene.orders().await, ["one"], "the stream knows its id");
}

#[tokio::test]
async fn one_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    let bodies: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    for body in &bodies {
        let dead = Dead {
            body,
            ..Dead::default()
        };
        scene.bury(dead).await;
    }
    let address = scene.server.address();
    let environment = [
        ("broker_host", address.as_str()),
        ("gateway_url", scene.gateway.url.as_str()),
    ];
    let arguments = ["redrive", "--broker", "nats", "put-back", "--all"];
    let mut kills = 0;
    for round in 1.. {
        let mut child = command(&arguments, &environment).spawn().unwrap();
        let gone = scene.orders().await.len() + 10 * round;
        let further = async || {
            let ended = scene.orders().await.len() >= gone.min(bodies.len());
            ended.then_some(())
        };
        until("more of them are back", further).await;
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            break;
        }
        child.kill().await.unwrap();
        kills += 1;
        if scene.letters().await.is_empty() {
            break;
        }
    }
    assert!(kills >= 2, "it was killed {kills} times");
    assert!(scene.letters().await.is_empty());
    assert_eq!(scene.orders().await, bodies);
}

#[tokio::test]
async fn a_stream_that_lets_nobody_delete_is_refused_before_anything_goes_back() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy(
        "order",
        &[("topic", "orders"), ("events.dead-letter-topic", "graves")],
    );
    let config = async_nats::jetstream::stream::Config {
        deny_delete: true,
        ..Default::default()
    };
    scene.look.stream_with("graves", config).await;
    let mut letter = Dead::default().letter();
    letter.topic = "graves".into();
    let mut headers = async_nats::HeaderMap::new();
    for header in &letter.headers {
        headers.append(header.name.as_str(), header.text().unwrap());
    }
    let publish = scene
        .look
        .jetstream
        .publish_with_headers("graves", headers, "one".into());
    publish.await.unwrap().await.unwrap();
    assert_eq!(
        names(&scene.redrive(&["list", "--json"]).await),
        ["graves@1"]
    );
    let refused = scene.redrive(&["put-back", "graves@1"]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("lets nobody delete"), "{refused:?}");
    assert!(scene.orders().await.is_empty());
}

/// An id made from the letter's own place: one that came back is another letter.
#[tokio::test]
async fn the_id_of_a_put_back_is_made_from_its_letter() {
    let scene = Scene::new(&["orders"]).await;
    scene.gateway.deploy("order", &[("topic", "orders")]);
    for _ in 0..2 {
        scene.bury(Dead::default()).await;
        assert_eq!(scene.redrive(&["put-back", "--all"]).await.code, Some(0));
    }
    let orders = scene.look.messages("orders").await;
    let ids: Vec<_> = orders
        .iter()
        .map(|m| m.header("Nats-Msg-Id").unwrap())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0].len(), ids::put_back("", 0, None).len());
}
