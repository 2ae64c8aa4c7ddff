//! What customers keep at Stripe: a Customer each, whose PaymentMethods can be paid with again.

use async_trait::async_trait;
use domain::value::{CustomerId, Text};
use reqwest::Method as Verb;
use store::gateway::GatewayError;

use super::{
    NAME, Stripe,
    authorize::{AUTHORIZING, TRY, of_the_key},
    client::{Answer, Group, Request},
    segment, unanswered,
    wire::{Customer, PaymentMethod},
    word,
};
use crate::outbound::saved::{Card, Found, Keeps};

#[async_trait]
impl Keeps for Stripe {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn holder(&self, customer: &CustomerId) -> Result<Text, GatewayError> {
        let fields = [("metadata[customer]", customer.to_string())];
        let request = Request {
            group: Group::Authorize,
            method: Verb::POST,
            path: "/v1/customers".to_owned(),
            fields: &fields,
            key: Some(format!("customer-{customer}")),
            patience: self.client.patience(TRY, AUTHORIZING, 2),
        };
        match self.client.call::<Customer>(&request).await.map_err(unanswered)? {
            Answer::Done(made) => word(&made.id),
            Answer::Refused(refused) if refused.is_of_the_key() => Err(of_the_key(&refused)),
            Answer::Refused(refused) => Err(GatewayError(refused.fault.word().to_owned())),
        }
    }

    async fn kept(&self, reference: &Text) -> Result<Option<Found>, GatewayError> {
        let intent = self.intent(reference.as_str()).await?;
        let Some(id) = intent.and_then(|intent| intent.payment_method) else { return Ok(None) };
        let attached = self.method(&id).await?.filter(|method| method.customer.is_some());
        attached.map(PaymentMethod::found).transpose()
    }

    async fn detach(&self, token: &Text) -> Result<(), GatewayError> {
        let id = token.as_str();
        let request = Request {
            group: Group::Settle,
            method: Verb::POST,
            path: format!("/v1/payment_methods/{}/detach", segment(id)),
            fields: &[],
            key: Some(format!("detach-{id}")),
            patience: self.settling(),
        };
        match self.client.call::<PaymentMethod>(&request).await.map_err(unanswered)? {
            Answer::Done(_) => Ok(()),
            Answer::Refused(refused) if refused.is_of_the_key() => Err(of_the_key(&refused)),
            // Detached before, by a try that was not heard of any more, or by hand.
            Answer::Refused(refused) => match self.method(id).await? {
                Some(method) if method.customer.is_some() => {
                    Err(GatewayError(refused.fault.word().to_owned()))
                }
                Some(_) | None => Ok(()),
            },
        }
    }
}

impl Stripe {
    async fn method(&self, id: &str) -> Result<Option<PaymentMethod>, GatewayError> {
        match self.look(&format!("/v1/payment_methods/{}", segment(id)), &[]).await? {
            Answer::Done(method) => Ok(Some(method)),
            Answer::Refused(refused) if refused.status.as_u16() == 404 => Ok(None),
            Answer::Refused(refused) => Err(GatewayError(refused.fault.word().to_owned())),
        }
    }
}

impl PaymentMethod {
    fn found(self) -> Result<Found, GatewayError> {
        let token = word(&self.id)?;
        let (brand, last4, expires) = match self.card {
            None => (None, None, None),
            Some(card) => {
                let expires =
                    card.exp_year.zip(card.exp_month).map(|(year, month)| format!("{year}-{month:02}"));
                (card.brand, card.last4, expires)
            }
        };
        Ok(Found { token, card: Card { kind: self.kind, brand, last4, expires } })
    }
}
