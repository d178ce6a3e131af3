//! What the rules say of ScaledObjects beside a stack: nothing of a good one, and one sentence with a remedy for each way
//! in which KEDA is known to go wrong.

use openfaas_stack::lint::{Cluster, check_scaling};
use openfaas_stack::manifest::Manifest;
use openfaas_stack::{Severity, Stack};

const STACK: &str = "\
provider: {name: openfaas}
functions:
  order: {lang: a, handler: ./a, image: a, annotations: {topic: orders, events.broker: nats, events.door: 'true', events.order: none}}
  payment: {lang: a, handler: ./b, image: b, annotations: {topic: payments, events.broker: kafka, events.door: 'true'}}
  strict: {lang: a, handler: ./c, image: c, annotations: {topic: orders, events.broker: nats, events.door: 'true'}}
";

/// Nothing is wrong with it.
const NATS: &str = "\
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata: {name: order, namespace: openfaas-fn}
spec:
  scaleTargetRef: {name: order}
  cooldownPeriod: 300
  minReplicaCount: 1
  maxReplicaCount: 5
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        scaleDown:
          stabilizationWindowSeconds: 300
          policies: [{type: Pods, value: 1, periodSeconds: 60}]
  triggers:
  - type: nats-jetstream
    metadata:
      natsServerMonitoringEndpoint: nats.openfaas.svc:8222
      account: SHOP
      stream: ORDERS
      consumer: openfaas-fn_order_orders
  - type: prometheus
    metadata:
      serverAddress: http://prometheus:9090
      query: max(openfaas_delivery_lag_messages{function=\"order\",function_namespace=\"openfaas-fn\",topic=\"orders\"})
      threshold: \"64\"
";

/// Nothing is wrong with it either.
const KAFKA: &str = "\
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata: {name: payment}
---
kind: ScaledObject
metadata: {name: payment, namespace: openfaas-fn}
spec:
  scaleTargetRef: {name: payment}
  minReplicaCount: 1
  maxReplicaCount: 5
  advanced: {horizontalPodAutoscalerConfig: {behavior: {scaleDown: {stabilizationWindowSeconds: 300, policies: [{type: Pods, value: 1, periodSeconds: 60}]}}}}
  triggers:
  - type: kafka
    metadata:
      bootstrapServers: kafka:9092
      consumerGroup: openfaas.openfaas-fn.payment
      topic: payments
";

/// What the rules say: `line:column severity: message | remedy`.
fn said(manifest: &str, cluster: Cluster) -> Vec<String> {
    let stack = Stack::parse("stack.yml", STACK, |_| None).unwrap();
    let manifest = Manifest::parse("keda.yaml", manifest).unwrap();
    let problems = check_scaling(&stack, &manifest, cluster);
    let line = |problem: openfaas_stack::Problem| {
        let severity = match problem.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        format!(
            "{} {severity}: {} | {}",
            problem.span,
            problem.message,
            problem.remedy.unwrap()
        )
    };
    problems.into_iter().map(line).collect()
}

/// A manifest in which `text` is read as `instead`, and the one line that the rules say of it.
fn spoilt(manifest: &str, text: &str, instead: &str) -> String {
    assert!(manifest.contains(text), "{text}");
    let [line] = &said(&manifest.replacen(text, instead, 1), Cluster::Ce)[..] else {
        panic!(
            "one problem: {:#?}",
            said(&manifest.replacen(text, instead, 1), Cluster::Ce)
        );
    };
    line.clone()
}

#[test]
fn of_a_good_one_nothing_is_said() {
    for cluster in [Cluster::Ce, Cluster::Plain] {
        assert_eq!(said(NATS, cluster), [""; 0]);
        assert_eq!(said(KAFKA, cluster), [""; 0]);
        assert_eq!(said(&format!("{NATS}{KAFKA}"), cluster), [""; 0]);
    }
}

#[test]
fn openfaas_ce_takes_no_function_to_zero_and_none_beyond_five() {
    assert_eq!(
        spoilt(NATS, "minReplicaCount: 1", "minReplicaCount: 0"),
        "7:20 error: OpenFaaS CE sets `order` back to 1 replica whenever KEDA takes it to 0 | \
         write `minReplicaCount: 1`, or render with `--profile plain` for another OpenFaaS"
    );
    assert_eq!(
        spoilt(NATS, "maxReplicaCount: 5", "maxReplicaCount: 20"),
        "8:20 error: OpenFaaS CE sets `order` back to 5 replicas whenever KEDA makes them up to 20 | write `maxReplicaCount: 5` or less"
    );
    let unsaid = NATS.replace("  minReplicaCount: 1\n  maxReplicaCount: 5\n", "");
    assert_eq!(said(&unsaid, Cluster::Ce).len(), 2);
    assert_eq!(said(&unsaid, Cluster::Plain), [""; 0]);
}

#[test]
fn a_durable_that_nobody_makes_scales_nothing() {
    assert_eq!(
        spoilt(NATS, "openfaas-fn_order_orders", "openfaas-fn_order_order"),
        "21:17 error: no function of this stack makes the durable `openfaas-fn_order_order`, so KEDA finds no lag to scale by | \
         did you mean `openfaas-fn_order_orders`?"
    );
    let foreign = spoilt(NATS, "openfaas-fn_order_orders", "billing");
    assert!(
        foreign.ends_with("| write one of `openfaas-fn_order_orders`, `openfaas-fn_strict_orders`"),
        "{foreign}"
    );
}

#[test]
fn one_server_of_nats_may_not_know() {
    for host in ["10.0.0.7", "nats-0.nats.openfaas.svc"] {
        assert_eq!(
            spoilt(NATS, "nats.openfaas.svc", host),
            format!(
                "18:37 warning: `{host}` is one server: one that does not lead the consumer counts wrongly, and when it is away KEDA sees nothing | \
                 write the headless Service of all of them, such as `nats.openfaas.svc:8222`, with a DNS name for each pod"
            )
        );
    }
    let scheme = spoilt(NATS, "nats.openfaas.svc", "http://nats");
    assert!(
        scheme.starts_with("18:37 error: KEDA puts a scheme before `http://nats:8222` itself"),
        "{scheme}"
    );
}

#[test]
fn the_global_account_is_not_that_of_a_server_with_accounts() {
    let remedy = "say it once for the cluster: `account` in the ConfigMap `openfaas-nats`, by a TriggerAuthentication; \
                  with operator and JWT it is the account's public key";
    assert_eq!(
        spoilt(NATS, "account: SHOP", "account: $G"),
        format!(
            "19:16 warning: `$G` has no streams where NATS is configured with accounts, and KEDA then sees no lag | {remedy}"
        )
    );
    assert_eq!(
        spoilt(NATS, "      account: SHOP\n", ""),
        format!("16:11 warning: nothing says which account of NATS the stream is in | {remedy}")
    );
    let elsewhere = NATS.replace("      account: SHOP\n", "").replace(
        "  - type: prometheus",
        "    authenticationRef: {name: order}\n  - type: prometheus",
    );
    assert_eq!(said(&elsewhere, Cluster::Ce), [""; 0]);
}

#[test]
fn the_counters_of_the_server_do_not_show_everything() {
    let sentence = "16:11 warning: only the server's counters say how much of `orders` waits for `order`, and they forget what was given up or cannot be stored | \
                    add a trigger of type `prometheus` with `query: max(openfaas_delivery_lag_messages{function=\"order\",function_namespace=\"openfaas-fn\",topic=\"orders\"})`";
    assert_eq!(
        spoilt(NATS, "topic=\"orders\"", "topic=\"returns\""),
        sentence
    );
    assert_eq!(
        spoilt(
            NATS,
            "openfaas_delivery_lag_messages",
            "gateway_function_invocation_total"
        ),
        sentence
    );
}

#[test]
fn excluding_what_stands_still_hides_retries() {
    assert_eq!(
        spoilt(
            KAFKA,
            "topic: payments",
            "topic: payments\n      excludePersistentLag: 'true'"
        ),
        "19:29 warning: with `excludePersistentLag` events that wait for a retry count as none, and the marker of a transaction still keeps one replica | \
         take it out: our owners commit past the marker; for other groups set `activationLagThreshold` to the number of partitions"
    );
}

#[test]
fn a_group_without_commits_never_sleeps_or_never_wakes() {
    assert_eq!(
        spoilt(
            KAFKA,
            "openfaas.openfaas-fn.payment",
            "openfaas.openfaas-fn.payments"
        ),
        "17:22 error: no function of this stack commits for the group `openfaas.openfaas-fn.payments`, and one without a commit never scales to zero | \
         did you mean `openfaas.openfaas-fn.payment`?"
    );
    let without = KAFKA
        .replace("      topic: payments\n", "")
        .replace("minReplicaCount: 1", "minReplicaCount: 0");
    assert_eq!(
        said(&without, Cluster::Plain),
        [
            "14:11 error: without `topic` only topics count that the group has committed to, so nothing ever starts the first replica | \
          add one trigger per topic, each with its `topic`"
        ]
    );
}

#[test]
fn earliest_counts_what_is_gone() {
    assert_eq!(
        spoilt(
            KAFKA,
            "topic: payments",
            "topic: payments\n      offsetResetPolicy: earliest"
        ),
        "19:26 warning: until the first commit `earliest` counts every event there ever was, removed ones too, and scales to the most at once | \
         take it out: where a function begins is said by `events.start`, and one event per partition is enough to start it"
    );
}

#[test]
fn replicas_that_are_busy_go_one_by_one() {
    assert_eq!(
        spoilt(
            NATS,
            "          policies: [{type: Pods, value: 1, periodSeconds: 60}]\n",
            ""
        ),
        "13:11 warning: nothing says how slowly replicas of `order` are taken away, so many that are busy may go at once | \
         under `advanced.horizontalPodAutoscalerConfig.behavior.scaleDown` write `policies: [{type: Pods, value: 1, periodSeconds: 60}]`"
    );
}

#[test]
fn the_cooldown_is_not_for_all_but_the_last() {
    assert_eq!(
        spoilt(NATS, "          stabilizationWindowSeconds: 300\n", ""),
        "6:3 warning: `cooldownPeriod` is about the last replica alone, and nothing says how long all others stay | \
         under `advanced.horizontalPodAutoscalerConfig.behavior.scaleDown` write `stabilizationWindowSeconds: 300`"
    );
}

#[test]
fn more_than_two_of_an_ordered_door_stand_idle() {
    let strict = NATS
        .replace("{name: order}", "{name: strict}")
        .replace("_order_", "_strict_")
        .replace("\"order\"", "\"strict\"");
    assert_eq!(
        said(&strict, Cluster::Ce),
        [
            "8:20 warning: of up to 5 replicas of `strict` one works: on NATS an ordered durable has one owner | \
          write `maxReplicaCount: 2`, so that one stands by; or let all take part with `events.order: none`"
        ]
    );
}

#[test]
fn what_is_no_manifest_is_said_with_its_line() {
    let error = Manifest::parse(
        "keda.yaml",
        "kind: ScaledObject\nspec:\n  minReplicaCount: few\n  triggers: none\n",
    )
    .unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("`few` is no count of replicas\n --> keda.yaml:3:20"),
        "{error}"
    );
    assert!(error.contains("a list was expected here"), "{error}");
    assert!(Manifest::parse("keda.yaml", "kind: [\n").is_err());
    assert!(
        Manifest::parse("keda.yaml", "# nothing\n---\n")
            .unwrap()
            .scaled
            .is_empty()
    );
}
