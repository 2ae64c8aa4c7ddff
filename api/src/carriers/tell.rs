//! Brings a carrier's word to the order whose parcel it is about; the word of a parcel that nobody knows yet is kept.

use std::time::Duration;

use async_trait::async_trait;
use domain::{
    AnyCommand,
    order::{Command, Transit},
    value::{OrderId, ShipmentId},
};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use store::{
    executor::{Cause, ExecuteError, Executor, Origin, Request, derived_id},
    secrets::Fingerprints,
};

use super::parcels;
use crate::outbound::errands::{Backoff, Carry, Channel, Errand, Lane, Outcome};

/// Words that are brought at once.
const AT_ONCE: usize = 8;

/// What a carrier said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// It moves.
    InTransit,
    /// Something is in its way.
    Exception,
    /// It arrived.
    Delivered,
}

impl Happened {
    /// What is known of it by that type of message; others are of no interest.
    #[must_use]
    pub fn of(kind: &str) -> Option<(&'static str, Self)> {
        const ALL: [(&str, Happened); 3] = [
            ("shipment.in_transit", Happened::InTransit),
            ("shipment.exception", Happened::Exception),
            ("shipment.delivered", Happened::Delivered),
        ];
        ALL.into_iter().find(|(known, _)| *known == kind)
    }

    fn command(self, shipment: ShipmentId) -> Command {
        match self {
            Self::InTransit => Command::RecordTransit { shipment, transit: Transit::InTransit },
            Self::Exception => Command::RecordTransit { shipment, transit: Transit::Exception },
            Self::Delivered => Command::Deliver { shipment },
        }
    }
}

/// A carrier's word, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Word {
    /// Whose.
    pub carrier: String,
    /// Of which parcel.
    pub tracking: String,
    /// What of it.
    pub happened: Happened,
}

/// Carries words of carriers.
pub struct Tell {
    executor: Executor,
    fingerprints: Fingerprints,
    pool: PgPool,
    backoff: Backoff,
}

impl Tell {
    /// To these orders, by the parcels in the schema that `pool` sees.
    #[must_use]
    pub fn new(executor: Executor, fingerprints: Fingerprints, pool: PgPool) -> Self {
        // A carrier may be faster than whoever packs; after three days the number is wrong.
        const HOUR: u64 = 3_600;
        let pauses = [10, 60, 300, 900, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 24 * HOUR];
        Self { executor, fingerprints, pool, backoff: Backoff::new(pauses.map(Duration::from_secs).into()) }
    }

    async fn tell(&self, errand: &Errand, word: &Word, order: &OrderId, shipment: ShipmentId) -> Outcome {
        let command: AnyCommand = word.happened.command(shipment).into();
        let Ok(fingerprint) = self.fingerprints.of(&command) else {
            return Outcome::Never("no command can be made of it".into());
        };
        let command_id = derived_id(errand.id, "tell", 0);
        let request = Request {
            aggregate_id: order.as_str().into(),
            command,
            command_id,
            fingerprint,
            origin: Origin::Derived,
            expected_version: None,
            cause: Cause {
                actor: format!("carrier:{}", word.carrier).into(),
                correlation_id: errand.id,
                causation_id: errand.id,
                occurred_at: None,
                traceparent: None,
            },
        };
        match self.executor.execute_in_turn(request).await {
            Ok(_) => Outcome::Done,
            Err(ExecuteError::Refused(refused)) => {
                Outcome::Never(format!("the order refused: {}", refused.refusal.code()))
            }
            // The number has been another shipment's since: the first answer stands.
            Err(ExecuteError::IdReused) => Outcome::Done,
            Err(error) => {
                tracing::warn!(errand = %errand.id, %error, "a carrier's word cannot be brought");
                Outcome::Again("the order cannot be told now".into())
            }
        }
    }
}

#[async_trait]
impl Carry for Tell {
    fn channel(&self) -> Channel {
        Channel::Carrier
    }

    async fn lanes(&self) -> Result<Vec<Lane>, sqlx::Error> {
        Ok(vec![Lane { name: String::new(), at_once: AT_ONCE }])
    }

    async fn carry(&self, errand: &Errand) -> Outcome {
        let word = errand.payload.as_deref().and_then(|payload| serde_json::from_str::<Word>(payload).ok());
        let Some(word) = word else { return Outcome::Never("it cannot be read".into()) };
        match parcels::find(&self.pool, &word.carrier, &word.tracking).await {
            Ok(Some((order, shipment))) => self.tell(errand, &word, &order, shipment).await,
            Ok(None) => Outcome::Again("no shipment has this number yet".into()),
            Err(error) => {
                tracing::warn!(errand = %errand.id, %error, "a parcel cannot be looked up");
                Outcome::Again("the parcel cannot be looked up now".into())
            }
        }
    }

    fn backoff(&self) -> &Backoff {
        &self.backoff
    }
}
