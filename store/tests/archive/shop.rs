//! A log of carts and stock, some of it closed, and an archive for it.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use domain::{
    AggregateType, AnyEvent,
    cart::{Command, Line},
    inventory_item,
    value::{CartId, Currency, CustomerId, Money, ProductId, Quantity, Sku, Text},
};
use sqlx::PgPool;
use store::{
    archive::{Archive, Archived, Archiving, ArchivingError, Step},
    engine::Engine,
    log::{Log, Past, Portion, Position, PostgresLog, StoredEvent, StreamId},
    ports::{Clock as _, Machine},
    testing::{Ground, request},
    verify::{Files, Verified, Wanted, verify_with},
};
use uuid::Uuid;

/// Everything that can be read of a log, in every way that it is read.
#[derive(Debug, PartialEq)]
pub struct Reading {
    pub all: Vec<StoredEvent>,
    pub pages: Vec<Vec<StoredEvent>>,
    pub locked: Vec<StoredEvent>,
    pub streams: Vec<Stream>,
}

/// One stream: its name, all of it, what is after its second event, and what a fold hears.
pub type Stream = (String, Vec<StoredEvent>, Vec<StoredEvent>, Vec<AnyEvent>);

pub struct Shop {
    pub ground: Ground,
    pub engine: Engine,
    pub owner: PgPool,
    pub directory: PathBuf,
    seed: u64,
}

impl Drop for Shop {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub fn cart(id: &str) -> StreamId {
    StreamId::new(AggregateType::Cart, id)
}

pub fn open() -> Command {
    Command::Open { customer: None, currency: Currency::GBP, expires_at: None }
}

pub fn add(sku: &str) -> Command {
    let line = Line {
        sku: Sku::new(sku).unwrap(),
        product: ProductId::new("p").unwrap(),
        // Whatever has to be escaped in JSON, and JSON in JSON.
        title: Text::new("Äpfel \"Größe\" \\ 🍏 {}").unwrap(),
        quantity: Quantity::new(1).unwrap(),
        unit_price: Money::new(250, Currency::GBP),
        tax_category: None,
        weight_grams: 0,
        purchase_limit: None,
    };
    Command::AddLine { line, expires_at: None }
}

/// Closes it.
pub fn merge() -> Command {
    let (into, customer) = (CartId::new("theirs").unwrap(), CustomerId::new("ada").unwrap());
    Command::MergeInto { into, customer }
}

/// Opens it again.
pub fn undo() -> Command {
    Command::UndoMerge { into: CartId::new("theirs").unwrap() }
}

pub fn receive() -> inventory_item::Command {
    let quantity = Quantity::new(3).unwrap();
    inventory_item::Command::Receive { quantity, location: None, reference: None }
}

impl Shop {
    /// An empty log whose readers know where the archive will be.
    pub async fn new() -> Self {
        let ground = Ground::new().await;
        let directory = std::env::temp_dir().join(format!("daybook-archive-{}", Uuid::now_v7().simple()));
        let engine = ground.engine_with(Archive::at(&directory)).await;
        let owner = ground.owner_pool("").await;
        Self { ground, engine, owner, directory, seed: 1 }
    }

    /// A log of carts, closed and open, that lie among each other and among stock.
    pub async fn with_history(seed: u64, commands: usize) -> Self {
        let mut shop = Self::new().await;
        shop.seed = seed;
        for nth in 0..commands {
            shop.anything().await;
            // Some that are closed for certain, whatever chance says of the others.
            if nth % 20 == 0 {
                shop.closed(&format!("closed {nth}")).await;
            }
        }
        // The last event is never put away: let it be one that would not be anyhow.
        shop.stock("END").await;
        shop
    }

    pub async fn run(&self, id: &str, command: Command) -> i64 {
        self.engine.executor.execute(request(id, command)).await.unwrap().version
    }

    pub async fn stock(&self, sku: &str) {
        self.engine.executor.execute(request(sku, receive())).await.unwrap();
    }

    /// A cart that was closed.
    pub async fn closed(&self, id: &str) {
        for command in [open(), add("A"), merge()] {
            self.run(id, command).await;
        }
    }

    fn pick(&mut self, of: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % of
    }

    async fn anything(&mut self) {
        let id = format!("cart {}", self.pick(16));
        if self.pick(4) == 0 {
            let sku = if self.pick(2) == 0 { "MUG" } else { "POT %b" };
            return self.stock(sku).await;
        }
        let command = match self.pick(6) {
            0 => open(),
            1 | 2 => merge(),
            3 if self.pick(2) == 0 => undo(),
            _ => add(&format!("SKU {}", self.pick(3))),
        };
        // What is refused is no event, which is as good.
        let _ = self.engine.executor.execute(request(&id, command)).await;
    }

    pub fn archiving(&self) -> Archiving {
        Archiving {
            pool: self.owner.clone(),
            followers: vec![],
            directory: self.directory.clone(),
            before_us: Machine.now_us() + 1_000_000,
            dry_run: false,
            events_per_file: 6,
        }
    }

    /// Puts away whatever may go.
    pub async fn archive(&self) -> Archived {
        self.archiving().run(&|_| ControlFlow::Continue(())).await.unwrap()
    }

    /// The same, killed at a step.
    pub async fn archive_until(
        &self,
        end: impl Fn(&Step) -> bool + Sync,
    ) -> Result<Archived, ArchivingError> {
        let told = |step: Step| if end(&step) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
        self.archiving().run(&told).await
    }

    /// The log as a process sees it that starts now.
    pub async fn log(&self) -> PostgresLog {
        PostgresLog::with_archive(self.ground.pool("").await, Archive::at(&self.directory))
    }

    /// Everything that can be read of it.
    pub async fn reading(&self) -> Reading {
        reading(&*self.engine.log).await
    }

    pub async fn verified(&self, files: Files) -> Verified {
        verify_with(&self.engine.pool, Wanted::default(), files, &|_, _| {}).await.unwrap()
    }

    pub fn files(&self) -> Files {
        Files::Read(Archive::at(&self.directory))
    }

    pub async fn count(&self, table: &str) -> i64 {
        sqlx::query_scalar(&format!("SELECT count(*) FROM {table}")).fetch_one(&self.owner).await.unwrap()
    }

    /// The archive's files, in the order of their names.
    pub fn on_disk(&self) -> Vec<PathBuf> {
        files_in(&self.directory)
    }
}

pub fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "gz")).collect();
    files.sort();
    files
}

pub async fn reading(log: &dyn Log) -> Reading {
    let all = log.read(0, i64::MAX).await.unwrap();
    let named = |event: &StoredEvent| {
        (event.position, event.event_id, event.aggregate_id.clone(), event.event_type.clone())
    };
    let mut names = Vec::new();
    let take = &mut |event: StoredEvent| names.push(named(&event));
    log.read_each(0, i64::MAX, Portion::Names, take).await.unwrap();
    assert_eq!(names, all.iter().map(named).collect::<Vec<_>>());
    let mut pages = Vec::new();
    let mut after: Position = 0;
    loop {
        let page = log.read(after, 7).await.unwrap();
        let Some(last) = page.last() else { break };
        after = last.position;
        pages.push(page);
    }
    let mut streams = Vec::new();
    let mut names: Vec<_> = all
        .iter()
        .map(|event| StreamId::new(event.aggregate_type.parse().unwrap(), &event.aggregate_id))
        .collect();
    names.sort();
    names.dedup();
    for stream in names {
        let mut folded = Vec::new();
        let take = &mut |past: Past<'_>| match past {
            Past::Next(events) => folded.extend(events),
            Past::State(sequence, _) => panic!("a snapshot of {stream} at {sequence} was not asked for"),
        };
        log.history(&stream, false, take).await.unwrap();
        let (whole, tail) = (log.load(&stream, 0).await.unwrap(), log.load(&stream, 2).await.unwrap());
        streams.push((stream.to_string(), whole, tail, folded));
    }
    let locked = log.lock().await.unwrap().read(3, i64::MAX).await.unwrap();
    Reading { all, pages, locked, streams }
}
