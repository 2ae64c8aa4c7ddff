//! The whole stock as it was at a moment, SKU by SKU.

use std::sync::Arc;

use domain::{
    AggregateType, AnyState,
    inventory_item::InventoryItem,
    value::{Sku, Time},
};
use serde::Serialize;
use store::{
    history::Moment,
    log::{Head, Log as _, LogError, Position, PostgresLog, Recorded, Sequence},
};

use crate::stock::Locations;

/// The stock of one SKU at a moment: holds whose time was over then do not count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StockThen {
    /// Which.
    pub sku: Arc<str>,
    /// Units in the house, reserved ones included.
    pub on_hand: i64,
    /// Units held for somebody, as far as they were there.
    pub reserved: i64,
    /// Units promised to somebody and not there yet.
    pub backordered: i64,
    /// Units that could be reserved.
    pub available: i64,
    /// Where units lay.
    pub locations: Locations,
    /// The last event that counts: its place in the SKU's stream.
    pub version: Sequence,
    /// Its place in the log.
    pub position: Position,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// When.
    pub moment: Moment,
    /// Of which SKU; of all, without one.
    pub sku: Option<&'a Sku>,
    /// The present.
    pub now: Time,
}

/// The stock at a moment.
#[derive(Clone, Debug)]
pub struct Stocktaking {
    /// Every SKU that something had happened to, in the order of the key of the streams.
    pub stock: Vec<StockThen>,
    /// The moment in business time: holds that ended by then do not count.
    pub at: Time,
    /// Where the log stood when it was read.
    pub head: Head,
    /// Events of stock that were read.
    pub events: u64,
    /// Events that had not happened by then, though later ones of their SKU had: books that were brought in afterwards.
    pub passed_over: u64,
}

/// Takes stock. What is in memory at once is one SKU's state, and a row for each SKU.
///
/// # Errors
/// When the log cannot be read.
pub async fn stock_then(
    log: &PostgresLog,
    asked: Asked<'_>,
    read: &mut (dyn FnMut(u64) + Send),
) -> Result<Stocktaking, LogError> {
    let at = moment_at(log, asked).await?;
    let mut stock = Vec::new();
    let (head, events, passed_over) = each_item(log, asked, read, &mut |item| {
        stock.push(item.told(at));
    })
    .await?;
    Ok(Stocktaking { stock, at, head, events, passed_over })
}

/// The moment in business time.
async fn moment_at(log: &PostgresLog, asked: Asked<'_>) -> Result<Time, LogError> {
    match asked.moment {
        Moment::Time(time) => Ok(time),
        Moment::Now | Moment::Sequence(_) => Ok(asked.now),
        Moment::Position(position) => {
            let there = log.recorded_after(position - 1, 1).await?;
            Ok(there.first().map_or(asked.now, |recorded| recorded.metadata.occurred_at))
        }
    }
}

/// A SKU whose events were all read.
pub(super) struct Item {
    pub sku: Arc<str>,
    pub state: InventoryItem,
    pub version: Sequence,
    pub position: Position,
}

impl Item {
    fn told(self, at: Time) -> StockThen {
        let Self { sku, state, version, position } = self;
        let over =
            |held: &&domain::inventory_item::Reservation| held.expires_at.is_some_and(|until| until <= at);
        let (held, short) = state
            .reservations()
            .map(|(_, held)| held)
            .filter(over)
            .fold((0_i64, 0_i64), |(held, short), over| {
                (held + over.held(), short + i64::from(over.short()))
            });
        let (reserved, backordered) = (state.reserved() - held, state.backordered() - short);
        StockThen {
            sku,
            on_hand: state.on_hand(),
            reserved,
            backordered,
            // Who waits has been promised what comes free next.
            available: state.on_hand().saturating_sub(reserved).saturating_sub(backordered).max(0),
            locations: state.locations().clone(),
            version,
            position,
        }
    }
}

/// Folds the stream of every SKU, or of one, as far as its events count, and hands each over as soon as it is done. Returns
/// the head that they were read at, how many events were read, and how many were passed over.
pub(super) async fn each_item(
    log: &PostgresLog,
    asked: Asked<'_>,
    read: &mut (dyn FnMut(u64) + Send),
    take: &mut (dyn FnMut(Item) + Send),
) -> Result<(Head, u64, u64), LogError> {
    let upto = match asked.moment {
        Moment::Position(position) => position,
        Moment::Now | Moment::Time(_) | Moment::Sequence(_) => Position::MAX,
    };
    let mut fold = Fold { now: None, missing: 0, passed_over: 0, take };
    let mut events = 0;
    let of = (asked.sku.map(Sku::as_str), upto);
    let head = log
        .each_of_kind(AggregateType::InventoryItem, of, &mut |recorded| {
            events += 1;
            if events % READ_STEP == 0 {
                read(events);
            }
            fold.event(asked.moment, recorded);
        })
        .await?;
    fold.end();
    let passed_over = fold.passed_over;
    read(events);
    Ok((head, events, passed_over))
}

/// So many events are told of at once.
const READ_STEP: u64 = 10_000;

struct Fold<'a> {
    /// The SKU that events are being read of: its name, and what is known of it as soon as an event counts.
    now: Option<(Arc<str>, Option<Item>)>,
    /// Its events that do not count, since the last one that does.
    missing: u64,
    passed_over: u64,
    take: &'a mut (dyn FnMut(Item) + Send),
}

impl Fold<'_> {
    fn event(&mut self, moment: Moment, recorded: Recorded) {
        if self.now.as_ref().is_none_or(|(sku, _)| *sku != recorded.stream.id) {
            self.end();
            self.now = Some((recorded.stream.id.clone(), None));
        }
        if !moment.counts(&recorded) {
            self.missing += 1;
            return;
        }
        self.passed_over += std::mem::take(&mut self.missing);
        let Some((sku, item)) = &mut self.now else { return };
        let (version, position) = (recorded.sequence, recorded.position);
        let known = item.take().map_or_else(InventoryItem::default, |item| item.state);
        let state = recorded.events.into_iter().fold(AnyState::InventoryItem(known), AnyState::evolve);
        // No event turns an aggregate into one of another kind.
        let AnyState::InventoryItem(state) = state else { return };
        *item = Some(Item { sku: sku.clone(), state, version, position });
    }

    fn end(&mut self) {
        self.missing = 0;
        if let Some((_, Some(item))) = self.now.take() {
            (self.take)(item);
        }
    }
}
