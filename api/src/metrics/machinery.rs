//! What the shop runs on: connections, the broker's stream, the queue of commands, and what was found in log and stock.

use sqlx::PgPool;
use store::{broker::StreamState, census::Census, follow::Kept, verify::Watched};

use super::{Text, seconds};
use crate::{Shop, ingress::tls::Tls};

impl Text {
    pub(super) fn machinery(&mut self, shop: &Shop) {
        let (waiting, max) = shop.executor.waiting();
        self.alone("daybook_commands_waiting", "Commands that wait to be decided.", waiting);
        self.alone("daybook_commands_waiting_max", "Commands that may wait; further ones are refused.", max);
        self.certificate(shop);
        self.pools(shop);
        self.events(&shop.census);
        self.chain(&shop.watched);
        let name = "daybook_stock_compared_total";
        self.family(name, "counter", "Rows of stock that this process has compared with their events.");
        self.sample(name, shop.stock_checked.compared());
        let help = "SKUs whose row of stock was not what its events come to.";
        self.alone("daybook_stock_differences", help, shop.stock_checked.differing());
    }

    /// When the listener's certificate has to be another one.
    pub(super) fn certificate(&mut self, shop: &Shop) {
        if let Some(not_after_s) = shop.tls.as_ref().and_then(Tls::not_after_s) {
            let help = "When the time of the listener's certificate ends, in seconds since the epoch.";
            self.alone("daybook_tls_not_after_timestamp_seconds", help, not_after_s);
        }
    }

    /// The broker's stream: nothing is said of what it holds while it does not answer.
    pub(super) fn stream(&mut self, stream: Option<Option<StreamState>>) {
        let help = "Whether NATS answered this scrape in time.";
        self.alone("daybook_jetstream_up", help, i32::from(stream.is_some()));
        let Some(Some(StreamState { last, messages, bytes, bytes_max })) = stream else { return };
        self.alone("daybook_jetstream_position", "The last position that the stream holds.", last);
        self.alone("daybook_jetstream_messages", "Events that the stream holds.", messages);
        self.alone("daybook_jetstream_bytes", "Bytes that they take.", bytes);
        self.perhaps("daybook_jetstream_bytes_max", "Bytes at which the oldest are dropped.", bytes_max);
    }

    /// Backups, as far as the database tells of them, and the archive.
    pub(super) fn kept(&mut self, kept: Option<Kept>) {
        let Some(kept) = kept else { return };
        let help = "Whether the database puts its journal away (archive_mode).";
        self.alone("daybook_wal_archive_on", help, i32::from(kept.journal));
        let help = "Whether putting the journal away has failed since it last succeeded.";
        self.alone("daybook_wal_archive_failing", help, i32::from(kept.journal_fails));
        let help = "How long ago a piece of the journal was put away.";
        self.perhaps("daybook_wal_archive_age_seconds", help, kept.journal_age_us.map(seconds));
        self.alone("daybook_archive_files", "Files of events that were put away.", kept.files);
        self.alone("daybook_archive_events", "Events in these files.", kept.events);
        let help = "How long ago the last of them was written.";
        self.perhaps("daybook_archive_age_seconds", help, kept.files_age_us.map(seconds));
    }

    fn pools(&mut self, shop: &Shop) {
        let mut pools: Vec<(&str, &PgPool)> =
            ["log", "projections"].into_iter().zip(shop.board.pools()).collect();
        pools.push(("edge", &shop.edge));
        pools.push(("read_models", shop.written.pool()));
        if !same(shop.written.pool(), shop.read.pool()) {
            pools.push(("standby", shop.read.pool()));
        }
        type Of = fn(&PgPool) -> u64;
        let families: [(&str, &str, Of); 3] = [
            ("daybook_pool_connections", "Open connections of a pool.", |pool| pool.size().into()),
            ("daybook_pool_connections_idle", "Of these, how many nobody uses.", |pool| {
                pool.num_idle() as u64
            }),
            ("daybook_pool_connections_max", "How many may be open.", |pool| {
                pool.options().get_max_connections().into()
            }),
        ];
        for (name, help, of) in families {
            self.family(name, "gauge", help);
            for (pool, connections) in &pools {
                self.labelled(name, "pool", pool, of(connections));
            }
        }
    }

    fn events(&mut self, census: &Census) {
        let name = "daybook_events_total";
        self.family(name, "counter", "Events that this process has appended.");
        for (aggregate, event, count) in census.events() {
            self.line(name, &[("aggregate", aggregate.as_str()), ("event", event)], count);
        }
        let name = "daybook_events_uncounted_appends_total";
        self.family(name, "counter", "Appends of this process whose events are not in daybook_events_total.");
        self.sample(name, census.missed());
    }

    fn chain(&mut self, watched: &Watched) {
        let help = "Up to where this process has verified the log's newest events.";
        self.alone("daybook_log_verified_position", help, watched.position());
        let name = "daybook_log_verified_events_total";
        self.family(name, "counter", "Events that this process has verified.");
        self.sample(name, watched.events());
        let name = "daybook_log_findings_total";
        self.family(name, "counter", "Things in the log that were not as they were written.");
        self.sample(name, watched.findings());
    }
}

/// Whether two handles are of one pool.
fn same(one: &PgPool, other: &PgPool) -> bool {
    std::sync::Arc::ptr_eq(&one.connect_options(), &other.connect_options())
}
