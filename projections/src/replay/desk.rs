//! Where a replay that runs is told what to do, and tells how far it is: rows beside its own, or files in its folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use sqlx::PgConnection;
use store::schema;

use super::{Destination, ReplayError, Standing, Wishes, place};
use crate::analytics::{STANDING, WISHES, Work};

/// What is left in a folder that is complete: how far it came. Whoever reads all of a folder leaves such names out.
const CAME: &str = "_replay.json";

/// The way to a replay.
pub enum Desk {
    /// Rows in its schema.
    Schema {
        /// A session that sees them.
        connection: PgConnection,
        /// Its name.
        schema: String,
    },
    /// Files in the folder in which it lies until it is complete.
    Folder(PathBuf),
    /// None any more: a folder that is complete, and how far it came.
    Complete(Standing),
}

/// What somebody sees who looks at a replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Look {
    /// How far it is.
    #[serde(flatten)]
    pub standing: Standing,
    /// How it goes.
    #[serde(flatten)]
    pub wishes: Wishes,
    /// Whether a process is at it now.
    pub running: bool,
}

impl Look {
    /// In a word: `running`, `paused`, `complete` or `interrupted`.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self {
            Self { running: true, wishes: Wishes { paused: true, .. }, .. } => "paused",
            Self { running: true, .. } => "running",
            Self { standing, .. } if standing.position >= standing.upto => "complete",
            Self { .. } => "interrupted",
        }
    }
}

impl Desk {
    /// The way to the replay that goes there.
    ///
    /// # Errors
    /// When there is none, or it cannot be reached.
    pub async fn of(destination: &Destination) -> Result<Self, ReplayError> {
        match destination {
            Destination::Schema { url, schema } => {
                let mut connection = schema::session(url, schema).await?;
                match place::is_replay(&mut connection).await? {
                    true => Ok(Self::Schema { connection, schema: schema.clone() }),
                    false => Err(ReplayError::Nowhere(format!("in schema {schema}"))),
                }
            }
            Destination::Folder { path, .. } => match Self::has_begun(path) {
                true => Ok(Self::Folder(Work::folder_of(path))),
                // Anything that is not to be read so is no replay's.
                false => read(&path.join(CAME))
                    .map(Self::Complete)
                    .map_err(|_| ReplayError::Nowhere(format!("at {}", path.display()))),
            },
        }
    }

    /// Whether a replay into that folder was begun, and is not complete.
    #[must_use]
    pub fn has_begun(path: &Path) -> bool {
        let folder = Work::folder_of(path);
        Work::is_begun(&folder) && folder.join(STANDING).is_file()
    }

    /// Leaves in a folder how far it came, beside the files that are put in their place.
    pub(super) fn leave(work: &mut Work, standing: &Standing) -> Result<(), ReplayError> {
        let text = serde_json::to_vec(standing).map_err(|error| at(Path::new(CAME))(error.into()))?;
        work.put_beside(CAME, text);
        Ok(())
    }

    /// Changes what is wanted of a replay that runs, and looks at it. Nobody would heed what is wanted of another one.
    ///
    /// # Errors
    /// The database's, or the file system's.
    pub async fn steer(&mut self, wanted: impl Fn(Wishes) -> Wishes) -> Result<Look, ReplayError> {
        let look = self.look().await?;
        if !look.running {
            return Ok(look);
        }
        self.wish(wanted(look.wishes)).await?;
        self.look().await
    }

    /// What is wanted.
    ///
    /// # Errors
    /// The database's, or the file system's.
    pub async fn wishes(&mut self) -> Result<Wishes, ReplayError> {
        match self {
            Self::Schema { connection, .. } => {
                let text: String = sqlx::query_scalar("SELECT wishes::text FROM replay_wishes")
                    .fetch_one(connection)
                    .await?;
                Ok(serde_json::from_str(&text).map_err(|error| sqlx::Error::Decode(error.into()))?)
            }
            Self::Folder(folder) => read(&folder.join(WISHES)),
            Self::Complete(_) => Ok(Wishes::default()),
        }
    }

    /// Says what is wanted; a replay that runs hears it within half a second.
    pub(super) async fn wish(&mut self, wishes: Wishes) -> Result<(), ReplayError> {
        match self {
            Self::Schema { connection, .. } => {
                let wish = sqlx::query("UPDATE replay_wishes SET wishes = $1::text::json");
                wish.bind(json!(wishes).to_string()).execute(connection).await?;
                Ok(())
            }
            Self::Folder(folder) => write(&folder.join(WISHES), &wishes),
            Self::Complete(_) => Ok(()),
        }
    }

    /// Tells how far it is; rows say so themselves.
    pub(super) fn tell(&self, standing: &Standing) -> Result<(), ReplayError> {
        match self {
            Self::Schema { .. } | Self::Complete(_) => Ok(()),
            Self::Folder(folder) => write(&folder.join(STANDING), standing),
        }
    }

    /// Looks at it.
    ///
    /// # Errors
    /// The database's, or the file system's.
    pub async fn look(&mut self) -> Result<Look, ReplayError> {
        let wishes = self.wishes().await?;
        Ok(match self {
            Self::Schema { connection, schema } => {
                let running = sqlx::query_scalar(
                    "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted \
                                    AND classid = $1::int::oid AND objid = hashtext($2)::oid \
                                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
                )
                .bind(place::LOCK)
                .bind(&**schema)
                .fetch_one(&mut *connection)
                .await?;
                Look { standing: place::standing(connection).await?, wishes, running }
            }
            Self::Folder(folder) => {
                Look { standing: read(&folder.join(STANDING))?, wishes, running: Work::is_held(folder) }
            }
            Self::Complete(standing) => Look { standing: standing.clone(), wishes, running: false },
        })
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> ReplayError {
    let path = path.to_owned();
    move |source| ReplayError::File { path, source }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ReplayError> {
    let text = fs::read(path).map_err(at(path))?;
    serde_json::from_slice(&text).map_err(|error| at(path)(error.into()))
}

/// Whoever reads it meanwhile has the old one or the new one.
fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), ReplayError> {
    let beside = path.with_extension("new");
    let text = serde_json::to_vec(value).map_err(|error| at(path)(error.into()))?;
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(at(path))
}
