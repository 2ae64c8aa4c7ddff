//! Timers as they are written: with an append, or by themselves.

use std::sync::Arc;

use domain::value::Time;
use sqlx::{Postgres, postgres::PgArguments, query::Query};
use uuid::Uuid;

use super::append::column;
use crate::rfc3339::moment;

/// A timer that is to be set: a row until it has fired.
#[derive(Clone, Debug)]
pub struct NewTimer {
    /// The same for what is to be done at one time by one aggregate.
    pub timer_id: Uuid,
    /// Who wants it.
    pub manager: &'static str,
    /// Which aggregate is to do it.
    pub instance: Arc<str>,
    /// The business transaction that it belongs to.
    pub correlation_id: Uuid,
    /// The command, as JSON.
    pub input: String,
    /// When.
    pub due: Time,
}

/// Binds timers, column by column: `timer_id`, `manager`, `instance`, `correlation_id`, `input` and `due_at`.
pub(crate) fn bind<'q>(
    query: Query<'q, Postgres, PgArguments>,
    timers: &'q [NewTimer],
) -> Query<'q, Postgres, PgArguments> {
    query
        .bind(column(timers, |timer| timer.timer_id))
        .bind(column(timers, |timer| timer.manager))
        .bind(column(timers, |timer| &*timer.instance))
        .bind(column(timers, |timer| timer.correlation_id))
        .bind(column(timers, |timer| timer.input.as_str()))
        .bind(column(timers, |timer| moment(timer.due)))
}
