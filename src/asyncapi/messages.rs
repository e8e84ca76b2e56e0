//! The messages: what kinds of records a source can become.
//!
//! Takes a source, and a kind. Gives a [`Message`], with its headers, key, payload and an example made from the provider's own.

use serde_json::{Map, Value, json};

use super::Registry;
use super::examples::{self, Sample};
use super::headers::{Form, Headers, Kind};
use super::payloads::{self, Known};
use super::servers::BINDING;
use super::types::{Types, literally};
use crate::config::schema_route::SubjectNameStrategy;
use crate::config::{Config, KeyFrom, RouteSchema, Source};
use crate::expression::Expression;
use crate::topic::Pattern;

/// A message of a channel.
pub(super) struct Message {
    /// Its name in the document.
    pub(super) name: String,
    /// The Message Object.
    pub(super) object: Value,
}

/// What all messages of a document have in common.
pub(super) struct Maker<'a> {
    pub(super) config: &'a Config,
    pub(super) source: &'a Source,
    pub(super) registry: Option<&'a Registry<'a>>,
}

impl Maker<'_> {
    /// Those of events that take a route: as they go to its topic, and in structured mode also as they go there if they are sent as
    /// CloudEvents already.
    ///
    /// # Errors
    /// The schema's file can't be used.
    pub(super) fn events(
        &self,
        types: &Types,
        pattern: &Pattern,
        schema: Option<&RouteSchema>,
    ) -> Result<Vec<Message>, String> {
        let Some(schema) = schema else { return Ok(self.plain(types, Form::Data)) };
        let file = payloads::read(schema, subject(schema, pattern).as_deref(), self.registry)?;
        Ok(vec![self.event(types, Form::Framed(schema), "", Some((pattern, file.as_ref())))])
    }

    /// Those of the octets that were signed, in a topic of their own.
    pub(super) fn raw(&self, types: &Types) -> Vec<Message> {
        self.plain(types, Form::AsSigned)
    }

    fn plain(&self, types: &Types, form: Form<'_>) -> Vec<Message> {
        let suffix = if matches!(form, Form::AsSigned) { ".signed" } else { "" };
        match self.source.cloudevents {
            crate::config::CloudEventsMode::Binary => vec![self.event(types, form, suffix, None)],
            crate::config::CloudEventsMode::Structured => vec![
                self.event(types, Form::Envelope, suffix, None),
                self.own_envelope(types, form, &format!("{suffix}.sent-as-cloudevent")),
            ],
        }
    }

    fn event(
        &self,
        types: &Types,
        form: Form<'_>,
        suffix: &str,
        schema: Option<(&Pattern, Option<&Known>)>,
    ) -> Message {
        let source = self.source;
        let headers = Headers::of(self.config, source, Kind::Event(types, form));
        let file = schema.and_then(|(_, file)| file);
        let sample = examples::of(source, Some(types));
        let content_type = match form {
            Form::Envelope => "application/cloudevents+json",
            Form::Framed(RouteSchema {
                kind: kind @ (crate::schema::Kind::Avro | crate::schema::Kind::Protobuf),
                ..
            }) => payloads::media_type(*kind),
            _ => sample
                .as_ref()
                .and_then(|sample| sample.content_type.as_deref())
                .unwrap_or("application/json"),
        };
        let mut said = format!("{}. Event types: {types}.", self.origin());
        if source.split.is_some() {
            said.push_str(" Each element of a batch is a record of its own.");
        }
        let mut binding = self.key(sample.as_ref());
        if let (Form::Framed(schema), Some((pattern, _))) = (form, schema) {
            said.push_str(&describe(schema, pattern));
            binding["schemaIdLocation"] = "payload".into();
            binding["schemaIdPayloadEncoding"] = "4".into();
            binding["schemaLookupStrategy"] = strategy(schema.strategy).into();
        }
        let mut object = json!({
            "name": types.exact().map_or_else(|| format!("{}.{}", source.name, types.key()), str::to_owned),
            "title": format!("{}: {}", source.provider.title, types.exact().unwrap_or("events")),
            "description": said,
            "contentType": content_type,
            "headers": headers.schema(),
            "payload": payloads::of_event(source, types, form, file),
            "bindings": { "kafka": binding },
        });
        if let Some(example) = sample.and_then(|sample| sample.example(source, &headers, form, file)) {
            object["examples"] = json!([example]);
        }
        Message { name: format!("{}.{}{suffix}", source.name, types.key()), object }
    }

    /// What is sent as a CloudEvent in one piece gets no second envelope.
    fn own_envelope(&self, types: &Types, form: Form<'_>, suffix: &str) -> Message {
        let mut message = self.event(types, form, suffix, None);
        let object = &mut message.object;
        object["description"] = format!(
            "{}. Event types: {types}. Sent as a CloudEvent in one piece already, and published as it was sent.",
            self.origin()
        )
        .into();
        object["contentType"] = "application/cloudevents+json".into();
        object["payload"] = payloads::as_sent("A CloudEvent in one piece, as it was sent.");
        object["headers"]["properties"]["content-type"] = json!({ "type": "string", "maxLength": 256,
            "pattern": "^[Aa][Pp][Pp][Ll][Ii][Cc][Aa][Tt][Ii][Oo][Nn]/[Cc][Ll][Oo][Uu][Dd][Ee][Vv][Ee][Nn][Tt][Ss]",
            "not": { "const": "application/cloudevents+json; charset=UTF-8" } });
        if let Some(required) = object["headers"]["required"].as_array_mut() {
            required.push("content-type".into());
        }
        if let Some(object) = object.as_object_mut() {
            object.remove("examples");
        }
        message
    }

    /// What can't be read.
    pub(super) fn dead_letter(&self) -> Message {
        let said = format!(
            "{}. A genuine request, or an element of a batch, that can't be read, does not fit its route's schema, or whose type \
             would name a topic too many. The value is what was signed; `hookbridge_reason` says why it is here.",
            self.origin()
        );
        self.kept("dead-letter", "dead letters", said, Kind::DeadLetter, self.key(None))
    }

    /// Requests whose signature fails.
    pub(super) fn report_only(&self) -> Message {
        let said =
            format!("{}. A request whose signature failed: nobody has proved who sent it.", self.origin());
        self.kept("unverified", "unverified requests", said, Kind::ReportOnly, self.key(None))
    }

    /// Requests that were refused.
    pub(super) fn quarantined(&self) -> Message {
        let said = format!(
            "{}. A request that was refused, kept to be verified again: nobody has proved who sent it.",
            self.origin()
        );
        let key = json!({ "type": "string", "pattern": "^[0-9a-f]{64}$", "description": "The SHA-256 of the value." });
        let binding = json!({ "key": key, "bindingVersion": BINDING });
        self.kept("quarantined", "refused requests", said, Kind::Quarantined, binding)
    }

    fn kept(&self, name: &str, title: &str, said: String, kind: Kind<'_>, binding: Value) -> Message {
        let source = self.source;
        let headers = Headers::of(self.config, source, kind);
        let sample = examples::of(source, None);
        let content_type = sample.as_ref().and_then(|sample| sample.content_type.clone());
        let mut object = json!({
            "name": format!("{}.{name}", source.name),
            "title": format!("{}: {title}", source.provider.title),
            "description": said,
            "contentType": content_type.unwrap_or_else(|| "application/json".to_owned()),
            "headers": headers.schema(),
            "payload": payloads::as_sent("The exact octets that were sent."),
            "bindings": { "kafka": binding },
        });
        // A dead letter's own example would be of a fault that one cannot foresee.
        if !matches!(kind, Kind::DeadLetter)
            && let Some(example) =
                sample.and_then(|sample| sample.example(source, &headers, Form::AsSigned, None))
        {
            object["examples"] = json!([example]);
        }
        Message { name: format!("{}.{name}", source.name), object }
    }

    fn origin(&self) -> String {
        format!(
            "Source `{}` ({}), received at {}",
            self.source.name, self.source.provider.title, self.source.path
        )
    }

    /// The binding, with what the key is made of.
    fn key(&self, sample: Option<&Sample>) -> Value {
        let source = self.source;
        let prefix = source.namespace.as_ref().map(|namespace| format!("{namespace}:")).unwrap_or_default();
        let mut key = Map::new();
        key.insert("type".to_owned(), "string".into());
        let said = match source.key {
            KeyFrom::BodySha256 => {
                key.insert("pattern".to_owned(), format!("^{}[0-9a-f]{{64}}$", literally(&prefix)).into());
                "The SHA-256 of the data".to_owned()
            }
            KeyFrom::MessageId => {
                let pattern =
                    if prefix.is_empty() { ".".to_owned() } else { format!("^{}.", literally(&prefix)) };
                key.insert("pattern".to_owned(), pattern.into());
                let mut places: Vec<String> =
                    source.provider.message_id.iter().map(Expression::to_string).collect();
                places.push("the SHA-256 of the data".to_owned());
                format!("The message ID, which stands in: {}", places.join(", else "))
            }
        };
        let behind = if prefix.is_empty() { String::new() } else { format!(", behind `{prefix}`") };
        key.insert("description".to_owned(), format!("{said}{behind}.").into());
        if let Some(sample) = sample {
            key.insert("examples".to_owned(), json!([sample.key(source)]));
        }
        json!({ "key": key, "bindingVersion": BINDING })
    }
}

/// The subject of a route's schema, if it is the same for all of its topics.
fn subject(schema: &RouteSchema, pattern: &Pattern) -> Option<String> {
    match (pattern, schema.strategy) {
        (Pattern::Fixed(topic), _) => Some(schema.subject(topic)),
        (Pattern::PerType(_), SubjectNameStrategy::RecordName) => schema.record.clone(),
        (Pattern::PerType(_), _) => None,
    }
}

fn describe(schema: &RouteSchema, pattern: &Pattern) -> String {
    let subject = subject(schema, pattern).unwrap_or_else(|| match (pattern, &schema.record) {
        (Pattern::PerType(template), Some(record)) if schema.strategy != SubjectNameStrategy::TopicName => {
            format!("{template}-{record}")
        }
        (Pattern::PerType(template), _) => format!("{template}-value"),
        (Pattern::Fixed(topic), _) => schema.subject(topic),
    });
    let version = schema
        .version
        .map_or_else(|| "the latest version".to_owned(), |version| format!("version {version}"));
    let payload = match schema.kind {
        crate::schema::Kind::Json => "the event's own octets",
        crate::schema::Kind::Avro => "Avro's binary encoding",
        crate::schema::Kind::Protobuf => "the message's indexes and its encoding",
    };
    format!(
        " It fits the {} schema of the subject `{subject}`, {version}. The value is in the Confluent wire format: an octet 0, the schema's ID \
         in four octets, {payload}.",
        schema.kind
    )
}

fn strategy(strategy: SubjectNameStrategy) -> &'static str {
    match strategy {
        SubjectNameStrategy::TopicName => "TopicNameStrategy",
        SubjectNameStrategy::RecordName => "RecordNameStrategy",
        SubjectNameStrategy::TopicRecordName => "TopicRecordNameStrategy",
    }
}
