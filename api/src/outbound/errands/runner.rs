//! Carries what is due, channel by channel: many at once, each lane no more than it has room for.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{FutureExt as _, StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use store::ports::Clock;

use super::{Carry, Counters, Errand, Lane, NOW_MAX, Outcome, Queue};

/// How often it is looked for what others have made, and for what is due again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long it is not looked again at least, however much is made.
const PACE: Duration = Duration::from_millis(20);
/// How long to wait when the database is away.
const PAUSE: Duration = Duration::from_secs(2);
/// Errands of a channel that are carried at once in this process.
const AT_ONCE: usize = 64;

/// One channel's carrier with everything that it takes to work.
pub struct Runner {
    /// How it is carried.
    pub carry: Arc<dyn Carry>,
    /// The rows.
    pub queue: Queue,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What this process counts.
    pub counters: Arc<Counters>,
}

type Working = FuturesUnordered<BoxFuture<'static, String>>;

impl Runner {
    /// Carries for ever. Dropping it leaves what is on its way to be carried again, under the same name.
    pub async fn run(self) {
        let mut working = Working::new();
        // How many errands of each lane are on their way.
        let mut busy: HashMap<String, usize> = HashMap::new();
        loop {
            // Asked for before it is looked, so that what is made meanwhile wakes it.
            let made = self.queue.made(self.carry.channel());
            tokio::pin!(made);
            let _ = made.as_mut().now_or_never();
            let mut pause = LOOK_EVERY;
            let (due, ended) = self.looked(&busy, &mut working).await;
            ended.iter().for_each(|lane| leave(&mut busy, lane));
            match due {
                Ok(errands) => {
                    for errand in errands {
                        *busy.entry(errand.lane.clone()).or_default() += 1;
                        working.push(self.carried(errand));
                    }
                }
                Err(error) => {
                    tracing::warn!(channel = self.carry.channel().as_str(), %error, "errands cannot be seen");
                    pause = PAUSE;
                }
            }
            tokio::select! {
                Some(lane) = working.next(), if !working.is_empty() => leave(&mut busy, &lane),
                () = &mut made => {}
                () = self.clock.sleep(pause) => {}
            }
            // What ends meanwhile makes room for more at one look.
            let pace = self.clock.sleep(PACE);
            tokio::pin!(pace);
            loop {
                tokio::select! {
                    Some(lane) = working.next(), if !working.is_empty() => leave(&mut busy, &lane),
                    () = &mut pace => break,
                }
            }
        }
    }

    /// What is due, and which of those on their way have ended meanwhile: they go on while it is looked, for whoever is not
    /// polled may hold the very connection that the look waits for.
    async fn looked(
        &self,
        busy: &HashMap<String, usize>,
        working: &mut Working,
    ) -> (Result<Vec<Errand>, sqlx::Error>, Vec<String>) {
        let (room, mut ended) = (AT_ONCE.saturating_sub(working.len()), Vec::new());
        let due = self.due(busy, room);
        tokio::pin!(due);
        loop {
            tokio::select! {
                due = &mut due => return (due, ended),
                Some(lane) = working.next(), if !working.is_empty() => ended.push(lane),
            }
        }
    }

    async fn due(&self, busy: &HashMap<String, usize>, room: usize) -> Result<Vec<Errand>, sqlx::Error> {
        if room == 0 {
            return Ok(vec![]);
        }
        let mut lanes = self.carry.lanes().await?;
        // Whoever has least on its way comes first, so that busy lanes do not take all places.
        lanes.sort_by_key(|lane| busy.get(&lane.name).copied().unwrap_or(0));
        let mut left = room;
        let mut open = Vec::new();
        for Lane { name, at_once } in lanes {
            let free = at_once.saturating_sub(busy.get(&name).copied().unwrap_or(0)).min(left);
            if free > 0 {
                left -= free;
                open.push(Lane { name, at_once: free });
            }
        }
        self.queue.take(self.carry.channel(), &open).await
    }

    fn carried(&self, errand: Errand) -> BoxFuture<'static, String> {
        let (carry, queue) = (Arc::clone(&self.carry), self.queue.clone());
        let (clock, counters) = (Arc::clone(&self.clock), Arc::clone(&self.counters));
        async move {
            carry_one(&*carry, &queue, &*clock, &counters, &errand).await;
            errand.lane
        }
        .boxed()
    }
}

fn leave(busy: &mut HashMap<String, usize>, lane: &str) {
    if let Some(count) = busy.get_mut(lane) {
        *count -= 1;
        if *count == 0 {
            busy.remove(lane);
        }
    }
}

/// Carries one errand that was taken, and writes down what came of it.
pub async fn carry_one(
    carry: &dyn Carry,
    queue: &Queue,
    clock: &dyn Clock,
    counters: &Counters,
    errand: &Errand,
) -> Outcome {
    let outcome = tokio::select! {
        outcome = carry.carry(errand) => outcome,
        () = clock.sleep(NOW_MAX) => Outcome::Again("it took too long".into()),
    };
    let channel = carry.channel();
    counters.count(channel, &outcome);
    let pause = match &outcome {
        Outcome::Again(_) => carry.backoff().after(errand.attempts, errand.id),
        Outcome::Done | Outcome::Void(_) | Outcome::Never(_) => None,
    };
    match queue.settle(errand, &outcome, pause).await {
        Ok(true) => {
            tracing::error!(channel = channel.as_str(), errand = %errand.id, kind = errand.kind, "an errand is given up");
        }
        Ok(false) => {}
        // It is taken again when its time is over, under the same name.
        Err(error) => {
            tracing::warn!(channel = channel.as_str(), errand = %errand.id, %error, "what came of an errand cannot be noted");
        }
    }
    outcome
}
