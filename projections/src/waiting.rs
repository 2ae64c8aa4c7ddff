//! Waiting until a read model has come to a position: for this process's own follower first, then for its checkpoint.

use std::time::Duration;

use store::{executor::Token, follow::Progress, log::Position};
use tokio::sync::{Mutex, watch};

use crate::{fresh::Seen, read_models::Asker};

/// How often a checkpoint is looked at while somebody waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How long this process's own follower may take before its checkpoint is looked at.
const OWN_FOLLOWER_WITHIN: Duration = Duration::from_millis(100);

impl Asker {
    /// Lets this process's own follower hurry, if it has one.
    pub(crate) fn want(&self, follower: &str) {
        if let Some(progress) = self.waits.get(follower).and_then(|wait| wait.progress.as_ref()) {
            progress.want(self.clock.elapsed_us());
        }
    }

    /// Lets this process's own follower come so far, if it has one: no database is asked meanwhile.
    pub(crate) async fn own_follower(&self, follower: &'static str, token: Token) {
        let Some(progress) = self.waits.get(follower).and_then(|wait| wait.progress.as_ref()) else { return };
        if progress.position().is_none_or(|position| position >= token.position) {
            return;
        }
        self.want(follower);
        let mut positions = progress.positions();
        // It may be frozen, and another process follow.
        tokio::select! {
            _ = positions.wait_for(|position| position.is_none_or(|position| position >= token.position)) => {}
            () = self.clock.sleep(OWN_FOLLOWER_WITHIN) => {}
        }
    }

    /// Returns once the follower's checkpoint was seen to be enough.
    pub(crate) async fn look_until(&self, follower: &'static str, token: Token) {
        let Some(wait) = self.waits.get(follower) else {
            return self.clock.sleep(LOOK_EVERY).await;
        };
        let mut looks = wait.looks.subscribe();
        let enough = async {
            while looks.changed().await.is_ok() {
                if looks.borrow_and_update().is_some_and(|seen| seen.meets(Some(token)).is_ok()) {
                    return;
                }
            }
        };
        tokio::select! {
            () = enough => {}
            () = self.look_for_all(follower, wait, token) => {}
        }
    }

    /// One of those who wait looks for all of them, until it has seen enough for itself; when it leaves, the next one does.
    /// It leaves between two looks: a connection whose statement nobody waits for is lost to the pool.
    async fn look_for_all(&self, follower: &'static str, wait: &Wait, token: Token) {
        let _turn = wait.turn.lock().await;
        let mut positions = wait.progress.as_ref().map(Progress::positions);
        loop {
            self.want(follower);
            tokio::select! {
                () = come_further(&mut positions) => {}
                () = self.clock.sleep(LOOK_EVERY) => {}
            }
            // Who waits asks once more when its time is over, and learns then why looking failed.
            if let Ok(seen) = self.look(follower).await {
                wait.looks.send_replace(Some(seen));
                if seen.meets(Some(token)).is_ok() {
                    return;
                }
            }
        }
    }

    async fn look(&self, follower: &'static str) -> Result<Seen, sqlx::Error> {
        let row = sqlx::query(
            "SELECT incarnation AS seen_incarnation, position AS seen_position, NULL::bigint AS seen_parked_from \
             FROM followers WHERE name = $1",
        )
        .bind(follower)
        .fetch_one(&self.pool)
        .await?;
        Seen::read(&row)
    }
}

/// Those who wait for one follower.
pub(crate) struct Wait {
    /// Of this process's own follower.
    progress: Option<Progress>,
    looks: watch::Sender<Option<Seen>>,
    turn: Mutex<()>,
}

impl Wait {
    pub(crate) fn new(progress: Option<Progress>) -> Self {
        Self { progress, looks: watch::Sender::new(None), turn: Mutex::new(()) }
    }
}

/// Returns once a follower of this process has come further.
pub(crate) async fn come_further(positions: &mut Option<watch::Receiver<Option<Position>>>) {
    if let Some(positions) = positions
        && positions.changed().await.is_ok()
    {
        return;
    }
    // It has ended, or another process follows.
    std::future::pending().await
}
