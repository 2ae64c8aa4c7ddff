//! What is told to others: the stream of events, and webhooks.

use domain::AggregateType;
use serde_json::{Map, Value, json};
use store::{
    broker::{EVENT_HEADER, Envelope, INCARNATION_HEADER},
    log::StoredEvent,
};
use uuid::Uuid;

use super::shapes::tagged;
use crate::{outbound::news, standard_webhooks};

const ABOUT: &str = "\
What happens in the shop, as it is told to others: every event, in order, on NATS JetStream, and what a shop's partners want to \
hear, by webhook.

**The stream** is a copy of the log. The JetStream sequence of an event is its position, so none can be missed or come twice; \
the stream may be filled anew at any time, and a consumer that finds another `Daybook-Incarnation` begins anew. Every version of \
an event that was ever released is told as it was stored.

**Webhooks** are signed as [Standard Webhooks](https://www.standardwebhooks.com) says, sent again for three days until they are \
taken, and may come twice under one `webhook-id`.";

/// Names that stand for what differs, so that subjects are written by what writes them.
const PREFIX: &str = "daybook";
const AGGREGATE_TYPE: &str = "AGGREGATE-TYPE";
const AGGREGATE_ID: &str = "AGGREGATE-ID";
const EVENT_TYPE: &str = "EVENT-TYPE";

/// The whole description.
pub fn asyncapi() -> Value {
    let (events, news) = (events(), told());
    let messages: Map<String, Value> =
        events.iter().chain(&news).map(|(name, one)| (name.clone(), one.clone())).collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Daybook",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": { "name": "Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "servers": { "nats": {
            "host": "localhost:4222", "protocol": "nats", "description": "Wherever `NATS_URL` says.",
        } },
        "channels": {
            "events": {
                "address": address(),
                "title": "The stream of events",
                "description": format!("JetStream stream `{}`. `{PREFIX}` is what `DAYBOOK_NATS_PREFIX` says, if it says anything.", PREFIX.to_uppercase()),
                "servers": [{ "$ref": "#/servers/nats" }],
                "parameters": {
                    "aggregate_type": { "enum": AggregateType::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>(), "description": "What it happened to." },
                    "aggregate_id": { "description": "Which, percent-encoded outside `A-Z a-z 0-9 _ -`." },
                    "event_type": { "description": "What happened." },
                },
                "messages": references(&events),
            },
            "webhooks": {
                "address": null,
                "title": "Webhooks",
                "description": "A POST to every endpoint that was registered at `/v1/webhook-endpoints` for the type, or for all.",
                "messages": references(&news),
            },
        },
        "operations": {
            "publishEvent": {
                "action": "send",
                "channel": { "$ref": "#/channels/events" },
                "summary": "Every event of the log, once it is durable.",
            },
            "sendWebhook": {
                "action": "send",
                "channel": { "$ref": "#/channels/webhooks" },
                "summary": "What a partner wants to hear.",
                "bindings": { "http": { "method": "POST", "bindingVersion": "0.3.0" } },
            },
        },
        "components": {
            "messages": messages,
            "schemas": { "Envelope": envelope(), "EventHeaders": event_headers(), "WebhookHeaders": webhook_headers() },
        },
    })
}

fn references(messages: &Map<String, Value>) -> Map<String, Value> {
    let reference = |name: &String| json!({ "$ref": format!("#/components/messages/{name}") });
    messages.keys().map(|name| (name.clone(), reference(name))).collect()
}

/// An envelope whose parts are known by their names.
pub fn sample() -> Envelope {
    let event = StoredEvent {
        position: 1,
        aggregate_type: AGGREGATE_TYPE.into(),
        aggregate_id: AGGREGATE_ID.into(),
        sequence: 1,
        event_type: EVENT_TYPE.into(),
        event_version: "1".into(),
        payload: "{}".into(),
        metadata: "{}".into(),
        event_id: Uuid::nil(),
        recorded_at_us: 0,
    };
    Envelope { incarnation: Uuid::nil(), event }
}

/// The subject that events are published on.
fn address() -> String {
    let subject = sample().subject(PREFIX);
    let parts = [
        (AGGREGATE_TYPE, "{aggregate_type}"),
        (AGGREGATE_ID, "{aggregate_id}"),
        (EVENT_TYPE, "{event_type}"),
    ];
    parts.into_iter().fold(subject, |subject, (part, parameter)| subject.replace(part, parameter))
}

/// One message for every event of today.
fn events() -> Map<String, Value> {
    let mut messages = Map::new();
    for aggregate_type in AggregateType::ALL {
        let shape = aggregate_type.event_shape().unwrap_or_else(|error| panic!("{aggregate_type}: {error}"));
        for (event_type, version) in aggregate_type.event_types() {
            let data = shape.variant(event_type).map(tagged).unwrap_or_default();
            let name = format!("daybook.{aggregate_type}.{event_type}.v{version}");
            let payload = json!({ "allOf": [
                { "$ref": "#/components/schemas/Envelope" },
                { "type": "object", "properties": { "type": { "const": name }, "data": data } },
            ] });
            let message = json!({
                "name": name,
                "title": format!("{event_type} of {aggregate_type}"),
                "contentType": "application/cloudevents+json",
                "headers": { "$ref": "#/components/schemas/EventHeaders" },
                "payload": payload,
            });
            messages.insert(name, message);
        }
    }
    messages
}

/// CloudEvents 1.0; extension attributes are lower case without separators.
pub fn envelope() -> Value {
    let text = |says: &str| json!({ "type": "string", "description": says });
    let number = |says: &str| json!({ "type": "integer", "minimum": 1, "description": says });
    let properties = json!({
        "specversion": { "const": "1.0" },
        "id": { "type": "string", "format": "uuid", "description": "The event's own id: a UUIDv8 that begins with milliseconds as a UUIDv7 does, or a UUIDv5 where it follows from a timer, a delivery or an import; in older logs a UUIDv7 too." },
        "source": { "type": "string", "pattern": "^urn:daybook:log:", "description": "Which life of the log." },
        "type": text("`daybook.<aggregate_type>.<EventType>.v<version>`"),
        "subject": text("The stream: `<aggregate_type>-<id>`."),
        "time": { "type": "string", "format": "date-time", "description": "When it was recorded." },
        "datacontenttype": { "const": "application/json" },
        "position": number("Its place in the log."),
        "sequence": number("Its place in its stream."),
        "aggregatetype": text("What it happened to."),
        "aggregateid": text("Which."),
        "recordedatus": { "type": "integer", "description": "When it was recorded, in microseconds since 1970." },
        "metadata": text("Who, when in business time, and why: the log's own JSON text."),
        "data": { "type": "object", "description": "The payload under the event's type, to the byte as it is stored." },
    });
    let required: Vec<&String> = properties.as_object().map(|all| all.keys().collect()).unwrap_or_default();
    json!({ "type": "object", "required": required, "properties": properties })
}

fn event_headers() -> Value {
    let uuid = |says: &str| json!({ "type": "string", "format": "uuid", "description": says });
    let text = |says: &str| json!({ "type": "string", "description": says });
    json!({
        "type": "object",
        "required": [EVENT_HEADER, INCARNATION_HEADER],
        "properties": {
            EVENT_HEADER: uuid("The event's own id."),
            INCARNATION_HEADER: uuid("Which life of the log."),
            "Nats-Msg-Id": text("`<Daybook-Incarnation>:<Daybook-Event>`, by which the server tells repeats."),
            "Nats-Expected-Last-Sequence": text("The position before: what makes sequence and position one. On the first message of those that were sent together."),
            "Nats-Expected-Last-Msg-Id": text("The message before, on the others."),
        },
    })
}

fn webhook_headers() -> Value {
    let text = |says: &str| json!({ "type": "string", "description": says });
    json!({
        "type": "object",
        "required": [standard_webhooks::ID, standard_webhooks::TIMESTAMP, standard_webhooks::SIGNATURE],
        "properties": {
            standard_webhooks::ID: text("The message's own id, the same each time it is sent."),
            standard_webhooks::TIMESTAMP: text("When this try was made, in seconds since 1970."),
            standard_webhooks::SIGNATURE: text("`v1,<base64>`, one for each secret: HMAC-SHA256 of id, timestamp and body with full stops between."),
        },
    })
}

/// One message for everything that a webhook can be about.
fn told() -> Map<String, Value> {
    let message = |(kind, says): &(&str, &str)| {
        let place = json!({ "type": "integer", "minimum": 1 });
        let of = kind.split('.').next().unwrap_or_default();
        let id = if of == "inventory" { "sku" } else { of };
        let data = json!({
            "type": "object",
            "required": [id, "position", "version"],
            "properties": {
                id: { "type": "string", "description": "Which." },
                "position": place, "version": place,
            },
            "description": "Names, places and amounts; nothing that is personal.",
        });
        let payload = json!({
            "type": "object",
            "required": ["type", "timestamp", "data"],
            "properties": {
                "type": { "const": kind },
                "timestamp": { "type": "string", "format": "date-time", "description": "When it happened." },
                "data": data,
            },
        });
        let message = json!({
            "name": kind,
            "summary": says,
            "headers": { "$ref": "#/components/schemas/WebhookHeaders" },
            "payload": payload,
        });
        ((*kind).to_owned(), message)
    };
    news::TYPES.iter().map(message).collect()
}
