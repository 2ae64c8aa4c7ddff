//! Finds what buyers pay with: a token of theirs, or what they keep.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    payment::Token,
    value::{CustomerId, MethodId, Text},
};
use store::gateway::{GatewayError, Means, Purse, Tokens, Use};
use uuid::Uuid;

use super::{Keeps, Saved};
use crate::identity::Error;

/// Buyers, some of whom keep what they pay with.
pub(super) struct Buyers {
    pub saved: Saved,
    pub keeps: Arc<dyn Keeps>,
    pub tokens: Tokens,
}

#[async_trait]
impl Purse for Buyers {
    async fn means(
        &self,
        token: &Token,
        keep_for: Option<&CustomerId>,
    ) -> Result<Option<Means>, GatewayError> {
        if let Token::Saved(id) = token {
            return self.kept(id).await;
        }
        let Some(token) = self.tokens.opened(token).await? else { return Ok(None) };
        Ok(Some(match keep_for {
            None => Means::once(token),
            Some(customer) => Means { token, used: Use::Keep(self.holder(customer).await?) },
        }))
    }
}

impl Buyers {
    async fn kept(&self, id: &MethodId) -> Result<Option<Means>, GatewayError> {
        let Ok(id) = id.as_str().parse::<Uuid>() else { return Ok(None) };
        let Some((token, customer)) = self.saved.token(id).await.map_err(failed)? else { return Ok(None) };
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
