//! Recovery codes: each good once instead of the authenticator app, kept as keyed hashes.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Error, Identity, totp::base32};

/// Codes of an account.
const CODES: usize = 10;
/// Random bytes of a code: 50 bits and more, which the throttle makes enough.
const BYTES: usize = 7;

/// Makes the codes of an account anew.
///
/// # Errors
/// When they cannot be written.
pub async fn make(
    identity: &Identity,
    connection: &mut PgConnection,
    account: Uuid,
) -> Result<Vec<String>, Error> {
    let mut codes = vec![];
    for _ in 0..CODES {
        let mut bytes = [0; BYTES];
        identity.inner.ids.fill(&mut bytes)?;
        codes.push(written(&base32(&bytes)));
    }
    let hashes: Vec<Vec<u8>> = codes.iter().map(|code| hash(identity, account, code)).collect();
    sqlx::query("DELETE FROM recovery_codes WHERE account = $1")
        .bind(account)
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO recovery_codes (account, hash) SELECT $1, h FROM UNNEST($2::bytea[]) AS h")
        .bind(account)
        .bind(hashes)
        .execute(connection)
        .await?;
    Ok(codes)
}

/// Whether it was a code of the account; it is none any more.
///
/// # Errors
/// The database's.
pub async fn use_up(
    identity: &Identity,
    connection: &mut PgConnection,
    account: Uuid,
    code: &str,
) -> Result<bool, Error> {
    let used = sqlx::query("DELETE FROM recovery_codes WHERE account = $1 AND hash = $2")
        .bind(account)
        .bind(hash(identity, account, code))
        .execute(connection)
        .await?;
    Ok(used.rows_affected() == 1)
}

/// In groups of four, so that it can be copied from paper.
fn written(letters: &str) -> String {
    let groups: Vec<&str> =
        letters.as_bytes().chunks(4).filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join("-")
}

/// However it is written: case, spaces and dashes do not count.
fn hash(identity: &Identity, account: Uuid, code: &str) -> Vec<u8> {
    let letters = code.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_uppercase());
    let letters: String = letters.collect();
    identity.inner.secret.mac(&[b"recovery", account.as_bytes(), letters.as_bytes()]).to_vec()
}
