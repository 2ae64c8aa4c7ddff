//! The table of events without a log around it, and the statement that fills it.

use std::time::{Duration, Instant};

use sqlx::{PgConnection, types::time::OffsetDateTime};
use store::log::NewEvent;
use uuid::Uuid;

/// The columns and unique keys of the log's own table.
const TABLE: &str = "
    CREATE TABLE raw_events (
        aggregate_type text        NOT NULL,
        aggregate_id   text        NOT NULL,
        sequence       bigint      NOT NULL CHECK (sequence >= 1),
        event_type     text        NOT NULL,
        event_version  text        NOT NULL,
        payload        json        NOT NULL,
        metadata       json        NOT NULL,
        position       bigint      NOT NULL CHECK (position >= 1),
        event_id       uuid        NOT NULL,
        recorded_at    timestamptz NOT NULL,
        digest         bytea       NOT NULL,
        PRIMARY KEY (aggregate_type, aggregate_id, sequence),
        UNIQUE (position)
    );
    ALTER TABLE raw_events ALTER COLUMN payload SET STORAGE MAIN, ALTER COLUMN metadata SET STORAGE MAIN";

const INSERT: &str = "
    INSERT INTO raw_events
    SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::json[], $7::json[],
                         $8::bigint[], $9::uuid[], $10::timestamptz[], $11::bytea[])";

pub struct Plain {
    connection: PgConnection,
    position: i64,
}

impl Plain {
    pub async fn new(mut connection: PgConnection) -> Self {
        sqlx::raw_sql(TABLE).execute(&mut connection).await.unwrap();
        Self { connection, position: 0 }
    }

    /// Inserts the rows, and says how long it took once they lay ready as columns.
    pub async fn insert(&mut self, events: &[NewEvent]) -> Duration {
        let text = |of: fn(&NewEvent) -> &str| events.iter().map(of).collect::<Vec<_>>();
        let kinds = text(|event| event.stream.aggregate_type.as_str());
        let ids = text(|event| &event.stream.id);
        let sequences: Vec<i64> = events.iter().map(|event| event.sequence).collect();
        let types = text(|event| event.event_type);
        let versions = text(|event| event.event_version);
        let payloads = text(|event| &event.payload);
        let metadata = text(|event| &event.metadata);
        let positions: Vec<i64> = (self.position + 1..).take(events.len()).collect();
        let event_ids: Vec<Uuid> = events.iter().map(|event| event.event_id).collect();
        let moments: Vec<OffsetDateTime> = events.iter().map(|event| moment(event.recorded_at_us)).collect();
        let digests: Vec<&[u8]> = events.iter().map(|event| &event.digest[..]).collect();
        let started = Instant::now();
        let inserted = sqlx::query(INSERT)
            .bind(kinds)
            .bind(ids)
            .bind(sequences)
            .bind(types)
            .bind(versions)
            .bind(payloads)
            .bind(metadata)
            .bind(&positions)
            .bind(event_ids)
            .bind(moments)
            .bind(digests)
            .execute(&mut self.connection)
            .await
            .unwrap();
        let took = started.elapsed();
        assert_eq!(inserted.rows_affected(), events.len() as u64);
        self.position += events.len() as i64;
        took
    }
}

fn moment(micros: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap()
}
