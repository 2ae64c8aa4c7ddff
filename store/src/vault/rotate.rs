//! Replaces the master key: every key is opened and wrapped again, while others go on sealing and opening.

use serde::Serialize;
use sqlx::Row;

use super::{Vault, VaultError, wrap::Wrapped};

/// Keys that are wrapped again in one statement.
const PAGE: i64 = 500;
/// Names of keys that do not open which are told one by one.
const TOLD_MAX: usize = 10;

/// How many keys there are, and how many of them another master key than the current one has wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Wrappings {
    /// All of them.
    pub total: u64,
    /// Those under another master key, or one that an older program did not name.
    pub left: u64,
}

/// What a rotation has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// Keys that the current master key wraps now and did not before.
    pub wrapped: u64,
    /// Keys that neither master key opens.
    pub unopened_total: u64,
    /// The first of these, with the reason.
    pub unopened: Vec<String>,
}

/// The two tables: which, and what a key in it is called.
const TABLES: [(&str, &str); 2] = [("subject_keys", "subject"), ("shop_keys", "name")];

impl Vault {
    /// The name of the current master key.
    #[must_use]
    pub fn master_id(&self) -> &str {
        self.wraps.current()
    }

    /// How many keys are still to be wrapped by the current master key.
    ///
    /// # Errors
    /// When the key database could not be reached.
    pub async fn wrappings(&self) -> Result<Wrappings, VaultError> {
        let (total, left): (i64, i64) = sqlx::query_as(
            "SELECT count(*), count(*) FILTER (WHERE wrapped_by IS DISTINCT FROM $1) \
             FROM (SELECT wrapped_by FROM subject_keys WHERE wrapped IS NOT NULL \
                   UNION ALL SELECT wrapped_by FROM shop_keys) AS keys",
        )
        .bind(self.master_id())
        .fetch_one(&self.pool)
        .await?;
        let count = |rows| u64::try_from(rows).unwrap_or(0);
        Ok(Wrappings { total: count(total), left: count(left) })
    }

    /// Wraps everything by the current master key that is not. Stopped half-way, it is begun again where it was; two at
    /// once do no harm, and nobody who is forgotten meanwhile comes back. `more` hears of every page.
    ///
    /// # Errors
    /// When the key database could not be reached.
    pub async fn rotate(&self, more: &(dyn Fn(u64) + Sync)) -> Result<Rotated, VaultError> {
        let mut rotated = Rotated::default();
        for (table, name) in TABLES {
            let mut after = String::new();
            while let Some(last) = self.rotate_page((table, name), &after, &mut rotated, more).await? {
                after = last;
            }
        }
        Ok(rotated)
    }

    /// Wraps a page of keys again, and says which was the last of it.
    async fn rotate_page(
        &self,
        (table, name): (&str, &str),
        after: &str,
        rotated: &mut Rotated,
        more: &(dyn Fn(u64) + Sync),
    ) -> Result<Option<String>, VaultError> {
        let sql = format!(
            "SELECT {name}, wrapped, wrapped_by FROM {table} \
             WHERE {name} > $1 AND wrapped IS NOT NULL AND wrapped_by IS DISTINCT FROM $2 \
             ORDER BY {name} LIMIT $3"
        );
        let rows =
            sqlx::query(&sql).bind(after).bind(self.master_id()).bind(PAGE).fetch_all(&self.pool).await?;
        let (mut names, mut old, mut new) = (vec![], vec![], vec![]);
        let mut last = None;
        for row in &rows {
            let key_name: String = row.try_get(0)?;
            let wrapped = Wrapped { bytes: row.try_get(1)?, by: row.try_get(2)? };
            last = Some(key_name.clone());
            match self.wraps.unwrap(&key_name, &wrapped) {
                Ok(key) => {
                    new.push(self.wraps.wrap(&*self.ids, &key_name, &key)?.bytes);
                    old.push(wrapped.bytes);
                    names.push(key_name);
                }
                Err(error) => {
                    rotated.unopened_total += 1;
                    if rotated.unopened.len() < TOLD_MAX {
                        rotated.unopened.push(error.to_string());
                    }
                }
            }
        }
        // Only what is still as it was read: a key that was destroyed meanwhile stays so.
        let sql = format!(
            "UPDATE {table} SET wrapped = u.new, wrapped_by = $4 \
             FROM UNNEST($1::text[], $2::bytea[], $3::bytea[]) AS u (name, old, new) \
             WHERE {table}.{name} = u.name AND {table}.wrapped = u.old"
        );
        let query = sqlx::query(&sql).bind(names).bind(old).bind(new).bind(self.master_id());
        rotated.wrapped += query.execute(&self.pool).await?.rows_affected();
        more(rows.len() as u64);
        Ok(last)
    }
}
