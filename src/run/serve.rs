//! `up` and `serve`: everything running in one process, until it is told to stop.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use api::{
    Identity, Keeping, Shop,
    outbound::{
        behaviour::LATE_AFTER,
        simulator::{Late, Simulator},
    },
};
use projections::{
    ReadModels,
    search::{Followed, follow},
};
use store::engine::Engine;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use super::{
    Failure,
    accounts::{LOCAL_ADMIN, local_admin},
};
use crate::{ground::Ground, out, sample};

/// How long requests that are under way may take to end when the process is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Takes the address, or says who has it.
pub async fn listener(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|source| Failure::Listen { address, source })
}

/// Serves, with the sample catalogue loaded first.
pub async fn up(ground: Ground, listener: TcpListener, data: &Path, sample: bool) -> Result<(), Failure> {
    let running = Running::start(&ground).await?;
    let identity = ground.identity(&running.engine).await?;
    if sample {
        sample::load(&running.engine).await?;
    }
    // Whose servers are given has admins of their own.
    let admin = match ground.stack {
        Some(_) => Some(local_admin(&identity, data).await?),
        None => None,
    };
    let welcome = welcome(listener.local_addr()?, admin.as_deref());
    running.said(&welcome).await?.until_stopped(listener, identity).await?;
    Ok(out::line("Stopped. The data is kept; the next start finds it.")?)
}

/// Serves.
pub async fn serve(ground: Ground, listener: TcpListener) -> Result<(), Failure> {
    let running = Running::start(&ground).await?;
    let identity = ground.identity(&running.engine).await?;
    let listening = format!("listening on http://{}", listener.local_addr()?);
    running.said(&listening).await?.until_stopped(listener, identity).await
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
    tasks: JoinSet<()>,
    /// The index that products are searched in.
    followed: Followed,
}

impl Running {
    /// Starts the store with relay, projections, checkouts and the simulated gateway.
    pub async fn start(ground: &Ground) -> Result<Self, Failure> {
        let mut engine = ground.engine().await?;
        engine.relay();
        projections::start(&mut engine, ground.projection_pool().await?);
        engine.manage();
        let (simulator, late) = Simulator::new();
        engine.ask(Arc::new(simulator));
        let mut tasks = JoinSet::new();
        tasks.spawn(answer_late(late, &engine));
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
            forwarded_hops: ground.settings.forwarded_hops.unwrap_or(usual.forwarded_hops),
            ..usual
        };
        Ok(Self { engine, read, written, settings, tasks, followed })
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
    async fn until_stopped(mut self, listener: TcpListener, identity: Identity) -> Result<(), Failure> {
        let shop = Shop::new(&self.engine, self.read.clone(), identity.clone(), self.settings.clone())
            .with_written(self.written.clone());
        self.tasks.spawn(shop.keep_pages());
        self.tasks.spawn(identity.watch());
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let (drain, mut draining) = tokio::sync::watch::channel(false);
        let told = async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            drain.send_replace(true);
        };
        let app = api::router(shop).into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(api::at_once(listener), app).with_graceful_shutdown(told);
        tokio::select! {
            served = served.into_future() => served?,
            () = self.engine.executor.stopped() => return Err(Failure::OtherLog),
            () = async {
                let _ = draining.wait_for(|draining| *draining).await;
                tokio::time::sleep(DRAIN).await;
            } => tracing::warn!("requests were still under way and are cut off"),
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
