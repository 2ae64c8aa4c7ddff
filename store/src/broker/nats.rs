//! The broker on NATS JetStream.

use std::time::Duration;

use async_nats::{
    ConnectOptions, ServerAddr,
    jetstream::{
        self, ErrorCode,
        consumer::{DeliverPolicy, pull::OrderedConfig},
        context::{GetStreamErrorKind, PublishErrorKind},
        message::PublishMessage,
        stream::{Config, DiscardPolicy, RawMessageErrorKind, StorageType},
    },
};
use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};

use super::{Broker, BrokerError, Envelope, MessageId, StreamState};
use crate::log::Position;

/// Publishes that may wait for their acknowledgement at once.
const OUTSTANDING_MAX: usize = 1_024;

/// The header of a message that names its event.
pub const EVENT_HEADER: &str = "Daybook-Event";
/// The header of a message that names the life of the log that it is of.
pub const INCARNATION_HEADER: &str = "Daybook-Incarnation";

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
    context: jetstream::Context,
    prefix: String,
    name: String,
    bytes_max: i64,
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
            .max_ack_inflight(OUTSTANDING_MAX * 2)
            .build(client);
        Ok(Self {
            context,
            prefix: options.prefix.clone(),
            name: options.prefix.to_uppercase(),
            bytes_max: options.bytes_max,
        })
    }

    async fn publish_one(
        &self,
        envelope: &Envelope,
    ) -> Result<jetstream::context::PublishAckFuture, BrokerError> {
        let body = envelope.to_json().map_err(unavailable)?;
        match self.send(envelope, body).await {
            // Followers read an event that is too large for the broker from the log; its place must be kept.
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                self.send(envelope, b"{\"specversion\":\"1.0\",\"type\":\"daybook.too_large\"}".to_vec())
                    .await
            }
            other => other,
        }
        .map_err(|error| publish_error(&error))
    }

    async fn send(
        &self,
        envelope: &Envelope,
        body: Vec<u8>,
    ) -> Result<jetstream::context::PublishAckFuture, jetstream::context::PublishError> {
        // Positions start at 1, so the one before is never negative.
        let before = u64::try_from(envelope.event.position - 1).unwrap_or(0);
        let mut message = PublishMessage::build()
            .payload(body.into())
            .header(EVENT_HEADER, envelope.event.event_id.to_string().as_str())
            .header(INCARNATION_HEADER, envelope.incarnation.to_string().as_str())
            .expected_last_sequence(before);
        // Whoever listens beside Daybook goes on in the same trace.
        if let Some(traceparent) = envelope.traceparent() {
            message = message.header("traceparent", traceparent.to_string().as_str());
        }
        self.context.send_publish(envelope.subject(&self.prefix), message).await
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
        match self.context.get_stream(&self.name).await {
            Ok(stream) => {
                let info = stream.cached_info();
                Ok(Some(StreamState {
                    last: position(info.state.last_sequence),
                    messages: info.state.messages,
                    bytes: info.state.bytes,
                    bytes_max: u64::try_from(info.config.max_bytes).ok().filter(|max| *max > 0),
                }))
            }
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    Ok(None)
                }
                _ => Err(unavailable(error)),
            },
        }
    }

    async fn create(&self, first: Position) -> Result<(), BrokerError> {
        let config = Config {
            name: self.name.clone(),
            subjects: vec![format!("{}.events.>", self.prefix)],
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            max_bytes: self.bytes_max,
            allow_direct: true,
            first_sequence: u64::try_from(first).ok(),
            ..Config::default()
        };
        self.context.create_stream(config).await.map_err(unavailable)?;
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
            let mut outstanding = Vec::with_capacity(chunk.len());
            for envelope in chunk {
                outstanding.push(self.publish_one(envelope).await?);
            }
            for acknowledgement in outstanding {
                acknowledgement.await.map_err(|error| publish_error(&error))?;
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

fn position(sequence: u64) -> Position {
    Position::try_from(sequence).unwrap_or(Position::MAX)
}

fn publish_error(error: &jetstream::context::PublishError) -> BrokerError {
    match error.kind() {
        PublishErrorKind::WrongLastSequence => BrokerError::Diverged,
        _ => unavailable(error),
    }
}

fn unavailable(error: impl std::fmt::Display) -> BrokerError {
    BrokerError::Unavailable(error.to_string())
}
