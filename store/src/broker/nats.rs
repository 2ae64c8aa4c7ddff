//! The broker on NATS JetStream.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_nats::{
    Client, ConnectOptions, HeaderMap, HeaderName, HeaderValue, ServerAddr,
    header::{NATS_EXPECTED_LAST_MESSAGE_ID, NATS_EXPECTED_LAST_SEQUENCE, NATS_MESSAGE_ID},
    jetstream::{
        self, ErrorCode,
        consumer::{DeliverPolicy, pull::OrderedConfig},
        context::{GetStreamErrorKind, PublishAckFuture, PublishErrorKind},
        message::PublishMessage,
        stream::{Config, DiscardPolicy, RawMessageErrorKind, StorageType, Stream},
    },
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream::BoxStream};

use super::{Broker, BrokerError, Envelope, MessageId, StreamState};
use crate::log::Position;

/// Messages that may be on their way at once.
const OUTSTANDING_MAX: usize = 1_024;
/// What the headers of a message may take beside its body, in bytes: they take some 400.
const HEADERS_MAX: usize = 1_024;
/// For how long the server remembers a message's id, for which it takes some memory. The last one's it knows without that, unless
/// it was started anew: then a page is refused once.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(1);

/// The header of a message that names its event.
pub const EVENT_HEADER: &str = "Daybook-Event";
/// The header of a message that names the life of the log that it is of.
pub const INCARNATION_HEADER: &str = "Daybook-Incarnation";
const EVENT: HeaderName = HeaderName::from_static(EVENT_HEADER);
const INCARNATION: HeaderName = HeaderName::from_static(INCARNATION_HEADER);

/// How to reach NATS, and what to call things there.
#[derive(Clone, Debug)]
pub struct NatsOptions {
    /// `nats://[token@]host:port`, several with commas.
    pub url: String,
    /// The first token of every subject and, in capitals, the stream's name: `[a-z0-9_]+`.
    pub prefix: String,
    /// Bytes that the stream may take before it drops its oldest messages; followers then read from the log.
    pub bytes_max: i64,
}

/// A JetStream stream.
#[derive(Clone, Debug)]
pub struct NatsBroker {
    client: Client,
    context: jetstream::Context,
    prefix: String,
    name: String,
    bytes_max: i64,
    /// Whether the stream has more than one replica, which somebody else has given it.
    replicated: Arc<AtomicBool>,
}

impl NatsBroker {
    /// Connects in the background: a broker that is away now may come later.
    ///
    /// # Errors
    /// When the address is not one.
    pub async fn connect(options: &NatsOptions) -> Result<Self, BrokerError> {
        let client = client(&options.url).await?;
        let context = jetstream::context::ContextBuilder::new()
            .timeout(Duration::from_secs(2))
            .ack_timeout(Duration::from_secs(5))
            .build(client.clone());
        Ok(Self {
            client,
            context,
            prefix: options.prefix.clone(),
            name: options.prefix.to_uppercase(),
            bytes_max: options.bytes_max,
            replicated: Arc::default(),
        })
    }

    /// The stream as it is now; `None` when there is none.
    async fn stream(&self) -> Result<Option<Stream>, BrokerError> {
        match self.context.get_stream(&self.name).await {
            Ok(stream) => {
                self.replicated.store(stream.cached_info().config.num_replicas > 1, Ordering::Relaxed);
                Ok(Some(stream))
            }
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    Ok(None)
                }
                _ => Err(unavailable(error)),
            },
        }
    }

    /// Sends `before` and `last`, which are consecutive events: what answers for the last one answers for all, for none is
    /// stored unless the one before it is. The first names the sequence before it, each of the others the message. A sequence
    /// alone would not do for those: behind a message of somebody else, which has taken the place of one of them, the next
    /// would have the right number again.
    async fn send(&self, before: &[Envelope], last: &Envelope) -> Result<PublishAckFuture, BrokerError> {
        let mut previous = None;
        for envelope in before {
            let id = message_id(envelope);
            let (subject, headers, body) = self.message(envelope, id.clone(), previous)?;
            self.client.publish_with_headers(subject, headers, body).await.map_err(unavailable)?;
            previous = Some(id);
        }
        let (subject, headers, body) = self.message(last, message_id(last), previous)?;
        let message = PublishMessage::build().headers(headers).payload(body);
        self.context.send_publish(subject, message).await.map_err(|error| publish_error(&error))
    }

    /// An event's message under its id, as subject, headers and body, which is only stored behind the message with the id
    /// `before`, or in its place where that is not said.
    fn message(
        &self,
        envelope: &Envelope,
        id: String,
        before: Option<String>,
    ) -> Result<(String, HeaderMap, Bytes), BrokerError> {
        let mut headers = HeaderMap::new();
        headers.insert(EVENT, HeaderValue::from(envelope.event.event_id.to_string()));
        headers.insert(INCARNATION, HeaderValue::from(envelope.incarnation.to_string()));
        headers.insert(NATS_MESSAGE_ID, HeaderValue::from(id));
        match before {
            Some(before) => headers.insert(NATS_EXPECTED_LAST_MESSAGE_ID, HeaderValue::from(before)),
            // Positions start at 1, so the one before is never negative.
            None => headers.insert(
                NATS_EXPECTED_LAST_SEQUENCE,
                HeaderValue::from(u64::try_from(envelope.event.position - 1).unwrap_or(0)),
            ),
        }
        // Whoever listens beside Daybook goes on in the same trace.
        if let Some(traceparent) = envelope.traceparent() {
            headers.insert("traceparent", HeaderValue::from(traceparent.to_string()));
        }
        let mut body = envelope.to_json().map_err(unavailable)?;
        // Followers read an event that is too large for the broker from the log; its place must be kept.
        if body.len() + HEADERS_MAX > self.client.max_payload() {
            body = b"{\"specversion\":\"1.0\",\"type\":\"daybook.too_large\"}".to_vec();
        }
        Ok((envelope.subject(&self.prefix), headers, body.into()))
    }
}

/// A client that keeps trying. The library takes no credentials out of an address, so that is done here: a user
/// without a password is a token.
///
/// # Errors
/// When the address is not one.
pub async fn client(url: &str) -> Result<async_nats::Client, BrokerError> {
    let servers =
        url.split(',').map(str::parse).collect::<Result<Vec<ServerAddr>, _>>().map_err(unavailable)?;
    let mut options = ConnectOptions::new()
        .name("daybook")
        .retry_on_initial_connect()
        .connection_timeout(Duration::from_secs(2))
        .reconnect_delay_callback(|attempts| Duration::from_millis(50 * (attempts as u64).clamp(1, 20)));
    if let Some((user, password)) =
        servers.iter().find_map(|server| Some((server.username()?, server.password())))
    {
        options = match password {
            Some(password) => options.user_and_password(user.to_owned(), password.to_owned()),
            None => options.token(user.to_owned()),
        };
    }
    options.connect(servers).await.map_err(unavailable)
}

#[async_trait]
impl Broker for NatsBroker {
    async fn state(&self) -> Result<Option<StreamState>, BrokerError> {
        let stream = self.stream().await?;
        Ok(stream.map(|stream| {
            let info = stream.cached_info();
            StreamState {
                last: position(info.state.last_sequence),
                messages: info.state.messages,
                bytes: info.state.bytes,
                bytes_max: u64::try_from(info.config.max_bytes).ok().filter(|max| *max > 0),
            }
        }))
    }

    async fn create(&self, first: Position) -> Result<(), BrokerError> {
        let config = Config {
            name: self.name.clone(),
            subjects: vec![format!("{}.events.>", self.prefix)],
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            max_bytes: self.bytes_max,
            allow_direct: true,
            duplicate_window: DUPLICATE_WINDOW,
            first_sequence: u64::try_from(first).ok(),
            ..Config::default()
        };
        self.context.create_stream(config).await.map_err(unavailable)?;
        Ok(())
    }

    async fn renew(&self) -> Result<(), BrokerError> {
        let Some(stream) = self.stream().await? else { return Ok(()) };
        let config = stream.cached_info().config.clone();
        if config.duplicate_window != DUPLICATE_WINDOW {
            let config = Config { duplicate_window: DUPLICATE_WINDOW, ..config };
            self.context.update_stream(config).await.map_err(unavailable)?;
        }
        Ok(())
    }

    async fn delete(&self) -> Result<(), BrokerError> {
        self.context.delete_stream(&self.name).await.map_err(unavailable)?;
        Ok(())
    }

    async fn message_at(&self, at: Position) -> Result<Option<MessageId>, BrokerError> {
        let stream = self.context.get_stream_no_info(&self.name).await.map_err(unavailable)?;
        match stream.get_raw_message(u64::try_from(at).unwrap_or(0)).await {
            Ok(message) => {
                let header =
                    |name: &str| message.headers.get(name).and_then(|value| value.as_str().parse().ok());
                let id = header(EVENT_HEADER).zip(header(INCARNATION_HEADER));
                Ok(id.map(|(event_id, incarnation)| MessageId { incarnation, event_id }))
            }
            Err(error) => match error.kind() {
                RawMessageErrorKind::NoMessageFound => Ok(None),
                RawMessageErrorKind::JetStream(error)
                    if error.error_code() == ErrorCode::STREAM_NOT_FOUND =>
                {
                    Ok(None)
                }
                _ => Err(unavailable(error)),
            },
        }
    }

    async fn publish(&self, envelopes: &[Envelope]) -> Result<(), BrokerError> {
        for chunk in envelopes.chunks(OUTSTANDING_MAX) {
            // A replica that catches up does not learn the last message's id, so there each has an answer of its own.
            let chain = if self.replicated.load(Ordering::Relaxed) { 1 } else { OUTSTANDING_MAX };
            let mut outstanding = Vec::new();
            for (last, before) in chunk.chunks(chain).filter_map(<[Envelope]>::split_last) {
                outstanding.push((self.send(before, last).await?, last.event.position));
            }
            for (stored, at) in outstanding {
                let stored = stored.await.map_err(|error| publish_error(&error))?;
                // It may have been there before: then another relay was quicker.
                if position(stored.sequence) != at {
                    return Err(BrokerError::Diverged);
                }
            }
        }
        Ok(())
    }

    async fn subscribe(&self, from: Position) -> Result<BoxStream<'static, Envelope>, BrokerError> {
        let stream = self.context.get_stream_no_info(&self.name).await.map_err(unavailable)?;
        let config = OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: u64::try_from(from).unwrap_or(1),
            },
            ..OrderedConfig::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(unavailable)?;
        let messages = consumer.messages().await.map_err(unavailable)?;
        // Anything that is not an envelope ends the stream: the follower goes on from the log.
        let envelopes = messages.map(|message| {
            let message = message.ok()?;
            let sequence = message.info().ok()?.stream_sequence;
            let envelope = Envelope::from_json(&message.payload).ok()?;
            (position(sequence) == envelope.event.position).then_some(envelope)
        });
        Ok(envelopes
            .take_while(|envelope| std::future::ready(envelope.is_some()))
            .filter_map(std::future::ready)
            .boxed())
    }
}

/// What the server knows a message by: one of another life of the log is another one.
fn message_id(envelope: &Envelope) -> String {
    format!("{}:{}", envelope.incarnation, envelope.event.event_id)
}

fn position(sequence: u64) -> Position {
    Position::try_from(sequence).unwrap_or(Position::MAX)
}

fn publish_error(error: &jetstream::context::PublishError) -> BrokerError {
    match error.kind() {
        PublishErrorKind::WrongLastSequence | PublishErrorKind::WrongLastMessageId => BrokerError::Diverged,
        _ => unavailable(error),
    }
}

fn unavailable(error: impl std::fmt::Display) -> BrokerError {
    BrokerError::Unavailable(error.to_string())
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::{
        log::StoredEvent,
        testing::{Ground, request},
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn where_there_are_replicas_each_message_has_its_answer() {
        let ground = Ground::new().await;
        let (broker, engine) = (ground.broker().await, ground.engine().await);
        let quantity = domain::value::Quantity::new(1).unwrap();
        for _ in 0..4 {
            let receive =
                domain::inventory_item::Command::Receive { quantity, location: None, reference: None };
            engine.executor.execute(request("A", receive)).await.unwrap();
        }
        let incarnation = engine.feed.incarnation();
        let envelope = |event: StoredEvent| Envelope { incarnation, event };
        let envelopes: Vec<_> = engine.log.read(0, 4).await.unwrap().into_iter().map(envelope).collect();
        broker.create(1).await.unwrap();
        broker.replicated.store(true, Ordering::Relaxed);
        broker.publish(&envelopes[..2]).await.unwrap();
        assert!(matches!(broker.publish(&envelopes[3..]).await, Err(BrokerError::Diverged)));
        broker.publish(&envelopes[2..]).await.unwrap();
        // It asks anew how many there are.
        assert_eq!(broker.state().await.unwrap().unwrap().last, 4);
        assert!(!broker.replicated.load(Ordering::Relaxed));
    }
}
