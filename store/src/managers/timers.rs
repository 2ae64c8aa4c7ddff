//! Does what timers say when they are due. A timer is a row until it has fired.

use std::{sync::Arc, time::Duration};

use domain::AnyCommand;
use futures::StreamExt;
use sqlx::{PgPool, Row, postgres::PgRow};
use tokio::sync::watch;
use uuid::Uuid;

use super::{Driver, driver::Input};
use crate::{
    executor::derived_id,
    follow::{Lease, ReactError},
    json,
    ports::Clock,
    rfc3339::moment,
};

/// How often due timers are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Timers fired at a time.
const PAGE: i64 = 500;
/// Timers fired at once.
const AT_ONCE: usize = 32;

/// Fires timers, in the one process that holds the lease.
pub struct Timers {
    /// Runs what they want.
    pub driver: Driver,
    /// Where they lie.
    pub pool: PgPool,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who fires.
    pub lease: Lease,
}

struct Due {
    timer_id: Uuid,
    manager: String,
    instance: String,
    correlation_id: Uuid,
    command: AnyCommand,
}

impl Timers {
    /// Fires until `stop` says so or its sender is gone, then gives up the lease.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            tokio::select! {
                () = self.turn() => {}
                _ = stop.wait_for(|stop| *stop) => break,
            }
        }
        self.lease.give_up().await;
    }

    async fn turn(&mut self) {
        if self.lease.hold().await {
            match self.fire_due().await {
                Ok(0) => {}
                Ok(fired) => {
                    self.lease.meter().handled(fired);
                    return;
                }
                Err(error) => {
                    self.lease.meter().failed();
                    tracing::warn!(%error, "timers are tried again");
                }
            }
        }
        self.clock.sleep(LOOK_EVERY).await;
    }

    async fn fire_due(&self) -> Result<usize, ReactError> {
        let rows = sqlx::query(
            "SELECT timer_id, instance, correlation_id, input::text, manager FROM timers \
             WHERE fired_at IS NULL AND due_at <= $1 AND (retry_at IS NULL OR retry_at <= now()) \
             ORDER BY due_at LIMIT $2",
        )
        .bind(moment(self.clock.now()))
        .bind(PAGE)
        .fetch_all(&self.pool)
        .await
        .map_err(failed)?;
        let fired = futures::stream::iter(rows)
            .map(|row| async move {
                let timer_id: Option<Uuid> = row.try_get(0).ok();
                let fired = async { self.fire(due(&row)?).await }.await;
                let Err(error) = &fired else { return 1 };
                self.lease.meter().failed();
                tracing::warn!(?timer_id, %error, "a timer is tried again");
                if let Err(error) = self.put_off(timer_id).await {
                    tracing::warn!(?timer_id, %error, "a timer cannot be put off");
                }
                0
            })
            .buffer_unordered(AT_ONCE)
            .fold(0, |sum, fired| async move { sum + fired })
            .await;
        Ok(fired)
    }

    /// A timer that fired is gone. Should its cause be worked on once more and set it again, it fires as before:
    /// under the same id, so that nothing is done twice.
    async fn fire(&self, due: Due) -> Result<(), ReactError> {
        let command_id = derived_id(due.timer_id, "fire", 0);
        let input = Input { command_id, causation_id: due.timer_id, command: due.command };
        self.driver.fire(&due.manager, &due.instance, due.correlation_id, input).await?;
        sqlx::query("DELETE FROM timers WHERE timer_id = $1")
            .bind(due.timer_id)
            .execute(&self.pool)
            .await
            .map_err(failed)?;
        Ok(())
    }

    /// Lets the others pass, longer with every try: 1 second to about 4 minutes.
    async fn put_off(&self, timer_id: Option<Uuid>) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE timers SET tries = tries + 1, \
                    retry_at = now() + interval '1 second' * power(2, least(tries, 8)) WHERE timer_id = $1",
        )
        .bind(timer_id)
        .execute(&self.pool)
        .await
        .map(drop)
    }
}

fn due(row: &PgRow) -> Result<Due, ReactError> {
    let input: String = row.try_get(3).map_err(failed)?;
    Ok(Due {
        timer_id: row.try_get(0).map_err(failed)?,
        instance: row.try_get(1).map_err(failed)?,
        correlation_id: row.try_get(2).map_err(failed)?,
        command: json::command(&input).map_err(failed)?,
        manager: row.try_get(4).map_err(failed)?,
    })
}

fn failed(error: impl std::fmt::Display) -> ReactError {
    ReactError(error.to_string())
}
