//! Sends text messages, through whoever the shop has a contract with.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
pub use reqwest::Url;
use reqwest::{Client, header, redirect};
use serde_json::{Map, Value};
use store::{log::Log, vault::Vault};
use uuid::Uuid;

use super::{
    errands::{Backoff, Carry, Channel, Errand, Lane, Outcome},
    letters::{Facts, Lookup, Story, one_line},
};

/// How long a provider may take to answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Messages on their way at once.
const AT_ONCE: usize = 4;

/// Why a provider did not take a message; nothing of the message stands in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SmsError {
    /// It may be taken later.
    #[error("{0}")]
    Again(String),
    /// It never will.
    #[error("{0}")]
    Never(String),
}

/// Takes text messages. The same id is the same message, however often it comes.
#[async_trait]
pub trait SmsProvider: Send + Sync + 'static {
    /// Sends a text to a telephone.
    async fn send(&self, id: Uuid, to: &str, text: &str) -> Result<(), SmsError>;
}

/// How a provider is reached that takes JSON over HTTP.
#[derive(Clone)]
pub struct SmsSettings {
    /// Where messages are posted.
    pub url: Url,
    /// The bearer token.
    pub token: Option<String>,
    /// A JSON object in whose texts `{to}`, `{text}` and `{id}` are replaced.
    pub template: Map<String, Value>,
    /// The shop's name.
    pub shop_name: String,
    /// How long messages wait after each failure.
    pub backoff: Backoff,
}

impl SmsSettings {
    /// What is posted where nothing else is said.
    #[must_use]
    pub fn usual_template() -> Map<String, Value> {
        ["to", "text", "id"]
            .map(|name| (name.to_owned(), Value::String(format!("{{{name}}}"))))
            .into_iter()
            .collect()
    }
}

impl fmt::Debug for SmsSettings {
    /// Without the token, and the URL that may hold one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmsSettings").field("shop_name", &self.shop_name).finish_non_exhaustive()
    }
}

/// A provider that takes JSON over HTTP.
pub struct HttpSms {
    client: Client,
    settings: SmsSettings,
}

impl HttpSms {
    /// Reaches a provider.
    ///
    /// # Errors
    /// When the machine cannot do TLS.
    pub fn new(settings: SmsSettings) -> Result<Self, reqwest::Error> {
        let client = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build()?;
        Ok(Self { client, settings })
    }
}

/// Replaces names in the texts of a template, once: what is put in is not looked through again.
fn filled(value: &Value, with: &[(&str, &str)]) -> Value {
    match value {
        Value::String(text) => Value::String(filled_text(text, with)),
        Value::Array(values) => values.iter().map(|value| filled(value, with)).collect(),
        Value::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.clone(), filled(value, with))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn filled_text(text: &str, with: &[(&str, &str)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match with
            .iter()
            .find(|(name, _)| rest[1..].strip_prefix(name).is_some_and(|rest| rest.starts_with('}')))
        {
            Some((name, value)) => {
                out.push_str(value);
                rest = &rest[name.len() + 2..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

#[async_trait]
impl SmsProvider for HttpSms {
    async fn send(&self, id: Uuid, to: &str, text: &str) -> Result<(), SmsError> {
        let id = id.to_string();
        let template = Value::Object(self.settings.template.clone());
        let body = filled(&template, &[("to", to), ("text", text), ("id", &id)]).to_string();
        let mut request = self
            .client
            .post(self.settings.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("Idempotency-Key", &id)
            .body(body);
        if let Some(token) = &self.settings.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.map_err(|error| {
            let reason =
                if error.is_timeout() { "it did not answer in time" } else { "it cannot be reached" };
            SmsError::Again(reason.into())
        })?;
        let status = answer.status().as_u16();
        let reason = format!("it answered {status}");
        match status {
            200..=299 => Ok(()),
            // About this message. A wrong token, a wrong address or too many at once are about how it is asked.
            400 | 413 | 422 => Err(SmsError::Never(reason)),
            _ => Err(SmsError::Again(reason)),
        }
    }
}

/// Carries text messages.
pub struct Sms {
    /// Who takes them.
    pub provider: Arc<dyn SmsProvider>,
    /// The log.
    pub log: Arc<dyn Log>,
    /// Personal data.
    pub vault: Vault,
    /// The shop's name.
    pub shop_name: String,
    /// How long messages wait after each failure.
    pub backoff: Backoff,
}

#[async_trait]
impl Carry for Sms {
    fn channel(&self) -> Channel {
        Channel::Sms
    }

    async fn lanes(&self) -> Result<Vec<Lane>, sqlx::Error> {
        Ok(vec![Lane { name: String::new(), at_once: AT_ONCE }])
    }

    async fn carry(&self, errand: &Errand) -> Outcome {
        let facts = match Facts::of(errand, &self.log, &self.vault).await {
            Ok(Lookup::Found(facts)) => facts,
            Ok(Lookup::Nobody(why)) => return Outcome::Void(why),
            Err(error) if error.is_for_good() => return Outcome::Never("its facts cannot be read".into()),
            Err(error) => {
                tracing::warn!(errand = %errand.id, %error, "what a text message tells cannot be looked up");
                return Outcome::Again("its facts cannot be looked up now".into());
            }
        };
        let Some(phone) = facts.buyer.and_then(|buyer| buyer.phone) else {
            return Outcome::Void("no telephone number was given");
        };
        let shop = &self.shop_name;
        let text = match facts.story {
            Story::Shipped { order, carrier, tracking, .. } => {
                let number = tracking.map(|number| format!(", tracking number {number}")).unwrap_or_default();
                format!("{shop}: a parcel of your order {} is on its way with {carrier}{number}.", order.id)
            }
            Story::Delivered { order } => format!("{shop}: a parcel of your order {} has arrived.", order.id),
            Story::Confirmed { .. }
            | Story::Refunded { .. }
            | Story::Cancelled { .. }
            | Story::Low { .. }
            | Story::Disputed { .. } => {
                return Outcome::Void("nobody is told of such an event");
            }
        };
        match self.provider.send(errand.message, &one_line(&phone), &one_line(&text)).await {
            Ok(()) => Outcome::Done,
            Err(SmsError::Again(reason)) => Outcome::Again(reason),
            Err(SmsError::Never(reason)) => Outcome::Never(reason),
        }
    }

    fn backoff(&self) -> &Backoff {
        &self.backoff
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_template_is_filled_once_and_what_is_put_in_stays_what_it_is() {
        let template = json!({ "messages": [{ "to": "{to}", "body": "[{text}] {other} {", "n": 1 }] });
        let with = [("to", "+44 20"), ("text", "costs {to} \" £"), ("id", "x")];
        let expected =
            json!({ "messages": [{ "to": "+44 20", "body": "[costs {to} \" £] {other} {", "n": 1 }] });
        assert_eq!(filled(&template, &with), expected);
    }

    #[test]
    fn the_usual_template_has_a_member_for_each() {
        let filled =
            filled(&Value::Object(SmsSettings::usual_template()), &[("to", "1"), ("text", "2"), ("id", "3")]);
        assert_eq!(filled, json!({ "to": "1", "text": "2", "id": "3" }));
    }
}
