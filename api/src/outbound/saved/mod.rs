//! Ways to pay that customers keep: saved when a payment was made with one, paid with again by its id, let go of at the gateway
//! when nobody keeps it any more.

mod detach;
mod keep;
mod named;
mod purse;
mod rows;

use std::sync::Arc;

use async_trait::async_trait;
use domain::value::{CustomerId, Text};
use futures::{FutureExt as _, future::BoxFuture};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use store::{
    engine::Engine,
    gateway::{Gateway, GatewayError, Tokens},
};

pub(crate) use rows::remove_all_of;
pub use rows::{METHODS_MAX, Saved, Shown};

use self::{keep::Keep, purse::Buyers};
use crate::identity::Error;

/// A gateway with which customers keep ways to pay.
#[async_trait]
pub trait Keeps: Send + Sync + 'static {
    /// What the gateway is called, for as long as anything is kept there.
    fn name(&self) -> &'static str;

    /// The gateway's name for a customer; asked for again, the same one for a day at least.
    ///
    /// # Errors
    /// When the gateway cannot be asked.
    async fn holder(&self, customer: &CustomerId) -> Result<Text, GatewayError>;

    /// What was paid with under a reference; `None` when it cannot be paid with again.
    ///
    /// # Errors
    /// When the gateway cannot be asked.
    async fn kept(&self, reference: &Text) -> Result<Option<Found>, GatewayError>;

    /// Lets go of what its holder does not keep any more; once that is done, it stays done.
    ///
    /// # Errors
    /// When the gateway cannot be asked, or does not do it.
    async fn detach(&self, token: &Text) -> Result<(), GatewayError>;
}

/// A way to pay, as the gateway has it.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// The gateway's name for it: a secret.
    pub token: Text,
    /// What may be shown of it.
    pub card: Card,
}

/// What is shown of a way to pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = SavedCard))]
pub struct Card {
    /// In the gateway's word: `card`.
    pub kind: String,
    /// Whose card it is: `visa`.
    pub brand: Option<String>,
    /// The last digits of its number.
    pub last4: Option<String>,
    /// The last month that it is good for: `2030-12`.
    pub expires: Option<String>,
}

/// Lets payments be carried to a gateway and, for as long as the future is driven, what customers do not keep any more be let
/// go of there.
///
/// # Errors
/// When the shop's own key, or what was kept before, cannot be read.
pub async fn start<G: Gateway + Keeps>(
    engine: &mut Engine,
    pool: PgPool,
    gateway: Arc<G>,
) -> Result<BoxFuture<'static, ()>, Error> {
    let secret = engine.vault.secret("edge").await?;
    let saved = Saved::new(pool, engine.vault.clone(), secret, Arc::clone(&engine.clock)).at(gateway.name());
    saved.name_gateways().await?;
    let keeps: Arc<dyn Keeps> = Arc::<G>::clone(&gateway);
    let tokens = Tokens(engine.vault.clone());
    let buyers =
        Buyers { saved: saved.clone(), keeps: Arc::clone(&keeps), tokens, log: Arc::clone(&engine.log) };
    engine.ask_with(gateway, Arc::new(buyers));
    engine.react(Arc::new(Keep {
        saved: saved.clone(),
        keeps: Arc::clone(&keeps),
        log: Arc::clone(&engine.log),
        feed: engine.feed.clone(),
    }));
    Ok(detach::run(saved, keeps, Arc::clone(&engine.clock)).boxed())
}
