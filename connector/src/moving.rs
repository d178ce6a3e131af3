//! From OpenFaaS's own Kafka connector to this one.

use std::process::ExitCode;

use openfaas_delivery::broker::Broker as _;
use openfaas_delivery::kafka::{Copied, Kafka};
use openfaas_delivery::wiring::Broker;

use crate::cli::Done;
use crate::config::Config;
use crate::gateway::Gateway;
use crate::wanted::List;

/// Lets the group of each function begin where `group` has got to, and says so, a line for each topic.
pub(crate) async fn copy_offsets(config: &Config, kafka: &Kafka, group: &str) -> Done {
    let gateway = Gateway::new(&config.gateway, config.credentials.clone());
    let list = List::of(&gateway.functions().await?, Broker::Kafka, config);
    let mut done = ExitCode::SUCCESS;
    for wrong in &list.wrong {
        println!("failed   {wrong}");
        done = ExitCode::FAILURE;
    }
    for wanted in &list.wanted {
        let wiring = &wanted.delivery.wiring;
        for topic in &wiring.topics {
            let ours = kafka.durable(wiring, topic);
            match kafka.copy_offsets(topic, group, &ours).await {
                Ok(Copied::Partitions(count)) => {
                    println!(
                        "copied   {ours} begins in {topic} where {group} has got to, {count} partitions"
                    );
                }
                Ok(Copied::Nothing) => {
                    println!("nothing  {group} has committed nothing in {topic}");
                }
                Ok(Copied::Begun) => {
                    println!("nothing  {ours} has committed in {topic} before, and goes on there");
                }
                Err(reason) => {
                    println!("failed   {reason}");
                    done = ExitCode::FAILURE;
                }
            }
        }
    }
    Ok(done)
}
