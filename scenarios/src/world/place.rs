//! Where one scenario after another is played: schemas of their own, laid once and wiped in between.

use std::sync::Arc;

use api::edge;
use async_trait::async_trait;
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use sqlx::{Executor as _, PgPool, Row as _};
use store::{
    archive::Archive,
    broker::{Broker, BrokerError, Envelope, MessageId, NatsBroker, NatsOptions, StreamState},
    engine::{Engine, Parts},
    executor::Limits,
    log::{LogError, Position},
    schema::{self, SchemaError, Tables},
    secrets::MasterKey,
};

use super::{client::ClientError, clock::Calendar};

/// Connections of a place's log: its followers share them.
const LOG_CONNECTIONS: u32 = 6;
/// Connections of a place's read models.
const READ_CONNECTIONS: u32 = 4;
/// Bytes of events that a place's stream may hold: the broker reserves them, and places share one.
const STREAM_BYTES_MAX: i64 = 4 << 20;

/// Servers that scenarios may be played on.
#[derive(Clone, Debug)]
pub struct Servers {
    /// Postgres as somebody who may create schemas.
    pub owner_url: String,
    /// Postgres as the serving role.
    pub app_url: String,
    /// The serving role.
    pub role: String,
    /// NATS.
    pub nats_url: String,
}

/// Why a scenario has no place to be played in.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Tables could not be laid or reached.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The store did not start.
    #[error(transparent)]
    Start(#[from] store::engine::StartError),
    /// The broker failed.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// The shop's own port could not be opened.
    #[error(transparent)]
    Port(#[from] std::io::Error),
    /// Nobody could be given a token.
    #[error(transparent)]
    Identity(#[from] api::identity::Error),
    /// The shop's own port does not answer.
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// A place: empty tables that nobody else uses.
pub(super) struct Place {
    owner: PgPool,
    pub(super) log: PgPool,
    keys: PgPool,
    pub(super) read: PgPool,
    pub(super) edge: PgPool,
    broker: Arc<NatsBroker>,
    /// What makes all tables as they were laid.
    wipe: String,
}

impl Place {
    /// Lays the tables.
    pub(super) async fn lay(servers: &Servers, prefix: String) -> Result<Self, PlaceError> {
        let Servers { owner_url, app_url, role, .. } = servers;
        let all = all_tables();
        for tables in &all {
            schema::migrate(owner_url, &prefix, role, tables).await?;
        }
        let owner = schema::connect(owner_url, &prefix, "", 1).await?;
        Ok(Self {
            wipe: wipe(&owner, &prefix, &all).await?,
            owner,
            log: schema::connect(app_url, &prefix, "", LOG_CONNECTIONS).await?,
            keys: schema::connect(app_url, &prefix, "_keys", 1).await?,
            read: schema::connect(app_url, &prefix, "_read", READ_CONNECTIONS).await?,
            edge: schema::connect(app_url, &prefix, edge::SUFFIX, 1).await?,
            broker: Arc::new(broker(servers, &prefix).await?),
        })
    }

    /// An engine on the empty log, with nobody following yet.
    pub(super) async fn engine(&self, calendar: Arc<Calendar>, nats: bool) -> Result<Engine, PlaceError> {
        let broker: Arc<dyn Broker> = if nats {
            // There may be none yet.
            let _ = self.broker.delete().await;
            self.broker.create(1).await?;
            Arc::clone(&self.broker) as _
        } else {
            Arc::new(Silent)
        };
        let parts = Parts {
            pool: self.log.clone(),
            keys: self.keys.clone(),
            archive: Archive::default(),
            broker,
            master: MasterKey::new([7; 32]).into(),
            limits: Limits::default(),
            clock: calendar,
        };
        Ok(Engine::start(parts).await?)
    }

    /// Makes it as it was when it was laid; whatever still runs finds another log, and cannot write to it.
    pub(super) async fn wiped(self) -> Result<Self, PlaceError> {
        self.owner.execute(self.wipe.as_str()).await?;
        Ok(self)
    }

    /// Takes away what was laid under a name, whatever has become of the place.
    pub(super) async fn remove(servers: &Servers, prefix: &str) -> Result<(), PlaceError> {
        // There is none where nothing was played over HTTP.
        let _ = broker(servers, prefix).await?.delete().await;
        let owner = schema::connect(&servers.owner_url, prefix, "", 1).await?;
        for tables in all_tables() {
            let drop = format!("DROP SCHEMA IF EXISTS {prefix}{} CASCADE", tables.suffix);
            owner.execute(drop.as_str()).await?;
        }
        Ok(())
    }
}

/// Everything that a shop keeps.
fn all_tables() -> [Tables; 5] {
    let (log, views, keys) = (schema::log_tables(), schema::analysis_tables(), schema::key_tables());
    [log, views, keys, projections::tables(), edge::tables()]
}

async fn broker(servers: &Servers, prefix: &str) -> Result<NatsBroker, BrokerError> {
    let (url, prefix) = (servers.nats_url.clone(), prefix.to_owned());
    NatsBroker::connect(&NatsOptions { url, prefix, bytes_max: STREAM_BYTES_MAX }).await
}

/// One transaction that empties every table, and begins another life of the log. Followers keep their fences, which
/// only grow: what an earlier scenario's follower still sends is refused.
async fn wipe(owner: &PgPool, prefix: &str, all: &[Tables]) -> Result<String, PlaceError> {
    let schemas: Vec<_> = all.iter().map(|tables| format!("{prefix}{}", tables.suffix)).collect();
    let rows = sqlx::query("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY($1)")
        .bind(schemas)
        .fetch_all(owner)
        .await?;
    let mut wipe = String::from("BEGIN;");
    for row in &rows {
        let (schema, table): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
        wipe += &match table {
            "_sqlx_migrations" => continue,
            "followers" => format!(
                "UPDATE {schema}.followers SET incarnation = NULL, position = 0, link = NULL, holder = NULL, \
                 fence = fence + 1, lease_expires_at = '-infinity';"
            ),
            "log_head" => format!(
                "UPDATE {schema}.log_head SET position = 0, link = decode(repeat('00', 32), 'hex'), \
                 incarnation = gen_random_uuid();"
            ),
            table => format!("DELETE FROM {schema}.{table};"),
        };
    }
    Ok(wipe + "COMMIT;")
}

/// A broker that has nothing to say: the log is read instead.
struct Silent;

#[async_trait]
impl Broker for Silent {
    async fn state(&self) -> Result<Option<StreamState>, BrokerError> {
        Ok(None)
    }

    async fn create(&self, _: Position) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn delete(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn message_at(&self, _: Position) -> Result<Option<MessageId>, BrokerError> {
        Ok(None)
    }

    async fn publish(&self, _: &[Envelope]) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn subscribe(&self, _: Position) -> Result<BoxStream<'static, Envelope>, BrokerError> {
        Ok(stream::pending().boxed())
    }
}
