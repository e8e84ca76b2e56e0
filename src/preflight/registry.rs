//! Has the schema registry what the routes need?
//!
//! Takes [`Needs`]. Gives a fault for each schema that is not there, or can't be used.

use super::facts::block_on;
use super::{ASK_WITHIN, Fault, Needs, Severity};
use crate::config::RouteSchema;
use crate::config::topics::Need;
use crate::registry::{Client, ClientError};
use crate::schema::Compiled;
use crate::topic::TopicName;

pub(super) fn check(needs: &Needs) -> Vec<Fault> {
    let Some(config) = needs.registry.as_ref().filter(|_| !needs.schemas.is_empty()) else {
        return Vec::new();
    };
    let away = |why: String| {
        let hint = "look at `schema_registry` in the configuration, and at the registry";
        vec![Fault::new(Severity::Error, "registry_unreachable", "schema_registry", (why, hint), &[])]
    };
    let client = match Client::new(config) {
        Ok(client) => client,
        Err(error) => return away(error.to_string()),
    };
    let mut faults = Vec::new();
    for (topic, schema) in &needs.schemas {
        let found = block_on(async {
            tokio::time::timeout(ASK_WITHIN, client.find(&schema.subject(topic), schema.version)).await
        });
        let why = match found {
            Err(why) => return away(why),
            Ok(Err(_)) => return away(format!("it did not answer within {ASK_WITHIN:?}")),
            Ok(Ok(Err(error @ (ClientError::Away(_) | ClientError::Tls(_))))) => {
                return away(error.to_string());
            }
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Ok(Ok(found))) if found.kind != Some(schema.kind) => {
                format!("what is registered is no {} schema", schema.kind)
            }
            Ok(Ok(Ok(found))) => {
                match Compiled::compile(schema.kind, &found.text, &found.references, schema.record.as_deref())
                {
                    Ok(_) => continue,
                    Err(error) => error.to_string(),
                }
            }
        };
        faults.push(of_schema(topic, schema, why));
    }
    faults
}

fn of_schema(topic: &TopicName, schema: &RouteSchema, why: String) -> Fault {
    let need = Need { topic: topic.clone(), largest_value: 0, path: schema.path.clone(), at: schema.at };
    let hint = "`hookbridge schemas register` registers the file of the route; until then its events are answered 503";
    Fault::new(Severity::Error, "schema_unavailable", schema.subject(topic), (why, hint), &[need])
}
