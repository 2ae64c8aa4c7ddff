//! `restored`: begins a new life of a log that was put back from a copy, because the database cannot tell.

use std::path::Path;

use store::{
    lives::{self, NewLife},
    ports::Machine,
};

use super::{FINE, Failure};
use crate::{
    ground::{self, ServersOnly},
    out,
    settings::Settings,
};

/// Begins a new life, as the owner.
pub async fn run(
    settings: Settings,
    data: &Path,
    json: bool,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<u8, Failure> {
    let (owner, _local) = ServersOnly::owner(&settings, data, tell).await?;
    let pool = ground::owner_log_pool(&owner, &settings.schema).await?;
    let NewLife { was, is, position } = lives::restored(&pool, &Machine).await?;
    if json {
        out::line(serde_json::json!({ "ok": true, "was": was, "is": is, "position": position }))?;
    } else {
        out::line(format_args!("The log began a new life at position {position}: {is}, after {was}."))?;
        out::line("Start every process again that was running; each stops by itself within a second.")?;
    }
    Ok(FINE)
}
