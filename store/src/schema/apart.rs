//! Tables of this program in a place that belongs to somebody else: one session, no roles, and only the tables that are wanted.

use sqlx::{Connection as _, Executor as _, PgConnection};

use super::{SchemaError, Tables, options, plain, server, steps};

/// The schema that a session's own temporary tables lie in.
pub const TEMPORARY: &str = "pg_temp";

/// Connects to a database and sees one schema of it, which need not be there yet, or [`TEMPORARY`] tables.
///
/// # Errors
/// When the address or the name is wrong, nobody answers, or the server is too old.
pub async fn session(url: &str, schema: &str) -> Result<PgConnection, SchemaError> {
    plain(schema)?;
    let connection = PgConnection::connect_with(&options(url, schema)?).await?;
    server::check(&connection)?;
    Ok(connection)
}

/// Tables of the schema that the connection sees first.
const SEEN: &str = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace = to_regnamespace(current_schema())";

/// Lays those tables that are to be kept into the schema that the connection sees, which holds none of them yet.
///
/// # Errors
/// When the role may not, or the database fails; in a transaction nothing is left of it then.
pub async fn lay_apart(
    connection: &mut PgConnection,
    tables: &Tables,
    keep: &[&str],
) -> Result<(), SchemaError> {
    let before: Vec<String> = sqlx::query_scalar(SEEN).fetch_all(&mut *connection).await?;
    // Nobody else lays anything there.
    steps(connection, tables, false).await?;
    let mut others: Vec<String> = sqlx::query_scalar(SEEN).fetch_all(&mut *connection).await?;
    others.retain(|table| !keep.contains(&table.as_str()) && !before.contains(table));
    connection.execute(format!("DROP TABLE {}", others.join(", ")).as_str()).await?;
    Ok(())
}
