//! Several places, so that several scenarios can be played at once.

use std::sync::{Mutex, PoisonError};

use futures::future::try_join_all;
use tokio::sync::Semaphore;

use super::{
    Level, Stuck,
    domain::DomainWorld,
    http::HttpWorld,
    place::{Place, PlaceError, Servers},
    store::StoreWorld,
};
use crate::{
    bind::Play,
    run::{self, Outcome},
};

/// Places on the same servers; each is laid when it is first needed.
pub struct Places {
    servers: Servers,
    /// What the names of all schemas begin with.
    name: String,
    free: Mutex<Vec<Place>>,
    laid: tokio::sync::Mutex<usize>,
    room: Semaphore,
}

impl Places {
    /// So many scenarios are played at once.
    pub const AT_ONCE: usize = 8;

    /// Places whose schemas' names begin with `name`, which nobody else may use: `[a-z][a-z0-9]*`, at most 40 letters.
    #[must_use]
    pub fn new(servers: Servers, name: String) -> Self {
        Self {
            servers,
            name,
            free: Mutex::default(),
            laid: tokio::sync::Mutex::default(),
            room: Semaphore::new(Self::AT_ONCE),
        }
    }

    /// Plays a scenario at a level, in a place of its own.
    pub async fn play(&self, level: Level, play: &Play) -> Outcome {
        if level == Level::Domain {
            return run::play(play, &mut DomainWorld::default()).await;
        }
        // The semaphore is never closed; a place too many would only be one more.
        let _permit = self.room.acquire().await;
        let played = async {
            let place = self.take().await?;
            let outcome = in_place(&place, level, play).await;
            self.free.lock().unwrap_or_else(PoisonError::into_inner).push(place);
            outcome
        };
        played.await.unwrap_or_else(|error: PlaceError| run::stuck(play, Stuck(error.to_string())))
    }

    async fn take(&self) -> Result<Place, PlaceError> {
        if let Some(place) = self.free() {
            return place.wiped().await;
        }
        // One after another: laying locks what all of them need.
        let mut laid = self.laid.lock().await;
        if let Some(place) = self.free() {
            return place.wiped().await;
        }
        *laid += 1;
        Place::lay(&self.servers, format!("{}_{laid}", self.name)).await
    }

    fn free(&self) -> Option<Place> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Takes everything away that was laid.
    ///
    /// # Errors
    /// The database's.
    pub async fn remove(self) -> Result<(), PlaceError> {
        drop(self.free);
        let servers = &self.servers;
        let names = (1..=self.laid.into_inner()).map(|number| format!("{}_{number}", self.name));
        let removed = names.map(|name| async move { Place::remove(servers, &name).await });
        try_join_all(removed).await.map(drop)
    }
}

async fn in_place(place: &Place, level: Level, play: &Play) -> Result<Outcome, PlaceError> {
    match level {
        Level::Http => {
            let mut world = HttpWorld::open(place).await?;
            let outcome = run::play(play, &mut world).await;
            world.close().await;
            Ok(outcome)
        }
        Level::Domain | Level::Store => {
            let mut world = StoreWorld::open(place).await?;
            let outcome = run::play(play, &mut world).await;
            world.close().await;
            Ok(outcome)
        }
    }
}
