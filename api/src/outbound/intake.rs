//! Makes the errands that follow from events: who is to be told of what.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    AnyEvent, inventory_item,
    order::{self, CancelReason},
    payment,
};
use store::{
    executor::derived_id,
    follow::{Begins, React, ReactError},
    log::Meant,
    ports::Clock,
};
use uuid::Uuid;

use super::{
    errands::{Channel, KEPT_MS, NewErrand, Origin, Queue},
    news::{self, News},
    webhooks::{DISABLED, Listeners, Listening},
};

/// The name that errands are made under.
pub const NAME: &str = "notices";

/// Nobody wants to be told by mail of what happened longer ago than this.
const PERSONAL_MS: i64 = 7 * 24 * 3_600 * 1_000;
/// What is older is not made again: by then it may be forgotten that it was made before.
const WEBHOOK_MS: i64 = KEPT_MS - 2 * 24 * 3_600 * 1_000;

/// Which channels are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// Buyers get mails.
    pub mail: bool,
    /// The shop gets mails.
    pub shop: bool,
    /// Buyers get text messages.
    pub sms: bool,
}

/// Follows the log and makes errands.
pub struct Intake {
    /// Where errands are put.
    pub queue: Queue,
    /// Who listens by webhook.
    pub listeners: Listeners,
    /// Which other channels are open.
    pub open: Open,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

#[async_trait]
impl React for Intake {
    fn name(&self) -> &'static str {
        NAME
    }

    fn begins(&self) -> Begins {
        Begins::AtTheHead
    }

    fn lane(&self, meant: Meant<'_>) -> Option<Arc<str>> {
        if news::is_imported(meant) {
            return None;
        }
        News::of(meant).map(|_| meant.recorded.stream.to_string().into())
    }

    async fn react(&self, meant: Meant<'_>) -> Result<(), ReactError> {
        let Some(news) = News::of(meant) else { return Ok(()) };
        let age_ms = (self.clock.now_us() - meant.recorded.recorded_at_us) / 1_000;
        let mut errands = Vec::new();
        if age_ms < PERSONAL_MS {
            errands.extend(self.personal(meant, news.kind));
        }
        if age_ms < WEBHOOK_MS {
            let listening = self.listeners.as_of(meant.recorded.recorded_at_us).await;
            let listening = listening.map_err(|error| ReactError(error.to_string()))?;
            let created_before = |listener: &&Listening| listener.since_us <= meant.recorded.recorded_at_us;
            let wanting =
                listening.iter().filter(|listener| listener.wants(news.kind)).filter(created_before);
            errands.extend(wanting.map(|listener| of_webhook(meant, &news, listener)));
        }
        self.queue.put(&errands).await.map_err(|error| ReactError(error.to_string()))
    }
}

impl Intake {
    fn personal(&self, meant: Meant<'_>, kind: &'static str) -> Vec<NewErrand> {
        let (mail, sms) = match meant.event {
            AnyEvent::Order(order::Event::Confirmed { .. }) => (self.open.mail, false),
            AnyEvent::Order(order::Event::Shipped { .. }) => (self.open.mail, self.open.sms),
            AnyEvent::Order(order::Event::Delivered { .. }) => (false, self.open.sms),
            AnyEvent::Order(order::Event::Cancelled { reason, .. }) => {
                (self.open.mail && is_news_to_the_buyer(*reason), false)
            }
            AnyEvent::Payment(payment::Event::Refunded { .. }) => (self.open.mail, false),
            AnyEvent::Payment(payment::Event::DisputeOpened { .. })
            | AnyEvent::InventoryItem(inventory_item::Event::LowStock { .. }) => (self.open.shop, false),
            _ => (false, false),
        };
        let channels = [(Channel::Mail, mail), (Channel::Sms, sms)];
        let open = channels.into_iter().filter(|(_, open)| *open);
        open.map(|(channel, _)| of_person(meant, kind, channel)).collect()
    }
}

/// Whether a buyer has not been told already, in the answer to the checkout.
const fn is_news_to_the_buyer(reason: CancelReason) -> bool {
    match reason {
        CancelReason::OutOfStock | CancelReason::PurchaseLimit => false,
        CancelReason::CustomerRequest
        | CancelReason::Staff
        | CancelReason::PaymentDeclined
        | CancelReason::PaymentTimedOut
        | CancelReason::Rejected
        | CancelReason::LinesCancelled => true,
    }
}

const fn origin(meant: Meant<'_>) -> Origin {
    let recorded = meant.recorded;
    Origin { position: recorded.position, event_id: recorded.event_id, nth: meant.nth }
}

/// A mail or text message. What it says is looked up when it is sent: nothing personal is kept here.
fn of_person(meant: Meant<'_>, kind: &'static str, channel: Channel) -> NewErrand {
    let message = derived_id(news::message_id(meant, kind), channel.as_str(), 0);
    NewErrand {
        id: message,
        channel,
        lane: String::new(),
        kind,
        message,
        origin: Some(origin(meant)),
        payload: None,
        dead: None,
    }
}

/// A webhook to one endpoint; all endpoints are told the same under the same name.
fn of_webhook(meant: Meant<'_>, news: &News, listener: &Listening) -> NewErrand {
    let message = news::message_id(meant, news.kind);
    NewErrand {
        id: of_endpoint(message, listener.id),
        channel: Channel::Webhook,
        lane: listener.id.to_string(),
        kind: news.kind,
        message,
        origin: Some(origin(meant)),
        payload: Some(news.payload(meant)),
        dead: listener.disabled.then_some(DISABLED),
    }
}

/// The errand that brings a message to an endpoint.
fn of_endpoint(message: Uuid, endpoint: Uuid) -> Uuid {
    derived_id(message, &endpoint.to_string(), 0)
}
