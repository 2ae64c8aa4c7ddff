//! Knows how a stack comes up, is shared with other processes, and goes down.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::guests::Guest;
use crate::keeper::Keeper;
use crate::nats::Nats;
use crate::owner::{Lock, State};
use crate::place::{self, Ground, User};
use crate::postgres::{INITDB_STOP, Postgres, Through};
use crate::process::{self, Process};
use crate::provision::{self, Programs};
use crate::secrets::Secrets;
use crate::server::{Kind, Local};
use crate::{StackError, url};

/// How long to wait for another process that is starting or stopping the servers.
const OTHERS: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Hears about progress, in sentences for people.
pub type Log<'a> = &'a (dyn Fn(&str) + Sync);

/// What to start, and where.
#[derive(Clone)]
pub struct Options<'a> {
    /// The data directory; made if it is not there.
    pub data: PathBuf,
    /// Where the server programs are installed; `<data>/servers` when `None`.
    pub servers: Option<PathBuf>,
    /// Wipe the servers' data first. Passwords and ports are kept.
    pub fresh: bool,
    /// A Postgres server to use instead of starting one.
    pub database_url: Option<String>,
    /// A NATS server to use instead of starting one.
    pub nats_url: Option<String>,
    /// Hears about progress.
    pub log: Log<'a>,
}

impl Options<'_> {
    /// Both servers, their data kept, nothing said.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        let data = data.into();
        Options { data, servers: None, fresh: false, database_url: None, nats_url: None, log: &|_| {} }
    }
}

/// For how long the servers live.
#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// The servers end with this process.
    pub owner: Process,
    /// The data ends with it as well.
    pub throw_away: bool,
    /// Dropping the stack leaves the servers running, as long as the owner lives.
    pub detached: bool,
}

/// Both servers, ours to stop or another process's to use. Dropping it stops what it owns, unless others use it.
#[derive(Debug)]
pub struct Stack {
    pub(crate) state: State,
    pub(crate) owned: Option<Owned>,
    /// While it is attached, the servers stay, whatever becomes of their owner.
    _guest: Option<Guest>,
    app_password: String,
    data: PathBuf,
}

/// What only the owner has.
#[derive(Debug)]
pub(crate) struct Owned {
    pub postgres: Option<Local<Postgres>>,
    pub nats: Option<Local<Nats>>,
    keeper: Keeper,
    pub(crate) ground: Ground,
    state: State,
    life: Life,
    armed: bool,
    /// Last, so that nobody else starts before everything above is gone.
    _lock: Lock,
}

impl Stack {
    /// Starts the servers, or attaches to those that another process runs on the same data directory.
    ///
    /// # Errors
    /// When no server program can be found or started, when `fresh` is asked for while another process owns the
    /// data, or when that process does not become ready within a minute.
    pub fn start_or_attach(options: Options<'_>) -> Result<Stack, StackError> {
        let life = Life { owner: Process::current(), throw_away: false, detached: false };
        Stack::start(options, life)
    }

    pub(crate) fn start(options: Options<'_>, life: Life) -> Result<Stack, StackError> {
        if options.fresh && (options.database_url.is_some() || options.nats_url.is_some()) {
            return Err(StackError::FreshGiven);
        }
        let (data, run) = place::data_dir(&options.data)?;
        if let Some(stack) = attach(&options, &data, &run)? {
            return Ok(stack);
        }
        // Before the lock: an installation may take longer than others would wait for the lock.
        let recorded = fs::read_to_string(run.join("home")).map_or_else(|_| data.clone(), PathBuf::from);
        let user = User::unprivileged(Some(&recorded.join("postgres")))?;
        let servers = match &options.servers {
            Some(servers) => servers.clone(),
            // Beside the data, so that one directory holds everything wherever it must lie.
            None => place::reachable(&data, user)?.join("servers"),
        };
        let needed = (options.database_url.is_none(), options.nats_url.is_none());
        let programs = provision::find(&servers, needed, user, options.log)?;
        let deadline = Instant::now() + OTHERS;
        loop {
            if let Some(lock) = Lock::try_take(&run)? {
                let home = place::home(&data, &run, user)?;
                return own(&options, programs, Ground { data, run, home, user }, life, lock);
            }
            if let Some(stack) = attach(&options, &data, &run)? {
                return Ok(stack);
            }
            if Instant::now() >= deadline {
                return Err(StackError::Busy { pid: Lock::holder(&run), data, waited_s: OTHERS.as_secs() });
            }
            thread::sleep(POLL);
        }
    }

    /// Whether the servers end with this stack.
    pub fn owned(&self) -> bool {
        self.owned.is_some()
    }

    /// The process that owned the servers at the start.
    pub fn owner_pid(&self) -> u32 {
        self.state.owner.as_ref().map_or(0, |owner| owner.pid)
    }

    /// Postgres as the superuser that owns the database `daybook`, or the URL that was given.
    pub fn owner_url(&self) -> &str {
        &self.state.database_url
    }

    /// The same server and database as another role.
    pub fn url_for(&self, user: &str, password: &str) -> String {
        url::with_credentials(&self.state.database_url, user, password)
    }

    /// A random password for the application's role: the same on every start on this data directory.
    pub fn app_password(&self) -> &str {
        &self.app_password
    }

    /// NATS with its token, or the URL that was given.
    pub fn nats_url(&self) -> &str {
        &self.state.nats_url
    }

    /// JetStream's store, when NATS is a server of the stack's.
    pub fn nats_data_dir(&self) -> Option<&Path> {
        self.state.nats_dir.as_deref()
    }

    /// The data directory, as an absolute path.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }

    /// Stops what this stack owns and waits until it is down; when attached, or while others are, servers go on.
    pub fn stop(self) {}
}

/// Attaches to a live owner's servers, if there is one.
fn attach(options: &Options<'_>, data: &Path, run: &Path) -> Result<Option<Stack>, StackError> {
    let Some((_, pid)) = State::of_live_owner(run)? else {
        return Ok(None);
    };
    if options.fresh {
        // A keeper that owns them goes when its guests do.
        let guest = if pid == Lock::holder(run) { None } else { Guest::pids(run).first().copied() };
        return Err(StackError::Owned { pid: guest.unwrap_or(pid), data: data.to_owned() });
    }
    let guest = Guest::register(run)?;
    let Some((mut state, _)) = State::of_live_owner(run)? else {
        return Ok(None);
    };
    let secrets = Secrets::load_or_make(run, true)?;
    state.database_url = options.database_url.clone().unwrap_or(state.database_url);
    state.nats_url = options.nats_url.clone().unwrap_or(state.nats_url);
    Ok(Some(Stack {
        state,
        owned: None,
        _guest: Some(guest),
        app_password: secrets.app,
        data: data.to_owned(),
    }))
}

/// Becomes the owner, and starts everything. Whatever fails, what was started until then is stopped.
fn own(
    options: &Options<'_>,
    programs: Programs,
    ground: Ground,
    life: Life,
    mut lock: Lock,
) -> Result<Stack, StackError> {
    lock.sign(&ground.run, &life.owner)?;
    let state = State::read(&ground.run);
    state.withdraw(&ground.run)?;
    Keeper::forget_leaving(&ground.run);
    process::stop_left_behind("initdb", &ground, INITDB_STOP);
    process::stop_left_behind("nats", &ground, Nats::STOP);
    process::stop_left_behind("postgres", &ground, Postgres::STOP);
    if options.fresh {
        place::remove(&ground.home.join("postgres"))?;
        place::remove(&ground.home.join("nats"))?;
    }
    let secrets = Secrets::load_or_make(&ground.run, ground.home.join("postgres").exists())?;
    let keeper = Keeper::start(&life.owner, &lock, &ground, life.throw_away)?;
    let data = ground.data.clone();
    let mut owned =
        Owned { postgres: None, nats: None, keeper, ground, state, life, armed: true, _lock: lock };
    owned.start_servers(programs, &secrets, options)?;
    owned.armed = !owned.life.detached;
    let state = owned.state.clone();
    Ok(Stack { state, owned: Some(owned), _guest: None, app_password: secrets.app, data })
}

impl Owned {
    fn start_servers(
        &mut self,
        programs: Programs,
        secrets: &Secrets,
        options: &Options<'_>,
    ) -> Result<(), StackError> {
        let (ground, state) = (&self.ground, &mut self.state);
        state.database_url = options.database_url.clone().unwrap_or_default();
        state.nats_url = options.nats_url.clone().unwrap_or_default();
        state.nats_dir = None;
        if let Some(program) = programs.nats {
            let nats = Local::start(Nats::new(program, ground, secrets), ground, state.nats_port)?;
            state.nats_port = Some(nats.port);
            state.nats_dir = Some(nats.kind.store_dir());
            state.nats_url = nats.kind.url(nats.port);
            (options.log)(&format!("NATS listens on 127.0.0.1:{}", nats.port));
            self.nats = Some(nats);
        }
        if let Some(program) = programs.postgres {
            let through = if self.life.throw_away { Through::Network } else { Through::Socket };
            let postgres = Postgres::new(program, ground, secrets, through);
            postgres.create()?;
            let postgres = Local::start(postgres, ground, state.postgres_port)?;
            state.postgres_port = Some(postgres.port);
            state.database_url = postgres.kind.url(postgres.port);
            (options.log)(&format!("Postgres listens on 127.0.0.1:{}", postgres.port));
            self.postgres = Some(postgres);
        }
        state.owner = Some(self.life.owner.clone());
        state.publish(&ground.run)
    }

    /// Leaves the servers to the keeper, for as long as others use them; false when there is no keeper any more.
    fn leave(&mut self) -> Result<bool, StackError> {
        if self.state.owner.is_none() || !self.keeper.is_alive() {
            return Ok(false);
        }
        self.state.publish(&self.ground.run)?;
        self.keeper.take_over(&self.ground.run)?;
        Ok(true)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        // First, so that nobody attaches to servers that are about to go.
        let _ = self.state.withdraw(&self.ground.run);
        if !Guest::pids(&self.ground.run).is_empty() && self.leave().is_ok_and(|left| left) {
            return;
        }
        if let Some(nats) = &self.nats {
            nats.stop();
        }
        if let Some(postgres) = &self.postgres {
            postgres.stop();
        }
        self.keeper.dismiss();
        if self.life.throw_away {
            let _ = place::remove(&self.ground.home);
            let _ = place::remove(&self.ground.data);
        }
    }
}
