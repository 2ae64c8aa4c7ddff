//! When the latest of the events occurs that a replay goes to: read ahead of it, in the time that it waits anyway. It need not
//! be the log's last one.

use domain::value::Time;
use store::{follow::ReplaySource, log::Position};

use super::occurred_at;

/// How far it was read ahead, and what was found.
pub(super) struct Outlook {
    ahead: ReplaySource,
    after: Position,
    until: Position,
    latest: Option<Time>,
    /// Whether it cannot be read, so that nothing is told.
    blind: bool,
}

impl Outlook {
    /// Nothing is read yet of what stands behind `after`, up to `until`.
    pub const fn new(ahead: ReplaySource, after: Position, until: Position) -> Self {
        Self { ahead, after, until, latest: None, blind: false }
    }

    /// Reads some more; whether there was more to read.
    pub async fn look_on(&mut self) -> bool {
        if self.blind || self.after >= self.until {
            return false;
        }
        match self.ahead.next(self.after, self.until).await {
            Ok(part) if part.end > self.after => {
                self.after = part.end;
                self.latest = self.latest.max(part.entries.iter().filter_map(occurred_at).max());
            }
            // Whatever is wrong is told by whoever applies what is read.
            _ => self.blind = true,
        }
        true
    }

    /// When the latest event occurs, once all were seen.
    pub fn end_ms(&self) -> Option<i64> {
        self.latest.filter(|_| self.after >= self.until).map(Time::millis)
    }
}
