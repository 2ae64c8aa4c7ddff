//! When a shop is at rest: nobody is behind, nothing is due, and the log stands still while that is looked at.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use domain::value::Time;
use sqlx::{PgPool, Row as _};
use store::{
    follow::{Progress, Reached},
    log::Position,
    ports::Clock as _,
    rfc3339::moment,
};
use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;

use super::{Stuck, clock::Calendar, owed::Owed};

/// A shop that is not at rest after this never will be.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long read models may take to come to the log's end before the shop is closed.
const LINGER: Duration = Duration::from_secs(2);
/// How long after a look the next one comes: a little longer each time.
const PAUSES_MS: std::ops::RangeInclusive<u64> = 1..=8;
/// Whose work may lie still until the calendar has come to a moment.
const GATEWAY: &str = "gateway";

/// What can be seen of a shop in one look at its database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Look {
    /// The last position of the log.
    pub(super) head: Position,
    /// Whose timers are due.
    due: Vec<String>,
    /// How many of the gateway's answers that are due have come.
    answered: i64,
    /// What was set aside, and why.
    aside: Vec<String>,
}

impl Look {
    /// Looks, at the time of the calendar; `answers` are the commands that bring what the gateway owes by now.
    pub(super) async fn at(pool: &PgPool, now: Time, answers: &[Uuid]) -> Result<Self, sqlx::Error> {
        let row = sqlx::query(
            "SELECT position, \
                    ARRAY(SELECT DISTINCT manager FROM timers WHERE due_at <= $1), \
                    (SELECT count(*) FROM commands WHERE command_id = ANY($2)), \
                    ARRAY(SELECT follower || ' has set ' || lane || ' aside: ' || reason FROM waiting_events \
                          UNION ALL \
                          SELECT follower || ' cannot take ' || aggregate_type || '-' || aggregate_id || ': ' || reason \
                          FROM parked_streams) \
             FROM log_head",
        )
        .bind(moment(now))
        .bind(answers)
        .fetch_one(pool)
        .await?;
        Ok(Self {
            head: row.try_get(0)?,
            due: row.try_get(1)?,
            answered: row.try_get(2)?,
            aside: row.try_get(3)?,
        })
    }
}

/// Everybody who works in a shop by themselves.
pub(super) struct Workers {
    /// Process managers, policies and the gateway.
    pub(super) reached: HashMap<&'static str, watch::Receiver<Reached>>,
    /// What fills the read models.
    pub(super) filled: HashMap<&'static str, Progress>,
}

impl Workers {
    /// Returns when the read models are filled up to `head`: a follower that is stopped at its work would leave a
    /// transaction open.
    pub(super) async fn idle(&self, head: Position, now_us: i64) {
        for filled in self.filled.values() {
            filled.want(now_us);
            let mut positions = filled.positions();
            let caught_up = positions.wait_for(|position| position.is_some_and(|position| position >= head));
            // Whoever does not come is no worse off than before.
            let _ = tokio::time::timeout(LINGER, caught_up).await;
        }
    }

    /// Who is behind, or has something to do, in words.
    fn busy(&self, look: &Look, calendar: &Calendar, owed: &[Owed]) -> Vec<String> {
        let now = calendar.now();
        let limits = owed.iter().filter(|owed| owed.due > now && owed.command_id.is_none()).count();
        let mut busy = vec![];
        for (name, reached) in &self.reached {
            if !reached.has_changed().unwrap_or(false) {
                busy.push(format!("{name} has not begun"));
            }
            let Reached { position, working } = *reached.borrow();
            let may_lie_still = if *name == GATEWAY { limits } else { 0 };
            if position < look.head || working != may_lie_still {
                busy.push(format!("{name} has read {position} of {} and works on {working}", look.head));
            }
        }
        busy.sort();
        let to_come = owed.iter().filter(|owed| owed.due > now).count();
        let awaited = calendar.awaited().len();
        if awaited != to_come {
            busy.push(format!("{awaited} answers of the gateway are awaited, {to_come} should be"));
        }
        let come = owed.iter().filter(|owed| owed.due <= now && owed.command_id.is_some()).count();
        if usize::try_from(look.answered) != Ok(come) {
            busy.push(format!("of {come} late answers of the gateway {} have come", look.answered));
        }
        busy.extend(look.due.iter().map(|name| format!("a timer of {name} is due")));
        busy
    }
}

/// Looks until two looks in a row agree that nothing is to be done.
pub(super) struct Resting {
    begun: Instant,
    last: Option<(Look, Vec<String>)>,
    pause_ms: u64,
}

impl Resting {
    pub(super) fn begin() -> Self {
        Self { begun: Instant::now(), last: None, pause_ms: *PAUSES_MS.start() }
    }

    /// Takes in a look and says whether that was enough; waits a moment where it was not.
    pub(super) async fn seen(
        &mut self,
        look: Look,
        workers: &Workers,
        calendar: &Calendar,
        owed: &[Owed],
    ) -> Result<bool, Stuck> {
        if !look.aside.is_empty() {
            return Err(Stuck(look.aside.join("; ")));
        }
        let busy = workers.busy(&look, calendar, owed);
        let quiet = busy.is_empty()
            && self.last.as_ref().is_some_and(|(last, busy)| *last == look && busy.is_empty());
        if quiet {
            return Ok(true);
        }
        if self.begun.elapsed() > PATIENCE {
            let moved = self.last.as_ref().is_some_and(|(last, _)| last.head != look.head);
            let still = if moved { "; the log still grows" } else { "" };
            return Err(Stuck(format!("it never comes to rest: {}{still}", busy.join(", "))));
        }
        let pause = !busy.is_empty();
        self.last = Some((look, busy));
        if pause {
            tokio::time::sleep(Duration::from_millis(self.pause_ms)).await;
            self.pause_ms = (self.pause_ms * 2).min(*PAUSES_MS.end());
        }
        Ok(false)
    }
}

/// The first timer after a moment and up to another.
pub(super) async fn next_timer(pool: &PgPool, after: Time, until: Time) -> Result<Option<Time>, sqlx::Error> {
    let due: Option<OffsetDateTime> =
        sqlx::query_scalar("SELECT min(due_at) FROM timers WHERE due_at > $1 AND due_at <= $2")
            .bind(moment(after))
            .bind(moment(until))
            .fetch_one(pool)
            .await?;
    // Whatever is due between two milliseconds has come with the second.
    Ok(due.map(|due| {
        let millis = (due.unix_timestamp_nanos() + 999_999).div_euclid(1_000_000);
        Time::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_behind_is_told_by_name() {
        let (checkout, reached) = watch::channel(Reached::default());
        let (gateway, answering) = watch::channel(Reached::default());
        let reached = HashMap::from([("checkout", reached), (GATEWAY, answering)]);
        let workers = Workers { reached, filled: HashMap::new() };
        let calendar = Calendar::new(Time::from_millis(1_000));
        let due = Time::from_millis(3_000);
        let owed = [Owed { due, command_id: None }];
        let look = Look { head: 7, due: vec!["cart_expiry".into()], answered: 0, aside: vec![] };
        checkout.send_replace(Reached { position: 5, working: 1 });
        assert_eq!(
            workers.busy(&look, &calendar, &owed),
            [
                "checkout has read 5 of 7 and works on 1",
                "gateway has not begun",
                "gateway has read 0 of 7 and works on 0",
                "0 answers of the gateway are awaited, 1 should be",
                "a timer of cart_expiry is due",
            ]
        );
        checkout.send_replace(Reached { position: 7, working: 0 });
        gateway.send_replace(Reached { position: 7, working: 1 });
        let quiet = Look { due: vec![], ..look };
        // The gateway may lie still until its time limit; nobody else waits for the calendar here.
        assert_eq!(
            workers.busy(&quiet, &calendar, &owed),
            ["0 answers of the gateway are awaited, 1 should be"]
        );
    }
}
