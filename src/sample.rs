//! The sample catalogue: products and first stock, loaded through the command path.

use domain::{
    AnyCommand, inventory_item, product,
    value::{Invalid, Quantity},
};
use serde::Deserialize;
use store::{
    engine::Engine,
    executor::{Cause, ExecuteError, Origin, Request},
};
use uuid::Uuid;

const CATALOGUE: &str = include_str!("../samples/catalogue.json");
/// What the ids of the sample's commands derive from: loading it again changes nothing.
const NAMESPACE: Uuid = Uuid::from_u128(0x6461_7962_6f6f_6b00_8000_0000_0000_0002);

#[derive(Deserialize)]
struct Entry {
    id: Box<str>,
    /// Units of each variant.
    stock: u32,
    listing: product::Listing,
}

/// Why the sample could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The shipped file is not what it should be.
    #[error("the sample catalogue: {0}")]
    Form(#[from] serde_json::Error),
    /// A value of the shipped file is not one.
    #[error("the sample catalogue: {0}")]
    Value(#[from] Invalid),
    /// A command was not accepted.
    #[error("loading the sample catalogue: {0}")]
    Execute(#[from] ExecuteError),
}

/// Loads the sample where it is not loaded yet, and says how many products were new.
///
/// # Errors
/// When a command is refused or the log is unavailable.
pub async fn load(engine: &Engine) -> Result<usize, SampleError> {
    let entries: Vec<Entry> = serde_json::from_str(CATALOGUE)?;
    let mut new = 0;
    for entry in entries {
        let quantity = Quantity::new(entry.stock)?;
        let skus: Vec<_> = entry.listing.variants.iter().map(|variant| variant.sku.clone()).collect();
        if execute(engine, &entry.id, product::Command::List(entry.listing).into()).await? {
            new += 1;
        }
        for sku in skus {
            let receive = inventory_item::Command::Receive { quantity, location: None, reference: None };
            execute(engine, sku.as_str(), receive.into()).await?;
        }
    }
    Ok(new)
}

/// Executes a command once and for all, and says whether this was the time.
async fn execute(engine: &Engine, aggregate_id: &str, command: AnyCommand) -> Result<bool, SampleError> {
    let name = format!("sample:{}:{aggregate_id}", command.aggregate_type());
    let command_id = Uuid::new_v5(&NAMESPACE, name.as_bytes());
    let request = Request {
        aggregate_id: aggregate_id.into(),
        fingerprint: engine.fingerprints.of(&command)?,
        command,
        command_id,
        origin: Origin::Derived,
        expected_version: None,
        cause: Cause {
            actor: "system:sample".into(),
            correlation_id: command_id,
            causation_id: command_id,
            occurred_at: None,
            traceparent: None,
        },
    };
    match engine.executor.execute_in_turn(request).await {
        Ok(executed) => Ok(!executed.replayed),
        // Loaded by a version of the program whose sample was another one: what is there stays.
        Err(ExecuteError::IdReused) => Ok(false),
        Err(error) => Err(error.into()),
    }
}
