//! `keys`: replaces the master key, and says how far that has come; and the key that signs tokens.

use store::vault::{Rotated, Vault};

use super::{FAILED, FINE, Failure};
use crate::{
    ground::{Ground, GroundError},
    out,
    progress::Progress,
};

/// Wraps every key by the current master key; 1 when some do not open, and for a check when some are left.
pub async fn rotate(ground: &Ground, check: bool, json: bool) -> Result<u8, Failure> {
    let vault = ground.vault().await?;
    if check {
        return tell(&vault, None, json).await;
    }
    vault.keep_fingerprints(ground.masters()).await?;
    wrap(&vault, json).await
}

/// Makes a new key that signs tokens, in a while or in place of all others.
pub async fn rotate_tokens(ground: &Ground, now: bool, json: bool) -> Result<u8, Failure> {
    let identity = ground.identity_alone().await?;
    if now {
        let kid = identity.replace_keys().await.map_err(GroundError::from)?;
        if json {
            out::line(serde_json::json!({ "ok": true, "kid": kid, "replaced": true }))?;
        } else {
            out::line(format_args!("Key {kid} signs tokens, and none is taken that another has signed."))?;
        }
        return Ok(FINE);
    }
    let (kid, signs_from) = identity.rotate_keys().await.map_err(GroundError::from)?;
    let signs_from = store::rfc3339::format(signs_from);
    if json {
        out::line(serde_json::json!({ "ok": true, "kid": kid, "signs_from": signs_from }))?;
    } else {
        out::line(format_args!("Key {kid} is published and signs tokens from {signs_from} on."))?;
    }
    Ok(FINE)
}

async fn wrap(vault: &Vault, json: bool) -> Result<u8, Failure> {
    let progress = Progress::stderr("keys", "keys");
    progress.begin(vault.wrappings().await?.left);
    let rotated = vault.rotate(&|more| progress.advance(more)).await?;
    progress.finish();
    tell(vault, Some(&rotated), json).await
}

async fn tell(vault: &Vault, rotated: Option<&Rotated>, json: bool) -> Result<u8, Failure> {
    let (id, wrappings) = (vault.master_id(), vault.wrappings().await?);
    let status = if wrappings.left == 0 { FINE } else { FAILED };
    if json {
        out::line(serde_json::json!({
            "ok": status == FINE, "master_key": id, "total": wrappings.total, "left": wrappings.left,
            "rotated": rotated,
        }))?;
        return Ok(status);
    }
    if let Some(rotated) = rotated {
        out::line(format_args!("Keys wrapped again: {}.", rotated.wrapped))?;
        for unopened in &rotated.unopened {
            out::line(unopened)?;
        }
        let more = rotated.unopened_total.saturating_sub(rotated.unopened.len() as u64);
        if more > 0 {
            out::line(format_args!("and {more} more that do not open"))?;
        }
    }
    let (total, left) = (wrappings.total, wrappings.left);
    out::line(format_args!("Keys that are not wrapped by master key {id}: {left} of {total}."))?;
    Ok(status)
}
