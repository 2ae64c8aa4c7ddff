//! Sends letters over SMTP, each as text and as HTML, under a name that derives from its event.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::value::Time;
pub use lettre::message::Mailbox;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    message::{
        MultiPart,
        header::{Header, HeaderName, HeaderValue},
    },
    transport::smtp,
};
use store::{log::Log, ports::Clock, vault::Vault};
use uuid::Uuid;

use super::{
    errands::{Backoff, Carry, Channel, Errand, Lane, Outcome},
    letters::{ACCOUNT, AccountLetter, Facts, Letter, LookUpError, Lookup, Opened, one_line},
};

/// How long a mail server may take for each answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// Mails on their way at once, and connections that are kept for them.
const AT_ONCE: u8 = 8;

/// How mail is sent.
#[derive(Clone)]
pub struct MailSettings {
    /// `smtps://name:password@host:465`, `smtp://host:587?tls=required`, or `smtp://localhost:25`.
    pub url: String,
    /// Whom it is from.
    pub from: Mailbox,
    /// Where answers go, if elsewhere.
    pub reply_to: Option<Mailbox>,
    /// Who in the shop hears that stock is low.
    pub shop: Option<Mailbox>,
    /// The shop's name.
    pub shop_name: String,
    /// Where the shop's own pages are, for links.
    pub front: Option<String>,
    /// How long mails wait after each failure.
    pub backoff: Backoff,
}

impl fmt::Debug for MailSettings {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailSettings").field("from", &self.from).finish_non_exhaustive()
    }
}

/// A mail server's address that is not one. The text is not repeated, for it may hold a password.
#[derive(Debug, thiserror::Error)]
#[error("not an SMTP address such as smtps://name:password@mail.example.com:465, or its TLS cannot be had")]
pub struct NotAMailServer;

/// Carries mails.
pub struct Mail {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    settings: MailSettings,
    log: Arc<dyn Log>,
    vault: Vault,
    clock: Arc<dyn Clock>,
}

/// What a receiver knows the mail by, whatever relays make of its `Message-ID`.
#[derive(Clone)]
struct DaybookId(String);

impl Header for DaybookId {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("X-Daybook-Id")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

/// RFC 3834: nobody's holiday note should answer it.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}

impl Mail {
    /// A sender. Nobody is called yet.
    ///
    /// # Errors
    /// When the address is not one.
    pub fn new(
        settings: MailSettings,
        log: Arc<dyn Log>,
        vault: Vault,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, NotAMailServer> {
        let builder =
            AsyncSmtpTransport::<Tokio1Executor>::from_url(&settings.url).map_err(|_| NotAMailServer)?;
        let pool = smtp::PoolConfig::new().max_size(AT_ONCE.into());
        let transport = builder.timeout(Some(TIMEOUT)).pool_config(pool).build();
        Ok(Self { transport, settings, log, vault, clock })
    }

    async fn try_once(&self, errand: &Errand) -> Outcome {
        if errand.kind.starts_with(ACCOUNT) {
            return self.try_account(errand).await;
        }
        let facts = match Facts::of(errand, &self.log, &self.vault).await {
            Ok(Lookup::Found(facts)) => facts,
            Ok(Lookup::Nobody(why)) => return Outcome::Void(why),
            Err(error) => return unfound(errand, &error),
        };
        let to = match &facts.buyer {
            Some(buyer) => match buyer.email.parse::<Address>() {
                Ok(address) => {
                    Mailbox::new(Some(one_line(&buyer.name)).filter(|name| !name.is_empty()), address)
                }
                Err(_) => return Outcome::Never("the address is not one".into()),
            },
            None => match &self.settings.shop {
                Some(shop) => shop.clone(),
                None => return Outcome::Void("the shop names nobody to tell"),
            },
        };
        let letter = match Letter::of(&self.settings.shop_name, &facts) {
            Ok(Some(letter)) => letter,
            Ok(None) => return Outcome::Void("nobody is told of such an event"),
            Err(error) => return Outcome::Never(error.to_string()),
        };
        self.send(errand.message, to, letter).await
    }

    async fn try_account(&self, errand: &Errand) -> Outcome {
        let row = errand.payload.as_deref().unwrap_or_default();
        let opened = match AccountLetter::open(row, &self.vault, self.clock.now()).await {
            Ok(Opened::Letter(opened)) => opened,
            Ok(Opened::Nobody(why)) => return Outcome::Void(why),
            Err(error) => return unfound(errand, &error),
        };
        let Ok(address) = opened.to.parse::<Address>() else {
            return Outcome::Never("the address is not one".into());
        };
        match opened.letter(&errand.kind, &self.settings.shop_name, self.settings.front.as_deref()) {
            Ok(Some(letter)) => self.send(errand.message, Mailbox::new(None, address), letter).await,
            // A newer program wrote it, and will send it.
            Ok(None) => Outcome::Again("this program knows no such letter".into()),
            Err(error) => Outcome::Never(error.to_string()),
        }
    }

    async fn send(&self, id: Uuid, to: Mailbox, letter: Letter) -> Outcome {
        let message = match self.message(id, to, letter) {
            Ok(message) => message,
            Err(_) => return Outcome::Never("no mail can be made of it".into()),
        };
        match self.transport.send(message).await {
            Ok(_) => Outcome::Done,
            Err(error) => failed(&error),
        }
    }

    fn message(&self, id: Uuid, to: Mailbox, letter: Letter) -> Result<Message, lettre::error::Error> {
        let host = self.settings.from.email.domain();
        let mut message = Message::builder()
            .from(self.settings.from.clone())
            .to(to)
            .subject(letter.subject)
            .date(system_time(self.clock.now()))
            .message_id(Some(format!("<{}@{host}>", id.simple())))
            .header(DaybookId(id.to_string()))
            .header(AutoSubmitted);
        if let Some(reply_to) = &self.settings.reply_to {
            message = message.reply_to(reply_to.clone());
        }
        message.multipart(MultiPart::alternative_plain_html(letter.text, letter.html))
    }
}

/// What a failure to look up what a mail tells means for it.
fn unfound(errand: &Errand, error: &LookUpError) -> Outcome {
    if error.is_for_good() {
        return Outcome::Never("what it tells cannot be read".into());
    }
    tracing::warn!(errand = %errand.id, %error, "what a mail tells cannot be looked up");
    Outcome::Again("what it tells cannot be looked up now".into())
}

fn system_time(time: Time) -> std::time::SystemTime {
    let since = Duration::from_millis(u64::try_from(time.millis()).unwrap_or(0));
    std::time::SystemTime::UNIX_EPOCH + since
}

/// What a server's answer means. Its text is not kept: it likes to repeat the address.
fn failed(error: &smtp::Error) -> Outcome {
    let Some(code) = error.status() else {
        let reason = if error.is_timeout() {
            "the mail server did not answer in time"
        } else {
            "the mail server cannot be reached"
        };
        return Outcome::Again(reason.into());
    };
    let code: u16 = code.into();
    let reason = format!("the mail server answered {code}");
    // RFC 5321, 4.2.3: these are about the mailbox and the mail. Others of 5xx are about how this server is asked, such as
    // a wrong password: that is for the operator, and no buyer's mail is given up for it at once.
    match code {
        521 | 550..=559 => Outcome::Never(reason),
        _ => Outcome::Again(reason),
    }
}

#[async_trait]
impl Carry for Mail {
    fn channel(&self) -> Channel {
        Channel::Mail
    }

    async fn lanes(&self) -> Result<Vec<Lane>, sqlx::Error> {
        Ok(vec![Lane { name: String::new(), at_once: AT_ONCE.into() }])
    }

    async fn carry(&self, errand: &Errand) -> Outcome {
        self.try_once(errand).await
    }

    fn backoff(&self) -> &Backoff {
        &self.settings.backoff
    }
}
