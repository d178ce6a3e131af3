//! Over Kafka, whose records nobody can take out.

use openfaas_delivery::dead_letter;
use openfaas_tests::connector::{Ended, Gateway, command, run};
use openfaas_tests::kafka::Server;
use openfaas_tests::runner::until;
use rdkafka::message::{Header as Native, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use super::{Dead, bodies, names};

/// A function of a test, whose letters lie in a topic of their own.
struct Scene {
    server: &'static Server,
    gateway: Gateway,
    function: &'static str,
    letters: String,
}

impl Scene {
    async fn new(function: &'static str, partitions: i32) -> Self {
        let scene = Self {
            server: Server::shared(),
            gateway: Gateway::start().await,
            function,
            letters: format!("dead-letter.openfaas-fn.{function}"),
        };
        scene.server.create(function, 2, &[]).await;
        scene.server.create(&scene.letters, partitions, &[]).await;
        scene.gateway.deploy(function, &[("topic", function)]);
        scene
    }

    /// Letters with these bodies, dealt out to the partitions.
    fn bury<'a>(&self, partitions: i32, dead: impl IntoIterator<Item = Dead<'a>>) {
        let producer: BaseProducer = self.server.client().create().unwrap();
        for (index, dead) in dead.into_iter().enumerate() {
            let dead = Dead {
                function: self.function,
                topic: self.function,
                ..dead
            };
            let letter = dead.letter();
            let mut headers = OwnedHeaders::new();
            for header in &letter.headers {
                headers = headers.insert(Native {
                    key: &header.name,
                    value: header.value.as_deref(),
                });
            }
            let record = BaseRecord::<[u8], [u8]>::to(&letter.topic)
                .partition(index as i32 % partitions)
                .payload(letter.body.as_deref().unwrap())
                .headers(headers);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(std::time::Duration::from_secs(20)).unwrap();
    }

    fn environment(&self) -> [(&'static str, String); 2] {
        [
            ("broker_hosts", self.server.hosts()),
            ("gateway_url", self.gateway.url.clone()),
        ]
    }

    async fn redrive(&self, arguments: &[&str]) -> Ended {
        let arguments = [&["redrive", "--broker", "kafka"], arguments].concat();
        let environment = self.environment();
        run(&arguments, &environment.each_ref().map(|(k, v)| (*k, &**v))).await
    }

    async fn listed(&self) -> Vec<String> {
        names(
            &self
                .redrive(&["list", "--json", "--topic", &self.letters])
                .await,
        )
    }

    fn back(&self) -> Vec<String> {
        let mut bodies = bodies(self.server.messages(self.function));
        bodies.sort();
        bodies
    }
}

fn numbered(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{number:03}")).collect()
}

fn dead(bodies: &[String]) -> impl Iterator<Item = Dead<'_>> {
    bodies.iter().map(|body| Dead {
        body,
        ..Dead::default()
    })
}

#[tokio::test]
async fn a_letter_that_is_put_back_or_purged_is_listed_no_more() {
    let scene = Scene::new("listed", 2).await;
    scene.bury(2, dead(&numbered(4)));
    let name = |partition: u8, offset: u8| format!("{}/{partition}@{offset}", scene.letters);
    let all = [name(0, 0), name(0, 1), name(1, 0), name(1, 1)];
    assert_eq!(scene.listed().await, all);
    let everywhere = ["list", "--json", "--function", "listed"];
    assert_eq!(names(&scene.redrive(&everywhere).await), all);
    let shown = scene.redrive(&["show", &all[2]]).await;
    assert!(shown.stdout.ends_with("\n\n001\n"), "{shown:?}");

    let back = scene.redrive(&["put-back", &all[2], &all[0]]).await;
    assert_eq!(
        (back.code, back.stdout),
        (
            Some(0),
            format!(
                "{} is back in listed for listed\n{} is back in listed for listed\n2 put back, 0 stay\n",
                all[2], all[0]
            )
        ),
        "{}",
        back.stderr
    );
    assert_eq!(scene.back(), ["000", "001"]);
    assert_eq!(scene.listed().await, [&*all[1], &*all[3]]);
    let again = scene.redrive(&["put-back", &all[0]]).await;
    assert!(again.stderr.contains("there is no letter"), "{again:?}");

    let purged = scene.redrive(&["purge", &all[1], "--yes"]).await;
    assert_eq!(purged.code, Some(0), "{purged:?}");
    assert_eq!(scene.listed().await, [&*all[3]]);
    let rest = scene.redrive(&["put-back", "--function", "listed"]).await;
    assert_eq!(rest.code, Some(0), "{rest:?}");
    assert!(scene.listed().await.is_empty());
    assert_eq!(scene.back(), ["000", "001", "003"]);
}

#[tokio::test]
async fn what_goes_back_over_kafka_names_its_function_and_counts() {
    let scene = Scene::new("counted", 1).await;
    let times = |times, body| Dead {
        times,
        body,
        ..Dead::default()
    };
    scene.bury(1, [times(0, "never"), times(3, "thrice")]);
    let back = scene
        .redrive(&["put-back", "--topic", &scene.letters])
        .await;
    assert_eq!(back.code, Some(1), "{back:?}");
    assert!(back.stdout.contains("put back 3 times"), "{back:?}");
    let messages = scene.server.messages("counted");
    assert_eq!(messages.len(), 1);
    let redrive = dead_letter::redrive(&messages[0]).unwrap();
    assert!(redrive.is_for("openfaas-fn", "counted"));
    assert_eq!(redrive.times, 1);
    scene.gateway.remove("counted");
    let refused = scene
        .redrive(&["put-back", "--topic", &scene.letters, "--force"])
        .await;
    assert!(
        refused.stdout.contains("does not consume counted now"),
        "{refused:?}"
    );
    assert_eq!(scene.listed().await.len(), 1);
}

#[tokio::test]
async fn over_kafka_one_that_is_killed_again_and_again_loses_and_doubles_nothing() {
    let scene = Scene::new("killed", 2).await;
    let bodies = numbered(60);
    scene.bury(2, dead(&bodies));
    let arguments = [
        "redrive",
        "--broker",
        "kafka",
        "put-back",
        "--topic",
        &scene.letters,
    ];
    let environment = scene.environment();
    let environment = environment.each_ref().map(|(key, value)| (*key, &**value));
    for round in 1..=3 {
        let mut child = command(&arguments, &environment).spawn().unwrap();
        let further = async || {
            let all = scene.server.ends("killed", 0).1 + scene.server.ends("killed", 1).1;
            (all > round * 12).then_some(())
        };
        until("more of them are back", further).await;
        child.kill().await.unwrap();
    }
    let before = scene.back().len();
    assert!(
        (1..bodies.len()).contains(&before),
        "{before} of them are back"
    );
    let last = scene.redrive(&arguments[3..]).await;
    assert_eq!(last.code, Some(0), "{last:?}");
    assert_eq!(scene.back(), bodies);
    assert!(scene.listed().await.is_empty());
}

#[tokio::test]
async fn a_letter_that_cannot_go_back_whole_stays_as_it_is() {
    const TAKES: &str = "max.message.bytes";
    let scene = Scene::new("whole", 1).await;
    scene.bury(1, dead(&numbered(1)));
    let put_back = ["put-back", "--topic", scene.letters.as_str()];
    // The letter cannot be stored where it came from; then its marker cannot, where it lies. 80 bytes are enough for what
    // the server itself stores at the end of a transaction.
    for full in ["whole", &scene.letters] {
        scene.server.configure(full, &[(TAKES, "80")]).await;
        let stays = scene.redrive(&put_back).await;
        assert_eq!(stays.code, Some(1), "{full}: {stays:?}");
        assert!(
            stays.stdout.contains(" stays: too large"),
            "{full}: {stays:?}"
        );
        assert!(scene.back().is_empty(), "{full}");
        assert_eq!(scene.listed().await.len(), 1, "{full}");
        scene.server.configure(full, &[(TAKES, "1048588")]).await;
    }
    let back = scene.redrive(&put_back).await;
    assert_eq!(back.code, Some(0), "{back:?}");
    assert_eq!(scene.back(), ["000"]);
    assert!(scene.listed().await.is_empty());
}

#[tokio::test]
async fn two_at_a_time_put_nothing_back_twice() {
    let scene = Scene::new("raced", 1).await;
    let bodies = numbered(40);
    scene.bury(1, dead(&bodies));
    let put_back = ["put-back", "--topic", scene.letters.as_str()];
    let (one, other) = tokio::join!(scene.redrive(&put_back), scene.redrive(&put_back));
    for ended in [&one, &other] {
        let ended_by_the_other = ended.stderr.contains("somebody else has begun");
        assert!(ended.code == Some(0) || ended_by_the_other, "{ended:?}");
    }
    let rest = scene.redrive(&put_back).await;
    assert_eq!(rest.code, Some(0), "{rest:?}");
    assert_eq!(scene.back(), bodies);
}
