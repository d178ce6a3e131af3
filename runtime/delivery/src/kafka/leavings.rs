//! Groups of ours.

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::Producer as _;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::broker::Kafka;
use super::check;
use crate::broker::OpenError;
use crate::leavings::{Leaving, Leavings};
use crate::wiring::owner_of_group;

impl Leavings for Kafka {
    async fn leavings(&self) -> Result<Vec<Leaving>, OpenError> {
        let (client, prefix) = (self.client()?, self.settings().group.clone());
        let found = check::on_a_thread(move || {
            let groups = client.client().fetch_group_list(None, check::TIMEOUT);
            let groups = groups.map_err(|error| client.context().explain(&error))?;
            let ours = groups.groups().iter().filter_map(|group| {
                let (namespace, function) = owner_of_group(&prefix, group.name())?;
                Some(Leaving {
                    namespace: namespace.to_owned(),
                    function: function.to_owned(),
                    name: group.name().to_owned(),
                    place: String::new(),
                    in_use: !group.members().is_empty(),
                })
            });
            Ok(ours.collect())
        });
        found.await.map_err(OpenError::Unavailable)
    }

    async fn forget(&self, leaving: &Leaving) -> Result<(), OpenError> {
        let unavailable =
            |error: rdkafka::error::KafkaError| OpenError::Unavailable(error.to_string());
        let admin: AdminClient<DefaultClientContext> =
            self.settings().client().create().map_err(unavailable)?;
        let options = AdminOptions::new().request_timeout(Some(check::TIMEOUT));
        let deleted = admin.delete_groups(&[&leaving.name], &options).await;
        match deleted.map_err(unavailable)?.pop() {
            None | Some(Ok(_) | Err((_, Code::GroupIdNotFound))) => Ok(()),
            Some(Err((_, Code::NonEmptyGroup))) => Err(OpenError::NotReady(
                "somebody has joined it meanwhile".to_owned(),
            )),
            Some(Err((_, code))) => Err(OpenError::NotReady(code.to_string())),
        }
    }
}
