//! What a buyer wants to pay with, before it reaches the log: sealed, or the id of what they keep.

use domain::{
    payment::Token,
    value::{CustomerId, MethodId, PaymentId, SubjectId, Text},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Shop, access::Kind, idempotency::Run, outbound::saved::METHODS_MAX, principal::Principal,
    problem::Problem, text::Short,
};

/// What the buyer pays with.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = AuthorizePayment))]
#[serde(untagged, expecting = "a token, perhaps with save, or the id of what is saved")]
pub enum Authorize {
    /// The gateway's token for it.
    Token(New),
    /// What a customer keeps.
    Saved(Again),
}

/// The gateway's token for what the buyer pays with.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = AuthorizeWithToken))]
#[serde(deny_unknown_fields)]
pub struct New {
    token: Short,
    /// Whether the customer keeps it, to pay with it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    save: bool,
}

/// What the customer keeps: an id of `GET /v1/me/payment-methods`.
#[derive(Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = AuthorizeWithSaved))]
#[serde(deny_unknown_fields)]
pub struct Again {
    saved: Uuid,
}

/// What an authorization carries, and for whom it is kept.
pub type Paying = (Token, Option<CustomerId>);

/// What stands in the log of what a buyer wants to pay with.
///
/// # Errors
/// When it is not theirs to keep or to pay with.
pub async fn paying(
    shop: &Shop,
    (principal, run): (&Principal, &Run),
    payment: &PaymentId,
    body: Authorize,
) -> Result<Paying, Problem> {
    let owner = owner(shop, payment).await?;
    let own = principal.member().map(|member| &member.customer).filter(|own| owner.as_ref() == Some(*own));
    match body {
        Authorize::Token(New { token, save }) => {
            let keep_for = if save { Some(may_keep(shop, own).await?) } else { None };
            Ok((sealed(shop, payment, owner.as_ref(), token.into()).await?, keep_for))
        }
        Authorize::Saved(Again { saved: id }) => {
            let kept = match own {
                Some(own) => shop.saved.keeps(own, Some(id)).await?.0,
                None => false,
            };
            // A repeat gets the first answer, whatever became of the method since.
            if !kept && shop.log.answers(&[run.correlation_id()]).await?.is_empty() {
                return Err(Problem::new("payment_method.not_found", "you keep no such payment method"));
            }
            let id = MethodId::from(id);
            Ok((Token::Saved(id), None))
        }
    }
}

/// The token of a payment, closed under its buyer's key.
///
/// # Errors
/// When its buyer is forgotten, or the keys cannot be reached.
pub async fn sealed_token(shop: &Shop, payment: &PaymentId, token: Text) -> Result<Token, Problem> {
    let owner = owner(shop, payment).await?;
    sealed(shop, payment, owner.as_ref(), token).await
}

/// Whose it is; nobody's where there is no such payment, or no order to it.
async fn owner(shop: &Shop, payment: &PaymentId) -> Result<Option<CustomerId>, Problem> {
    Ok(shop.owners.of(shop, Kind::Payment, payment.as_str()).await?.flatten())
}

async fn sealed(
    shop: &Shop,
    payment: &PaymentId,
    owner: Option<&CustomerId>,
    token: Text,
) -> Result<Token, Problem> {
    let subject = match owner {
        Some(owner) => SubjectId::from(owner).as_str().to_owned(),
        // Nobody's order: nobody can ask to be forgotten.
        None => format!("payment:{payment}"),
    };
    Ok(Token::Sealed(shop.vault.seal(&subject, token.as_str().as_bytes()).await?))
}

/// The customer that something may be kept for.
async fn may_keep(shop: &Shop, own: Option<&CustomerId>) -> Result<CustomerId, Problem> {
    let needed = "only customers who are logged in keep what they pay with, and for their own payments";
    let own = own.ok_or_else(|| Problem::new("payment_method.needs_account", needed))?;
    let (_, count) = shop.saved.keeps(own, None).await?;
    if count >= METHODS_MAX {
        let detail = format!("a customer keeps at most {METHODS_MAX} payment methods");
        return Err(Problem::new("payment_method.too_many", detail));
    }
    Ok(own.clone())
}
