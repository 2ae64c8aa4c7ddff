//! Killed at any moment, the shop keeps what it acknowledged and does nothing twice.
//!
//! `DAYBOOK_KILLS` says how often it is killed, `DAYBOOK_SEED` repeats a run as far as timing allows.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod again;
mod chance;
mod end;
mod fold;
mod http;
mod keeper;
mod ledger;
mod load;
mod record;
mod shop;
mod tally;

use std::{
    env,
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use sqlx::PgConnection;
use store::testing::eventually;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout},
};

use self::{
    chance::Chance,
    ledger::Ledger,
    load::{CLIENTS, Client, Load},
    record::{Sent, Told},
    shop::{Shop, Strike},
    tally::{Round, Tally},
};

/// Kills of the short form.
const KILLS: u64 = 8;
/// What is built anew.
const READ_MODELS: [&str; 5] = ["orders", "carts", "stock", "products", "sales"];
/// Rounds that share their SKUs.
const ERA: u64 = 20;
/// How often an append is looked for before it strikes all the same.
const LOOKS_MAX: u32 = 200;
/// Clients have their last answers by then.
const LOAD_ENDS_WITHIN: Duration = Duration::from_secs(60);
/// Faults that are told one by one.
const FAULTS_TOLD: usize = 20;

struct Run {
    seed: u64,
    shop: Shop,
    ledger: Ledger,
    window: PgConnection,
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().expect("a whole number"))
}

fn any_seed() -> u64 {
    u64::from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().subsec_nanos())
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_keeps_what_it_acknowledged_and_does_nothing_twice() {
    let kills = number("DAYBOOK_KILLS").unwrap_or(KILLS);
    let seed = number("DAYBOOK_SEED").unwrap_or_else(any_seed);
    eprintln!("{kills} kills, DAYBOOK_SEED={seed}");
    let begun = Instant::now();
    let mut run = Run::begin(seed).await;
    let mut tally = Tally::default();
    for round in 1..=kills {
        let since = Instant::now();
        let came = run.round(round).await;
        tally.add(&came);
        let (head, took) = (run.ledger.head, since.elapsed().as_secs_f32());
        eprintln!("{round}/{kills} {came}; the log at {head}; {took:.1} s");
        run.is_well(round);
    }
    end::everything_agrees(&mut run.ledger, &run.shop.ground).await;
    tokio::task::block_in_place(|| end::read_models_prove_themselves(&mut run.ledger, &run.shop));
    run.is_well(kills);
    eprintln!("{tally}");
    eprintln!("events                             {}", run.ledger.head);
    eprintln!("seconds                            {}", begun.elapsed().as_secs());
}

/// What is killed in a round: first each kind once.
fn strike(round: u64, chance: &mut Chance) -> Strike {
    let only = Strike::default();
    match round {
        1 => Strike { serve: true, ..only },
        2 => Strike { postgres: true, ..only },
        3 => Strike { serve: true, postgres: true, rebuild: true, ..only },
        4 => Strike { serve: true, postgres: true, nats: true, ..only },
        5 => Strike { rebuild: true, ..only },
        6 => Strike { serve: true, rebuild: true, ..only },
        _ => {
            let (nats, rebuild) = (chance.one_in(6), chance.one_in(2));
            match chance.below(20) {
                0..=8 => Strike { serve: true, nats, rebuild, ..only },
                9..=15 => Strike { postgres: true, nats, rebuild, ..only },
                16..=18 => Strike { serve: true, postgres: true, nats, rebuild },
                _ => Strike { nats: true, rebuild, ..only },
            }
        }
    }
}

impl Run {
    async fn begin(seed: u64) -> Self {
        let mut shop = Shop::open().await;
        shop.serve().await;
        let ledger = Ledger::of(shop.pool().await);
        let window = shop.window().await;
        Self { seed, shop, ledger, window }
    }

    async fn round(&mut self, round: u64) -> Round {
        let mut chance = Chance::of(self.seed, round, 0);
        let strike = strike(round, &mut chance);
        let era = (round - 1) / ERA;
        let mut sent = if (round - 1).is_multiple_of(ERA) { self.stock_up(era).await } else { vec![] };
        let load = Arc::new(Load::default());
        let mut clients = JoinSet::new();
        for client in 0..CLIENTS {
            clients.spawn(Client::new(self.seed, round, client, era, &load).run(self.shop.address));
        }
        let mut moment = Duration::from_millis(chance.between(50, 1_500));
        if strike.rebuild {
            let begun = Duration::from_millis(chance.between(0, 1_500));
            self.keep_sending(&mut clients, moment).await;
            self.shop.begin_rebuild(chance.pick::<&str>(&READ_MODELS));
            moment = begun;
        }
        self.keep_sending(&mut clients, moment).await;
        let mut seen = self.shop.look(&mut self.window).await;
        let aimed = tokio::task::block_in_place(|| self.shop.aim(strike, &seen));
        // Some kills take whatever moment it is, the others wait for the next append.
        let looks = if chance.one_in(3) { 1 } else { LOOKS_MAX };
        for _ in 0..looks {
            seen = self.shop.look(&mut self.window).await;
            if seen.appending {
                break;
            }
        }
        let in_flight = load.unanswered.load(Ordering::Relaxed);
        let rebuilt = tokio::task::block_in_place(|| self.shop.strike(strike, aimed));
        load.stop.store(true, Ordering::Relaxed);
        let ended = self.shop.bring_back(strike).await;
        if strike.postgres {
            self.window = self.shop.window().await;
        }
        let told = timeout(LOAD_ENDS_WITHIN, clients.join_all()).await.expect("clients have their answers");
        sent.extend(told.into_iter().flatten());
        let rebuilding = rebuilt.is_some_and(|ended| ended.code().is_none());
        let came =
            Round { strike, appending: seen.appending, in_flight, ended, rebuilding, ..Round::default() };
        self.check(round, sent, came).await
    }

    /// Lets a while pass in which clients send.
    async fn keep_sending(&mut self, clients: &mut JoinSet<Vec<Sent>>, while_: Duration) {
        if timeout(while_, clients.join_next()).await.is_ok() {
            self.ledger.fault("a client was cut off before anything was killed".to_owned());
        }
    }

    /// Lists and stocks an era's SKUs, and waits until carts know their prices.
    async fn stock_up(&self, era: u64) -> Vec<Sent> {
        let commands = load::stocking(era);
        let answers = again::send(self.shop.address, &commands).await;
        let told = |(command, answer)| Sent { answer: Some(answer), ..command };
        let sent: Vec<Sent> = commands.into_iter().zip(answers).map(told).collect();
        let last = sent.iter().filter_map(|sent| sent.answer.as_ref()?.receipt.as_ref());
        let last = last.map(|receipt| receipt.position).max().unwrap();
        let pool = self.shop.pool().await;
        let position = format!(
            "SELECT position FROM {}_read.followers WHERE name = 'products'",
            self.shop.ground.prefix
        );
        eventually("carts know the prices", || async {
            let at: i64 = sqlx::query_scalar(&position).fetch_one(&pool).await.unwrap();
            (at >= last).then_some(())
        })
        .await;
        sent
    }

    async fn check(&mut self, round: u64, sent: Vec<Sent>, came: Round) -> Round {
        let answered = |told: fn(&Sent) -> bool| sent.iter().filter(|sent| told(sent)).count() as u64;
        let acknowledged = answered(load::is_acknowledged);
        let put_off = answered(|sent| sent.answer.is_some() && sent.told() == Told::Nothing);
        let count = sent.len() as u64;
        if !came.strike.serve && !came.strike.postgres && acknowledged + put_off < count {
            self.ledger.fault("an answer was lost, though serve and Postgres lived".to_owned());
        }
        self.ledger.expect(&sent);
        let news = self.ledger.read_on().await;
        self.ledger.judge(&news, &sent);
        self.ledger.verify(false).await;
        // Repeating on wrong books would only hide where they went wrong.
        self.is_well(round);
        let (found, absent) = again::repeat(&mut self.ledger, self.shop.address, sent, &news).await;
        Round { sent: count, acknowledged, put_off, found, absent, ..came }
    }

    fn is_well(&self, round: u64) {
        let faults = &self.ledger.faults;
        let told = faults.iter().take(FAULTS_TOLD).map(String::as_str).collect::<Vec<_>>().join("\n");
        let count = faults.len();
        assert!(faults.is_empty(), "DAYBOOK_SEED={} round {round}: {count} faults\n{told}", self.seed);
    }
}
