//! Connections that are kept between uses. A pool asks whether a connection is alive each time it is taken and given back: two
//! more round trips, which are most of what a small statement costs.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::{Executor as _, PgConnection, PgPool};

use super::LogError;
use crate::lives;

/// The plan is the same every time, and making it anew costs more than a small batch itself; and one that was made while the log
/// was empty has to be good when it is full.
const SETTINGS: &str = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
                        SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off";

/// As many as are ever used at once; cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    pool: PgPool,
    free: Arc<Mutex<Vec<PgConnection>>>,
}

impl Connections {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, free: Arc::default() }
    }

    /// One that was used before, which may be broken by now: unless it is said to be whole, all others are closed with it.
    pub fn used(&self) -> Option<(PgConnection, Doubt)> {
        let connection = self.free().pop().filter(|_| !self.pool.is_closed())?;
        Some((connection, Doubt(Some(self.clone()))))
    }

    /// A new one.
    pub async fn open(&self) -> Result<PgConnection, LogError> {
        let mut connection = self.pool.acquire().await?.detach();
        // It may lead to a standby that was promoted in between.
        lives::check(&mut connection).await?;
        connection.execute(SETTINGS).await?;
        Ok(connection)
    }

    /// Keeps one that is idle and whole.
    pub fn keep(&self, connection: PgConnection) {
        self.free().push(connection);
    }

    /// Closes all: when one broke, so did those that were opened with it.
    pub fn close(&self) {
        self.free().clear();
    }

    fn free(&self) -> std::sync::MutexGuard<'_, Vec<PgConnection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes connections when it is dropped, be it that nobody waits any longer for one of them.
pub(super) struct Doubt(Option<Connections>);

impl Doubt {
    /// It was whole.
    pub fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Doubt {
    fn drop(&mut self) {
        if let Some(connections) = &self.0 {
            connections.close();
        }
    }
}
