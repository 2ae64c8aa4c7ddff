//! Looks up what a letter or text message tells: from the log when it is sent, so that nothing personal is kept until then.

use std::sync::Arc;

use domain::{
    Aggregate as _, AggregateType, AnyEvent, inventory_item,
    order::{self, CancelReason, Order, Placement, Units},
    payment,
    value::{Money, Quantity, Text},
};
use serde::Deserialize;
use store::{
    log::{Log, LogError, Position, Recorded, StreamId},
    vault::{Vault, VaultError},
};

use crate::outbound::errands::{Errand, Origin};

/// A line of an order, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its name.
    pub title: String,
    /// How many.
    pub quantity: u32,
    /// For all of them; nothing where it is not said.
    pub amount: String,
}

/// An order, as people read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// Its id.
    pub id: String,
    /// Goods.
    pub lines: Vec<Row>,
    /// Everything else on the bill.
    pub charges: Vec<Row>,
    /// What it costs.
    pub total: String,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "fields are named after the values they hold")]
pub enum Story {
    /// An order was confirmed.
    Confirmed { order: Ordered },
    /// A parcel left the house.
    Shipped { order: Ordered, sent: Vec<Row>, carrier: String, tracking: Option<String> },
    /// A parcel arrived.
    Delivered { order: Ordered },
    /// Money was given back.
    Refunded { order: Ordered, amount: String },
    /// An order was called off.
    Cancelled { order: Ordered, why: &'static str },
    /// Few units are left.
    Low { sku: String, available: i64, reorder_point: u32 },
    /// A buyer wants money back from their bank.
    Disputed { order: String, dispute: String, amount: String, reason: String },
}

/// Who bought. Not to be kept, logged or shown.
#[derive(Clone, Deserialize)]
pub struct Buyer {
    /// The name.
    pub name: String,
    /// Where mail goes.
    pub email: String,
    /// Where text messages go.
    #[serde(default)]
    pub phone: Option<String>,
}

/// A story, and who is to hear it; nobody for what concerns the shop alone.
pub struct Facts {
    /// What happened.
    pub story: Story,
    /// To whom.
    pub buyer: Option<Buyer>,
}

/// What was found.
pub enum Lookup {
    /// All there is to tell.
    Found(Box<Facts>),
    /// There is nobody to tell or nothing to be told, and why.
    Nobody(&'static str),
}

/// Why nothing could be looked up.
#[derive(Debug, thiserror::Error)]
pub enum LookUpError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The contact cannot be opened.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What was sealed is no contact.
    #[error("a contact cannot be read")]
    Contact,
}

impl LookUpError {
    /// Whether it will be so for ever.
    #[must_use]
    pub const fn is_for_good(&self) -> bool {
        matches!(self, Self::Contact | Self::Vault(VaultError::Broken { .. }))
    }
}

impl Facts {
    /// Looks up what an errand tells.
    ///
    /// # Errors
    /// As [`LookUpError`] says.
    pub async fn of(errand: &Errand, log: &Arc<dyn Log>, vault: &Vault) -> Result<Lookup, LookUpError> {
        let Some(origin) = errand.origin else { return Ok(Lookup::Nobody("it tells of no event")) };
        let Some(recorded) = found(origin, log).await? else {
            return Ok(Lookup::Nobody("the log was restored to before the event"));
        };
        let Some(event) = recorded.events.iter().nth(origin.nth) else {
            return Ok(Lookup::Nobody("the event means nothing any more"));
        };
        match event {
            AnyEvent::InventoryItem(inventory_item::Event::LowStock { available, reorder_point }) => {
                let sku = recorded.stream.id.to_string();
                let story = Story::Low { sku, available: *available, reorder_point: *reorder_point };
                Ok(Lookup::Found(Box::new(Self { story, buyer: None })))
            }
            AnyEvent::Payment(payment::Event::DisputeOpened { order, dispute, amount, reason }) => {
                let (order, dispute) = (order.to_string(), dispute.to_string());
                let story =
                    Story::Disputed { order, dispute, amount: money(*amount), reason: reason.to_string() };
                Ok(Lookup::Found(Box::new(Self { story, buyer: None })))
            }
            AnyEvent::Payment(payment::Event::Refunded { order, amount, .. }) => {
                let amount = money(*amount);
                Self::of_order(order.as_str(), None, log, vault, |order, _| {
                    Some(Story::Refunded { order, amount })
                })
                .await
            }
            AnyEvent::Order(event) => {
                let (id, upto) = (&recorded.stream.id, Some(recorded.position));
                Self::of_order(id, upto, log, vault, |ordered, order| story(event, ordered, order)).await
            }
            _ => Ok(Lookup::Nobody("nobody is told of such an event")),
        }
    }

    /// The story of an order as it stood after that event, or stands now, and its buyer.
    async fn of_order(
        id: &str,
        upto: Option<Position>,
        log: &Arc<dyn Log>,
        vault: &Vault,
        tell: impl FnOnce(Ordered, &Order) -> Option<Story> + Send,
    ) -> Result<Lookup, LookUpError> {
        let recorded = log.recorded(&StreamId::new(AggregateType::Order, id), 0).await?;
        let events = recorded.into_iter().take_while(|event| upto.is_none_or(|upto| event.position <= upto));
        let order =
            events.flat_map(|recorded| recorded.events).fold(Order::default(), |order, event| match event {
                AnyEvent::Order(event) => order.evolve(event),
                _ => order,
            });
        let Some(delivery) = order.placement().and_then(|placement| placement.delivery.as_ref()) else {
            return Ok(Lookup::Nobody("the order names nobody"));
        };
        let Some(opened) = vault.open(&delivery.contact).await? else {
            return Ok(Lookup::Nobody("the person is forgotten"));
        };
        let buyer: Buyer = serde_json::from_slice(&opened).map_err(|_| LookUpError::Contact)?;
        let Some(story) = ordered(id, &order).and_then(|ordered| tell(ordered, &order)) else {
            return Ok(Lookup::Nobody("nobody is told of such an event"));
        };
        Ok(Lookup::Found(Box::new(Self { story, buyer: Some(buyer) })))
    }
}

/// The event itself: after a restore another one may have its place.
async fn found(origin: Origin, log: &Arc<dyn Log>) -> Result<Option<Recorded>, LookUpError> {
    let found = log.recorded_after(origin.position - 1, 1).await?;
    Ok(found.into_iter().next().filter(|recorded| recorded.event_id == origin.event_id))
}

fn story(event: &order::Event, ordered: Ordered, order: &Order) -> Option<Story> {
    use order::Event as E;
    match event {
        E::Confirmed { .. } => Some(Story::Confirmed { order: ordered }),
        E::Shipped { carrier, tracking, lines, .. } => Some(Story::Shipped {
            sent: sent(order, lines),
            order: ordered,
            carrier: carrier.to_string(),
            tracking: tracking.as_ref().map(Text::to_string),
        }),
        E::Delivered { .. } => Some(Story::Delivered { order: ordered }),
        E::Cancelled { reason, .. } => Some(Story::Cancelled { order: ordered, why: why(*reason) }),
        _ => None,
    }
}

const fn why(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::CustomerRequest => "you asked for it",
        CancelReason::Staff => "the shop had to call it off",
        CancelReason::OutOfStock => "something on it is out of stock",
        CancelReason::PaymentDeclined => "the payment was declined",
        CancelReason::PaymentTimedOut => "no payment came in time",
        CancelReason::Rejected => "we cannot accept it",
        CancelReason::LinesCancelled => "the last of it was called off",
        CancelReason::PurchaseLimit => "a customer may not buy so many",
    }
}

fn money(amount: Money) -> String {
    format!("{} {}", amount.decimal(), amount.currency)
}

/// As the order adds it up: a tax that is no part of the price comes on top.
fn sum(placement: &Placement, unit: Money, quantity: Quantity, tax: Option<Money>) -> String {
    let tax = tax.filter(|_| !placement.prices_include_tax);
    let net = unit.times(quantity);
    let sum = net.and_then(|net| tax.map_or(Some(net), |tax| net.plus(tax)));
    sum.map(money).unwrap_or_default()
}

fn title(line: &order::Line) -> String {
    line.title.as_ref().map_or_else(|| line.sku.to_string(), Text::to_string)
}

fn ordered(id: &str, order: &Order) -> Option<Ordered> {
    let placement = order.placement()?;
    let lines = placement.lines.iter().map(|line| Row {
        title: title(line),
        quantity: line.quantity.get(),
        amount: sum(placement, line.unit_price, line.quantity, line.tax),
    });
    let charges = placement.charges.iter().map(|charge| Row {
        title: charge.title.as_ref().unwrap_or(&charge.code).to_string(),
        quantity: charge.quantity.get(),
        amount: sum(placement, charge.unit_amount, charge.quantity, charge.tax),
    });
    Some(Ordered {
        id: id.to_owned(),
        lines: lines.collect(),
        charges: charges.collect(),
        total: money(order.total()?),
    })
}

fn sent(order: &Order, lines: &[Units]) -> Vec<Row> {
    let known = order.placement().map(|placement| &placement.lines[..]).unwrap_or_default();
    let rows = lines.iter().filter_map(|units| {
        let line = known.get(usize::try_from(units.line).ok()?)?;
        Some(Row { title: title(line), quantity: units.quantity.get(), amount: String::new() })
    });
    rows.collect()
}
