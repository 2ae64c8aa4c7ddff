//! Many small writes as one: what comes while a write is on its way goes along with the next.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

/// What a write came to, as everybody who went along is told.
type Outcome<T> = Result<T, Failed>;

/// Nothing can be said of the write: it may have taken place.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Failed(Box<str>);

/// Rows that wait to be written, and one writer at a time. A row whose caller goes away may be written all the same.
#[derive(Debug)]
pub(crate) struct Together<R, T> {
    waiting: Mutex<Vec<(R, oneshot::Sender<Outcome<T>>)>>,
    turn: tokio::sync::Mutex<()>,
}

impl<R, T> Default for Together<R, T> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<R, T: Clone> Together<R, T> {
    /// Writes a row with all that wait once it may be written and `others` had time to come along, or lets somebody else take
    /// it along.
    ///
    /// # Errors
    /// When the write fails, or whoever was at it went away.
    pub async fn write<E: std::fmt::Display>(
        &self,
        row: R,
        others: impl Future<Output = ()>,
        write: impl AsyncFnOnce(Vec<R>) -> Result<T, E>,
    ) -> Outcome<T> {
        let (sender, mut told) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push((row, sender));
        let _turn = self.turn.lock().await;
        match told.try_recv() {
            Ok(outcome) => return outcome,
            Err(oneshot::error::TryRecvError::Closed) => {
                return Err(Failed("whoever wrote it went away".into()));
            }
            Err(oneshot::error::TryRecvError::Empty) => others.await,
        }
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner));
        let (rows, callers): (Vec<_>, Vec<_>) = waiting.into_iter().unzip();
        let outcome = write(rows).await.map_err(|error| Failed(error.to_string().into()));
        for caller in callers {
            // One that has gone away does not mind.
            let _ = caller.send(outcome.clone());
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, future::ready, sync::Arc};

    use futures::FutureExt as _;
    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn what_comes_meanwhile_goes_together() {
        let (together, first) = (Together::<u8, Vec<u8>>::default(), Arc::new(Notify::new()));
        let ended = Arc::clone(&first);
        let slow = together.write(1, ready(()), async |rows| {
            ended.notified().await;
            Ok::<_, Infallible>(rows)
        });
        let quick = |row| together.write(row, ready(()), async |rows| Ok::<_, Infallible>(rows));
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
        let together = Together::<u8, ()>::default();
        let failed = together.write(1, ready(()), async |_| Err("full")).await;
        assert_eq!(failed.map_err(|error| error.to_string()), Err("full".to_owned()));
        assert!(together.write(2, ready(()), async |_| Ok::<_, Infallible>(())).await.is_ok());
    }

    #[tokio::test]
    async fn a_row_whose_writer_goes_away_is_told_so() {
        let together = Together::<u8, ()>::default();
        let mut gone = Box::pin(
            together.write(1, ready(()), async |_| std::future::pending::<Result<(), Infallible>>().await),
        );
        assert!((&mut gone).now_or_never().is_none());
        drop(gone);
        assert!(together.write(2, ready(()), async |_| Ok::<_, Infallible>(())).await.is_ok());
    }
}
