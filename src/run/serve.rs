//! `up` and `serve`: everything running in one process, until it is told to stop.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use api::{
    Identity, Keeping, Shop,
    ingress::{listener, tls::Tls},
    outbound::{
        Outbound,
        behaviour::LATE_AFTER,
        saved,
        simulator::{Late, Simulator},
        stripe::Stripe,
    },
    webhooks::FromStripe,
};
use projections::{
    ReadModels,
    search::{Followed, follow},
};
use sqlx::PgPool;
use store::engine::Engine;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use super::{
    Failure,
    accounts::{LOCAL_ADMIN, local_admin},
};
use crate::{
    ground::{Ground, GroundError},
    out, sample,
    settings::Paying,
};

/// How long requests that are under way may take to end when the process is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Takes the address, or says who has it.
pub async fn listener(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|source| Failure::Listen { address, source })
}

/// Serves, with the sample catalogue loaded first.
pub async fn up(ground: Ground, listener: TcpListener, data: &Path, sample: bool) -> Result<(), Failure> {
    let mut running = Running::start(&ground).await?;
    if sample {
        sample::load(&running.engine).await?;
    }
    let doors = Doors::open(&ground, &mut running).await?;
    // Whose servers are given has admins of their own.
    let admin = match ground.stack {
        Some(_) => Some(local_admin(&doors.identity, data).await?),
        None => None,
    };
    let welcome = welcome(listener.local_addr()?, admin.as_deref());
    running.said(&welcome).await?.until_stopped(listener, doors).await?;
    Ok(out::line("Stopped. The data is kept; the next start finds it.")?)
}

/// Serves.
pub async fn serve(ground: Ground, listener: TcpListener) -> Result<(), Failure> {
    let mut running = Running::start(&ground).await?;
    let doors = Doors::open(&ground, &mut running).await?;
    let scheme = if ground.settings.ingress.tls.is_some() { "https" } else { "http" };
    let listening = format!("listening on {scheme}://{}", listener.local_addr()?);
    running.said(&listening).await?.until_stopped(listener, doors).await
}

/// One process's part of the system.
pub struct Running {
    /// The store, with everything that follows it.
    pub engine: Engine,
    /// The questions.
    pub read: ReadModels,
    /// The questions of commands.
    written: ReadModels,
    settings: api::Settings,
    stripe: Option<FromStripe>,
    /// The edge's own tables.
    edge: PgPool,
    tasks: JoinSet<()>,
    /// The index that products are searched in.
    followed: Followed,
}

/// What a process has that others speak to: an import has none of it, and tells nobody of what happened long ago.
struct Doors {
    /// Who is who.
    identity: Identity,
    /// What is on its way to others.
    outbound: Outbound,
    tls: Option<Tls>,
    /// How long others are told before no more connections are taken.
    drain_notice: Duration,
}

impl Doors {
    async fn open(ground: &Ground, running: &mut Running) -> Result<Self, Failure> {
        let identity = ground.identity(&running.engine).await?;
        running.tasks.spawn(identity.clone().watch());
        let (edge, outbound) = (running.edge.clone(), ground.settings.outbound.clone());
        let (outbound, telling) = Outbound::start(&mut running.engine, edge, outbound)?;
        running.tasks.spawn(telling);
        let tls = match &ground.settings.ingress.tls {
            None => None,
            Some((certificate, key)) => Some(Tls::load(certificate, key)?),
        };
        if let Some(tls) = tls.clone() {
            running.tasks.spawn(tls.keep_up());
        }
        Ok(Self { identity, outbound, tls, drain_notice: ground.settings.ingress.drain_notice })
    }
}

impl Running {
    /// Starts the store with relay, projections, checkouts and the payment gateway.
    pub async fn start(ground: &Ground) -> Result<Self, Failure> {
        let mut engine = ground.engine().await?;
        engine.relay();
        projections::start(&mut engine, ground.projection_pool().await?);
        engine.manage();
        let mut tasks = JoinSet::new();
        let edge = ground.edge_pool().await?;
        let stripe = carry_payments(&mut engine, &mut tasks, edge.clone(), &ground.settings.paying).await?;
        let index = ground.index()?;
        // The lease of an index that all share is a row that only the database that is written to takes.
        let rows =
            if index.is_shared() { ground.projection_pool().await? } else { ground.read_pool().await? };
        let (followed, following) = follow(index, &engine, rows);
        tasks.spawn(following);
        let models = |pool| {
            ReadModels::new(pool, &engine.progress(), Arc::clone(&engine.clock))
                .of_log(engine.feed.incarnation())
                .with_index(followed.clone(), ground.settings.synonyms.clone())
        };
        let written = models(ground.read_pool().await?);
        let read = ground.standby_pool().await?.map_or_else(|| written.clone(), models);
        let usual = api::Settings::default();
        let settings = api::Settings {
            pricing: ground.settings.pricing.clone(),
            review_from: ground.settings.review_from,
            page_bytes_max: ground.settings.page_bytes_max.unwrap_or(usual.page_bytes_max),
            keeping: Keeping {
                fresh_s: ground.settings.product_max_age_s.unwrap_or(usual.keeping.fresh_s),
                stale_s: ground.settings.product_stale_s.unwrap_or(usual.keeping.stale_s),
            },
            carriers: ground.settings.carriers.clone(),
            ingress: ground.settings.ingress.settings(),
            ..usual
        };
        Ok(Self { engine, read, written, settings, stripe, edge, tasks, followed })
    }

    /// Says where it listens; whoever cannot be told is not served, and everything stops in order.
    async fn said(self, where_to: &str) -> Result<Self, Failure> {
        if let Err(unprinted) = out::line(where_to) {
            self.stop().await;
            return Err(unprinted.into());
        }
        Ok(self)
    }

    /// Answers requests until SIGINT or SIGTERM, then lets those under way end.
    async fn until_stopped(mut self, listener: TcpListener, doors: Doors) -> Result<(), Failure> {
        let Doors { identity, outbound, tls, drain_notice } = doors;
        let mut shop = Shop::new(&self.engine, self.read.clone(), identity, self.settings.clone())
            .with_written(self.written.clone())
            .with_outbound(outbound);
        if let Some(stripe) = self.stripe.clone() {
            shop = shop.with_stripe(stripe);
        }
        shop.tls.clone_from(&tls);
        self.tasks.spawn(shop.keep_pages());
        self.tasks.spawn(shop.check_stock());
        self.engine.watch_chain();
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (stop, stopped) = watch::channel(false);
        let ingress = shop.ingress.clone();
        let served = listener::serve(listener, api::front(shop), tls, stopped);
        let told = async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            ingress.drain();
            tokio::time::sleep(drain_notice).await;
            stop.send_replace(true);
            tokio::time::sleep(DRAIN).await;
        };
        tokio::select! {
            () = served => {}
            () = self.engine.executor.stopped() => return Err(Failure::OtherLog),
            () = told => tracing::warn!("requests were still under way and are cut off"),
        }
        self.stop().await;
        Ok(())
    }

    /// Stops in order.
    pub async fn stop(mut self) {
        self.engine.stop().await;
        self.tasks.shutdown().await;
        self.followed.leave().await;
    }
}

/// Lets payments be carried to the gateway that is set.
async fn carry_payments(
    engine: &mut Engine,
    tasks: &mut JoinSet<()>,
    edge: PgPool,
    paying: &Paying,
) -> Result<Option<FromStripe>, Failure> {
    match paying {
        Paying::Simulator => {
            let (simulator, late) = Simulator::new();
            tasks.spawn(saved::start(engine, edge, Arc::new(simulator)).await.map_err(GroundError::from)?);
            tasks.spawn(answer_late(late, engine));
            Ok(None)
        }
        Paying::Stripe { options, secrets } => {
            let stripe = Stripe::new(options.clone(), Arc::clone(&engine.clock), Arc::clone(&engine.ids))?;
            let kept = saved::start(engine, edge, Arc::new(stripe.clone())).await;
            tasks.spawn(kept.map_err(GroundError::from)?);
            Ok(Some(FromStripe { stripe, secrets: secrets.clone(), results: engine.payment_results() }))
        }
    }
}

fn answer_late(late: Late, engine: &Engine) -> impl Future<Output = ()> + Send + use<> {
    late.run(engine.payment_results(), Arc::clone(&engine.clock), LATE_AFTER)
}

/// The address, and an order to try: each line can be pasted as it stands.
fn welcome(address: SocketAddr, admin: Option<&Path>) -> String {
    let api = format!("http://{address}");
    let json = "-H 'content-type: application/json'";
    let me = r#"-H "Authorization: Bearer $TOKEN""#;
    let token = r#"python3 -c 'import json,sys; print(json.load(sys.stdin)["access_token"])'"#;
    let admin = admin.map_or_else(String::new, |password| {
        format!(
            r#"
Everything else (stock, prices, shipments; see docs/IDENTITY.md) is the staff's. This is the admin's token, from a password that lies
in {password}:

ADMIN=$(curl -s -X POST {api}/v1/auth/login {json} -d '{{"email":"{LOCAL_ADMIN}","password":"'$(cat '{password}')'"}}' | {token})
curl -s {api}/v1/inventory/MUG-SEA -H "Authorization: Bearer $ADMIN"
"#,
            password = password.display()
        )
    });
    format!(
        r#"
Daybook is up on {api}

Place an order, line by line:

curl -s "{api}/v1/products?q=mug"
TOKEN=$(curl -s -X POST {api}/v1/auth/guest | {token})
CART=$(curl -s -X POST {api}/v1/carts {me} {json} -d '{{"currency":"GBP"}}' | python3 -c 'import json,sys; print(json.load(sys.stdin)["id"])')
curl -s -X PUT {api}/v1/carts/$CART/items/MUG-SEA {me} {json} -d '{{"quantity":2}}'
curl -s -X POST {api}/v1/checkouts {me} {json} -H "Idempotency-Key: $CART" -d '{{"cart":"'$CART'","method":"card","contact":{{"name":"Ada","email":"ada@example.com"}},"address":{{"lines":["12 Ledger Lane"],"city":"London","postcode":"E1 6AN","country":"GB"}}}}' | tee /tmp/daybook-order.json
ORDER=$(python3 -c 'import json; print(json.load(open("/tmp/daybook-order.json"))["order"])')
PAYMENT=$(python3 -c 'import json; print(json.load(open("/tmp/daybook-order.json"))["payment"])')
curl -s -X POST {api}/v1/payments/$PAYMENT/authorize {me} {json} -H "Idempotency-Key: pay-$CART" -d '{{"token":"tok_approve"}}'
curl -s {api}/v1/orders/$ORDER/events {me}
curl -s {api}/v1/orders/$ORDER {me}
{admin}
Ctrl-C stops everything; the data is kept.
"#
    )
}
