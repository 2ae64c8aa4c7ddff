//! What somebody asks of the processes that keep an index, and what they answer, in rows beside the read models.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use store::{log::Position, ports::Clock};
use uuid::Uuid;

use crate::rebuild::TableDifference;

/// For so long what was asked counts without whoever asked being seen.
pub(super) const ASKER_SILENT_MAX: Duration = Duration::from_secs(10);
/// How often an answer says how far it is, at most.
const TELL_EVERY_US: i64 = 300_000;
/// How often an outcome is told, if it cannot be at first, and the pause between two.
const TRIES: u32 = 5;
const AGAIN_AFTER: Duration = Duration::from_millis(300);

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// To fill the index anew beside the one that answers, to compare both, and to let the new one answer.
    Rebuild,
    /// To compare the index with the rows.
    Audit,
}

impl What {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Audit => "audit",
        }
    }
}

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Asked {
    pub id: Uuid,
    pub what: What,
    /// Let the new index answer even if it differs.
    pub swap: bool,
}

/// What an index, or a new one beside it, was found to hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// How far the read models were.
    pub position: Position,
    /// A digest of all that the index holds.
    pub old_digest: String,
    /// The same of what it was compared with: the new index, or the rows.
    pub new_digest: String,
    /// Where they differ; what is only in the rows or in the new index is `only_new`.
    pub difference: TableDifference,
    /// Whether the new index answers now.
    pub swapped: bool,
}

/// How far work has come that goes on beside.
#[derive(Debug, Default)]
pub(super) struct SoFar {
    done: AtomicI64,
    total: AtomicI64,
}

impl SoFar {
    pub fn begin(&self, total: i64) {
        self.total.store(total, Ordering::Relaxed);
    }

    pub fn advance(&self, more: usize) {
        self.done.fetch_add(i64::try_from(more).unwrap_or(0), Ordering::Relaxed);
    }

    pub fn read(&self) -> (i64, i64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }
}

/// Where one process writes its answers.
pub(super) struct Answers {
    pool: PgPool,
    clock: Arc<dyn Clock>,
    instance: Uuid,
    told: Option<(&'static str, i64, i64)>,
    told_us: i64,
}

impl Answers {
    pub fn new(pool: PgPool, clock: Arc<dyn Clock>, instance: Uuid) -> Self {
        Self { pool, clock, instance, told: None, told_us: 0 }
    }

    /// Says how far it is, now and then.
    pub async fn so_far(&mut self, asked: &Asked, stage: &'static str, (done, total): (i64, i64)) {
        let (now_us, told) = (self.clock.elapsed_us(), (stage, done, total));
        let same_stage = self.told.is_some_and(|(told, ..)| told == stage);
        if self.told == Some(told) || same_stage && now_us - self.told_us < TELL_EVERY_US {
            return;
        }
        (self.told, self.told_us) = (Some(told), now_us);
        self.write(asked, stage, (done, total), None).await;
    }

    /// Says what came of it.
    pub async fn done(&mut self, asked: &Asked, outcome: Result<&Compared, &str>) {
        let (stage, text) = match outcome {
            Ok(compared) => match serde_json::to_string(compared) {
                Ok(text) => ("done", text),
                Err(error) => ("failed", error.to_string()),
            },
            Err(error) => ("failed", error.to_owned()),
        };
        self.told = None;
        for _ in 0..TRIES {
            if self.write(asked, stage, (0, 0), Some(&text)).await {
                return;
            }
            self.clock.sleep(AGAIN_AFTER).await;
        }
    }

    /// Whether it could be told. The work itself does not depend on that: whoever asked may have gone.
    async fn write(
        &self,
        asked: &Asked,
        stage: &str,
        (done, total): (i64, i64),
        outcome: Option<&str>,
    ) -> bool {
        let written = sqlx::query(
            "INSERT INTO search_answers AS a (asked, instance, stage, done, total, outcome) \
             SELECT id, $2, $3, $4, $5, $6 FROM search_asked WHERE id = $1 \
             ON CONFLICT (asked, instance) DO UPDATE \
             SET stage = $3, done = $4, total = $5, outcome = $6, moved_at = now()",
        )
        .bind(asked.id)
        .bind(self.instance)
        .bind(stage)
        .bind(done)
        .bind(total)
        .bind(outcome)
        .execute(&self.pool)
        .await;
        written
            .inspect_err(|error| tracing::debug!(%error, "who asked for the search index is not told"))
            .is_ok()
    }
}
