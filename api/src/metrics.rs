//! `GET /metrics`: how the shop is doing, in Prometheus' text format. What is not known is left out.

mod machinery;
mod process;
mod requests;

use std::{fmt::Write as _, sync::Arc, time::Duration};

use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use projections::search::Checked;
use store::follow::{LEASES_ALONE, Look, Reading, Standing};

use crate::{
    Shop,
    outbound::{
        errands::{self, Channel, Counters},
        stripe::{
            Stripe,
            breaker::Standing as Breaker,
            tally::{Call, Delivery},
        },
    },
};

/// How long the database may take to say what is on its way to others.
const ERRANDS_WAIT: Duration = Duration::from_secs(2);

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`. It answers also when no database does.
pub async fn show(State(shop): State<Arc<Shop>>) -> Response {
    let look = shop.board.look().await;
    let mut text = text(&look);
    text.requests(&shop.requests, shop.ingress.active());
    text.machinery(&shop);
    text.stream(look.stream);
    text.kept(look.kept);
    text.process();
    let (pages, bytes) = shop.pages.kept();
    text.alone("daybook_read_cache_pages", "Pages kept in memory.", pages);
    text.alone("daybook_read_cache_bytes", "About how many bytes they take.", bytes);
    if let Some(Checked { position, differences }) = shop.read.index_checked() {
        let help =
            "How far the read models were when the index was compared with them last, all of it or some.";
        text.alone("daybook_index_checked_position", help, position);
        text.alone("daybook_index_differences", "Products that were not as their rows say.", differences);
    }
    let (given, asked) = shop.pages.answers();
    text.family(
        "daybook_read_cache_answers_total",
        "counter",
        "Pages that were given, by where they came from.",
    );
    text.labelled("daybook_read_cache_answers_total", "from", "memory", given);
    text.labelled("daybook_read_cache_answers_total", "from", "read_models", asked);
    if let Some(door) = &shop.stripe {
        text.gateway(&door.stripe);
    }
    let standings = tokio::select! {
        standings = shop.outbound.queue.standings() => standings.ok(),
        () = shop.clock.sleep(ERRANDS_WAIT) => None,
    };
    text.errands(&shop.outbound.counters, standings.as_deref());
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text.0).into_response()
}

fn text(look: &Look) -> Text {
    let mut text = Text::default();
    let up = [("log", look.standings.is_some()), ("read_models", look.read_models)];
    text.family("daybook_database_up", "gauge", "Whether a database answered this scrape in time.");
    for (name, up) in up {
        text.labelled("daybook_database_up", "database", name, i64::from(up));
    }
    if let Some(standings) = &look.standings {
        text.alone("daybook_log_position", "The last position of the log.", standings.head);
        let (timers, late) = (standings.overdue.timers, seconds(standings.overdue.late_us));
        text.alone("daybook_timers_overdue", "Timers that should have fired.", timers);
        text.alone("daybook_timers_overdue_seconds", "How late the first of them is.", late);
    }
    text.places(look);
    text.aside(look.standings.iter().flat_map(|standings| &standings.followers).collect());
    text.counted(&look.readings);
    text
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn labelled(&mut self, name: &str, label: &str, of: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name}{{{label}=\"{of}\"}} {value}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        self.0.push_str(name);
        for (nth, (label, of)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"{of}\"", if nth == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "}} {value}");
    }

    fn sample(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn alone(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, "gauge", help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    /// The same where there may be nothing to tell; that there could be is told all the same.
    fn perhaps(&mut self, name: &str, help: &str, value: Option<impl std::fmt::Display>) {
        self.family(name, "gauge", help);
        if let Some(value) = value {
            self.sample(name, value);
        }
    }

    /// How calls to Stripe went, and what it told by itself.
    fn gateway(&mut self, stripe: &Stripe) {
        let help = "Whether calls to the gateway are held back: 0 no, 1 one is tried, 2 all are.";
        self.family("daybook_gateway_breaker", "gauge", help);
        for (group, standing) in stripe.standings() {
            let value = match standing {
                Breaker::Closed => 0,
                Breaker::HalfOpen => 1,
                Breaker::Open => 2,
            };
            self.labelled("daybook_gateway_breaker", "group", group, value);
        }
        self.family("daybook_gateway_calls_total", "counter", "Calls to the gateway, by how they ended.");
        for (call, name) in Call::ALL {
            self.labelled("daybook_gateway_calls_total", "outcome", name, stripe.tally().calls(call));
        }
        self.family(
            "daybook_gateway_mismatches_total",
            "counter",
            "Answers of the gateway about another amount or currency than was asked for.",
        );
        let _ = writeln!(self.0, "daybook_gateway_mismatches_total {}", stripe.tally().mismatches());
        self.family("daybook_webhooks_total", "counter", "Webhooks of the gateway, by what they told.");
        for (delivery, name) in Delivery::ALL {
            let count = stripe.tally().deliveries(delivery);
            self.labelled("daybook_webhooks_total", "outcome", name, count);
        }
    }

    /// One value a follower, where there is one.
    fn followers<'a, V: std::fmt::Display>(
        &mut self,
        name: &str,
        (kind, help): (&str, &str),
        values: impl IntoIterator<Item = (&'a str, Option<V>)>,
    ) {
        self.family(name, kind, help);
        for (follower, value) in values {
            if let Some(value) = value {
                self.labelled(name, "follower", follower, value);
            }
        }
    }

    /// How far everybody has come: by the checkpoints, and where there is none or its database is away, by this process as
    /// long as it holds the lease.
    fn places(&mut self, look: &Look) {
        let standings: Vec<&Standing> =
            look.standings.iter().flat_map(|standings| &standings.followers).collect();
        let known = |reading: &&Reading| standings.iter().any(|standing| standing.name == reading.name);
        let own = |name: &str| {
            let mut readings = look.readings.iter();
            readings.find(|reading| reading.name == name).and_then(|reading| reading.position)
        };
        let head = look.standings.as_ref().map(|standings| standings.head);
        let behind = |position: Option<i64>| Some((head? - position?).max(0));
        let mut places: Vec<_> = standings
            .iter()
            .map(|standing| {
                let position = standing.position.or_else(|| own(&standing.name));
                (standing.name.as_str(), position, standing.behind.or_else(|| behind(position)))
            })
            .collect();
        let others = look.readings.iter().filter(|reading| !known(reading));
        places.extend(others.map(|reading| (reading.name, reading.position, behind(reading.position))));
        self.followers(
            "daybook_follower_position",
            ("gauge", "The position up to which a follower has done its work."),
            places.iter().map(|(name, position, _)| (*name, *position)),
        );
        self.followers(
            "daybook_follower_lag_events",
            ("gauge", "Events of the log that a follower has yet to see."),
            places.iter().map(|(name, _, behind)| (*name, *behind)),
        );
        self.followers(
            "daybook_follower_lag_seconds",
            ("gauge", "How long the oldest of these events has been in the log."),
            standings.iter().map(|standing| (standing.name.as_str(), standing.behind_us.map(seconds))),
        );
    }

    fn aside(&mut self, standings: Vec<&Standing>) {
        type Count = fn(&Standing) -> i64;
        let families: [(&str, &str, Count); 4] = [
            ("daybook_parked_streams", "Streams that a read model has set aside.", |of| of.parked),
            ("daybook_waiting_instances", "Instances that a follower has set aside.", |of| of.lanes),
            ("daybook_waiting_events", "Events that wait in these instances.", |of| of.waiting),
            ("daybook_skipped_events", "Events that a follower goes on without for good.", |of| of.skipped),
        ];
        for (name, help, count) in families {
            let counts = standings.iter().filter(|of| !LEASES_ALONE.contains(&of.name.as_str()));
            let counts = counts.map(|standing| (standing.name.as_str(), Some(count(standing))));
            self.followers(name, ("gauge", help), counts);
        }
        let audited: Vec<_> =
            standings.iter().filter_map(|of| Some((of.name.as_str(), of.audited?))).collect();
        self.followers(
            "daybook_projection_audited_position",
            ("gauge", "The position up to which a read model was compared with the log."),
            audited.iter().map(|(name, (position, _))| (*name, Some(*position))),
        );
        self.followers(
            "daybook_projection_differing_blocks",
            ("gauge", "Blocks of the log of which a read model was given something else than they hold."),
            audited.iter().map(|(name, (_, differing))| (*name, Some(*differing))),
        );
    }

    /// What is on its way to others, channel by channel.
    fn errands(&mut self, counters: &Counters, standings: Option<&[errands::Standing]>) {
        let mut family = |name: &str, kind: &str, help: &str, values: &[(Channel, String)]| {
            self.family(name, kind, help);
            for (channel, value) in values {
                self.labelled(name, "channel", channel.as_str(), value);
            }
        };
        let counted = |of: fn((u64, u64)) -> u64| -> Vec<_> {
            Channel::ALL.iter().map(|channel| (*channel, of(counters.of(*channel)).to_string())).collect()
        };
        let help = "Messages that this process has brought to whom they are for.";
        family("daybook_messages_sent_total", "counter", help, &counted(|(sent, _)| sent));
        let help = "Tries of this process to bring one that failed.";
        family("daybook_messages_failed_total", "counter", help, &counted(|(_, failed)| failed));
        let Some(standings) = standings else { return };
        let stands = |of: fn(&errands::Standing) -> String| -> Vec<_> {
            standings.iter().map(|standing| (standing.channel, of(standing))).collect()
        };
        let waiting = stands(|standing| standing.waiting.to_string());
        family("daybook_messages_waiting", "gauge", "Messages that are yet to be brought.", &waiting);
        let oldest = stands(|standing| seconds(standing.oldest_ms * 1_000));
        family(
            "daybook_messages_oldest_seconds",
            "gauge",
            "How long the oldest of them has waited.",
            &oldest,
        );
        let dead = stands(|standing| standing.dead.to_string());
        family("daybook_messages_dead", "gauge", "Messages that were given up in the last 30 days.", &dead);
    }

    fn counted(&mut self, readings: &[Reading]) {
        self.followers(
            "daybook_follower_lease_held",
            ("gauge", "Whether this process is the one that follows."),
            readings.iter().map(|reading| (reading.name, Some(i64::from(reading.held)))),
        );
        self.followers(
            "daybook_follower_events_total",
            ("counter", "Events that this process is done with, or timers that it fired."),
            readings.iter().map(|reading| (reading.name, Some(reading.handled))),
        );
        self.followers(
            "daybook_follower_failures_total",
            ("counter", "Tries of this process that failed."),
            readings.iter().map(|reading| (reading.name, Some(reading.failures))),
        );
    }
}

fn seconds(micros: i64) -> String {
    format!("{}.{:03}", micros / 1_000_000, micros % 1_000_000 / 1_000)
}
