//! Settings about who is told what happened: mails, text messages, webhooks out, and carriers' webhooks in.

use std::{collections::BTreeMap, fs, path::PathBuf};

use api::{
    carriers::{CarrierName, Carriers},
    outbound::{
        OutboundSettings,
        errands::Backoff,
        mail::{MailSettings, Mailbox},
        sms::{SmsSettings, Url},
        webhooks::{Allowed, SendSettings},
    },
    standard_webhooks::Secret,
};

/// The names, and what they mean.
pub const NAMES: &[(&str, &str)] = &[
    (
        "DAYBOOK_SMTP_URL",
        "the mail server: smtps://name:password@host:465, smtp://name:password@host:587?tls=required, or smtp://localhost:25; without it, no mails",
    ),
    (
        "DAYBOOK_MAIL_FROM",
        "whom mails are from, as The Shop <orders@shop.example>; needed beside DAYBOOK_SMTP_URL",
    ),
    ("DAYBOOK_MAIL_REPLY_TO", "where answers to mails go; default: DAYBOOK_MAIL_FROM"),
    ("DAYBOOK_MAIL_SHOP", "who in the shop is told by mail that stock is low; default: nobody"),
    ("DAYBOOK_SHOP_NAME", "the shop's name in mails and text messages; default: Daybook"),
    (
        "DAYBOOK_SHOP_URL",
        "where the shop's own pages are: mails about accounts lead to /verify-email and /reset-password there; default: they show a code",
    ),
    ("DAYBOOK_SMS_URL", "where text messages are posted as JSON; without it, none are sent"),
    ("DAYBOOK_SMS_TOKEN", "the bearer token for that; default: none"),
    (
        "DAYBOOK_SMS_TEMPLATE",
        "a JSON file of what is posted, with {to}, {text} and {id} in its texts; default: an object of these three",
    ),
    (
        "DAYBOOK_WEBHOOKS_PRIVATE",
        "allow, where webhooks may go over http and to private addresses; default: refuse",
    ),
    (
        "DAYBOOK_CARRIER_SECRETS",
        "whose webhooks about parcels are believed, as dhl=whsec_…,ups=whsec_…; a carrier may have two while one is replaced",
    ),
];

/// What cannot be used; no secret is repeated.
#[derive(Debug, thiserror::Error)]
pub enum WrongOutbound {
    /// One setting is useless without another.
    #[error("{name} is needed beside {beside}")]
    Needed {
        /// Which is missing.
        name: &'static str,
        /// Beside which.
        beside: &'static str,
    },
    /// Not somebody's address.
    #[error("{name}: {text:?} is not an address such as The Shop <orders@shop.example>")]
    Mailbox {
        /// Which setting.
        name: &'static str,
        /// What it says.
        text: String,
    },
    /// Not a URL of HTTP.
    #[error("DAYBOOK_SMS_URL is not a URL of http or https")]
    SmsUrl,
    /// The template cannot be used.
    #[error("DAYBOOK_SMS_TEMPLATE: {path}: {reason}")]
    Template {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Neither of the two words.
    #[error("DAYBOOK_WEBHOOKS_PRIVATE: {0:?} is neither allow nor refuse")]
    Private(String),
    /// Not carriers with secrets.
    #[error(
        "DAYBOOK_CARRIER_SECRETS: the entry {nth} is not NAME=whsec_… with 24 to 64 bytes in base64, or its carrier has two \
         already"
    )]
    Carrier {
        /// Which entry, from 1.
        nth: usize,
    },
}

type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Who is told, and how.
pub fn outbound(get: Get<'_>) -> Result<OutboundSettings, WrongOutbound> {
    let shop_name = get("DAYBOOK_SHOP_NAME").unwrap_or_else(|| "Daybook".to_owned());
    let private = match get("DAYBOOK_WEBHOOKS_PRIVATE").as_deref().map(str::trim) {
        None | Some("refuse") => false,
        Some("allow") => true,
        Some(other) => return Err(WrongOutbound::Private(other.to_owned())),
    };
    Ok(OutboundSettings {
        mail: mail(get, &shop_name)?,
        sms: sms(get, &shop_name)?,
        webhooks: SendSettings { allowed: Allowed { private }, ..SendSettings::default() },
    })
}

fn mail(get: Get<'_>, shop_name: &str) -> Result<Option<MailSettings>, WrongOutbound> {
    let Some(url) = get("DAYBOOK_SMTP_URL") else { return Ok(None) };
    let mailbox = |name: &'static str| -> Result<Option<Mailbox>, WrongOutbound> {
        get(name)
            .map(|text| text.trim().parse().map_err(|_| WrongOutbound::Mailbox { name, text }))
            .transpose()
    };
    let needed = WrongOutbound::Needed { name: "DAYBOOK_MAIL_FROM", beside: "DAYBOOK_SMTP_URL" };
    Ok(Some(MailSettings {
        url: url.trim().to_owned(),
        from: mailbox("DAYBOOK_MAIL_FROM")?.ok_or(needed)?,
        reply_to: mailbox("DAYBOOK_MAIL_REPLY_TO")?,
        shop: mailbox("DAYBOOK_MAIL_SHOP")?,
        shop_name: shop_name.to_owned(),
        front: get("DAYBOOK_SHOP_URL"),
        backoff: Backoff::mails(),
    }))
}

fn sms(get: Get<'_>, shop_name: &str) -> Result<Option<SmsSettings>, WrongOutbound> {
    let Some(url) = get("DAYBOOK_SMS_URL") else { return Ok(None) };
    let url: Url = url.trim().parse().map_err(|_| WrongOutbound::SmsUrl)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(WrongOutbound::SmsUrl);
    }
    let template = match get("DAYBOOK_SMS_TEMPLATE") {
        None => SmsSettings::usual_template(),
        Some(path) => {
            let wrong = |reason: String| WrongOutbound::Template { path: PathBuf::from(&path), reason };
            let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?
        }
    };
    Ok(Some(SmsSettings {
        url,
        token: get("DAYBOOK_SMS_TOKEN"),
        template,
        shop_name: shop_name.to_owned(),
        backoff: Backoff::mails(),
    }))
}

/// Whose word is taken about parcels.
pub fn carriers(get: Get<'_>) -> Result<Carriers, WrongOutbound> {
    let text = get("DAYBOOK_CARRIER_SECRETS").unwrap_or_default();
    let mut carriers: BTreeMap<CarrierName, Vec<Secret>> = BTreeMap::new();
    for (entry, nth) in text.split(',').filter(|entry| !entry.trim().is_empty()).zip(1..) {
        let wrong = WrongOutbound::Carrier { nth };
        let parts = entry
            .split_once('=')
            .and_then(|(name, secret)| Some((CarrierName::new(name)?, secret.parse::<Secret>().ok()?)));
        let Some((name, secret)) = parts else { return Err(wrong) };
        let known = carriers.entry(name).or_default();
        if known.len() == 2 {
            return Err(wrong);
        }
        known.push(secret);
    }
    Ok(Carriers::new(carriers))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(values: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        let values: BTreeMap<_, _> =
            values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        move |name| values.get(name).cloned()
    }

    #[test]
    fn nothing_is_sent_where_nothing_is_set() {
        let settings = outbound(&with(&[])).unwrap();
        assert!(settings.mail.is_none() && settings.sms.is_none() && !settings.webhooks.allowed.private);
    }

    #[test]
    fn a_mail_server_needs_a_sender_and_is_never_shown_with_its_password() {
        let url = ("DAYBOOK_SMTP_URL", "smtps://me:hunter2@mail.example:465");
        let error = outbound(&with(&[url])).unwrap_err().to_string();
        assert_eq!(error, "DAYBOOK_MAIL_FROM is needed beside DAYBOOK_SMTP_URL");
        let from = ("DAYBOOK_MAIL_FROM", "The Shop <orders@shop.example>");
        let token = ("DAYBOOK_SMS_TOKEN", "hunter2");
        let sms = ("DAYBOOK_SMS_URL", "https://sms.example/send?key=hunter2");
        let settings = outbound(&with(&[url, from, token, sms])).unwrap();
        assert!(!format!("{settings:?}").contains("hunter2"), "{settings:?}");
        assert!(outbound(&with(&[url, ("DAYBOOK_MAIL_FROM", "nobody")])).is_err());
    }

    #[test]
    fn carriers_have_one_secret_or_two() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let read = |text: &str| carriers(&with(&[("DAYBOOK_CARRIER_SECRETS", text)]));
        assert!(read(&format!("dhl={secret}, Royal Mail={secret},dhl={secret}")).is_ok());
        for wrong in [
            format!("dhl={secret},dhl={secret},dhl={secret}"),
            "dhl=secret".into(),
            secret.into(),
            format!("={secret}"),
        ] {
            let error = read(&wrong).unwrap_err().to_string();
            assert!(!error.contains("Mf"), "{error}");
        }
    }
}
