//! What will happen when its time has come: timers, and answers of the gateway.

use std::collections::{BTreeMap, BTreeSet};

use domain::{AnyCommand, value::Time};
use store::{executor::derived_id, json::ToJson as _};
use uuid::Uuid;

use super::Stuck;

/// Something that happens when its time has come.
#[derive(Clone, Debug)]
pub(super) struct Due {
    pub name: &'static str,
    pub cause_id: Uuid,
    pub to: String,
    pub command: AnyCommand,
    pub timer: bool,
}

/// Everything to come, in order.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    due: BTreeMap<(Time, usize), Due>,
    planned: usize,
    timers: BTreeSet<Uuid>,
}

impl Agenda {
    /// Whatever is due at the same moment happens in the order of planning.
    pub fn plan(&mut self, due: Time, what: Due) {
        self.planned += 1;
        self.due.insert((due, self.planned), what);
    }

    /// A timer is known by what it will do and when: whoever wants the same again finds it set.
    pub fn set_timer(
        &mut self,
        name: &'static str,
        due: Time,
        to: &str,
        command: AnyCommand,
    ) -> Result<(), Stuck> {
        let input = command.to_json().map_err(|error| Stuck(error.to_string()))?;
        let known = format!("{}:{to}:{input}", due.millis());
        let timer_id = Uuid::new_v5(&Uuid::NAMESPACE_OID, known.as_bytes());
        if self.timers.insert(timer_id) {
            let cause_id = derived_id(timer_id, "fire", 0);
            self.plan(due, Due { name, cause_id, to: to.to_owned(), command, timer: true });
        }
        Ok(())
    }

    /// Takes out what is due next, if that is by `end`.
    pub fn next(&mut self, end: Time) -> Option<(Time, Due)> {
        let next = self.due.first_entry().filter(|entry| entry.key().0 <= end)?;
        let ((due, _), what) = next.remove_entry();
        Some((due, what))
    }
}
