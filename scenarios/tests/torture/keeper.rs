//! Whoever may do everything, as the tests' requests say: a token signed on a shop's own tables, for each address.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, LazyLock, Mutex},
};

use api::{Identity, Member, Principal, edge};
use domain::value::CustomerId;
use store::{
    ports::Machine,
    testing::{Ground, master_key},
    vault::Vault,
};
use uuid::Uuid;

/// As the log knows them.
pub const ACTOR: &str = "admin:00000000-0000-0000-0000-000000000000";

/// Longer than any test.
const LIFETIME_S: i64 = 24 * 3_600;

static TOKENS: LazyLock<Mutex<HashMap<SocketAddr, String>>> = LazyLock::new(Mutex::default);

/// Signs the token for the shop on that ground, which is going to listen there.
pub async fn admit(ground: &Ground, address: SocketAddr) {
    let vault = Vault::new(ground.pool("_keys").await, Arc::new(Machine), &master_key().into());
    let pool = ground.pool(edge::SUFFIX).await;
    let identity = Identity::start(pool, vault, Arc::new(Machine), Arc::new(Machine)).await.unwrap();
    let member =
        Member { account: Uuid::nil(), session: Uuid::nil(), customer: CustomerId::from(Uuid::nil()) };
    let token = identity.token_for(&Principal::Admin(member), LIFETIME_S).unwrap().unwrap();
    TOKENS.lock().unwrap().insert(address, format!("Bearer {token}"));
}

/// The header for requests to that address, if anybody was admitted.
pub fn authorization(address: SocketAddr) -> String {
    TOKENS.lock().unwrap().get(&address).cloned().unwrap_or_default()
}
