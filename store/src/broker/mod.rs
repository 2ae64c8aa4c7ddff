//! The broker as the rest of the store sees it: a copy of the log's tail whose sequence is the position.

mod envelope;
mod nats;

use async_trait::async_trait;
use futures::stream::BoxStream;
use uuid::Uuid;

pub use envelope::{Envelope, EnvelopeError};
pub use nats::{EVENT_HEADER, INCARNATION_HEADER, NatsBroker, NatsOptions, client};

use crate::log::Position;

/// What the broker's stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamState {
    /// The last sequence; when it holds nothing, one before the first to come.
    pub last: Position,
    /// How many messages it holds.
    pub messages: u64,
    /// How many bytes they take.
    pub bytes: u64,
    /// How many they may take before the oldest are dropped, where that is bounded.
    pub bytes_max: Option<u64>,
}

/// Why the broker did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    /// What it ends with is not what was expected: it holds something else than the log, or did not store a message that came
    /// before.
    #[error("the broker's stream does not follow the log")]
    Diverged,
    /// It could not be reached or refused.
    #[error("the broker is unavailable: {0}")]
    Unavailable(String),
}

/// Which event a message of the broker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageId {
    /// The life of the log that it came from.
    pub incarnation: Uuid,
    /// The event.
    pub event_id: Uuid,
}

/// A stream of envelopes, numbered by position.
#[async_trait]
pub trait Broker: Send + Sync {
    /// The state of the stream; `None` when there is none.
    async fn state(&self) -> Result<Option<StreamState>, BrokerError>;

    /// Creates the stream, so that the first message gets `first`.
    async fn create(&self, first: Position) -> Result<(), BrokerError>;

    /// Has a stream that is there, whoever made it, take no more of the server's memory than publishing needs.
    async fn renew(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    /// Deletes the stream with everything in it.
    async fn delete(&self) -> Result<(), BrokerError>;

    /// Which event stands at a position; `None` when the message there is not an envelope or is gone.
    async fn message_at(&self, position: Position) -> Result<Option<MessageId>, BrokerError>;

    /// Publishes consecutive events, each only behind its predecessor: what is stored of them when it fails is a beginning.
    async fn publish(&self, envelopes: &[Envelope]) -> Result<(), BrokerError>;

    /// The envelopes from a position on, as they come. The stream ends when the broker can give no more.
    async fn subscribe(&self, from: Position) -> Result<BoxStream<'static, Envelope>, BrokerError>;
}
