//! Callers of the executor, as the API is one: each makes a request, sends it, and waits for the durable answer.

use std::sync::Arc;

use domain::{
    AnyCommand, inventory_item,
    value::{Quantity, ReservationId},
};
use store::{
    engine::Engine,
    executor::{Cause, Executor, Origin, Request},
    ports::{Clock, Ids, Machine},
    secrets::Fingerprints,
    testing::master_key,
};

use super::{Caller, rows::sku_name};

/// How long a shop holds units for a checkout.
const HOLD_MS: i64 = 900_000;

/// Reserves one unit at a time of the SKUs that are its own, in turn.
pub struct Reserving {
    executor: Executor,
    fingerprints: Fingerprints,
    skus: Arc<Vec<Arc<str>>>,
    next: usize,
    step: usize,
}

impl Reserving {
    /// So many callers who share the SKUs between them; all take the same one, when there is only one.
    pub fn callers(engine: &Engine, skus: &Arc<Vec<Arc<str>>>, callers: usize) -> Vec<Self> {
        let one = |next| Self {
            executor: engine.executor.clone(),
            fingerprints: Fingerprints::new(&master_key()),
            skus: Arc::clone(skus),
            next,
            step: callers,
        };
        (0..callers).map(one).collect()
    }
}

impl Caller for Reserving {
    async fn call(&mut self) {
        let sku = self.skus[self.next % self.skus.len()].clone();
        self.next += self.step;
        let request = request(&self.fingerprints, sku, reserve());
        assert_eq!(self.executor.execute(request).await.unwrap().events.len(), 1);
    }
}

/// The names of so many SKUs.
pub fn skus(count: usize) -> Arc<Vec<Arc<str>>> {
    Arc::new((0..count).map(|nth| sku_name(nth).into()).collect())
}

/// One unit for a new order.
pub fn reserve() -> inventory_item::Command {
    let now = Machine.now();
    inventory_item::Command::Reserve {
        reservation: ReservationId::from(Machine.next()),
        quantity: Quantity::new(1).unwrap(),
        expires_at: Some(now.plus_millis(HOLD_MS)),
        in_stock: false,
        now,
    }
}

/// More units than are ever asked for.
pub const PLENTY: u32 = 1_000_000_000;

/// So many units for the shelf.
pub fn receive(units: u32) -> inventory_item::Command {
    inventory_item::Command::Receive {
        quantity: Quantity::new(units).unwrap(),
        location: None,
        reference: None,
    }
}

/// Puts goods on the shelf of every SKU, and so every SKU into memory.
pub async fn stock_up(engine: &Engine, skus: &Arc<Vec<Arc<str>>>) {
    let fingerprints = Fingerprints::new(&master_key());
    for some in skus.chunks(1_000) {
        let answers = some.iter().map(|sku| {
            let request = request(&fingerprints, sku.clone(), receive(PLENTY));
            engine.executor.execute_in_turn(request)
        });
        for answer in futures::future::join_all(answers).await {
            assert_eq!(answer.unwrap().events.len(), 1);
        }
    }
}

/// A client's request.
pub fn request(fingerprints: &Fingerprints, id: Arc<str>, command: impl Into<AnyCommand>) -> Request {
    let (command, command_id) = (command.into(), Machine.next());
    Request {
        aggregate_id: id,
        fingerprint: fingerprints.of(&command).unwrap(),
        command,
        command_id,
        origin: Origin::Client,
        expected_version: None,
        cause: Cause {
            actor: "customer:01993c1e-7d3a-7c60-9a51-0c1f3f7a9d10".into(),
            correlation_id: command_id,
            causation_id: command_id,
            occurred_at: None,
            traceparent: None,
        },
    }
}
