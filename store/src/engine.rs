//! One process's running store: executor, relay and feed, and whoever is added to follow.

use std::{collections::HashMap, sync::Arc};

use futures::{FutureExt as _, future::BoxFuture};
use sqlx::PgPool;
use tokio::{sync::watch, task::JoinSet};
use uuid::Uuid;

use crate::{
    archive::Archive,
    broker::Broker,
    census::Census,
    executor::{self, Executor, Expiry, Limits},
    feed::Feed,
    follow::{Auditor, Board, Follower, Lease, Progress, Projection, Reached, React, Reactor},
    forgetting::{self, Forgetting},
    gateway::{AskGateway, Gateway, PaymentResults, Purse, Tokens},
    lives,
    log::{Log, LogError, PostgresLog},
    managers::{Driver, Following, Managing, Timers},
    ports::{Clock, Ids, Machine},
    relay::Relay,
    secrets::{Fingerprints, MasterKeys},
    vault::{Vault, VaultError},
    verify::{ChainWatch, Watched},
};

/// What an engine runs on.
pub struct Parts {
    /// The log's schema.
    pub pool: PgPool,
    /// The keys' schema.
    pub keys: PgPool,
    /// The files of what was put away.
    pub archive: Archive,
    /// The broker.
    pub broker: Arc<dyn Broker>,
    /// What everything secret derives from.
    pub master: MasterKeys,
    /// Bounds of the executor.
    pub limits: Limits,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Why a store did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The keys do not open, or it cannot be made sure that those who asked for it are forgotten.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// A running store. Dropping it stops everything at once; [`Engine::stop`] does it in order.
pub struct Engine {
    /// Runs commands.
    pub executor: Executor,
    /// The newest events.
    pub feed: Feed,
    /// The log.
    pub log: Arc<dyn Log>,
    /// The log's database.
    pub pool: PgPool,
    /// Personal data.
    pub vault: Vault,
    /// Tells repeated commands.
    pub fingerprints: Fingerprints,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// New names.
    pub ids: Arc<dyn Ids>,
    broker: Arc<dyn Broker>,
    /// This process, as leases know it.
    holder: Uuid,
    progress: HashMap<&'static str, Progress>,
    reached: HashMap<&'static str, watch::Receiver<Reached>>,
    board: Board,
    /// What it has appended.
    pub census: Arc<Census>,
    /// What it has found at the log's end.
    pub watched: Arc<Watched>,
    followers: JoinSet<()>,
    inner: JoinSet<()>,
    stop: watch::Sender<bool>,
}

impl Engine {
    /// Starts the executor and the feed.
    ///
    /// In a box, and so compiled here: a future that is polled in another crate is compiled there, with all that it calls.
    ///
    /// # Errors
    /// When the log or the keys cannot be read.
    pub fn start(parts: Parts) -> BoxFuture<'static, Result<Self, StartError>> {
        Self::start_here(parts).boxed()
    }

    async fn start_here(parts: Parts) -> Result<Self, StartError> {
        let clock = parts.clock;
        let ids: Arc<dyn Ids> = Arc::new(Machine);
        lives::begin(&parts.pool, &*ids).await?;
        let log: Arc<dyn Log> = Arc::new(PostgresLog::with_archive(parts.pool.clone(), parts.archive));
        let (executor, run) =
            executor::run(Arc::clone(&log), Arc::clone(&clock), Arc::clone(&ids), parts.limits).await?;
        let feed = Feed::new(Arc::clone(&log), Arc::clone(&clock)).await?;
        let mut inner = JoinSet::new();
        let another = lives::until_another(
            parts.pool.clone(),
            Arc::clone(&clock),
            executor.head().borrow().incarnation,
        );
        inner.spawn(async move {
            tokio::select! {
                () = run => {}
                // Dropping the executor answers every caller, and tells the process to end.
                () = another => tracing::error!(error = %LogError::OtherLog, "the process stops"),
            }
        });
        inner.spawn(feed.clone().run(Arc::clone(&parts.broker), executor.clone()));
        let census = Arc::new(Census::default());
        inner.spawn(Arc::clone(&census).run(executor.appended()));
        let vault = Vault::new(parts.keys, Arc::clone(&ids), &parts.master);
        let fingerprints = vault.fingerprints(&parts.master).await?;
        let after = *feed.tip().borrow();
        forgetting::catch_up(&parts.pool, &vault).await?;
        let stop = watch::Sender::new(false);
        let expiry = Expiry { pool: parts.pool.clone(), clock: Arc::clone(&clock) };
        let mut followers = JoinSet::new();
        followers.spawn(expiry.run(stop.subscribe()));
        let forgetting =
            Forgetting { vault: vault.clone(), feed: feed.clone(), clock: Arc::clone(&clock), after };
        followers.spawn(forgetting.run(stop.subscribe()));
        Ok(Self {
            executor,
            feed,
            log,
            vault,
            fingerprints,
            board: Board::new(parts.pool.clone(), Arc::clone(&parts.broker), Arc::clone(&clock)),
            census,
            watched: Arc::default(),
            holder: ids.next(),
            clock,
            ids,
            pool: parts.pool,
            broker: parts.broker,
            progress: HashMap::new(),
            reached: HashMap::new(),
            followers,
            inner,
            stop,
        })
    }

    /// Copies the log to the broker from now on.
    pub fn relay(&mut self) {
        let relay = Relay {
            log: Arc::clone(&self.log),
            broker: Arc::clone(&self.broker),
            clock: Arc::clone(&self.clock),
            lease: self.lease(&self.pool.clone(), "relay"),
            feed: self.feed.clone(),
        };
        self.followers.spawn(relay.run(self.stop.subscribe()));
    }

    /// Looks at the log's end from now on, whether it is as it was written.
    pub fn watch_chain(&mut self) {
        let watch = ChainWatch {
            pool: self.pool.clone(),
            log: Arc::clone(&self.log),
            clock: Arc::clone(&self.clock),
            watched: Arc::clone(&self.watched),
        };
        self.followers.spawn(watch.run(self.stop.subscribe()));
    }

    /// Lets a projection follow, with its rows and checkpoint in the schema that `pool` sees.
    pub fn project(&mut self, projection: Arc<dyn Projection>, pool: PgPool) {
        let name = projection.name();
        let progress = Progress::new();
        self.progress.insert(name, progress.clone());
        let follower = Follower {
            projection,
            lease: self.lease(&pool, name),
            pool,
            log: Arc::clone(&self.log),
            feed: self.feed.clone(),
            clock: Arc::clone(&self.clock),
            progress,
        };
        self.followers.spawn(follower.run(self.stop.subscribe()));
    }

    /// Compares what these projections have applied in the schema that `pool` sees with the log, over and over.
    pub fn audit(&mut self, projections: Vec<Arc<dyn Projection>>, pool: PgPool) {
        let auditor = Auditor {
            projections,
            lease: self.lease(&pool, "audit"),
            pool,
            log: Arc::clone(&self.log),
            clock: Arc::clone(&self.clock),
        };
        self.followers.spawn(auditor.run(self.stop.subscribe()));
    }

    /// Lets a reactor follow.
    pub fn react(&mut self, react: Arc<dyn React>) {
        let progress = watch::Sender::new(Reached::default());
        self.reached.insert(react.name(), progress.subscribe());
        let reactor = Reactor {
            lease: self.lease(&self.pool.clone(), react.name()),
            react,
            pool: self.pool.clone(),
            log: Arc::clone(&self.log),
            feed: self.feed.clone(),
            executor: self.executor.clone(),
            clock: Arc::clone(&self.clock),
            progress,
        };
        self.followers.spawn(reactor.run(self.stop.subscribe()));
    }

    /// Runs every process manager and policy, with their timers.
    pub fn manage(&mut self) {
        let driver = Driver::new(
            self.executor.clone(),
            Arc::clone(&self.log),
            (self.pool.clone(), Arc::clone(&self.clock)),
            self.fingerprints.clone(),
        );
        let timers = Timers {
            driver: driver.clone(),
            pool: self.pool.clone(),
            clock: Arc::clone(&self.clock),
            lease: self.lease(&self.pool.clone(), "timers"),
        };
        self.followers.spawn(timers.run(self.stop.subscribe()));
        for process in domain::process::PROCESSES {
            self.react(Arc::new(Managing { process, driver: driver.clone() }));
        }
        for policy in domain::process::POLICIES {
            self.react(Arc::new(Following { policy, driver: driver.clone() }));
        }
    }

    /// Carries payments to a gateway, where nobody keeps what they pay with.
    pub fn ask(&mut self, gateway: Arc<dyn Gateway>) {
        let purse = Arc::new(Tokens(self.vault.clone()));
        self.ask_with(gateway, purse);
    }

    /// The same with what buyers pay with from elsewhere.
    pub fn ask_with(&mut self, gateway: Arc<dyn Gateway>, purse: Arc<dyn Purse>) {
        let ask = AskGateway {
            gateway,
            purse,
            results: self.payment_results(),
            log: Arc::clone(&self.log),
            feed: self.feed.clone(),
            clock: Arc::clone(&self.clock),
        };
        self.react(Arc::new(ask));
    }

    /// Where answers of gateways go that come by themselves.
    #[must_use]
    pub fn payment_results(&self) -> PaymentResults {
        PaymentResults { executor: self.executor.clone(), fingerprints: self.fingerprints.clone() }
    }

    /// How far each of this process's own projections has come, by name.
    #[must_use]
    pub fn progress(&self) -> HashMap<&'static str, Progress> {
        self.progress.clone()
    }

    /// The same of this process's own reactors; unchanged until they have begun.
    #[must_use]
    pub fn reached(&self) -> HashMap<&'static str, watch::Receiver<Reached>> {
        self.reached.clone()
    }

    /// What is known of everybody who follows in this process, until now.
    #[must_use]
    pub fn board(&self) -> Board {
        self.board.clone()
    }

    /// Lets every follower give up its lease, then stops. Commands that were accepted by then are answered.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        while self.followers.join_next().await.is_some() {}
        self.inner.shutdown().await;
    }

    fn lease(&mut self, pool: &PgPool, name: &'static str) -> Lease {
        let lease = Lease::new(pool.clone(), Arc::clone(&self.clock), name, self.holder);
        self.board.add(pool, &lease);
        lease
    }
}
