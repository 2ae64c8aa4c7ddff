//! Finds what buyers pay with: a token of theirs, or what they keep.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    AggregateType,
    payment::Token,
    value::{CustomerId, MethodId, Text},
};
use store::{
    gateway::{Ask, GatewayError, Means, Purse, Tokens, Use},
    log::{Log, StreamId},
};
use uuid::Uuid;

use super::{Keeps, Saved};
use crate::{identity::Error, owners::owner_of_order};

/// Buyers, some of whom keep what they pay with.
pub(super) struct Buyers {
    pub saved: Saved,
    pub keeps: Arc<dyn Keeps>,
    pub tokens: Tokens,
    /// Where it is seen whose an order is.
    pub log: Arc<dyn Log>,
}

#[async_trait]
impl Purse for Buyers {
    async fn means(
        &self,
        ask: &Ask,
        token: &Token,
        keep_for: Option<&CustomerId>,
    ) -> Result<Option<Means>, GatewayError> {
        if let Token::Saved(id) = token {
            return self.kept(ask, id).await;
        }
        let Some(token) = self.tokens.opened(token).await? else { return Ok(None) };
        Ok(Some(match keep_for {
            None => Means::once(token),
            Some(customer) => Means { token, used: Use::Keep(self.holder(customer).await?) },
        }))
    }
}

impl Buyers {
    /// What the buyer keeps: whoever asked was seen to be its owner, and here it is seen again, where it is paid with.
    async fn kept(&self, ask: &Ask, id: &MethodId) -> Result<Option<Means>, GatewayError> {
        let Ok(id) = id.as_str().parse::<Uuid>() else { return Ok(None) };
        let Some((token, customer)) = self.saved.token(id).await.map_err(failed)? else { return Ok(None) };
        let order = StreamId::new(AggregateType::Order, ask.intent.order.as_str());
        let recorded = self.log.recorded(&order, 0).await.map_err(|error| GatewayError(error.to_string()))?;
        if owner_of_order(&recorded).as_ref() != Some(&customer) {
            tracing::error!(payment = %ask.payment, method = %id, "a payment with what somebody else keeps is declined");
            return Ok(None);
        }
        let holder = self.saved.holder(&customer).await.map_err(failed)?;
        Ok(holder.map(|holder| Means { token, used: Use::Kept(holder) }))
    }

    async fn holder(&self, customer: &CustomerId) -> Result<Text, GatewayError> {
        if let Some(holder) = self.saved.holder(customer).await.map_err(failed)? {
            return Ok(holder);
        }
        let made = self.keeps.holder(customer).await?;
        self.saved.hold(customer, &made).await.map_err(failed)?;
        // Two at once: the first one counts.
        Ok(self.saved.holder(customer).await.map_err(failed)?.unwrap_or(made))
    }
}

pub(super) fn failed(error: Error) -> GatewayError {
    GatewayError(error.to_string())
}
