//! An account whose e-mail nobody had shown to be theirs: when its owner claims it, nothing stays that somebody else has put there.

use domain::value::Time;
use sqlx::PgConnection;

use super::{Error, accounts::Standing, token::Role};
use crate::outbound::saved::remove_all_of;

/// What belongs to an account and lets its registrant in, or says who they are. Recovery codes go with the factor.
const THEIRS: [&str; 3] = ["second_factors", "addresses", "known_origins"];

/// Removes what was set up in an account whose e-mail was never shown to be right: whoever did that may not be whom the mail
/// has reached. Members of the staff do not register themselves, and keep their second factor.
///
/// # Errors
/// The database's.
pub async fn clear_unproven(
    connection: &mut PgConnection,
    account: &Standing,
    now: Time,
) -> Result<(), Error> {
    let sql = "UPDATE accounts SET name = NULL, phone = NULL WHERE id = $1 AND email_verified_at IS NULL";
    if account.role != Role::Customer
        || sqlx::query(sql).bind(account.id).execute(&mut *connection).await?.rows_affected() == 0
    {
        return Ok(());
    }
    for table in THEIRS {
        let sql = format!("DELETE FROM {table} WHERE account = $1");
        sqlx::query(&sql).bind(account.id).execute(&mut *connection).await?;
    }
    Ok(remove_all_of(connection, &[account.customer.as_str()], now).await?)
}
