//! Payments as their orders show them: how far each has come, what was taken and what was given back.

use std::collections::BTreeMap;

use domain::{
    payment::{CaptureWhen, DisputeStage, Event, Method},
    value::{Currency, DisputeId, Money, OrderId, PaymentId, Text},
};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, Row as _, postgres::PgRow};
use store::{
    follow::ApplyError,
    log::{Position, Sequence},
};

use crate::{
    Fresh, Freshness, QueryError, ReadModels,
    batch::{At, Step, Versioned, fold, loaded},
    orders::NAME,
    read_models::Statement,
    rows::{document, named, text, unword, word, words},
};

words! {
    /// How far a payment has come.
    #[cfg_attr(feature = "openapi", schema(as = PaymentStatus))]
    Status {
        /// There is none, or nobody has asked for it yet.
        None = "none",
        /// Asked for.
        Open = "open",
        /// The gateway is being asked to hold the amount.
        Authorizing = "authorizing",
        /// The gateway holds it.
        Authorized = "authorized",
        /// The gateway would not hold it; another attempt may be made.
        Declined = "declined",
        /// The gateway did not answer in time; it still may.
        TimedOut = "timed_out",
        /// Taken, in part or whole.
        Captured = "captured",
        /// Some of what was taken was given back.
        PartiallyRefunded = "partially_refunded",
        /// All of what was taken was given back.
        Refunded = "refunded",
        /// Closed with nothing held or taken.
        Voided = "voided",
    }
}

/// A dispute about a payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Dispute {
    /// As the gateway calls it.
    pub id: DisputeId,
    /// How it stands.
    pub status: DisputeStage,
    /// About how much.
    pub amount: Money,
    /// Why, in the gateway's word.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub reason: Text,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Payment {
    /// Its id.
    pub id: PaymentId,
    /// The order that it pays.
    pub order: OrderId,
    /// How.
    pub method: Method,
    /// When it is to be captured.
    pub capture: CaptureWhen,
    /// How far it has come.
    pub status: Status,
    /// What is asked for.
    pub amount: Money,
    /// What was taken.
    pub captured: Money,
    /// What was given back.
    pub refunded: Money,
    /// What was let go of, or never held, when the payment was closed: nothing of it is captured any more.
    pub released: Money,
    /// What buyers wanted back from their banks, oldest first.
    pub disputes: Vec<Dispute>,
    /// The stream's version.
    pub version: Sequence,
    /// The last event that changed it.
    pub position: Position,
}

/// A payment's row without its id.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) order: OrderId,
    method: Method,
    capture: CaptureWhen,
    pub(crate) status: Status,
    amount: Money,
    captured: i64,
    refunded: i64,
    released: i64,
    pub(crate) disputes: Vec<Dispute>,
    pub(crate) opened_at: Position,
    version: Sequence,
    pub(crate) position: Position,
}

/// The row after one more event.
pub(crate) fn apply(row: Option<Row>, event: &Event, at: At) -> Result<Row, ApplyError> {
    let version = at.after(row.as_ref().map(|row| row.version))?;
    let position = at.position;
    match (row, event) {
        (None, Event::IntentOpened { order, amount, method, capture }) => Ok(Row {
            order: order.clone(),
            method: *method,
            capture: *capture,
            status: Status::Open,
            amount: *amount,
            captured: 0,
            refunded: 0,
            released: 0,
            disputes: vec![],
            opened_at: position,
            version,
            position,
        }),
        (None, _) => Err(ApplyError::Poison("the intent was never opened".to_owned())),
        (Some(row), event) => Ok(Row { version, position, ..row.changed(event) }),
    }
}

impl Versioned for Row {
    fn last(&mut self) -> (&mut Sequence, &mut Position) {
        (&mut self.version, &mut self.position)
    }
}

impl Row {
    fn changed(mut self, event: &Event) -> Self {
        match event {
            Event::AuthorizationRequested { .. } => self.status = Status::Authorizing,
            Event::Authorized { .. } => {
                // A second approval beside a hold is surplus, and is let go of again.
                if self.is_waiting() {
                    self.status = Status::Authorized;
                    self.released = 0;
                }
            }
            Event::Declined { .. } => self.status = Status::Declined,
            Event::AuthorizationTimedOut { .. } => self.status = Status::TimedOut,
            Event::Captured { amount, .. } => {
                self.captured = self.captured.saturating_add(amount.amount);
                self.status = self.settled();
            }
            Event::Refunded { amount, .. } => {
                self.refunded = self.refunded.saturating_add(amount.amount);
                self.status = self.settled();
            }
            Event::Voided { .. } => {
                self.released = self.amount.amount.saturating_sub(self.captured);
                if self.captured == 0 {
                    self.status = Status::Voided;
                }
            }
            Event::DisputeOpened { dispute, amount, reason, .. } => self.disputes.push(Dispute {
                id: dispute.clone(),
                status: DisputeStage::Open,
                amount: *amount,
                reason: reason.clone(),
            }),
            Event::DisputeWon { dispute, .. } => self.ended(dispute, DisputeStage::Won),
            Event::DisputeLost { dispute, .. } => self.ended(dispute, DisputeStage::Lost),
            Event::IntentOpened { .. }
            | Event::CaptureRequested { .. }
            | Event::CaptureFailed { .. }
            | Event::VoidRequested { .. }
            | Event::VoidFailed { .. }
            | Event::SurplusVoided { .. }
            | Event::SurplusVoidFailed { .. }
            | Event::AnswerDeferred { .. }
            | Event::AnswerSought { .. }
            | Event::AnswerMissing { .. }
            | Event::RefundRequested { .. }
            | Event::RefundFailed { .. } => {}
        }
        self
    }

    fn ended(&mut self, ended: &DisputeId, status: DisputeStage) {
        self.disputes
            .iter_mut()
            .filter(|dispute| dispute.id == *ended)
            .for_each(|dispute| dispute.status = status);
    }

    const fn is_waiting(&self) -> bool {
        match self.status {
            Status::None
            | Status::Open
            | Status::Authorizing
            | Status::Declined
            | Status::TimedOut
            | Status::Voided => true,
            Status::Authorized | Status::Captured | Status::PartiallyRefunded | Status::Refunded => false,
        }
    }

    const fn settled(&self) -> Status {
        if self.refunded == 0 {
            Status::Captured
        } else if self.refunded < self.captured {
            Status::PartiallyRefunded
        } else {
            Status::Refunded
        }
    }
}

/// Applies a batch to the table.
pub(crate) async fn write(
    connection: &mut PgConnection,
    steps: &[Step<'_, Event>],
) -> Result<(), ApplyError> {
    if steps.is_empty() {
        return Ok(());
    }
    let mut rows = load(connection, &loaded(steps)).await?;
    fold(&mut rows, steps, apply)?;
    let all: Vec<(&String, &Row)> = rows.iter().collect();
    let methods = all.iter().map(|(_, row)| word(&row.method)).collect::<Result<Vec<_>, _>>()?;
    let captures = all.iter().map(|(_, row)| word(&row.capture)).collect::<Result<Vec<_>, _>>()?;
    let disputes = all.iter().map(|(_, row)| text(&row.disputes)).collect::<Result<Vec<_>, _>>()?;
    let column = |value: fn(&Row) -> i64| all.iter().map(|(_, row)| value(row)).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO payments (id, order_id, method, capture, status, currency, amount, captured, refunded, released, \
                               opened_at, version, position, disputes) \
         SELECT id, order_id, method, capture, status, currency, amount, captured, refunded, released, opened_at, version, \
                position, disputes::json FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[], \
                              $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], \
                              $14::text[]) \
              AS p(id, order_id, method, capture, status, currency, amount, captured, refunded, released, opened_at, version, \
                   position, disputes) \
         ON CONFLICT (id) DO UPDATE SET status = EXCLUDED.status, captured = EXCLUDED.captured, \
             refunded = EXCLUDED.refunded, released = EXCLUDED.released, version = EXCLUDED.version, \
             position = EXCLUDED.position, disputes = EXCLUDED.disputes",
    )
    .bind(all.iter().map(|(id, _)| id.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|(_, row)| row.order.as_str()).collect::<Vec<_>>())
    .bind(methods)
    .bind(captures)
    .bind(all.iter().map(|(_, row)| row.status.as_str()).collect::<Vec<_>>())
    .bind(all.iter().map(|(_, row)| row.amount.currency.as_str()).collect::<Vec<_>>())
    .bind(column(|row| row.amount.amount))
    .bind(column(|row| row.captured))
    .bind(column(|row| row.refunded))
    .bind(column(|row| row.released))
    .bind(column(|row| row.opened_at))
    .bind(column(|row| row.version))
    .bind(column(|row| row.position))
    .bind(disputes)
    .execute(connection)
    .await?;
    Ok(())
}

const COLUMNS: &str = "id, order_id, method, capture, status, currency, amount, captured, refunded, released, opened_at, \
                       version, position, disputes::text AS disputes";

async fn load(connection: &mut PgConnection, ids: &[&str]) -> Result<BTreeMap<String, Row>, sqlx::Error> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query(&format!("SELECT {COLUMNS} FROM payments WHERE id = ANY($1)"))
        .bind(ids)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, row_of(row)?))).collect()
}

fn row_of(row: &PgRow) -> Result<Row, sqlx::Error> {
    let currency: Currency = named(row, "currency")?;
    Ok(Row {
        order: named(row, "order_id")?,
        method: unword(row.try_get("method")?)?,
        capture: unword(row.try_get("capture")?)?,
        status: named(row, "status")?,
        amount: Money::new(row.try_get("amount")?, currency),
        captured: row.try_get("captured")?,
        refunded: row.try_get("refunded")?,
        released: row.try_get("released")?,
        opened_at: row.try_get("opened_at")?,
        version: row.try_get("version")?,
        position: row.try_get("position")?,
        disputes: document(row, "disputes")?,
    })
}

impl ReadModels {
    /// A payment; `None` when nobody has asked for it.
    ///
    /// # Errors
    /// As [`QueryError`] says.
    pub async fn payment(
        &self,
        id: &PaymentId,
        freshness: Freshness,
    ) -> Result<Fresh<Option<Payment>>, QueryError> {
        let statement = Statement::new(
            NAME,
            "p.aggregate_type = 'payment' AND p.aggregate_id = $1",
            &format!("SELECT true AS found, {COLUMNS} FROM payments WHERE id = $1"),
            "",
        );
        let rows = self.asker.ask(&statement, freshness, |query| query.bind(id.as_str())).await?;
        rows.try_map(|rows| Ok(rows.first().map(payment_of).transpose()?))
    }

    /// The payments that name an order, as far as the read model has come.
    pub(crate) async fn payments_of(&self, order: &OrderId) -> Result<Vec<String>, QueryError> {
        let names = sqlx::query_scalar("SELECT id FROM payments WHERE order_id = $1").bind(order.as_str());
        Ok(self.asker.in_time(names.fetch_all(&self.asker.pool)).await?)
    }
}

fn payment_of(row: &PgRow) -> Result<Payment, sqlx::Error> {
    let id = named(row, "id")?;
    let row = row_of(row)?;
    let money = |amount| Money::new(amount, row.amount.currency);
    Ok(Payment {
        id,
        method: row.method,
        capture: row.capture,
        status: row.status,
        amount: row.amount,
        captured: money(row.captured),
        refunded: money(row.refunded),
        released: money(row.released),
        disputes: row.disputes,
        version: row.version,
        position: row.position,
        order: row.order,
    })
}
