//! What can be said of every follower at a moment: counted in this process, and asked of the databases within a deadline.

use std::{sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::sync::Mutex;

use super::{
    Kept, Lease, Meter, Reading, kept,
    standing::{Standing, Standings, beside, of_log},
};
use crate::{
    broker::{Broker, StreamState},
    ports::Clock,
};

/// How long each of the databases may take to answer.
const DEADLINE: Duration = Duration::from_secs(1);
/// How long an answer is as good as a new one, however many ask.
const KEPT_US: i64 = 1_000_000;

/// Everybody who looks at one process's followers looks here; cheap to clone.
#[derive(Clone)]
pub struct Board {
    log: PgPool,
    broker: Arc<dyn Broker>,
    clock: Arc<dyn Clock>,
    /// Schemas beside the log's.
    beside: Vec<PgPool>,
    meters: Vec<Arc<Meter>>,
    last: Arc<Mutex<Option<Arc<Asked>>>>,
}

/// What the databases said.
#[derive(Debug)]
struct Asked {
    /// When, by the clock that never jumps.
    at_us: i64,
    /// Of the log's; `None` when it did not answer in time.
    log: Option<Standings>,
    /// What is kept beside the log; `None` when its database did not answer in time.
    kept: Option<Kept>,
    /// Whether those beside it answered.
    beside: bool,
    /// What the broker said of its stream; `None` when it did not answer in time.
    stream: Option<Option<StreamState>>,
}

/// What is known at a moment. Whatever a database did not say is missing, never made up.
#[derive(Clone, Debug)]
pub struct Look {
    /// Where the log stands with its followers; `None` when its database did not answer. Those of another database are
    /// missing when that one did not.
    pub standings: Option<Standings>,
    /// What is kept beside the log; `None` when its database did not answer.
    pub kept: Option<Kept>,
    /// Whether the database of the read models answered.
    pub read_models: bool,
    /// What the broker's stream holds, if there is one; `None` when the broker did not answer.
    pub stream: Option<Option<StreamState>>,
    /// What this process counts.
    pub readings: Vec<Reading>,
}

impl Board {
    /// A board of the followers in the log's schema that `log` sees.
    pub(crate) fn new(log: PgPool, broker: Arc<dyn Broker>, clock: Arc<dyn Clock>) -> Self {
        Self { log, broker, clock, beside: Vec::new(), meters: Vec::new(), last: Arc::default() }
    }

    /// One more follower, whose checkpoint lies in the schema that `pool` sees.
    pub(crate) fn add(&mut self, pool: &PgPool, lease: &Lease) {
        self.meters.push(Arc::clone(lease.meter()));
        let known = [&self.log].into_iter().chain(&self.beside).any(|known| same(known, pool));
        if !known {
            self.beside.push(pool.clone());
        }
    }

    /// Looks at all there is. However many look at once and however often, each database is asked once a second at most.
    pub async fn look(&self) -> Look {
        let asked = self.asked().await;
        let now_us = self.clock.elapsed_us();
        Look {
            standings: asked.log.clone(),
            kept: asked.kept,
            read_models: asked.beside,
            stream: asked.stream,
            readings: self.meters.iter().map(|meter| meter.read(now_us)).collect(),
        }
    }

    /// Connections to the log, and to each schema beside it.
    pub fn pools(&self) -> impl Iterator<Item = &PgPool> {
        [&self.log].into_iter().chain(&self.beside)
    }

    async fn asked(&self) -> Arc<Asked> {
        // Those who come meanwhile wait for the answer, which comes within two deadlines.
        let mut last = self.last.lock().await;
        if let Some(asked) = &*last
            && self.clock.elapsed_us() - asked.at_us < KEPT_US
        {
            return Arc::clone(asked);
        }
        let databases = async {
            let mut others: Vec<Standing> = Vec::new();
            let mut answered = true;
            for pool in &self.beside {
                match self.in_time(beside(pool)).await {
                    Some(found) => others.extend(found),
                    None => answered = false,
                }
            }
            let log = self.in_time(of_log(&self.log, self.clock.now_us(), others)).await;
            // Whoever did not answer that would not answer this.
            let kept = match log {
                Some(_) => self.in_time(kept::kept(&self.log)).await,
                None => None,
            };
            (log, kept, answered)
        };
        let ((log, kept, answered), stream) = futures::join!(databases, self.in_time(self.broker.state()));
        let asked = Arc::new(Asked { at_us: self.clock.elapsed_us(), log, kept, beside: answered, stream });
        *last = Some(Arc::clone(&asked));
        asked
    }

    async fn in_time<T, E: std::fmt::Display>(
        &self,
        answer: impl Future<Output = Result<T, E>>,
    ) -> Option<T> {
        tokio::select! {
            answer = answer => {
                answer.inspect_err(|error| tracing::debug!(%error, "followers cannot be looked at")).ok()
            }
            () = self.clock.sleep(DEADLINE) => None,
        }
    }
}

/// Whether two handles are of one pool.
fn same(one: &PgPool, other: &PgPool) -> bool {
    Arc::ptr_eq(&one.connect_options(), &other.connect_options())
}
