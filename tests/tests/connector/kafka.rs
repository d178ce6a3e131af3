//! From a real Kafka server.

use http::StatusCode;
use openfaas_tests::connector::{Connector, Gateway};
use openfaas_tests::kafka::{Committed, Server};
use openfaas_tests::runner::until;
use rustix::process::Signal;

use crate::support::{Plain, publish_to_kafka, said, until_metric};

/// A gateway beside the server that all tests share. Each has a function of its own name, and a topic of that name.
struct Scene {
    server: &'static Server,
    gateway: Gateway,
    name: &'static str,
}

impl Scene {
    /// With the topic of this function, and the one of its dead letters.
    async fn new(name: &'static str) -> Self {
        let scene = Self {
            server: Server::shared(),
            gateway: Gateway::start().await,
            name,
        };
        scene.server.create(name, 2, &[]).await;
        scene.server.create(&scene.letters(), 1, &[]).await;
        scene
    }

    fn letters(&self) -> String {
        format!("dead-letter.openfaas-fn.{}", self.name)
    }

    fn deploy(&self, annotations: &[(&str, &str)]) {
        let mut all = vec![("topic", self.name)];
        all.extend(annotations);
        self.gateway.deploy(self.name, &all);
    }

    async fn connector(&self, environment: &[(&str, &str)]) -> Connector {
        let hosts = self.server.hosts();
        let mut all = vec![
            ("broker_hosts", hosts.as_str()),
            ("gateway_url", self.gateway.url.as_str()),
            ("session_timeout", "6"),
        ];
        all.extend(environment);
        Connector::start("kafka", &all).await
    }

    fn publish(&self, topic: &'static str, key: &'static str, body: &str) {
        let message = Plain {
            topic,
            key,
            headers: vec![("Shop", "Berlin")],
            body: body.to_owned(),
            ..Plain::default()
        };
        publish_to_kafka(self.server, message);
    }

    /// Waits until this group has settled everything of the topic.
    async fn until_settled(&self, group: &str) {
        let done = async || (self.server.lag(group, self.name) == 0).then_some(());
        until("all is settled", done).await;
    }

    fn group(&self) -> String {
        format!("openfaas.openfaas-fn.{}", self.name)
    }
}

#[tokio::test]
async fn a_plain_record_reaches_any_function_with_the_headers_of_openfaas() {
    let scene = Scene::new("plain").await;
    scene.deploy(&[]);
    let connector = scene.connector(&[("HOSTNAME", "pod-1")]).await;
    scene.publish("plain", "ada", "a plain record");
    let call = scene.gateway.until_called(1).await.remove(0);
    assert_eq!(call.path, "/function/plain.openfaas-fn/");
    assert_eq!(call.body, "a plain record");
    for (name, value) in [
        ("x-topic", "plain"),
        ("x-connector", "openfaas-connector"),
        ("x-kafka-offset", "0"),
        ("x-kafka-key", "ada"),
        ("x-kafka-shop", "Berlin"),
        ("ce-type", "openfaas.message"),
    ] {
        assert_eq!(call.headers[name], value, "{name}");
    }
    let partition = call.headers["x-kafka-partition"].to_str().unwrap();
    let source = format!("/broker/plain/{partition}");
    assert_eq!(call.headers["ce-source"], source.as_str());
    scene.until_settled(&scene.group()).await;
    assert!(!connector.output().contains("a plain record"));
    let (_, text) = connector.get("/metrics").await;
    let group = "group=\"openfaas.openfaas-fn.plain\"";
    let place = format!("topic=\"plain\",partition=\"{partition}\",member_id=\"pod-1\"");
    for line in [
        format!("kafka_connector_consumer_group_connect{{{group}}} 1"),
        format!("kafka_connector_messages_consumed{{{group},{place}}} 1"),
        format!("kafka_connector_messages_offset{{{group},{place}}} 0"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[tokio::test]
async fn a_reply_goes_to_its_topic_under_its_causes_key() {
    let scene = Scene::new("replying").await;
    scene.server.create("replied", 1, &[]).await;
    scene.deploy(&[("events.reply-topic", "replied")]);
    scene.gateway.answer(&[(StatusCode::OK, "paid")]);
    let _connector = scene.connector(&[]).await;
    scene.publish("replying", "ada", "an order");
    let reply = async || scene.server.messages("replied").pop();
    let reply = until("a reply", reply).await;
    assert_eq!(reply.body.as_deref(), Some(&b"paid"[..]));
    assert_eq!(reply.key.as_deref(), Some(&b"ada"[..]));
    assert_eq!(reply.header("ce_type"), Some("openfaas.reply"));
    assert_eq!(reply.header("ce_hopcount"), Some("1"));
}

#[tokio::test]
async fn what_a_function_refuses_is_a_dead_letter() {
    let scene = Scene::new("refusing").await;
    scene.deploy(&[("com.openfaas.retry.min_wait", "10ms")]);
    scene.gateway.answer(&[
        (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        (StatusCode::UNPROCESSABLE_ENTITY, "never"),
    ]);
    let connector = scene.connector(&[]).await;
    scene.publish("refusing", "ada", "poison");
    let letter = async || scene.server.messages(&scene.letters()).pop();
    let letter = until("a dead letter", letter).await;
    assert_eq!(letter.body.as_deref(), Some(&b"poison"[..]));
    assert_eq!(letter.key.as_deref(), Some(&b"ada"[..]));
    assert_eq!(letter.header("Shop"), Some("Berlin"));
    scene.until_settled(&scene.group()).await;
    assert_eq!(scene.gateway.calls().len(), 2);
    assert!(!connector.output().contains("poison"));
}

#[tokio::test]
async fn functions_that_come_change_and_go_are_followed_without_a_restart() {
    let scene = Scene::new("changing").await;
    scene.server.create("changed", 1, &[]).await;
    let connector = scene.connector(&[("rebuild_interval", "50ms")]).await;
    scene.deploy(&[]);
    scene.publish("changing", "ada", "one");
    scene.gateway.until_called(1).await;
    scene.gateway.deploy("changing", &[("topic", "changed")]);
    scene.publish("changed", "ada", "two");
    let calls = scene.gateway.until_called(2).await;
    assert_eq!(calls[1].headers["x-topic"], "changed");
    scene.gateway.remove("changing");
    until_metric(
        &connector,
        "openfaas_delivery_ready",
        &["topic=\"changed\""],
        "0",
    )
    .await;
    scene.publish("changed", "ada", "three");
    assert_eq!(connector.get("/_/ready").await.0, 200);
    assert_eq!(scene.gateway.calls().len(), 2);
}

#[tokio::test]
async fn a_sigterm_finishes_what_runs_and_commits_it() {
    let scene = Scene::new("ending").await;
    scene.deploy(&[]);
    scene.gateway.hold(true);
    let mut connector = scene.connector(&[]).await;
    scene.publish("ending", "ada", "one");
    scene.gateway.until_called(1).await;
    connector.signal(Signal::TERM);
    let drains = async || (connector.get("/_/ready").await.1 == "draining\n").then_some(());
    until("it drains", drains).await;
    scene.gateway.hold(false);
    assert_eq!(connector.wait().await, Some(0), "{}", connector.output());
    assert_eq!(scene.server.lag(&scene.group(), "ending"), 0);
    scene.publish("ending", "ada", "two");
    let _next = scene.connector(&[]).await;
    let calls = scene.gateway.until_called(2).await;
    assert_eq!(calls[1].body, "two", "what is settled does not come again");
}

#[tokio::test]
async fn a_group_of_another_prefix_begins_where_the_connector_says() {
    let scene = Scene::new("elsewhere").await;
    scene.deploy(&[]);
    scene.publish("elsewhere", "ada", "before");
    let environment = [("group", "faas-group-1"), ("initial_offset", "newest")];
    let _connector = scene.connector(&environment).await;
    let group = "faas-group-1.openfaas-fn.elsewhere";
    let begun = async || {
        let committed = |partition| scene.server.committed(group, "elsewhere", partition);
        (committed(0).is_some() && committed(1).is_some()).then_some(())
    };
    until("it has begun", begun).await;
    scene.publish("elsewhere", "ada", "after");
    let calls = scene.gateway.until_called(1).await;
    assert_eq!(calls[0].body, "after");
    scene.until_settled(group).await;
    let ours = scene.server.committed(&scene.group(), "elsewhere", 0);
    assert_eq!(ours, None::<Committed>);
}

#[tokio::test]
async fn a_topic_that_is_missing_is_said_with_the_command_that_makes_it() {
    let scene = Scene::new("missing").await;
    scene.deploy(&[("events.reply-topic", "nowhere")]);
    let connector = scene.connector(&[]).await;
    let reason = async || {
        let (status, body) = connector.get("/_/ready").await;
        (status == 503 && body.contains("--create --topic nowhere")).then_some(body)
    };
    let reason = until("not ready", reason).await;
    assert!(
        reason.starts_with("missing on missing: topic `nowhere`"),
        "{reason}"
    );
}

#[tokio::test]
async fn who_comes_from_openfaas_goes_on_where_its_group_has_got_to() {
    let scene = Scene::new("moving").await;
    scene.deploy(&[]);
    for body in ["one", "two", "three"] {
        scene.publish("moving", "ada", body);
    }
    let holds = |partition: &i32| scene.server.ends("moving", *partition).1 == 3;
    let partition = [0, 1].into_iter().find(holds).unwrap();
    scene.server.commit("faas-group-1", "moving", partition, 2);
    let copy = async || {
        let (hosts, url) = (scene.server.hosts(), scene.gateway.url.as_str());
        let environment = [("broker_hosts", hosts.as_str()), ("gateway_url", url)];
        said(&["kafka", "--copy-offsets", "faas-group-1"], &environment).await
    };
    let (code, output) = copy().await;
    assert_eq!(code, Some(0), "{output}");
    assert!(
        output.starts_with("copied   openfaas.openfaas-fn.moving"),
        "{output}"
    );
    let connector = scene.connector(&[]).await;
    let calls = scene.gateway.until_called(1).await;
    assert_eq!(calls[0].body, "three");
    scene.until_settled(&scene.group()).await;
    assert_eq!(scene.gateway.calls().len(), 1);
    drop(connector);
    let (code, output) = copy().await;
    assert_eq!(code, Some(0), "{output}");
    assert!(
        output.contains("has committed in moving before"),
        "{output}"
    );
}
