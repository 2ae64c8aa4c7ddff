//! What becomes of an append that is durable: it is folded, and those who asked are told, while the next one is on its way.

use super::{Token, core::Core, decided::Decided};
use crate::log::{Head, Position};

/// What a command costs this process from one answer to the next, in microseconds, at the least (docs/BENCHMARKS.md).
const COMMAND_US: i64 = 20;

/// Commands that are durable, and not yet told.
#[derive(Default)]
pub(super) struct Durable {
    /// Where their events begin.
    after: Position,
    decided: Vec<Decided>,
}

impl Core {
    /// Whether the next append goes out before those of the last one are answered, so that the database works meanwhile.
    ///
    /// Answered first, they would call again and come along; an append costs much the same however many come, and in two
    /// groups that take turns it is paid twice. That is worth it as soon as this process has longer to do for all of them
    /// than the database has at its quickest.
    pub(super) fn goes_at_once(&self) -> bool {
        let commands = self.durable.decided.len() + self.queue.len();
        !self.queue.is_empty()
            && !self.durable.decided.is_empty()
            && commands as i64 * COMMAND_US > self.quickest_append_us
    }

    /// Everything in the flying batch is durable.
    pub(super) fn durable(&mut self, head: Head) {
        let took_us = self.clock.elapsed_us() - self.appending_since_us;
        // Of late: a quick one of long ago counts less and less.
        self.quickest_append_us = took_us.min(self.quickest_append_us + self.quickest_append_us / 64 + 1);
        self.durable = Durable { after: self.head.position, decided: std::mem::take(&mut self.flying) };
        self.head = head;
        self.folded = head.position;
    }

    /// Folds what is durable, and tells everybody, the callers last: their ids are free by then.
    pub(super) fn tell(&mut self) {
        let Durable { after: mut position, decided } = std::mem::take(&mut self.durable);
        if decided.is_empty() {
            return;
        }
        let head = self.head;
        let token = Token { incarnation: head.incarnation, position: head.position };
        let listened_to = self.appended.receiver_count() > 0;
        let (mut entries, mut answers) = (Vec::new(), Vec::with_capacity(decided.len()));
        for decided in decided {
            if listened_to {
                entries.extend(decided.entries(position));
            }
            position += decided.events() as i64;
            self.known_ids.remove(&decided.request.command_id);
            let snapshot = self.cache.durable(&decided.request.stream(), decided.events(), decided.bytes());
            self.keep(snapshot);
            answers.push(decided.told(token, position));
        }
        // Whoever is answered finds the head that its answer names.
        if !entries.is_empty() {
            // Whoever listened may have gone meanwhile.
            let _ = self.appended.send((entries.into(), head));
        }
        self.head_sender.send_replace(head);
        // All at once: each wakes somebody, and a thread that is woken finds them all rather than one at a time.
        for (reply, told) in answers {
            reply.send(told);
        }
    }
}
