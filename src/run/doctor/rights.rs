//! What the role may look at: what it may not see looks as if it were not there.

use sqlx::PgPool;

use super::{Patient, said::Told};

/// Whether the role that sees the log may add nothing to it, as analysts' roles may not.
pub async fn only_reads(log: &PgPool) -> bool {
    let adds = "SELECT COALESCE(has_table_privilege(to_regclass('events'), 'INSERT'), true)";
    sqlx::query_scalar::<_, bool>(adds).fetch_one(log).await.is_ok_and(|adds| !adds)
}

/// Tells when the role may not look into a schema, which looks as if nothing were there: well for one that only reads the log.
pub async fn closed(
    check: &'static str,
    patient: &Patient,
    pool: &PgPool,
    suffix: &str,
    told: &mut Told,
) -> bool {
    let schema = format!("{}{suffix}", patient.settings.schema);
    let asked = sqlx::query_as::<_, (bool, bool)>(
        "SELECT has_schema_privilege(n.oid, 'USAGE'), \
                COALESCE(has_table_privilege(to_regclass($2 || '.events'), 'INSERT'), false) \
         FROM pg_namespace n WHERE n.nspname = $1",
    );
    match asked.bind(&schema).bind(&patient.settings.schema).fetch_optional(pool).await {
        Ok(Some((false, false))) => {
            told.skip(
                check,
                format_args!("not looked at: this role only reads the log, and may not see {schema}"),
            );
        }
        Ok(Some((false, true))) => {
            let todo = "run `daybook migrate` as the owner, with this role in DAYBOOK_APP_ROLE";
            told.fail(check, format_args!("this role may not see {schema}"), todo);
        }
        Ok(Some((true, _)) | None) | Err(_) => return false,
    }
    true
}
