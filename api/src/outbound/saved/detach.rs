//! Lets the gateway let go of what nobody keeps any more, as often as it takes.

use std::{sync::Arc, time::Duration};

use store::ports::Clock;

use super::{Keeps, Saved};
use crate::identity::Error;

/// How often it is looked for what was removed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks between two at what an older program has kept meanwhile, which does not say with which gateway.
const NAMED_EVERY: u32 = 60;

/// Goes on for ever.
pub(super) async fn run(saved: Saved, keeps: Arc<dyn Keeps>, clock: Arc<dyn Clock>) {
    let mut looks = 0_u32;
    loop {
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(NAMED_EVERY)
            && let Err(error) = saved.name_gateways().await
        {
            tracing::warn!(%error, "it cannot be seen with which gateway customers keep something");
        }
        match next(&saved, &*keeps).await {
            Ok(true) => {}
            Ok(false) => clock.sleep(LOOK_EVERY).await,
            Err(error) => {
                tracing::warn!(%error, "what customers do not keep any more cannot be seen");
                clock.sleep(LOOK_EVERY).await;
            }
        }
    }
}

/// One of them, if there is one.
async fn next(saved: &Saved, keeps: &dyn Keeps) -> Result<bool, Error> {
    let Some(removed) = saved.take_removed().await? else { return Ok(false) };
    match keeps.detach(&removed.token).await {
        Ok(()) => saved.gone(removed.id).await?,
        Err(error) => {
            tracing::warn!(method = %removed.id, %error, "the gateway does not let go of a payment method; it is asked again");
        }
    }
    Ok(true)
}
