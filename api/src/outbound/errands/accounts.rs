//! Takes over the mails about accounts that the edge has written down, each once.

use std::time::Duration;

use super::{Channel, Queue, queue::moment};

/// How often it is looked for them.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long to wait when the database is away.
const PAUSE: Duration = Duration::from_secs(2);
/// Mails that are taken over at once.
const AT_ONCE: i64 = 200;
/// Where nobody sends mails, these are forgotten: no token in them lives so long.
const FORGOTTEN_AFTER_MS: i64 = 7 * 24 * 3_600 * 1_000;

impl Queue {
    /// Takes over what is there, for ever.
    pub async fn take_over(self) {
        loop {
            let pause = match self.take_over_once().await {
                Ok(taken) if taken > 0 => {
                    self.wake(Channel::Mail);
                    continue;
                }
                Ok(_) => LOOK_EVERY,
                Err(error) => {
                    tracing::warn!(%error, "mails about accounts cannot be taken over");
                    PAUSE
                }
            };
            self.clock.sleep(pause).await;
        }
    }

    /// One statement: a mail is in one table or in the other, whatever happens. What is in it stays sealed.
    async fn take_over_once(&self) -> Result<u64, sqlx::Error> {
        let taken = sqlx::query(
            "WITH taken AS ( \
                 DELETE FROM outgoing_mail WHERE id IN ( \
                     SELECT id FROM outgoing_mail \
                     WHERE sent_at IS NULL AND failed_reason IS NULL AND next_at <= $1 \
                     ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED) \
                 RETURNING id, kind, subject, recipient, payload, created_at) \
             INSERT INTO errands (id, channel, lane, kind, message, payload, state, next_at, created_at) \
             SELECT id, 'mail', '', kind, id, \
                    json_build_object('subject', subject, 'recipient', recipient, 'payload', payload)::text, \
                    'waiting', $1, created_at \
             FROM taken ON CONFLICT (id) DO NOTHING",
        )
        .bind(moment(self.clock.now()))
        .bind(AT_ONCE)
        .execute(&self.pool)
        .await?;
        Ok(taken.rows_affected())
    }

    /// Forgets mails about accounts that nobody has taken over.
    ///
    /// # Errors
    /// The database's.
    pub async fn forget_left(&self) -> Result<(), sqlx::Error> {
        sqlx::query("DELETE FROM outgoing_mail WHERE created_at < $1")
            .bind(moment(self.clock.now().plus_millis(-FORGOTTEN_AFTER_MS)))
            .execute(&self.pool)
            .await
            .map(drop)
    }
}
