//! Many small writes as one: what comes while a write is on its way goes along with the next.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use crate::ports::Clock;

/// How long a write may take: a connection that has gone silent must not hold up all that come after it.
const WITHIN: Duration = Duration::from_secs(15);

/// What a write came to, as everybody who went along is told.
type Outcome<T> = Result<T, Failed>;

/// Nothing can be said of a write: it may have taken place.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failed {
    /// The database refused, or could not be reached.
    #[error("{0}")]
    Database(Arc<sqlx::Error>),
    /// It did not answer in time.
    #[error("the database did not answer in time")]
    Late,
}

/// Rows that wait to be written, and one writer at a time. A row whose caller goes away may be written all the same.
pub(crate) struct Together<R, T> {
    clock: Arc<dyn Clock>,
    waiting: Mutex<Vec<(R, oneshot::Sender<Outcome<T>>)>>,
    turn: tokio::sync::Mutex<()>,
    /// Whether the last write took more than one row.
    in_company: AtomicBool,
}

impl<R: Clone, T: Clone> Together<R, T> {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        let (waiting, turn) = Default::default();
        Self { clock, waiting, turn, in_company: AtomicBool::new(false) }
    }

    /// Writes a row with all that wait once it may be written and `others` had time to come along, or lets somebody else take
    /// it along. A row may be written twice: when whoever was at it goes away, it is written again.
    ///
    /// # Errors
    /// When the write fails, or takes too long.
    pub async fn write(
        &self,
        row: R,
        others: impl Future<Output = ()>,
        write: impl AsyncFnOnce(Vec<R>) -> Result<T, sqlx::Error>,
    ) -> Outcome<T> {
        let mut told = self.wait(row.clone());
        let _turn = self.turn.lock().await;
        match told.try_recv() {
            Ok(outcome) => return outcome,
            // Whoever took it along went away in the middle of it.
            Err(oneshot::error::TryRecvError::Closed) => drop(self.wait(row)),
            Err(oneshot::error::TryRecvError::Empty) => others.await,
        }
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let (rows, callers): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        self.in_company.store(rows.len() > 1, Ordering::Relaxed);
        let outcome = tokio::select! {
            outcome = write(rows) => outcome.map_err(|error| Failed::Database(Arc::new(error))),
            () = self.clock.sleep(WITHIN) => Err(Failed::Late),
        };
        for caller in callers {
            // One that has gone away does not mind.
            let _ = caller.send(outcome.clone());
        }
        outcome
    }

    /// Waits for others to come along, if any did the last time.
    pub async fn company(&self, wait: Duration) {
        if self.in_company.load(Ordering::Relaxed) {
            self.clock.sleep(wait).await;
        }
    }

    fn wait(&self, row: R) -> oneshot::Receiver<Outcome<T>> {
        let (sender, told) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((row, sender));
        told
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use futures::FutureExt as _;
    use tokio::sync::Notify;

    use super::*;
    use crate::ports::Machine;

    fn together<T: Clone>() -> Together<u8, T> {
        Together::new(Arc::new(Machine))
    }

    #[tokio::test]
    async fn what_comes_meanwhile_goes_together() {
        let (together, first) = (together(), Arc::new(Notify::new()));
        let ended = Arc::clone(&first);
        let slow = together.write(1, ready(()), async |rows| {
            ended.notified().await;
            Ok(rows)
        });
        let quick = |row| together.write(row, ready(()), async |rows| Ok(rows));
        let (mut slow, mut second, mut third) = (Box::pin(slow), Box::pin(quick(2)), Box::pin(quick(3)));
        assert!((&mut slow).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        first.notify_one();
        assert_eq!(slow.await.ok(), Some(vec![1]));
        assert_eq!(second.await.ok(), Some(vec![2, 3]));
        assert_eq!(third.await.ok(), Some(vec![2, 3]));
    }

    #[tokio::test]
    async fn everybody_is_told_that_it_failed_and_the_next_may_try() {
        let together = together::<()>();
        let failed = together.write(1, ready(()), async |_| Err(sqlx::Error::PoolClosed)).await;
        assert!(
            matches!(&failed, Err(Failed::Database(error)) if matches!(**error, sqlx::Error::PoolClosed))
        );
        assert!(together.write(2, ready(()), async |_| Ok(())).await.is_ok());
    }

    #[tokio::test]
    async fn a_row_whose_writer_goes_away_is_written_by_its_own_caller() {
        let together = together();
        let mut gone = Box::pin(together.write(1, ready(()), async |_| std::future::pending().await));
        assert!((&mut gone).now_or_never().is_none());
        let mut along = Box::pin(together.write(2, ready(()), async |rows| Ok(rows)));
        assert!((&mut along).now_or_never().is_none());
        // The first takes nobody along any more; the second had not been taken by then.
        drop(gone);
        assert_eq!(along.await.ok(), Some(vec![2]));
    }

    #[tokio::test]
    async fn a_row_that_was_taken_along_by_one_who_goes_away_is_written_again() {
        let (together, gathered) = (together(), Notify::new());
        let mut gone =
            Box::pin(together.write(1, gathered.notified(), async |_| std::future::pending().await));
        assert!((&mut gone).now_or_never().is_none());
        let mut along = Box::pin(together.write(2, ready(()), async |rows| Ok(rows)));
        assert!((&mut along).now_or_never().is_none());
        gathered.notify_one();
        assert!((&mut gone).now_or_never().is_none());
        drop(gone);
        assert_eq!(along.await.ok(), Some(vec![2]));
    }

    #[tokio::test(start_paused = true)]
    async fn others_are_waited_for_where_there_were_some() {
        let (together, gathered) = (together(), Notify::new());
        let write = async |row| {
            let begun = tokio::time::Instant::now();
            let wait = together.company(Duration::from_secs(1));
            (together.write(row, wait, async |rows| Ok(rows)).await.ok(), begun.elapsed().as_secs())
        };
        assert_eq!(write(1).await, (Some(vec![1]), 0));
        let two = together.write(2, gathered.notified(), async |rows| Ok(rows));
        let (two, three, ()) = futures::join!(two, write(3), async { gathered.notify_one() });
        assert_eq!((two.ok(), three), (Some(vec![2, 3]), (Some(vec![2, 3]), 0)));
        assert_eq!(write(4).await, (Some(vec![4]), 1));
        assert_eq!(write(5).await, (Some(vec![5]), 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_without_end_is_given_up() {
        let together = together::<()>();
        let late = together.write(1, ready(()), async |_| std::future::pending().await).await;
        assert!(matches!(late, Err(Failed::Late)));
    }
}
