//! What analysts may do: read the log and the read models, and nothing else.

use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};

use super::{SchemaError, Tables, alone, has_role, options, plain};

/// Whether a role can do more in a database than it is granted here: by what it is, owns, or may become.
const MORE: &str = "\
    SELECT EXISTS (SELECT FROM pg_roles WHERE pg_has_role($1::name, oid, 'MEMBER') AND rolname NOT IN ('pg_read_all_settings') \
                   AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls \
                        OR rolname IN ($2, current_user) OR rolname LIKE 'pg\\_%'))";

/// Lets a role read those tables of `<prefix><suffix>` that are for analysts. Everything that analysts may do is granted here;
/// a view that is meant for them goes into [`Tables::analysts`].
///
/// # Errors
/// When there is no such role, it is one that can do more, or the owner cannot reach the database.
pub async fn let_read(
    owner_url: &str,
    prefix: &str,
    (analyst, serving): (&str, &str),
    tables: &Tables,
) -> Result<(), SchemaError> {
    plain(prefix)?;
    plain(analyst)?;
    if tables.analysts.is_empty() {
        return Ok(());
    }
    let schema = format!("{prefix}{}", tables.suffix);
    let mut connection = PgConnection::connect_with(&options(owner_url, &schema)?).await?;
    alone(&mut connection, &schema).await?;
    has_role(&mut connection, analyst).await?;
    let more: bool = sqlx::query_scalar(MORE).bind(analyst).bind(serving).fetch_one(&mut connection).await?;
    if more {
        return Err(SchemaError::NoAnalyst(analyst.to_owned()));
    }
    // What was granted before, by whomever, is no longer: a table that is not for analysts any more is not read by them. One
    // message is one transaction, so that whoever reads meanwhile goes on.
    let mut grant = format!(
        "REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {analyst}; REVOKE ALL ON SCHEMA {schema} FROM {analyst}; \
         GRANT USAGE ON SCHEMA {schema} TO {analyst}"
    );
    for table in tables.analysts.iter().chain(&["_sqlx_migrations"]) {
        grant.push_str(&format!("; GRANT SELECT ON {schema}.{table} TO {analyst}"));
    }
    connection.execute(grant.as_str()).await?;
    connection.close().await?;
    Ok(())
}

/// Whether the role of a pool may read a table that its connections see.
///
/// # Errors
/// The database's.
pub async fn may_read(pool: &PgPool, table: &str) -> Result<bool, SchemaError> {
    let may = "SELECT COALESCE(has_table_privilege(to_regclass($1), 'SELECT'), false)";
    Ok(sqlx::query_scalar(may).bind(table).fetch_one(pool).await?)
}

/// Lets everybody read one table who may read another one, which it is about to take the place of.
///
/// # Errors
/// The database's.
pub async fn same_readers(connection: &mut PgConnection, from: &str, to: &str) -> Result<(), sqlx::Error> {
    let readers: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT quote_ident(rolname) FROM pg_class c CROSS JOIN aclexplode(c.relacl) a \
         JOIN pg_roles r ON r.oid = a.grantee \
         WHERE c.oid = to_regclass($1) AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner",
    )
    .bind(from)
    .fetch_all(&mut *connection)
    .await?;
    for reader in readers {
        connection.execute(format!("GRANT SELECT ON {to} TO {reader}").as_str()).await?;
    }
    Ok(())
}
