//! `up` and `serve`: everything running in one process, until it is told to stop.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use api::{
    Shop,
    outbound::simulator::{Late, Simulator},
};
use projections::ReadModels;
use store::engine::Engine;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

use super::Failure;
use crate::{ground::Ground, sample};

/// How long a late answer of the simulated gateway takes.
const LATE_AFTER: Duration = Duration::from_secs(3);
/// How long requests that are under way may take to end when the process is told to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// Takes the address, or says who has it.
pub async fn listener(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|source| Failure::Listen { address, source })
}

/// Serves, with the sample catalogue loaded first.
pub async fn up(ground: Ground, listener: TcpListener, sample: bool) -> Result<(), Failure> {
    let running = Running::start(&ground).await?;
    if sample {
        sample::load(&running.engine).await?;
    }
    let address = listener.local_addr()?;
    println!(
        "{}",
        welcome(address, ground.stack.as_ref().map(stack::Stack::owner_url))
    );
    running.until_stopped(listener).await?;
    println!("Stopped. The data is kept; the next start finds it.");
    Ok(())
}

/// Serves.
pub async fn serve(ground: Ground, listener: TcpListener) -> Result<(), Failure> {
    let running = Running::start(&ground).await?;
    println!("listening on http://{}", listener.local_addr()?);
    running.until_stopped(listener).await
}

/// One process's part of the system.
pub struct Running {
    /// The store, with everything that follows it.
    pub engine: Engine,
    /// The questions.
    pub read: ReadModels,
    tasks: JoinSet<()>,
}

impl Running {
    /// Starts the store with relay, projections, checkouts and the simulated gateway.
    pub async fn start(ground: &Ground) -> Result<Self, Failure> {
        let mut engine = ground.engine().await?;
        engine.relay();
        projections::start(&mut engine, ground.projection_pool().await?);
        engine.checkouts();
        let (simulator, late) = Simulator::new();
        engine.ask(Arc::new(simulator));
        let mut tasks = JoinSet::new();
        tasks.spawn(answer_late(late, &engine));
        let read = ReadModels::new(
            ground.read_pool().await?,
            &engine.progress(),
            Arc::clone(&engine.clock),
        );
        Ok(Self { engine, read, tasks })
    }

    /// Answers requests until SIGINT or SIGTERM, then lets those under way end.
    async fn until_stopped(self, listener: TcpListener) -> Result<(), Failure> {
        let shop = Shop::new(&self.engine, self.read.clone(), api::Settings::default());
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
        let served = axum::serve(listener, api::router(shop)).with_graceful_shutdown(told);
        tokio::select! {
            served = served.into_future() => served?,
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
    }
}

fn answer_late(late: Late, engine: &Engine) -> impl Future<Output = ()> + Send + use<> {
    late.run(engine.payment_results(), Arc::clone(&engine.clock), LATE_AFTER)
}

/// Addresses, and an order to try: each line can be pasted as it stands.
fn welcome(address: SocketAddr, postgres: Option<&str>) -> String {
    let api = format!("http://{address}");
    let postgres = postgres
        .map(|url| format!("Postgres  {url}\n"))
        .unwrap_or_default();
    format!(
        "\nDaybook is up.\n\n\
         API       {api}\n\
         {postgres}\n\
         Place an order:\n\n\
         curl -s {api}/v1/products?q=mug\n\
         CART=$(curl -s -X POST {api}/v1/carts -H 'content-type: application/json' \
         -d '{{\"currency\":\"GBP\"}}' | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"id\"])')\n\
         curl -s -X PUT {api}/v1/carts/$CART/items/MUG-SEA -H 'content-type: application/json' -d '{{\"quantity\":2}}'\n\
         curl -s -X POST {api}/v1/checkouts -H 'content-type: application/json' -H \"Idempotency-Key: $CART\" -d '{{\
         \"cart\":\"'$CART'\",\"method\":\"cash_on_delivery\",\
         \"contact\":{{\"name\":\"Ada\",\"email\":\"ada@example.com\",\"phone\":\"+44 20 7946 0000\"}},\
         \"address\":{{\"lines\":[\"12 Ledger Lane\"],\"city\":\"London\",\"postcode\":\"E1 6AN\",\"country\":\"GB\"}}}}'\n\
         curl -s {api}/v1/inventory/MUG-SEA\n\n\
         Ctrl-C stops everything; the data is kept.\n"
    )
}
