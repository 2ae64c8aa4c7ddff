//! The tables as they stand, read with plain SQL and held against each other and against the clients' record.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value as Json;
use sqlx::{PgPool, Postgres, Row as _, Transaction};
use store::verify::{Anchor, Wanted, verify};
use uuid::Uuid;

use crate::{
    fold::Fold,
    keeper::ACTOR,
    record::{Sent, Told},
};

/// An event's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub position: i64,
    pub stream: (String, String),
    pub sequence: i64,
    pub event_type: String,
}

/// A row of `commands`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub stream: (String, String),
    pub version: i64,
    pub position: i64,
    pub events: i32,
    pub refusal: Option<String>,
    /// Whether its id was chosen by a client.
    is_client: bool,
    recorded_at: String,
}

/// What came since the last look.
#[derive(Debug, Default)]
pub struct News {
    pub events: HashMap<Uuid, Vec<Place>>,
    pub rows: HashMap<Uuid, Row>,
}

/// What is known of the log, as far as it was looked at.
pub struct Ledger {
    pool: PgPool,
    pub head: i64,
    sequences: HashMap<(String, String), i64>,
    anchor: Anchor,
    /// Every command that any client ever sent.
    sent: HashSet<Uuid>,
    pub fold: Fold,
    pub faults: Vec<String>,
}

const ROWS: &str = "SELECT command_id, aggregate_type, aggregate_id, version, position, events, refusal::text, \
                           expires_at IS NOT NULL AS is_client, recorded_at::text FROM commands";

impl Ledger {
    pub fn of(pool: PgPool) -> Self {
        Self {
            pool,
            head: 0,
            sequences: HashMap::new(),
            anchor: Anchor::BEGINNING,
            sent: HashSet::new(),
            fold: Fold::default(),
            faults: vec![],
        }
    }

    /// Notes what was sent: nothing else may stand in a client's name.
    pub fn expect(&mut self, sent: &[Sent]) {
        self.sent.extend(sent.iter().map(|command| command.id));
    }

    pub fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// A view of everything at one moment.
    pub async fn moment(&self) -> Transaction<'static, Postgres> {
        let mut moment = self.pool.begin().await.unwrap();
        sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            .execute(&mut *moment)
            .await
            .unwrap();
        moment
    }

    /// Reads what is new and checks what must hold of it, whoever sent it.
    pub async fn read_on(&mut self) -> News {
        let mut moment = self.moment().await;
        self.read_on_at(&mut moment).await
    }

    /// The same, at a moment of the caller's.
    pub async fn read_on_at(&mut self, moment: &mut Transaction<'static, Postgres>) -> News {
        let was = self.head;
        let mut news = News::default();
        let head: i64 =
            sqlx::query_scalar("SELECT position FROM log_head").fetch_one(&mut **moment).await.unwrap();
        let events = sqlx::query(
            "SELECT position, aggregate_type, aggregate_id, sequence, event_type, payload::text, \
                    (metadata ->> 'command_id')::uuid, metadata ->> 'actor' \
             FROM events WHERE position > $1 ORDER BY position",
        )
        .bind(was)
        .fetch_all(&mut **moment)
        .await
        .unwrap();
        let mut actors = HashMap::new();
        for event in &events {
            let id: Uuid = event.get(6);
            actors.insert(id, event.get::<String, _>(7));
            let place = self.event(event);
            news.events.entry(id).or_default().push(place);
        }
        if head != self.head {
            self.fault(format!("the head is at {head}, the last event at {}", self.head));
        }
        // An event-less answer names the head that it was written at, which may be the one of the last look.
        let sql = format!("{ROWS} WHERE position > $1 OR (position = $1 AND events = 0)");
        let rows = sqlx::query(&sql);
        for row in rows.bind(was).fetch_all(&mut **moment).await.unwrap() {
            news.rows.insert(row.get(0), row_of(&row));
        }
        self.rows_and_events(&news, &actors);
        news
    }

    fn event(&mut self, event: &sqlx::postgres::PgRow) -> Place {
        let stream: (String, String) = (event.get(1), event.get(2));
        let (position, sequence): (i64, i64) = (event.get(0), event.get(3));
        let event_type: String = event.get(4);
        if position != self.head + 1 {
            self.fault(format!("position {position} comes after {}", self.head));
        }
        self.head = position;
        let last = self.sequences.entry(stream.clone()).or_default();
        let after = std::mem::replace(last, sequence);
        if sequence != after + 1 {
            self.fault(format!("{stream:?} has sequence {sequence} after {after}"));
        }
        let payload: Json = serde_json::from_str(event.get(5)).unwrap();
        if let Err(fault) = self.fold.take((&stream.0, &stream.1), &event_type, &payload) {
            self.fault(format!("{} after position {position}: {fault}", stream.1));
        }
        Place { position, stream, sequence, event_type }
    }

    fn rows_and_events(&mut self, news: &News, actors: &HashMap<Uuid, String>) {
        for (id, places) in &news.events {
            match news.rows.get(id) {
                None => self.fault(format!("{places:?} of command {id} stand without its row")),
                Some(row) if row.is_client != (actors[id] == ACTOR) => {
                    self.fault(format!("{row:?} is kept as if {} had not sent it", actors[id]));
                }
                Some(_) => {}
            }
        }
        for (id, row) in &news.rows {
            if row.is_client && !self.sent.contains(id) {
                self.fault(format!("nobody sent command {id}: {row:?}"));
            }
            let stand = news.events.get(id).map_or(0, Vec::len);
            if i32::try_from(stand).unwrap() != row.events {
                self.fault(format!(
                    "command {id} tells of {} events, and {stand} stand: {row:?}",
                    row.events
                ));
            }
        }
    }

    /// What the clients were told is what stands.
    pub fn judge(&mut self, news: &News, sent: &[Sent]) {
        for command in sent {
            let row = news.rows.get(&command.id);
            let places = news.events.get(&command.id).map_or(&[][..], Vec::as_slice);
            if let Err(fault) = agrees(command, row, places) {
                self.fault(format!(
                    "{fault}: told {:?}, stands {row:?} {places:?}, {command:?}",
                    command.told()
                ));
            }
        }
    }

    /// The rows of these commands as they stand now.
    pub async fn rows(&self, ids: &[Uuid]) -> BTreeMap<Uuid, Row> {
        let sql = format!("{ROWS} WHERE command_id = ANY($1)");
        let rows = sqlx::query(&sql).bind(ids).fetch_all(&self.pool).await.unwrap();
        rows.iter().map(|row| (row.get(0), row_of(row))).collect()
    }

    /// The chain from where it was verified last, or from the beginning.
    pub async fn verify(&mut self, whole: bool) {
        let wanted = Wanted { anchor: Some(self.anchor), after_anchor: !whole };
        let verified = verify(&self.pool, wanted, &|_, _| {}).await.unwrap();
        for finding in &verified.findings {
            self.fault(finding.to_string());
        }
        self.anchor = verified.anchor;
    }

    /// Rows against events once more, over the whole log and by the database.
    pub async fn add_up(&mut self) {
        let wrong: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM commands FULL JOIN ( \
                 SELECT (metadata ->> 'command_id')::uuid AS command_id, count(*) AS stand FROM events GROUP BY 1 \
             ) AS counted USING (command_id) WHERE events IS DISTINCT FROM COALESCE(stand, 0)",
        )
        .fetch_one(&self.pool)
        .await
        .unwrap();
        if wrong > 0 {
            self.fault(format!("{wrong} commands have other events than their rows tell"));
        }
    }
}

fn row_of(row: &sqlx::postgres::PgRow) -> Row {
    Row {
        stream: (row.get(1), row.get(2)),
        version: row.get(3),
        position: row.get(4),
        events: row.get(5),
        refusal: row.get(6),
        is_client: row.get(7),
        recorded_at: row.get(8),
    }
}

fn agrees(command: &Sent, row: Option<&Row>, places: &[Place]) -> Result<(), &'static str> {
    if let (Some(row), Some((aggregate_type, id))) = (row, &command.stream)
        && (row.stream.0 != *aggregate_type || row.stream.1 != *id)
    {
        return Err("it is another aggregate's");
    }
    let count = row.map_or(0, |row| usize::try_from(row.events).unwrap());
    if count != places.len() {
        return Err("it stands in part");
    }
    match (command.told(), row) {
        (Told::Done(_) | Told::Accepted | Told::Refused(_), None) => {
            Err("it was acknowledged and is not there")
        }
        (Told::Done(receipt), Some(row)) => {
            let first = receipt.position - i64::try_from(receipt.events.len()).unwrap() + 1;
            let told = receipt.events.iter().zip(first..);
            let stands = places.iter().map(|place| (&place.event_type, place.position));
            let same_row = row.refusal.is_none()
                && (row.version, row.position) == (receipt.version, receipt.position)
                && places.iter().all(|place| place.stream == row.stream)
                && places.last().is_none_or(|last| last.sequence == receipt.version);
            if same_row && told.eq(stands) { Ok(()) } else { Err("something else stands than was told") }
        }
        (Told::Refused(code), Some(row)) => match &row.refusal {
            Some(refusal) if refusal.contains(&format!("\"{code}\"")) => Ok(()),
            _ => Err("it was refused and stands otherwise"),
        },
        (Told::Accepted, Some(row)) if row.refusal.is_some() => Err("it was accepted and stands refused"),
        (Told::NotTried(_), Some(_)) => Err("it was not tried and is there"),
        (Told::Accepted | Told::Followed | Told::Nothing, _) | (Told::NotTried(_), None) => Ok(()),
    }
}
