//! Sets timers: a row each, many at a time.

use std::{sync::Arc, time::Duration};

use domain::{AnyCommand, value::Time};
use futures::FutureExt as _;
use sqlx::PgPool;
use uuid::Uuid;

use super::{driver::again, recent::Recent};
use crate::{
    follow::ReactError,
    json::ToJson as _,
    log::{self, NewTimer},
    ports::Clock,
    together::Together,
};

/// For how long a timer that nobody waits for lets others come along.
const LEISURE: Duration = Duration::from_millis(200);

/// Sets timers; cheap to clone.
#[derive(Clone)]
pub(super) struct Setting {
    pool: PgPool,
    clock: Arc<dyn Clock>,
    /// Those that were set of late: many events of one aggregate want the same one.
    known: Recent<Uuid, ()>,
    together: Arc<Together<NewTimer, ()>>,
    /// Of those who have time.
    leisurely: Arc<Together<NewTimer, ()>>,
}

/// Who wants a timer.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub manager: &'static str,
    pub correlation_id: Uuid,
}

/// A timer is known by what it will do and when: whoever wants the same again finds it set.
pub(super) fn timer(
    Wanted { manager, correlation_id }: Wanted,
    due: Time,
    to: Arc<str>,
    command: &AnyCommand,
) -> Result<NewTimer, serde_json::Error> {
    let input = command.to_json()?;
    let name = format!("{}:{to}:{input}", due.millis());
    let timer_id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
    Ok(NewTimer { timer_id, manager, instance: to, correlation_id, input, due })
}

impl Setting {
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>) -> Self {
        let together = || Arc::new(Together::new(Arc::clone(&clock)));
        let (prompt, leisurely) = (together(), together());
        Self { pool, clock, known: Recent::default(), together: prompt, leisurely }
    }

    /// Sets it; in a hurry, where something waits until it is set.
    pub async fn set(&self, timer: NewTimer, hurry: bool) -> Result<(), ReactError> {
        let id = timer.timer_id;
        if self.known.get(&id).is_some() {
            return Ok(());
        }
        let (together, others) = match hurry {
            true => (&self.together, futures::future::ready(()).boxed()),
            false => (&self.leisurely, self.clock.sleep(LEISURE)),
        };
        together.write(timer, others, async |timers| write(&self.pool, timers).await).await.map_err(again)?;
        self.known.remember(id, ());
        Ok(())
    }
}

async fn write(pool: &PgPool, mut timers: Vec<NewTimer>) -> Result<(), sqlx::Error> {
    // Two processes that write the same ones wait for each other in one direction.
    timers.sort_unstable_by_key(|timer| timer.timer_id);
    let query = sqlx::query(
        "INSERT INTO timers (timer_id, manager, instance, correlation_id, input, due_at) \
         SELECT unnest($1::uuid[]), unnest($2::text[]), unnest($3::text[]), unnest($4::uuid[]), \
                unnest($5::text[])::json, unnest($6::timestamptz[]) \
         ON CONFLICT (timer_id) DO NOTHING",
    );
    log::bind_timers(query, &timers).execute(pool).await.map(drop)
}
