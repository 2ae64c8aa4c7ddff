//! NATS: whether it answers, keeps a stream, and how that stands to the log.

use store::broker::{Broker as _, NatsBroker, NatsOptions, StreamState};
use tokio::time::timeout;

use super::{Patient, WITHIN, reach::Place, said::Told};

/// Events that the stream may lack before somebody should look.
const BEHIND: i64 = 10_000;

/// Looks at NATS; `head` is the log's last position, where it is known.
pub async fn look(patient: &Patient, head: Option<i64>, told: &mut Told) {
    const CHECK: &str = "nats";
    let Some(url) = &patient.nats_url else {
        return told.fail(CHECK, "NATS_URL is not set", "set it to a NATS with JetStream");
    };
    let places: Vec<_> = url.split(',').filter_map(|url| Place::of(url, 4_222)).collect();
    if places.is_empty() {
        return told.fail(CHECK, "NATS_URL is not an address", "correct it, as nats://host:4222");
    }
    let mut reached = 0;
    for place in &places {
        match place.reach().await {
            Ok(()) => reached += 1,
            Err(error) if places.len() > 1 => {
                told.warn(
                    CHECK,
                    format_args!("{place} cannot be reached: {error}"),
                    "start it, or correct NATS_URL",
                );
            }
            Err(error) => {
                let said = format!("{place} cannot be reached: {error}");
                let todo = "start it, or correct NATS_URL; until then processes hear of others' events half a second later";
                told.fail(CHECK, said, todo);
            }
        }
    }
    if reached == 0 {
        return told.skip("jetstream", "not looked at: NATS cannot be reached");
    }
    told.ok(CHECK, format_args!("{reached} of {} servers answer", places.len()));
    let options =
        NatsOptions { url: url.clone(), prefix: patient.settings.nats_prefix.clone(), bytes_max: 0 };
    let state = timeout(WITHIN, async { NatsBroker::connect(&options).await?.state().await }).await;
    stream(
        state
            .map_err(|_| "no answer in time".to_owned())
            .and_then(|state| state.map_err(|error| error.to_string())),
        head,
        told,
    );
}

fn stream(state: Result<Option<StreamState>, String>, head: Option<i64>, told: &mut Told) {
    const CHECK: &str = "jetstream";
    match state {
        Err(error) => {
            let todo = "start NATS with JetStream (nats-server -js), and see that the name and password in NATS_URL are right";
            told.fail(CHECK, error, todo);
        }
        Ok(None) => {
            told.warn(CHECK, "there is no stream yet", "start `daybook serve`: it makes one and fills it")
        }
        Ok(Some(StreamState { last, messages, bytes, bytes_max })) => {
            let of = bytes_max.map_or_else(String::new, |max| format!(" of {}", megabytes(max)));
            let said = format!("{messages} events up to position {last}, {}{of}", megabytes(bytes));
            match head {
                Some(head) if last > head => {
                    let todo =
                        "another log is copied to the same stream: give each its own DAYBOOK_NATS_PREFIX";
                    told.fail(CHECK, format_args!("{said}, and the log ends at {head}"), todo);
                }
                Some(head) if head - last > BEHIND => {
                    let todo = "look into the log of the process that holds the lease `relay`";
                    told.warn(CHECK, format_args!("{said}, and the log ends at {head}"), todo);
                }
                _ => told.ok(CHECK, said),
            }
        }
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1 << 20))
}
