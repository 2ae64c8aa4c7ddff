//! What a buyer pays with, opened for the gateway alone.

use async_trait::async_trait;
use domain::{
    payment::Token,
    value::{CustomerId, Text},
};

use super::{Ask, GatewayError};
use crate::vault::Vault;

/// What a buyer pays with. It is a secret: nobody logs or tells it.
#[derive(Clone, PartialEq, Eq)]
pub struct Means {
    /// The gateway's name for it.
    pub token: Text,
    /// For this payment, or for later ones as well.
    pub used: Use,
}

/// How often something is paid with; the holder is the gateway's name for the customer.
#[derive(Clone, PartialEq, Eq)]
pub enum Use {
    /// For this payment alone.
    Once,
    /// From this payment on, by this holder.
    Keep(Text),
    /// This holder keeps it already.
    Kept(Text),
}

impl Means {
    /// What is used for one payment.
    #[must_use]
    pub const fn once(token: Text) -> Self {
        Self { token, used: Use::Once }
    }
}

/// Finds what a buyer pays with.
#[async_trait]
pub trait Purse: Send + Sync + 'static {
    /// What a token stands for; `None` when the buyer was forgotten, or does not keep it (any more).
    ///
    /// # Errors
    /// When it cannot be found out now.
    async fn means(
        &self,
        ask: &Ask,
        token: &Token,
        keep_for: Option<&CustomerId>,
    ) -> Result<Option<Means>, GatewayError>;
}

/// Opens tokens, where nobody keeps any.
pub struct Tokens(pub Vault);

impl Tokens {
    /// What stands in a token; `None` when its buyer was forgotten, or keeps it.
    ///
    /// # Errors
    /// When the keys cannot be reached, or do not open it.
    pub async fn opened(&self, token: &Token) -> Result<Option<Text>, GatewayError> {
        let failed = |error: &dyn std::fmt::Display| GatewayError(error.to_string());
        match token {
            Token::Plain(token) => Ok(Some(token.clone())),
            Token::Saved(_) => Ok(None),
            Token::Sealed(sealed) => {
                let Some(opened) = self.0.open(sealed).await.map_err(|error| failed(&error))? else {
                    return Ok(None);
                };
                let token =
                    String::from_utf8(opened.into()).map_err(|_| failed(&"a token that is no text"))?;
                Text::new(token).map(Some).map_err(|_| failed(&"a token that says nothing"))
            }
        }
    }
}

#[async_trait]
impl Purse for Tokens {
    async fn means(
        &self,
        _: &Ask,
        token: &Token,
        _: Option<&CustomerId>,
    ) -> Result<Option<Means>, GatewayError> {
        Ok(self.opened(token).await?.map(Means::once))
    }
}
