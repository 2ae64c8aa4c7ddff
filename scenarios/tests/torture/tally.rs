//! What a run comes to.

use std::{collections::BTreeMap, fmt};

use crate::shop::Strike;

/// What one round came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Round {
    pub strike: Strike,
    /// An append was being executed when it struck.
    pub appending: bool,
    /// Commands sent and not answered when it struck.
    pub in_flight: i64,
    pub sent: u64,
    /// Answered for good, 412 and 422 among them.
    pub acknowledged: u64,
    /// Told that it is unknown whether they happened.
    pub put_off: u64,
    /// Never answered, and there.
    pub found: u64,
    /// Never answered, and without a trace.
    pub absent: u64,
    /// Serve ended by itself.
    pub ended: bool,
    /// A read model was being built anew, and its builder died.
    pub rebuilding: bool,
}

/// Sums over the rounds.
#[derive(Debug, Default)]
pub struct Tally {
    kinds: BTreeMap<String, u64>,
    pub kills: u64,
    pub appending: u64,
    with_unanswered: u64,
    in_flight: i64,
    sent: u64,
    acknowledged: u64,
    put_off: u64,
    found: u64,
    absent: u64,
    ended: u64,
    rebuilding: u64,
}

impl Tally {
    pub fn add(&mut self, round: &Round) {
        *self.kinds.entry(round.strike.to_string()).or_default() += 1;
        self.kills += 1;
        self.appending += u64::from(round.appending);
        self.with_unanswered += u64::from(round.in_flight > 0);
        self.in_flight += round.in_flight;
        self.sent += round.sent;
        self.acknowledged += round.acknowledged;
        self.put_off += round.put_off;
        self.found += round.found;
        self.absent += round.absent;
        self.ended += u64::from(round.ended);
        self.rebuilding += u64::from(round.rebuilding);
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let struck = [
            (self.serve, "serve"),
            (self.postgres, "postgres"),
            (self.nats, "nats"),
            (self.rebuild, "rebuild"),
        ];
        let names: Vec<_> = struck.into_iter().filter_map(|(struck, name)| struck.then_some(name)).collect();
        f.write_str(&names.join("+"))
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { strike, in_flight, sent, acknowledged, put_off, found, absent, .. } = self;
        let appending = if self.appending { "during an append" } else { "between appends" };
        let ended = if self.ended { ", serve ended by itself" } else { "" };
        write!(
            f,
            "{strike} {appending}, {in_flight} in flight: {sent} sent, {acknowledged} acknowledged, \
             {put_off} put off, {found} unanswered and there, {absent} not there{ended}"
        )
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        writeln!(f, "kills                              {} ({})", self.kills, kinds.join(", "))?;
        writeln!(f, "  while an append was executed     {}", self.appending)?;
        writeln!(f, "  with commands not answered       {}", self.with_unanswered)?;
        writeln!(f, "  after which serve ended itself   {}", self.ended)?;
        writeln!(f, "  while a read model was rebuilt   {}", self.rebuilding)?;
        writeln!(f, "commands sent                      {}", self.sent)?;
        writeln!(f, "  in flight when it struck         {}", self.in_flight)?;
        writeln!(f, "  answered for good                {}", self.acknowledged)?;
        writeln!(f, "  told to come again               {}", self.put_off)?;
        writeln!(f, "  never answered, and there        {}", self.found)?;
        write!(f, "  never answered, and not there    {}", self.absent)
    }
}
