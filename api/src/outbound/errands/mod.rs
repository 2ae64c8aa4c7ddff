//! What is to be carried to somebody outside, once: mails, text messages, webhooks, and what carriers tell.
//!
//! An errand is a row that is made with the event's own id, so that the same event makes it once, however often it is seen.
//! Whoever carries it takes it for a while; if nothing is heard of it by then, it is carried again, under the same name.

mod accounts;
mod backoff;
mod list;
mod queue;
mod runner;
mod standing;

use std::str::FromStr;

use async_trait::async_trait;
use domain::value::Time;
use serde::Serialize;
use store::log::Position;
use uuid::Uuid;

pub use backoff::Backoff;
pub(crate) use list::rfc3339;
pub use list::{AGAIN_MAX, Listed, Wanted};
pub use queue::{KEPT_MS, NOW_MAX, Queue};
pub(crate) use queue::{moment, time};
pub use runner::{Runner, carry_one};
pub use standing::{Counters, Standing};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:tt,)+ }) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[cfg_attr(test, derive(utoipa::ToSchema))]
        $(#[$doc])*
        pub enum $name {
            $($(#[$word_doc])* #[serde(rename = $text)] $word,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$word),+];

            /// As it is stored and told.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text),+ }
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                let known = Self::ALL.iter().find(|known| known.as_str() == text);
                known.copied().ok_or_else(|| UnknownWord(text.to_owned()))
            }
        }
    };
}

/// A word that means nothing here.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0:?} is not a word known here")]
pub struct UnknownWord(String);

words! {
    /// Which way an errand goes.
    #[cfg_attr(test, schema(as = ErrandChannel))]
    Channel {
        /// An e-mail, over SMTP.
        Mail = "mail",
        /// A text message to a telephone.
        Sms = "sms",
        /// A webhook to an endpoint that somebody has registered.
        Webhook = "webhook",
        /// What a carrier told about a parcel, on its way to the order.
        Carrier = "carrier",
    }
}

words! {
    /// What has become of an errand.
    #[cfg_attr(test, schema(as = ErrandState))]
    State {
        /// It is to be carried, now or again later.
        Waiting = "waiting",
        /// Whoever it is for has taken it.
        Done = "done",
        /// There was nobody to tell: a person was forgotten, or gave no address.
        Void = "void",
        /// It is not tried any more, unless somebody asks for it.
        Dead = "dead",
    }
}

/// What a receiver knows a message by, as it is written in headers.
#[must_use]
pub fn named(message: Uuid) -> String {
    format!("msg_{}", message.simple())
}

/// The event that an errand tells of, and what of its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Where it stands in the log.
    pub position: Position,
    /// Its own id: after a restore another event may stand there.
    pub event_id: Uuid,
    /// Its place among what the stored event means.
    pub nth: usize,
}

/// Something to be carried.
#[derive(Clone, Debug)]
pub struct Errand {
    /// Its row.
    pub id: Uuid,
    /// Which way.
    pub channel: Channel,
    /// Whose failures hold up nobody else: an endpoint's id; empty where there is one receiver.
    pub lane: String,
    /// What it tells: `order.confirmed`.
    pub kind: String,
    /// What the receiver knows it by, however often it comes.
    pub message: Uuid,
    /// The event, where it tells of one.
    pub origin: Option<Origin>,
    /// What is sent as it stands; what is personal is never kept here, but looked up when it is sent.
    pub payload: Option<String>,
    /// Tries, this one included.
    pub attempts: i32,
    /// When it was made.
    pub created_at: Time,
}

/// An errand that has no row yet.
#[derive(Clone, Debug)]
pub struct NewErrand {
    /// Its row: the same for the same errand.
    pub id: Uuid,
    /// Which way.
    pub channel: Channel,
    /// Whose.
    pub lane: String,
    /// What it tells.
    pub kind: &'static str,
    /// What the receiver knows it by.
    pub message: Uuid,
    /// The event, where it tells of one.
    pub origin: Option<Origin>,
    /// What is sent as it stands.
    pub payload: Option<String>,
    /// Why it is not even tried, if it is not.
    pub dead: Option<&'static str>,
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Done,
    /// There is nobody to tell, and why.
    Void(&'static str),
    /// Not now, and why; nothing personal stands in it.
    Again(String),
    /// Never, and why; nothing personal stands in it.
    Never(String),
}

/// A lane that may be worked on, and how many of its errands at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// Its name.
    pub name: String,
    /// How many at once.
    pub at_once: usize,
}

/// Carries the errands of one channel.
#[async_trait]
pub trait Carry: Send + Sync + 'static {
    /// Which.
    fn channel(&self) -> Channel;

    /// The lanes whose errands may be carried now.
    ///
    /// # Errors
    /// The database's.
    async fn lanes(&self) -> Result<Vec<Lane>, sqlx::Error>;

    /// Carries one. Dropped when it takes longer than a minute.
    async fn carry(&self, errand: &Errand) -> Outcome;

    /// How long to wait after each failure.
    fn backoff(&self) -> &Backoff;
}
