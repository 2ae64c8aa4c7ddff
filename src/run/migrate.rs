//! `migrate`: lays or updates the tables, or says what would be done.

use std::path::Path;

use store::schema::Standing;

use super::{FAILED, FINE, Failure};
use crate::{
    ground::{self, Ground, ServersOnly},
    out::{self, Unprinted},
    settings::Settings,
};

/// Lays or updates all tables.
pub async fn run(
    settings: Settings,
    data: &Path,
    json: bool,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<u8, Failure> {
    match settings.owner_database_url.as_ref().or(settings.database_url.as_ref()) {
        Some(owner) => ground::migrate(owner, &settings).await?,
        // Local servers are migrated when they start.
        None => drop(Ground::prepare(settings, data, false, tell).await?),
    }
    if json {
        out::line(serde_json::json!({"ok": true}))?;
    } else {
        out::line("The tables are up to date.")?;
    }
    Ok(FINE)
}

/// Changes nothing; 1 when the tables are not those that this program needs.
pub async fn check(
    settings: Settings,
    data: &Path,
    json: bool,
    tell: &(dyn Fn(&str) + Sync),
) -> Result<u8, Failure> {
    let (owner, _local) = ServersOnly::owner(&settings, data, tell).await?;
    let standings = ground::standings(&owner, &settings).await?;
    let ok = standings.iter().all(|(_, standing)| standing.fits());
    if json {
        let schemas: serde_json::Map<_, _> = standings
            .iter()
            .map(|(schema, standing)| Ok((schema.clone(), serde_json::to_value(standing)?)))
            .collect::<Result<_, serde_json::Error>>()?;
        out::line(serde_json::json!({ "ok": ok, "schemas": schemas }))?;
    } else {
        for (schema, standing) in &standings {
            tell_of(schema, standing)?;
        }
        if ok {
            out::line("The tables are up to date.")?;
        }
    }
    Ok(if ok { FINE } else { FAILED })
}

fn tell_of(schema: &str, standing: &Standing) -> Result<(), Unprinted> {
    for step in &standing.pending {
        out::line(format_args!("{schema}: {step} is to be done"))?;
    }
    for step in &standing.changed {
        out::line(format_args!(
            "{schema}: {step} was done in another form: these tables belong to another program"
        ))?;
    }
    for version in &standing.newer {
        out::line(format_args!("{schema}: {version} was done by a newer program, which is fine"))?;
    }
    Ok(())
}
