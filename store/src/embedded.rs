//! What stands in for sqlx's derives: they would have the whole client of Postgres compiled a second time, for themselves.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};

/// Reads a struct from the columns that are called as its fields are.
#[macro_export]
macro_rules! from_row {
    ($name:ident { $($field:ident),+ $(,)? }) => {
        impl<'r> ::sqlx::FromRow<'r, ::sqlx::postgres::PgRow> for $name {
            fn from_row(row: &'r ::sqlx::postgres::PgRow) -> Result<Self, ::sqlx::Error> {
                use ::sqlx::Row as _;
                Ok(Self { $($field: row.try_get(stringify!($field))?),+ })
            }
        }
    };
}

/// The migrations of a folder, beside the file that names them: their versions and names, as their files are called.
///
/// A file that is not named here is not run; `tests/migrations.rs` finds it.
#[macro_export]
macro_rules! migrations {
    ($folder:literal: $($version:literal $name:literal),+ $(,)?) => {
        ::std::sync::LazyLock::new(|| $crate::embedded::migrator(&[$((
            $version,
            $name,
            include_str!(concat!($folder, "/", $version, "_", $name, ".sql")),
        )),+]))
    };
}

/// What runs migrations: their versions, names and statements.
#[must_use]
pub fn migrator(steps: &[(i64, &'static str, &'static str)]) -> Migrator {
    let step = |(version, name, sql): &(i64, &'static str, &'static str)| {
        let description = Cow::Owned(name.replace('_', " "));
        Migration::new(*version, description, MigrationType::Simple, Cow::Borrowed(*sql), false)
    };
    Migrator { migrations: Cow::Owned(steps.iter().map(step).collect()), ..Migrator::DEFAULT }
}
