//! Doors to other parties' systems: payment gateways, and whoever is told of what happened.

pub mod behaviour;
pub mod errands;
pub mod intake;
pub mod letters;
pub mod mail;
pub mod news;
pub mod saved;
pub mod simulator;
pub mod sms;
pub mod stripe;
pub mod webhooks;

use std::{sync::Arc, time::Duration};

use futures::{
    FutureExt as _,
    future::{BoxFuture, OptionFuture, join_all},
};
use sqlx::PgPool;
use store::{engine::Engine, ports::Clock};

use self::{
    errands::{Carry, Counters, Queue, Runner},
    intake::{Intake, Open},
    mail::{Mail, MailSettings, NotAMailServer},
    sms::{HttpSms, Sms, SmsSettings},
    webhooks::{Allowed, DISABLED, Endpoints, Listeners, Send, SendSettings},
};
use crate::carriers::{Parcels, Tell};

/// How often what ended long ago is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(600);

/// Who is told, and how.
#[derive(Clone, Debug, Default)]
pub struct OutboundSettings {
    /// Mails, if any are sent.
    pub mail: Option<MailSettings>,
    /// Text messages, if any are sent.
    pub sms: Option<SmsSettings>,
    /// Webhooks.
    pub webhooks: SendSettings,
}

/// Why nobody can be told anything.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The mail server's address is not one.
    #[error(transparent)]
    Mail(#[from] NotAMailServer),
    /// There is no TLS.
    #[error("HTTP cannot be spoken: {0}")]
    Http(#[from] reqwest::Error),
}

/// What the routes have to know of all this; cheap to clone.
#[derive(Clone)]
pub struct Outbound {
    /// What is on its way.
    pub queue: Queue,
    /// Who has asked for webhooks.
    pub endpoints: Endpoints,
    /// What this process has carried.
    pub counters: Arc<Counters>,
    /// Where webhooks may go.
    pub allowed: Allowed,
}

impl Outbound {
    /// The rows, with nobody carrying anything in this process.
    #[must_use]
    pub fn resting(engine: &Engine, edge: PgPool) -> Self {
        Self {
            queue: Queue::new(edge.clone(), Arc::clone(&engine.clock)),
            endpoints: Endpoints::new(
                edge,
                engine.vault.clone(),
                Arc::clone(&engine.clock),
                Arc::clone(&engine.ids),
            ),
            counters: Arc::default(),
            allowed: Allowed::default(),
        }
    }

    /// Lets this process follow what happened and, for as long as the future is driven, tell of it.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn start(
        engine: &mut Engine,
        edge: PgPool,
        settings: OutboundSettings,
    ) -> Result<(Self, BoxFuture<'static, ()>), OutboundError> {
        let OutboundSettings { mail, sms, webhooks } = settings;
        let outbound = Self { allowed: webhooks.allowed, ..Self::resting(engine, edge.clone()) };
        let open = Open {
            mail: mail.is_some(),
            shop: mail.as_ref().is_some_and(|mail| mail.shop.is_some()),
            sms: sms.is_some(),
        };
        let mut carriers: Vec<Arc<dyn Carry>> =
            vec![Arc::new(Send::new(outbound.endpoints.clone(), outbound.queue.clone(), webhooks)?)];
        let (log, vault, clock) = (&engine.log, &engine.vault, &engine.clock);
        if let Some(mail) = mail {
            carriers.push(Arc::new(Mail::new(mail, Arc::clone(log), vault.clone(), Arc::clone(clock))?));
        }
        if let Some(sms) = sms {
            let (shop_name, backoff) = (sms.shop_name.clone(), sms.backoff.clone());
            let provider = Arc::new(HttpSms::new(sms)?);
            carriers.push(Arc::new(Sms {
                provider,
                log: Arc::clone(log),
                vault: vault.clone(),
                shop_name,
                backoff,
            }));
        }
        let tell = Tell::new(engine.executor.clone(), engine.fingerprints.clone(), edge.clone());
        carriers.push(Arc::new(tell));
        let parcels = Parcels { pool: edge.clone() };
        let listeners = Listeners::new(edge, Arc::clone(clock));
        let (queue, clock) = (outbound.queue.clone(), Arc::clone(clock));
        let running = outbound.run(carriers, open.mail, Arc::clone(&clock));
        engine.react(Arc::new(Intake { queue, listeners, open, clock }));
        engine.react(Arc::new(parcels));
        Ok((outbound, running.boxed()))
    }

    fn run(
        &self,
        carriers: Vec<Arc<dyn Carry>>,
        mails: bool,
        clock: Arc<dyn Clock>,
    ) -> impl Future<Output = ()> + std::marker::Send + use<> {
        let runners: Vec<_> = carriers
            .into_iter()
            .map(|carry| Runner {
                carry,
                queue: self.queue.clone(),
                clock: Arc::clone(&clock),
                counters: Arc::clone(&self.counters),
            })
            .collect();
        let queue = self.queue.clone();
        let accounts = OptionFuture::from(mails.then(|| self.queue.clone().take_over()));
        async move {
            tokio::join!(join_all(runners.into_iter().map(Runner::run)), accounts, forget(queue, &*clock));
        }
    }
}

/// Forgets what ended long ago, over and over.
async fn forget(queue: Queue, clock: &dyn Clock) {
    loop {
        if let Err(error) = queue.give_up_left(DISABLED).await {
            tracing::warn!(%error, "errands that nobody carries cannot be given up");
        }
        if let Err(error) = queue.forget_left().await {
            tracing::warn!(%error, "mails that nobody sends cannot be forgotten");
        }
        match queue.forget_old().await {
            // There may be more of them.
            Ok(forgotten) if forgotten > 0 => clock.sleep(Duration::from_secs(1)).await,
            Ok(_) => clock.sleep(FORGET_EVERY).await,
            Err(error) => {
                tracing::warn!(%error, "old errands cannot be forgotten");
                clock.sleep(FORGET_EVERY).await;
            }
        }
    }
}
