//! Begins a read model anew.

use sqlx::PgPool;
use store::follow::Projection;

/// Empties a projection and sends its follower back to the log's beginning, wherever that follower runs.
///
/// # Errors
/// The database's; then nothing has changed.
pub async fn rebuild(pool: &PgPool, projection: &dyn Projection) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // Whoever follows loses its lease within two seconds and begins where the checkpoint then stands; a batch that it
    // is at in the meantime is fenced off.
    sqlx::query(
        "UPDATE followers SET position = 0, incarnation = NULL, link = NULL, fence = fence + 1, holder = NULL, \
                              lease_expires_at = '-infinity' WHERE name = $1",
    )
    .bind(projection.name())
        .execute(&mut *transaction)
        .await?;
    projection.clear(&mut transaction).await?;
    sqlx::query("DELETE FROM parked_streams WHERE follower = $1")
        .bind(projection.name())
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
